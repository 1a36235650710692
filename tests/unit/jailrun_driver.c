#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"
#include "os/filelock.h"
#include "os_tmp.h"
#include "platform/jailrun.h"
#include "reconciler/drivers/jailrun.h"

#define ONE "200:6fc8:9220:f400:5cc2:305a:4ac6:967e"
#define TWO "202:90bc:2ab6:34c1:3e3f:e723:783f:ab2"

static struct jailrun_store store;
static struct jailrun_registry conf;
static struct driver driver;
static struct failures failed;

static void put(const char *text)
{
	cr_assert_eq(file_replace(store.path, text, strlen(text), 0640, &e), 0, "%s", e.text);
}

static const char *state(void)
{
	const char *text;
	size_t len;

	cr_assert_eq(file_read(store.path, 4096, arena, &text, &len, &e), 0, "%s", e.text);
	return text;
}

static void begin(void)
{
	setup();
	jailrun_store(&store, dir, arena);
	conf = (struct jailrun_registry){ .store = &store, .now = 0 };
	strs_push(arena, &conf.joined, "theirs");
	jailrun_driver(&driver, &conf, arena);
	failed = (struct failures){ .arena = arena };
	put("{\"version\": 1, \"peers\": [{\"alias\": \"office\", \"jails\": [{\"name\": \"a\", "
	    "\"ygg_address\": \"" ONE "\"}]}, {\"alias\": \"bad\", \"jails\": 3}]}");
}

TestSuite(jailrun_driver, .init = begin, .fini = teardown);

/* Asked for the peers office and ci. */
static const char *read_all(void)
{
	struct items seen = { .arena = arena };
	struct strs scopes = { 0 };
	struct text t = text_new(arena);

	strs_push(arena, &scopes, "office");
	strs_push(arena, &scopes, "ci");
	failed.n = 0;
	driver.ops->read(driver.self, &scopes, arena, &seen, &failed);
	for (size_t i = 0; i < seen.n; i++)
		text_addf(&t, "%s %s = %s\n", seen.v[i].scope, seen.v[i].key, seen.v[i].value);
	for (size_t i = 0; i < failed.n; i++)
		text_addf(&t, "%s failed\n", failed.v[i].scope);
	return t.s;
}

static void apply(const char *scope, const char *key, const char *before, const char *after)
{
	struct change c = {
		.kind = KIND_PAIRING, .scope = scope, .key = key, .before = before, .after = after
	};
	const struct change *list = &c;

	failed.n = 0;
	driver.ops->apply(driver.self, PHASE_NAMES, scope, &list, 1, arena, &failed);
}

Test(jailrun_driver, tells_of_every_peer_and_which_is_not_in_order)
{
	cr_assert_str_eq(read_all(), "office recorded a = " ONE "\nbad failed\n");
}

Test(jailrun_driver, knows_nothing_of_anyone_when_the_state_is_unreadable)
{
	static const char *const texts[] = { "", "{", "{\"version\": 2}", NULL };

	for (size_t i = 0; i < 4; i++) {
		if (texts[i] != NULL)
			put(texts[i]);
		else
			cr_assert_eq(file_remove(store.path, &e), 0);
		cr_assert_str_eq(read_all(), "office failed\nci failed\n", "case %zu", i);
		cr_assert_not_null(strstr(failed.v[0].text, "/state.json: "));
		apply("office", "recorded b", NULL, TWO);
		cr_assert_eq(failed.n, 1);
	}
}

Test(jailrun_driver, records_changes_and_keeps_the_mode)
{
	struct stat st;

	apply("office", "recorded b", NULL, TWO);
	apply("office", "recorded a", ONE, NULL);
	apply("theirs", "recorded x", NULL, ONE);
	cr_assert_eq(failed.n, 0, "%s", failed.n == 0 ? "" : failed.v[0].text);
	cr_assert_str_eq(state(),
		"{\"version\": 1, \"peers\": [{\"alias\": \"office\", \"jails\": [{\"name\": "
		"\"b\", \"ygg_address\": \"" TWO "\"}]}, {\"alias\": \"bad\", \"jails\": 3}, "
		"{\"alias\": \"theirs\", \"direction\": \"joined\", \"paired_at\": "
		"\"1970-01-01T00:00:00+00:00\", \"jails\": [{\"name\": \"x\", \"ygg_address\": "
		"\"" ONE "\"}]}]}");
	cr_assert_eq(stat(store.path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
	apply("office", "recorded b", TWO, NULL);
	cr_assert_null(strstr(state(), "office"));
}

Test(jailrun_driver, writes_nothing_where_nothing_changes)
{
	struct stat before, after;

	cr_assert_eq(stat(store.path, &before), 0);
	apply("office", "recorded a", NULL, ONE);
	apply("office", "recorded b", TWO, NULL);
	cr_assert_eq(failed.n, 0);
	cr_assert_eq(stat(store.path, &after), 0);
	cr_assert_eq(before.st_ino, after.st_ino);
}

Test(jailrun_driver, trusts_no_text_of_a_plan)
{
	static const char *const cases[][3] = {
		{ "office", "recorded a\"b", ONE },
		{ "office", "recorded ", ONE },
		{ "office", "roster", "1 jails" },
		{ "office", "recorded c", "::/0" },
		{ "office", "recorded c", "fe80::1" },
		{ "a\", \"b", "recorded c", ONE },
		{ "local", "recorded c", ONE },
		{ "bad", "recorded c", ONE },
	};
	const char *before = state();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		apply(cases[i][0], cases[i][1], NULL, cases[i][2]);
		cr_expect_eq(failed.n, 1, "case %zu", i);
		cr_expect_str_eq(state(), before, "case %zu", i);
	}
}

Test(jailrun_driver, withdraws_a_peer)
{
	cr_assert_eq(driver.ops->withdraw(driver.self, "office", arena, &e), 0, "%s", e.text);
	cr_assert_str_eq(
		state(), "{\"version\": 1, \"peers\": [{\"alias\": \"bad\", \"jails\": 3}]}");
	cr_assert_eq(driver.ops->withdraw(driver.self, "nobody", arena, &e), 0);
}

Test(jailrun_driver, waits_for_jailruns_lock_and_says_who_has_it)
{
	const char *path = in_dir("state.lock");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	pid_t child;
	int status;

	cr_assert_eq(flock(fd, LOCK_EX), 0);
	cr_assert_eq(filelock_take(path, 0, "Jailrun", &e), -1);
	cr_assert_eq(e.code, ERR_BUSY);
	cr_assert_not_null(strstr(e.text, "Jailrun is at work and holds "));
	child = fork();
	if (child == 0) {
		close(fd); /* the lock is the parent's until that closes it too */
		apply("office", "recorded b", NULL, TWO);
		_exit(failed.n == 0 ? 0 : 1);
	}
	usleep(200000);
	cr_assert_null(strstr(state(), TWO));
	cr_assert_eq(waitpid(child, &status, WNOHANG), 0, "it did not wait");
	close(fd);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	cr_assert_not_null(strstr(state(), TWO));
}
