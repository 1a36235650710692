#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "pairing/client.h"
#include "pairing/reply.h"
#include "pairing/store.h"
#include "tests/unit/rogue.h"

#define OURS "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}"
#define THEIRS "{\"jails\":[{\"name\":\"db\",\"ygg_address\":\"200::2\"}]}"

static struct arena *a;
static struct rogue relay;
static char dir[64];

/* One instance: its files and what was reported of it. */
struct side {
	struct handshake_conf c;
	struct roster ours;
	char lock[128];
	unsigned shown, ticks;
	bool resumed, unrecorded, stop;
	char code[65];
};

static struct side laptop, server;

static bool in_file(const char *path, const char *needle)
{
	char text[65536] = "";
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return false;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return strstr(text, needle) != NULL;
}

static const char *pending_of(const struct side *s)
{
	return arena_printf(a, "%s/pending.json", s->c.state_dir);
}

static void on_code(void *ctx, const char *peer, const char *code, bool resumed)
{
	struct side *s = ctx;

	s->shown++;
	s->resumed = resumed;
	snprintf(s->code, sizeof(s->code), "%s", code);
	if (!in_file(pending_of(s), code) || !in_file(pending_of(s), peer))
		s->unrecorded = true;
}

static bool on_tick(void *ctx, size_t waiting, int seconds_left)
{
	struct side *s = ctx;

	(void)waiting;
	(void)seconds_left;
	s->ticks++;
	return s->stop;
}

static void side_init(struct side *s, const char *name, const char *roster)
{
	struct err e = ERR_INIT;

	memset(s, 0, sizeof(*s));
	cr_assert_eq(roster_parse(roster, strlen(roster), a, &s->ours, &e), 0, "%s", e.text);
	snprintf(s->lock, sizeof(s->lock), "%s/%s.lock", dir, name);
	s->c = (struct handshake_conf){
		.mesh = name,
		.relay_url = relay.url,
		.state_dir = arena_printf(a, "%s/%s", dir, name),
		.lock_path = s->lock,
		.ours = &s->ours,
		.ctx = s,
		.on_code = on_code,
		.on_tick = on_tick,
	};
	mkdir(s->c.state_dir, 0700);
}

static void setup(void)
{
	a = arena_new();
	snprintf(dir, sizeof(dir), "/tmp/jmesh-pairing-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	rogue_start(&relay);
	side_init(&laptop, "laptop", OURS);
	side_init(&server, "server", THEIRS);
}

static void teardown(void)
{
	char *command = arena_printf(a, "rm -rf %s", dir);

	rogue_stop(&relay);
	cr_assert_eq(system(command), 0);
	arena_free(a);
}

TestSuite(pairing, .init = setup, .fini = teardown, .timeout = 120);

static struct handshake_result run(
	struct side *s, enum handshake_role role, const char *code, int wait_s)
{
	struct handshake_want want = { role == HANDSHAKE_CREATE ? "office" : "home", role, code };
	struct handshake_result result;
	struct err e = ERR_INIT;

	cr_assert_eq(handshake_run(&s->c, &want, 1, wait_s, a, &result, &e), 0, "%s", e.text);
	return result;
}

static struct handshake_result create(int wait_s)
{
	return run(&laptop, HANDSHAKE_CREATE, NULL, wait_s);
}

static struct handshake_result join(const char *code)
{
	return run(&server, HANDSHAKE_JOIN, code, 0);
}

static void has_roster(const struct side *s, const char *peer, const char *roster)
{
	const struct lock_peer *found;
	struct err e = ERR_INIT;
	struct lock lock;

	cr_assert_eq(lock_load(s->lock, s->c.mesh, a, &lock, &e), 0, "%s", e.text);
	found = lock_find(&lock, peer);
	cr_assert_not_null(found);
	cr_assert_str_eq(roster_format(&found->roster, a), roster);
	cr_assert_str_eq(found->told, roster_digest(&s->ours, a));
}

static size_t pendings(const struct side *s)
{
	struct err e = ERR_INIT;
	struct pending *list;
	size_t n;

	cr_assert_eq(pending_list(s->c.state_dir, a, &list, &n, &e), 0, "%s", e.text);
	return n;
}

static void failed(const struct handshake_result *r, enum err_code code, const char *says)
{
	cr_expect_eq(r->status, HANDSHAKE_FAILED, "status %d", r->status);
	cr_expect_eq(r->err.code, code, "%d %s", r->err.code, r->err.text);
	cr_expect(strstr(r->err.text, says) != NULL, "'%s' is not in '%s'", says, r->err.text);
}

static void pair_both(void)
{
	struct handshake_result r = create(0);

	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_str_eq(r.code, "1-zephyr");
	r = join("1-zephyr");
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	has_roster(&laptop, "office", THEIRS);
	has_roster(&server, "home", OURS);
	cr_assert_eq(pendings(&laptop), 0);
	cr_assert_eq(pendings(&server), 0);
}

Test(pairing, creates_and_joins)
{
	pair_both();
	cr_assert_eq(relay.posts, 1);
	cr_assert_eq(laptop.shown, 2);
	cr_assert(laptop.resumed);
	cr_assert_not(laptop.unrecorded, "a code was shown before it was recorded");
	cr_assert(in_file(laptop.lock, code_digest("1-zephyr", a)));
	cr_assert_not(in_file(laptop.lock, "1-zephyr"), "the lock holds a code");
}

Test(pairing, creates_and_joins_at_a_plain_relay)
{
	relay.plain = true;
	pair_both();
}

Test(pairing, sends_exactly_the_protocol)
{
	struct handshake_result r = create(0);

	cr_assert_eq(r.status, HANDSHAKE_WAITING);
	cr_assert(strncmp(relay.last, "POST /pair HTTP/1.1\r\n", 21) == 0, "%s", relay.last);
	cr_assert(strstr(relay.last, "\r\nUser-Agent: jmesh/" JMESH_VERSION "\r\n") != NULL);
	cr_assert_str_eq(strstr(relay.last, "\r\n\r\n") + 4, OURS);
	create(0);
	cr_assert(
		strncmp(relay.last, "GET /pair/1-zephyr HTTP/1.1\r\n", 29) == 0, "%s", relay.last);
	cr_assert(strstr(relay.last, "\r\nAuthorization: Bearer tok.1\r\n") != NULL);
}

Test(pairing, the_pending_file_is_for_its_owner_only)
{
	struct stat st;

	create(0);
	cr_assert_eq(stat(pending_of(&laptop), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(pairing, a_paired_peer_asks_no_relay)
{
	unsigned asked;

	pair_both();
	asked = relay.requests;
	cr_assert_eq(create(0).status, HANDSHAKE_PAIRED);
	cr_assert_eq(join("1-zephyr").status, HANDSHAKE_PAIRED);
	cr_assert_eq(relay.requests, asked);
}

Test(pairing, a_new_code_joins_again)
{
	pair_both();
	failed((struct handshake_result[]){ join("7-other") }, ERR_REMOTE,
		"the code '7-other' is unknown, expired or used; ask for a new one");
	has_roster(&server, "home", OURS);
	cr_assert_eq(pendings(&server), 0);
}

Test(pairing, another_relay_gets_another_pairing)
{
	struct handshake_result r = create(0);

	laptop.c.relay_url = arena_printf(a, "http://localhost%s", strrchr(relay.url, ':'));
	r = create(0);
	cr_assert_str_eq(r.code, "2-zephyr", "%s", r.err.text);
	cr_assert_not(laptop.resumed);
	cr_assert_eq(pendings(&laptop), 1);
}

Test(pairing, an_expired_code_is_replaced)
{
	struct handshake_result r = create(0);

	relay.pairings[0].code[0] = '\0';
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_str_eq(r.code, "2-zephyr");
	cr_assert_not(laptop.resumed);
	cr_assert_not(laptop.unrecorded);
}

Test(pairing, a_code_that_another_run_used_up_is_no_loss)
{
	struct lock lock = { .mesh = "laptop" };
	struct handshake_result r;
	struct err e = ERR_INIT;

	create(0);
	relay.pairings[0].code[0] = '\0';
	lock_put(&lock, a, &(struct lock_peer){ .name = "office", .roster = server.ours });
	/* Written while this run polls: the first thing it sees is that the code is gone. */
	cr_assert_eq(lock_save(laptop.lock, &lock, a, &e), 0);
	r = create(5);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	cr_assert_eq(relay.posts, 1);
}

static struct rogue *writer_relay;

static bool answer_gone_and_write(struct rogue *r, const char *request, char *out, size_t size)
{
	if (strncmp(request, "GET ", 4) != 0)
		return false;
	if (r->requests == 3) {
		struct arena *own = arena_new();
		struct lock lock = { .mesh = "laptop" };
		struct err e = ERR_INIT;

		lock_put(
			&lock, own, &(struct lock_peer){ .name = "office", .roster = server.ours });
		lock_save(laptop.lock, &lock, own, &e);
		arena_free(own);
	}
	writer_relay = r;
	snprintf(out, size, "HTTP/1.1 404 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
	return true;
}

Test(pairing, a_roster_that_another_run_is_about_to_write_is_waited_for)
{
	struct handshake_result r;

	create(0);
	relay.answer = answer_gone_and_write;
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	cr_assert_eq(relay.posts, 1);
}

static bool answer_raw(struct rogue *r, const char *request, char *out, size_t size)
{
	(void)request;
	snprintf(out, size, "%s", r->raw);
	return true;
}

static const char *ok_body(const char *body)
{
	return arena_printf(a,
		"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		strlen(body), body);
}

Test(pairing, a_hostile_code_is_neither_shown_nor_recorded)
{
	static const char *const bodies[] = {
		"",
		"{}",
		"[]",
		"not json",
		"{\"code\":7}",
		"{\"code\":null}",
		"{\"code\":\"\"}",
		"{\"code\":\"a b\"}",
		"{\"code\":\"../../etc/passwd\"}",
		"{\"code\":\"a/b\"}",
		"{\"code\":\"a?b\"}",
		"{\"code\":\"a\\r\\nHost: evil\"}",
		"{\"code\":\"a\\u001b[2J\"}",
		"{\"code\":\"a\\u0000\"}",
		"{\"code\":\"local\\\"\"}",
		"{\"code\":\"$(id)\"}",
		"{\"code\":\"caf\303\251\"}",
		"{\"code\":\"a\",\"code\":\"b\"}",
		"{\"code\":\"12345678901234567890123456789012345678901234567890123456789012345\"}",
		"{\"code\":\"a\"} trailing",
		"{\"code\":\"a\",\"token\":7}",
		"{\"code\":\"a\",\"token\":\"\"}",
		"{\"code\":\"a\",\"token\":\"x\\r\\nHost: evil\"}",
		"{\"code\":\"a\",\"token\":\"x y\"}",
	};

	relay.answer = answer_raw;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct handshake_result r;

		relay.raw = ok_body(bodies[i]);
		r = create(0);
		failed(&r, ERR_REMOTE, "its answer is refused");
		cr_expect_null(r.code);
	}
	cr_assert_eq(laptop.shown, 0);
	cr_assert_neq(access(pending_of(&laptop), F_OK), 0);
	cr_assert_neq(access(laptop.lock, F_OK), 0);
}

#define JAIL(name, addr) "{\"name\":\"" name "\",\"ygg_address\":\"" addr "\"}"
#define ROSTER(jails) "{\"jails\":[" jails "]}"

static const char *const hostile[] = {
	"",
	"gone",
	"[]",
	"{}",
	"null",
	ROSTER(""),
	"{\"jails\":{}}",
	ROSTER(JAIL("db", "::/0")),
	ROSTER(JAIL("db", "300::1")),
	ROSTER(JAIL("db", "200::2") "," JAIL("DB", "200::3")),
	ROSTER(JAIL("db\\\"\\n", "200::2")),
	"{\"jails\":[" JAIL("db", "200::2") "],\"jails\":[]}",
	ROSTER(JAIL("db", "200::2")) " {}",
	ROSTER(JAIL("db", "200::1")),
	ROSTER(JAIL("db", "200::66")),
	ROSTER(JAIL("db", "200::77")),
};

/* Peer 'third' has 200::66 by the lock, 200::77 is reserved, and 200::1 is the laptop's. */
static void add_third(struct side *s)
{
	static struct roster_jail jails[] = {
		{ .name = "third", .addr = { .b = { 2, [15] = 0x66 } } },
		{ .name = "runner", .addr = { .b = { 2, [15] = 0x77 } } },
	};
	static const struct roster reserved = { &jails[1], 1 };
	struct lock lock = { .mesh = s->c.mesh };
	struct err e = ERR_INIT;

	lock_put(&lock, a, &(struct lock_peer){ .name = "third", .roster = { jails, 1 } });
	cr_assert_eq(lock_save(s->lock, &lock, a, &e), 0, "%s", e.text);
	s->c.reserved = &reserved;
}

static const char *text_of(const char *path)
{
	char *text = arena_alloc(a, 65536, 1);
	FILE *f = fopen(path, "r");

	cr_assert_not_null(f);
	cr_assert_gt(fread(text, 1, 65535, f), 0);
	fclose(f);
	return text;
}

Test(pairing, a_hostile_roster_from_a_poll_changes_no_file)
{
	const char *lock, *pending;

	add_third(&laptop);
	create(0);
	lock = text_of(laptop.lock);
	pending = text_of(pending_of(&laptop));
	relay.answer = answer_raw;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		const char *body = hostile[i][0] != '{'
			? hostile[i]
			: arena_printf(a, "{\"joined\":true%s%s", hostile[i][1] == '}' ? "" : ",",
				  hostile[i] + 1);

		relay.raw = ok_body(body);
		failed((struct handshake_result[]){ create(0) }, ERR_REMOTE, "refused");
	}
	cr_assert_str_eq(text_of(laptop.lock), lock);
	cr_assert_str_eq(text_of(pending_of(&laptop)), pending);
}

Test(pairing, a_hostile_roster_from_a_join_changes_no_lock)
{
	const char *lock;

	side_init(&server, "server", OURS);
	add_third(&server);
	lock = text_of(server.lock);
	relay.answer = answer_raw;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		relay.raw = ok_body(hostile[i]);
		failed((struct handshake_result[]){ join("1-zephyr") }, ERR_REMOTE, "refused");
	}
	cr_assert_str_eq(text_of(server.lock), lock);
}

Test(pairing, a_poll_says_joined_or_not_and_nothing_else)
{
	static const char *const bodies[] = { "{\"joined\":1}", "{\"joined\":\"true\"}",
		"{\"joined\":null}", "{\"Joined\":true}", "{\"joined\":false,\"joined\":true}" };

	create(0);
	relay.answer = answer_raw;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		relay.raw = ok_body(bodies[i]);
		failed((struct handshake_result[]){ create(0) }, ERR_REMOTE, "joined");
	}
}

Test(pairing, whose_address_was_claimed_is_said)
{
	add_third(&laptop);
	create(0);
	relay.answer = answer_raw;
	relay.raw = ok_body("{\"joined\":true,\"jails\":[" JAIL("db", "200::66") "]}");
	failed((struct handshake_result[]){ create(0) }, ERR_REMOTE,
		"'db' has the address of peer 'third''s jail 'third'");
	relay.raw = ok_body("{\"joined\":true,\"jails\":[" JAIL("db", "200::1") "]}");
	failed((struct handshake_result[]){ create(0) }, ERR_REMOTE,
		"'db' has the address of our own jail 'web'");
}

#define FORGET "; run jmesh teardown --peer office --forget and pair again"

Test(pairing, a_refused_roster_says_how_to_start_anew)
{
	const char *name = arena_printf(a, "%0900d", 0);
	struct handshake_result r = create(0);
	struct strs keep = { 0 };
	struct err e = ERR_INIT;

	relay.answer = answer_raw;
	relay.raw = ok_body("{\"joined\":true,\"jails\":[" JAIL("db", "200::1") "]}");
	failed((struct handshake_result[]){ create(0) }, ERR_REMOTE, FORGET);
	relay.raw = ok_body("{\"joined\":true,\"jails\":[" JAIL("db", "300::1") "]}");
	failed((struct handshake_result[]){ create(0) }, ERR_REMOTE, FORGET);
	relay.raw = ok_body(arena_printf(a,
		"{\"joined\":true,\"jails\":[{\"name\":\"%s\",\"ygg_address\":\"200::2\"}]}",
		name));
	failed((struct handshake_result[]){ create(0) }, ERR_REMOTE, "..." FORGET);
	relay.raw = ok_body("{\"joined\":1}");
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_FAILED);
	cr_assert_null(strstr(r.err.text, "--forget"), "%s", r.err.text);
	relay.answer = NULL;
	strs_push(a, &keep, "studio");
	cr_assert_eq(pending_prune(laptop.c.state_dir, &keep, &e), 0, "%s", e.text);
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_str_eq(r.code, "2-zephyr");
	cr_assert_not(laptop.resumed);
}

Test(pairing, a_refused_roster_of_a_join_needs_only_a_new_code)
{
	relay.answer = answer_raw;
	relay.raw = ok_body(ROSTER(JAIL("web", "200::2")));
	failed((struct handshake_result[]){ join("7-liar") }, ERR_REMOTE, "; ask for a new code");
	relay.raw = ok_body(ROSTER(JAIL("web", "300::1")));
	failed((struct handshake_result[]){ join("7-liar") }, ERR_REMOTE, "; ask for a new code");
	relay.answer = NULL;
	create(0);
	cr_assert_eq(join("1-zephyr").status, HANDSHAKE_PAIRED);
	has_roster(&server, "home", OURS);
	cr_assert_eq(pendings(&server), 0);
}

Test(pairing, two_peers_of_one_run_cannot_have_one_address)
{
	struct handshake_want wants[] = { { "office", HANDSHAKE_CREATE, NULL },
		{ "studio", HANDSHAKE_CREATE, NULL } };
	struct handshake_result r[2];
	struct err e = ERR_INIT;
	struct lock lock;

	cr_assert_eq(handshake_run(&laptop.c, wants, 2, 0, a, r, &e), 0);
	relay.answer = answer_raw;
	relay.raw = ok_body("{\"joined\":true,\"jails\":[" JAIL("db", "200::2") "]}");
	cr_assert_eq(handshake_run(&laptop.c, wants, 2, 0, a, r, &e), 0);
	cr_assert_eq((r[0].status == HANDSHAKE_PAIRED) + (r[1].status == HANDSHAKE_PAIRED), 1);
	cr_assert_eq((r[0].status == HANDSHAKE_FAILED) + (r[1].status == HANDSHAKE_FAILED), 1);
	cr_assert_eq(lock_load(laptop.lock, "laptop", a, &lock, &e), 0);
	cr_assert_eq(lock.n, 1);
}

Test(pairing, a_relay_that_recovers_is_tried_again)
{
	struct handshake_result r;

	relay.fails = 2;
	relay.status = 503;
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_str_eq(r.code, "1-zephyr");
	relay.fails = 1;
	relay.status = 429;
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_eq(relay.requests, 5);
}

static const char *busy(int seconds)
{
	return arena_printf(a,
		"HTTP/1.1 429 X\r\nRetry-After: %d\r\nContent-Length: 9\r\nConnection: close\r\n"
		"\r\ntoo many\n",
		seconds);
}

static bool answer_raw_once(struct rogue *r, const char *request, char *out, size_t size)
{
	r->answer = NULL;
	return answer_raw(r, request, out, size);
}

static int64_t ms_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

Test(pairing, a_relay_is_not_asked_before_the_time_that_it_asked_for)
{
	int64_t began = ms_now();
	struct handshake_result r;

	relay.answer = answer_raw_once;
	relay.raw = busy(2);
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_eq(relay.posts, 2);
	cr_assert_geq(ms_now() - began, 2000);
	side_init(&laptop, "patient", OURS);
	began = ms_now();
	relay.answer = answer_raw_once;
	relay.raw = busy(7);
	r = create(8);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_not_null(r.code);
	cr_assert_eq(relay.posts, 4);
	cr_assert_geq(ms_now() - began, 7000);
	cr_assert_leq(ms_now() - began, 12000);
}

Test(pairing, a_relay_that_asks_for_more_time_than_there_is_is_said_so_at_once)
{
	static const struct {
		int asks, wait_s;
	} table[] = { { 60, 0 }, { 6, 0 }, { 60, 50 }, { 3000, 50 } };

	relay.answer = answer_raw;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int64_t began = ms_now();

		relay.requests = 0;
		relay.raw = busy(table[i].asks);
		failed((struct handshake_result[]){ create(table[i].wait_s) }, ERR_REMOTE,
			arena_printf(a,
				"answers 429: 'too many'; it asks to be tried again in %d s",
				table[i].asks));
		cr_expect_eq(relay.requests, 1, "%d: %u requests", table[i].asks, relay.requests);
		cr_expect_leq(ms_now() - began, 2000);
	}
}

Test(pairing, a_relay_that_stays_broken_is_said_so)
{
	struct handshake_result r;

	relay.fails = 1000;
	relay.status = 502;
	r = create(0);
	failed(&r, ERR_REMOTE, arena_printf(a, "relay %s answers 502: 'busy'; tried ", relay.url));
	cr_assert_geq(relay.requests, 3);
	cr_assert_leq(relay.requests, 6);
}

Test(pairing, a_relay_that_is_down_is_said_so)
{
	time_t began = time(NULL);
	struct handshake_result r;

	laptop.c.relay_url = "http://127.0.0.1:1";
	r = create(0);
	failed(&r, ERR_REMOTE,
		"relay http://127.0.0.1:1 cannot be reached: connection refused; tried ");
	cr_assert_leq(time(NULL) - began, 7);
}

Test(pairing, what_no_retry_mends_fails_at_once)
{
	static const struct {
		const char *raw, *says;
	} table[] = {
		{ "HTTP/1.1 400 X\r\nContent-Length: 12\r\n\r\nbad\033[2J\nmore",
			"answers 400: 'bad\033[2J'" },
		{ "HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n", "answers 413" },
		{ "HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n", "answers 405" },
		{ "HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nno", "answers 404: 'no'" },
		{ "HTTP/1.1 302 X\r\nLocation: /pair/x\r\nContent-Length: 0\r\n\r\n",
			"redirection is not followed" },
		{ "HTTP/1.1 301 X\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
			"redirection is not followed" },
		{ "SSH-2.0-OpenSSH_9.2\r\n", "cannot be used" },
	};

	relay.answer = answer_raw;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		relay.requests = 0;
		relay.raw = table[i].raw;
		failed((struct handshake_result[]){ create(0) }, ERR_REMOTE, table[i].says);
		cr_expect_eq(relay.requests, 1, "%s: %u requests", table[i].says, relay.requests);
	}
}

Test(pairing, a_lost_answer_to_a_poll_is_asked_for_again)
{
	struct handshake_result r;

	create(0);
	cr_assert_eq(join("1-zephyr").status, HANDSHAKE_PAIRED);
	relay.cut = 150;
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	has_roster(&laptop, "office", THEIRS);
}

Test(pairing, a_lost_answer_to_a_join_is_asked_for_again)
{
	struct handshake_result r;

	create(0);
	relay.cut = 20;
	r = join("1-zephyr");
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	has_roster(&server, "home", OURS);
}

Test(pairing, a_lost_answer_from_a_plain_relay_needs_a_new_code)
{
	relay.plain = true;
	create(0);
	relay.cut = 20;
	failed((struct handshake_result[]){ join("1-zephyr") }, ERR_REMOTE, "ask for a new one");
	cr_assert_eq(pendings(&server), 0);
}

Test(pairing, several_are_polled_at_once_and_one_paired_returns)
{
	struct handshake_want wants[] = { { "office", HANDSHAKE_CREATE, NULL },
		{ "studio", HANDSHAKE_CREATE, NULL }, { "attic", HANDSHAKE_CREATE, NULL } };
	struct handshake_result r[3];
	struct err e = ERR_INIT;
	time_t began = time(NULL);

	cr_assert_eq(handshake_run(&laptop.c, wants, 3, 0, a, r, &e), 0);
	cr_assert_eq(laptop.shown, 3);
	cr_assert_eq(join(r[1].code).status, HANDSHAKE_PAIRED);
	cr_assert_eq(handshake_run(&laptop.c, wants, 3, 60, a, r, &e), 0);
	cr_assert_eq(r[0].status, HANDSHAKE_WAITING);
	cr_assert_eq(r[1].status, HANDSHAKE_PAIRED, "%s", r[1].err.text);
	cr_assert_eq(r[2].status, HANDSHAKE_WAITING);
	cr_assert_eq(relay.posts, 3);
	cr_assert_eq(pendings(&laptop), 2);
	cr_assert_leq(time(NULL) - began, 5);
}

Test(pairing, one_that_fails_stops_no_other)
{
	struct handshake_want wants[] = { { "office", HANDSHAKE_CREATE, NULL },
		{ "studio", HANDSHAKE_JOIN, "a b" }, { "attic", HANDSHAKE_JOIN, "7-unknown" } };
	struct handshake_result r[3];
	struct err e = ERR_INIT;

	cr_assert_eq(handshake_run(&laptop.c, wants, 3, 0, a, r, &e), 0);
	cr_assert_eq(r[0].status, HANDSHAKE_WAITING, "%s", r[0].err.text);
	failed(&r[1], ERR_CONFIG, "'a b' is not a code");
	failed(&r[2], ERR_REMOTE, "'7-unknown' is unknown");
}

Test(pairing, waits_as_long_as_it_is_told_and_ticks)
{
	time_t began = time(NULL);
	struct handshake_result r = create(2);

	cr_assert_eq(r.status, HANDSHAKE_WAITING);
	cr_assert_geq(time(NULL) - began, 1);
	cr_assert_leq(time(NULL) - began, 4);
	cr_assert_geq(laptop.ticks, 10);
	cr_assert_leq(laptop.ticks, 25);
}

Test(pairing, a_tick_interrupts)
{
	struct handshake_want want = { "office", HANDSHAKE_CREATE, NULL };
	struct handshake_result r;
	struct err e = ERR_INIT;
	time_t began = time(NULL);

	laptop.stop = true;
	cr_assert_eq(handshake_run(&laptop.c, &want, 1, 600, a, &r, &e), -1);
	cr_assert_eq(e.code, ERR_INTERRUPTED);
	cr_assert_leq(time(NULL) - began, 3);
}

Test(pairing, no_jails_is_nothing_to_tell)
{
	laptop.ours.n = 0;
	failed((struct handshake_result[]){ create(0) }, ERR_CONFIG, "0 jails");
	cr_assert_eq(relay.requests, 0);
}

Test(pairing, an_unusable_state_is_an_error_of_the_run)
{
	struct handshake_want want = { "office", HANDSHAKE_CREATE, NULL };
	struct handshake_result r;
	struct err e = ERR_INIT;
	FILE *f = fopen(pending_of(&laptop), "w");

	fputs("{\"format\":1,", f);
	fclose(f);
	cr_assert_eq(handshake_run(&laptop.c, &want, 1, 0, a, &r, &e), -1);
	cr_assert(strstr(e.text, "remove it to forget") != NULL, "%s", e.text);
	cr_assert_eq(relay.requests, 0);
}

/* The handshake in a process of its own, that the relay kills at a chosen request or a timer does. */
static pid_t spawn(struct side *s, enum handshake_role role, const char *code, int wait_s)
{
	pid_t pid;

	pthread_mutex_lock(&relay.mutex);
	pid = fork();
	if (pid == 0) {
		struct handshake_want want = { role == HANDSHAKE_CREATE ? "office" : "home", role,
			code };
		struct handshake_result r;
		struct err e = ERR_INIT;

		handshake_run(&s->c, &want, 1, wait_s, a, &r, &e);
		_exit(0);
	}
	relay.victim = pid;
	pthread_mutex_unlock(&relay.mutex);
	return pid;
}

static void reap(pid_t pid)
{
	waitpid(pid, NULL, 0);
	pthread_mutex_lock(&relay.mutex);
	relay.victim = 0;
	pthread_mutex_unlock(&relay.mutex);
}

Test(pairing, killed_before_or_after_the_relay_acted_loses_nothing)
{
	for (unsigned after = 0; after < 2; after++) {
		struct handshake_result r;
		char code[65];

		side_init(&laptop, after ? "laptop1" : "laptop0", OURS);
		side_init(&server, after ? "server1" : "server0", THEIRS);
		r = create(0);
		cr_assert_eq(r.status, HANDSHAKE_WAITING);
		snprintf(code, sizeof(code), "%s", r.code);
		relay.kill_after = after;
		relay.kill_at = relay.requests + 1;
		reap(spawn(&server, HANDSHAKE_JOIN, code, 0));
		r = join(code);
		cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
		relay.kill_at = relay.requests + 1;
		reap(spawn(&laptop, HANDSHAKE_CREATE, NULL, 0));
		r = create(0);
		cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
		has_roster(&laptop, "office", THEIRS);
		has_roster(&server, "home", OURS);
	}
}

static pid_t spawn_waiting(struct side *s)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct handshake_want want = { "office", HANDSHAKE_CREATE, NULL };
		struct handshake_result r;
		struct err e = ERR_INIT;

		_exit(handshake_run(&s->c, &want, 1, 20, a, &r, &e) < 0 ||
			r.status != HANDSHAKE_PAIRED);
	}
	return pid;
}

/* At a plain relay the second of them finds the code used, and the roster in the lock. */
Test(pairing, two_runs_that_poll_one_code_are_both_paired)
{
	int status[2];
	pid_t pids[2];

	relay.plain = true;
	create(0);
	pids[0] = spawn_waiting(&laptop);
	pids[1] = spawn_waiting(&laptop);
	usleep(300000);
	cr_assert_eq(join("1-zephyr").status, HANDSHAKE_PAIRED);
	for (int i = 0; i < 2; i++) {
		waitpid(pids[i], &status[i], 0);
		cr_expect(WIFEXITED(status[i]) && WEXITSTATUS(status[i]) == 0, "run %d", i);
	}
	cr_assert_eq(relay.posts, 1);
	has_roster(&laptop, "office", THEIRS);
	cr_assert_eq(pendings(&laptop), 0);
}

static void kill_at_random(struct side *s, enum handshake_role role, const char *code)
{
	pid_t pid = spawn(s, role, code, 0);

	usleep((useconds_t)(rand() % 12000));
	kill(pid, SIGKILL);
	reap(pid);
}

Test(pairing, killed_at_random_moments_it_converges)
{
	srand(7);
	for (int i = 0; i < 40; i++) {
		struct handshake_result r;
		char code[65];

		relay.n = 0;
		side_init(&laptop, arena_printf(a, "l%d", i), OURS);
		side_init(&server, arena_printf(a, "s%d", i), THEIRS);
		kill_at_random(&laptop, HANDSHAKE_CREATE, NULL);
		kill_at_random(&laptop, HANDSHAKE_CREATE, NULL);
		r = create(0);
		cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
		snprintf(code, sizeof(code), "%s", r.code);
		kill_at_random(&server, HANDSHAKE_JOIN, code);
		kill_at_random(&server, HANDSHAKE_JOIN, code);
		r = join(code);
		cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
		kill_at_random(&laptop, HANDSHAKE_CREATE, NULL);
		kill_at_random(&laptop, HANDSHAKE_CREATE, NULL);
		r = create(0);
		cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
		has_roster(&laptop, "office", THEIRS);
		has_roster(&server, "home", OURS);
	}
}

Test(pairing, prunes_only_those_that_are_not_kept)
{
	struct handshake_want wants[] = { { "office", HANDSHAKE_CREATE, NULL },
		{ "studio", HANDSHAKE_CREATE, NULL } };
	struct handshake_result r[2];
	struct strs keep = { 0 };
	struct err e = ERR_INIT;
	struct pending *list;
	size_t n;

	cr_assert_eq(handshake_run(&laptop.c, wants, 2, 0, a, r, &e), 0);
	strs_push(a, &keep, "studio");
	cr_assert_eq(pending_prune(laptop.c.state_dir, &keep, &e), 0, "%s", e.text);
	cr_assert_eq(pending_list(laptop.c.state_dir, a, &list, &n, &e), 0);
	cr_assert_eq(n, 1);
	cr_assert_str_eq(list[0].peer, "studio");
	cr_assert_eq(list[0].role, HANDSHAKE_CREATE);
	cr_assert_eq(pending_prune(laptop.c.state_dir, NULL, &e), 0);
	cr_assert_eq(pendings(&laptop), 0);
}

Test(pairing, a_lock_is_missing_or_whole_or_an_error)
{
	struct err e = ERR_INIT;
	struct lock lock;
	FILE *f;

	cr_assert_eq(lock_load(laptop.lock, "laptop", a, &lock, &e), 1);
	cr_assert_eq(lock.n, 0);
	cr_assert_str_eq(lock.mesh, "laptop");
	f = fopen(laptop.lock, "w");
	fclose(f);
	cr_assert_eq(lock_load(laptop.lock, "laptop", a, &lock, &e), -1);
	cr_assert(strstr(e.text, "laptop.lock: it is empty") != NULL, "%s", e.text);
	add_third(&laptop);
	cr_assert_eq(lock_load(laptop.lock, "laptop", a, &lock, &e), 0);
	cr_assert_eq(lock_load(laptop.lock, "other", a, &lock, &e), -1);
	cr_assert(strstr(e.text, "belongs to the instance 'laptop'") != NULL, "%s", e.text);
}

/* One request, with short patience. */
static struct answer asked(int whole_ms)
{
	struct client_conf conf = { .url = relay.url, .connect_ms = 500, .whole_ms = whole_ms };
	struct question q = { .path = "/pair/1-zephyr" };
	struct answer answer = { 0 };
	struct err e = ERR_INIT;
	struct client *c;

	cr_assert_eq(client_new(&c, &conf, &e), 0, "%s", e.text);
	cr_assert_eq(client_ask(c, &q, &conf, &e), 0, "%s", e.text);
	while (!client_answer(c, a, &answer))
		cr_assert_eq(client_work(c, 100, &e), 0, "%s", e.text);
	cr_assert_eq(answer.whose, &conf);
	cr_assert_eq(client_busy(c), 0);
	client_free(c);
	return answer;
}

Test(pairing, an_answer_that_was_cut_is_no_answer)
{
	const char *whole = ok_body(THEIRS);

	relay.answer = answer_raw;
	relay.raw = whole;
	for (size_t n = 1; n < strlen(whole); n++) {
		struct answer answer;

		relay.cut = n;
		answer = asked(2000);
		cr_expect_eq(answer.status, 0, "cut at %zu of %zu", n, strlen(whole));
		cr_expect_not_null(answer.why);
	}
	cr_assert_eq(asked(2000).status, 200);
}

Test(pairing, a_slow_answer_is_not_waited_for)
{
	struct answer answer;

	relay.drip = true;
	answer = asked(300);
	cr_assert_eq(answer.status, 0);
	cr_assert(answer.again);
}

static bool answer_huge_body(struct rogue *r, const char *request, char *out, size_t size)
{
	(void)r;
	(void)request;
	memset(out, ' ', size);
	memcpy(out, "HTTP/1.1 200 OK\r\n\r\n{}", 21);
	out[size - 1] = '\0';
	return true;
}

static bool answer_huge_header(struct rogue *r, const char *request, char *out, size_t size)
{
	(void)r;
	(void)request;
	strcpy(out, "HTTP/1.1 200 OK\r\n");
	for (size_t i = 17; i + 8 < size; i += 6)
		memcpy(out + i, "X: 1\r\n", 7);
	return true;
}

static bool answer_long_header(struct rogue *r, const char *request, char *out, size_t size)
{
	(void)r;
	(void)request;
	memset(out, 'x', size);
	memcpy(out, "HTTP/1.1 200 OK\r\nX: ", 20);
	out[size - 1] = '\0';
	return true;
}

Test(pairing, an_answer_too_large_is_refused_and_not_tried_again)
{
	struct answer answer;

	relay.answer = answer_huge_body;
	answer = asked(2000);
	cr_assert_eq(answer.status, 0);
	cr_assert_not(answer.again);
	cr_assert(strstr(answer.why, "larger") != NULL, "%s", answer.why);
	relay.answer = answer_huge_header;
	answer = asked(2000);
	cr_assert_eq(answer.status, 0);
	cr_assert_not(answer.again);
	failed((struct handshake_result[]){ create(0) }, ERR_REMOTE,
		"cannot be used: the headers of its answer are larger than 64 KiB");
	relay.answer = answer_long_header;
	failed((struct handshake_result[]){ create(0) }, ERR_REMOTE,
		"cannot be used: the headers of its answer are larger than 64 KiB");
	cr_assert_eq(relay.requests, 4);
}

Test(pairing, only_http_and_https_are_spoken)
{
	struct client_conf conf = { .url = "file:///etc" };
	struct err e = ERR_INIT;
	struct client *c;

	cr_assert_eq(client_new(&c, &conf, &e), -1);
	cr_assert_eq(e.code, ERR_CONFIG);
}
