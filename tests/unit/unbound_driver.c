#include <criterion/criterion.h>
#include <string.h>

#include "fake_port.h"
#include "reconciler/drivers/unbound.h"

#define CONTROL "host$ unbound-control -c /etc/u.conf "
#define INCLUDE "/etc/u.d/jmesh.conf"
#define CANDIDATE INCLUDE ".jmesh-new"
#define HEAD                                                                              \
	"# jmesh owns this file and replaces it; what is changed here by hand is lost.\n" \
	"server:\n\tlocal-zone: \"jrun.\" static\n"

static const struct unbound_conf conf = { "jrun", "/etc/u.conf", INCLUDE, "unbound-control",
	"unbound-checkconf", false };
static struct arena *arena;
static struct fake *fake;
static struct port port;
static struct driver driver;
static struct items seen;
static struct failures failed;
static struct change changes[300];
static const struct change *list[300];
static size_t n_changes;

static void setup(void)
{
	arena = arena_new();
	fake = fake_new(arena);
	port = fake_port(fake);
	unbound_driver(&driver, &port, &conf, arena);
	failed = (struct failures){ .arena = arena };
	fake_folder(fake, "/etc/u.d");
	fake_file(fake, "/etc/u.conf", "include: \"/etc/u.d/*.conf\"\n");
	n_changes = 0;
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(unbound_driver, .init = setup, .fini = teardown);

static void answer_live(const char *zones, const char *data)
{
	fake_answer(fake, CONTROL "list_local_zones", 0, zones, "");
	fake_answer(fake, CONTROL "list_local_data", 0, data, "");
	fake_answer(fake, CONTROL "local_zone jrun static", 0, "ok\n", "");
	fake_answer(fake, CONTROL "local_zone_remove jrun", 0, "ok\n", "");
	fake_answer(fake, CONTROL "local_zone_remove office.jrun", 0, "ok\n", "");
}

static const char *read_scope(const char *scope)
{
	struct strs scopes = { 0 };
	struct text t = text_new(arena);

	strs_push(arena, &scopes, scope);
	seen = (struct items){ .arena = arena };
	failed.n = 0;
	driver.ops->read(driver.self, &scopes, arena, &seen, &failed);
	for (size_t i = 0; i < seen.n; i++)
		text_addf(&t, "%s = %s\n", seen.v[i].key, seen.v[i].value);
	fake_log(fake);
	return t.s;
}

static void change(const char *scope, const char *key, const char *before, const char *after)
{
	changes[n_changes] = (struct change){
		.action = before == NULL ? ACTION_ADD
			: after == NULL  ? ACTION_REMOVE
					 : ACTION_CHANGE,
		.kind = KIND_DNS,
		.scope = scope,
		.key = key,
		.before = before,
		.after = after,
	};
	list[n_changes] = &changes[n_changes];
	n_changes++;
}

static const char *applied(enum phase phase)
{
	size_t n = n_changes;

	n_changes = 0;
	driver.ops->apply(driver.self, phase, changes[0].scope, list, n, arena, &failed);
	return fake_log(fake);
}

Test(unbound_driver, reads_the_resolver)
{
	answer_live("jrun. static\n.com. static\n", "web.office.jrun.\t3600\tIN\tAAAA\t200::1\n");
	cr_assert_str_eq(read_scope("live jrun"), "zone = static\nweb.office.jrun AAAA = 200::1\n");
	cr_assert_eq(failed.n, 0);
}

Test(unbound_driver, says_what_to_do_when_the_resolver_is_down)
{
	fake_answer(fake, CONTROL "list_local_zones", 1, "",
		"[17] unbound-control[13:0] warning: x\n"
		"[17] unbound-control[13:0] error: connect: Connection refused for /run/ctl");
	fake_answer(fake, CONTROL "list_local_data", 1, "", "");
	cr_assert_str_eq(read_scope("live jrun"), "");
	cr_assert_eq(failed.n, 1);
	cr_assert_str_eq(failed.v[0].text,
		"unbound does not answer on its control socket: unbound-control: connect: "
		"Connection refused for "
		"/run/ctl: is it running, with 'control-enable: yes'?");
	change("live jrun", "a.jrun AAAA", NULL, "200::1");
	cr_assert_str_eq(applied(PHASE_NAMES), "");
	cr_assert_eq(failed.n, 2);
}

Test(unbound_driver, adds_records_without_a_reload)
{
	answer_live("", "");
	fake_answer(fake, CONTROL "local_datas_remove", 0, "removed 0 datas\n", "");
	fake_answer(fake, CONTROL "local_datas", 0, "added 2 datas\n", "");
	cr_assert_str_eq(read_scope("live jrun"), "");
	change("live jrun", "a.jrun AAAA", NULL, "200::1");
	change("live jrun", "b.jrun A", NULL, "10.0.0.1");
	change("live jrun", "zone", NULL, "static");
	cr_assert_str_eq(applied(PHASE_NAMES),
		CONTROL "local_zone jrun static\n" CONTROL
			"local_datas\n  < a.jrun. IN AAAA 200::1\n  < b.jrun. IN A 10.0.0.1\n");
	cr_assert_eq(failed.n, 0);
}

Test(unbound_driver, puts_back_what_stays_of_a_name)
{
	answer_live("jrun. static\n",
		"a.jrun. 1 IN AAAA 200::1\na.jrun. 1 IN AAAA 200::2\n"
		"a.jrun. 1 IN A 10.0.0.1\na.jrun. 1 IN TXT \"x y\"\n");
	fake_answer(fake, CONTROL "local_datas_remove", 0, "removed 1 datas\n", "");
	fake_answer(fake, CONTROL "local_datas", 0, "added 2 datas\n", "");
	read_scope("live jrun");
	change("live jrun", "a.jrun AAAA", "200::2", NULL);
	change("live jrun", "a.jrun TXT", "\"x y\"", NULL);
	cr_assert_str_eq(applied(PHASE_REVOKE),
		CONTROL "local_datas_remove\n  < a.jrun.\n  < a.jrun.\n" CONTROL "local_datas\n"
			"  < a.jrun. IN A 10.0.0.1\n  < a.jrun. IN AAAA 200::1\n"
			"  < a.jrun. IN A 10.0.0.1\n  < a.jrun. IN AAAA 200::1\n");
	change("live jrun", "a.jrun A", "10.0.0.1", "10.0.0.2");
	cr_assert_str_eq(strstr(applied(PHASE_NAMES), CONTROL "local_datas\n"),
		CONTROL "local_datas\n"
			"  < a.jrun. IN A 10.0.0.2\n  < a.jrun. IN AAAA 200::1\n"
			"  < a.jrun. IN A 10.0.0.2\n  < a.jrun. IN AAAA 200::1\n");
	cr_assert_eq(failed.n, 0);
}

Test(unbound_driver, removes_a_zone_that_hides_names)
{
	answer_live("jrun. redirect\noffice.jrun. refuse\n", "a.office.jrun. 1 IN AAAA 200::1\n");
	fake_answer(fake, CONTROL "local_datas", 0, "added 1 datas\n", "");
	cr_assert_str_eq(read_scope("live jrun"),
		"zone = redirect\nzone = office.jrun refuse\na.office.jrun AAAA = 200::1\n");
	change("live jrun", "zone", "office.jrun refuse", "static");
	cr_assert_str_eq(applied(PHASE_NAMES),
		CONTROL "local_zone_remove office.jrun\n" CONTROL "local_zone jrun static\n" CONTROL
			"local_datas\n  < a.office.jrun. IN AAAA 200::1\n");
}

Test(unbound_driver, keeps_the_records_of_a_zone_of_another_type)
{
	answer_live("jrun. transparent\noffice.jrun. refuse\n", "a.jrun. 1 IN AAAA 200::1\n");
	read_scope("live jrun");
	change("live jrun", "zone", "transparent", NULL);
	cr_assert_str_eq(applied(PHASE_REVOKE), CONTROL "local_zone jrun static\n");
	cr_assert_eq(failed.n, 0);
}

Test(unbound_driver, tells_a_hundred_lines_at_a_time_and_swallows_no_refusal)
{
	const char *log;
	size_t calls = 0;

	answer_live("jrun. static\n", "");
	fake_answer(fake, CONTROL "local_datas", 0, "added 100 datas\n", "");
	/* unbound-control's status tells of an error in the first line alone. */
	fake_answer(fake, CONTROL "local_datas", 0, "added 99\nerror for input line: x\n", "");
	fake_answer(fake, CONTROL "local_datas", 1, "error parsing local-data\n", "");
	read_scope("live jrun");
	for (size_t i = 0; i < 250; i++)
		change("live jrun", arena_printf(arena, "j%03zu.jrun AAAA", i), NULL, "200::1");
	log = applied(PHASE_NAMES);
	for (const char *p = log; (p = strstr(p, "local_datas\n")) != NULL; p++)
		calls++;
	cr_assert_eq(calls, 3);
	cr_assert_eq(failed.n, 150);
	cr_assert_str_eq(failed.v[0].key, "j100.jrun AAAA");
	cr_assert_str_eq(failed.v[0].text, "unbound: error for input line: x");
	cr_assert_str_eq(failed.v[100].text, "unbound: error parsing local-data");
}

Test(unbound_driver, trusts_no_text_of_a_plan)
{
	static const char *const cases[][2] = {
		{ "a\nb.jrun AAAA", "200::1" },
		{ "a.jrun AAAA", "200::1\"\nserver:" },
		{ "a.other AAAA", "200::1" },
		{ "a.jrun TXT", "x" },
	};
	static const char *const scopes[] = { "live jrun", "saved jrun" };

	answer_live("jrun. static\n", "");
	fake_answer(fake, "host$ unbound-checkconf " CANDIDATE, 0, "", "");
	for (size_t i = 0; i < 8; i++) {
		read_scope(scopes[i % 2]);
		change(scopes[i % 2], cases[i / 2][0], NULL, cases[i / 2][1]);
		cr_expect_null(strstr(applied(PHASE_NAMES), "local_datas"), "case %zu", i);
		cr_expect_eq(failed.n, 1, "case %zu", i);
	}
	cr_assert_str_eq(fake_text(fake, INCLUDE), HEAD);
}

Test(unbound_driver, reads_the_file)
{
	cr_assert_str_eq(read_scope("saved jrun"), "");
	fake_file(fake, INCLUDE, HEAD "\tlocal-data: \"a.jrun. IN AAAA 200::1\"\n");
	cr_assert_str_eq(read_scope("saved jrun"),
		"file = as generated\nzone = static\na.jrun AAAA = 200::1\n");
	fake_file(fake, INCLUDE, "");
	cr_assert_str_eq(read_scope("saved jrun"), "file = altered\n");
	cr_assert_eq(failed.n, 0);
	fake_file(fake, "/etc/u.conf", "server:\n");
	cr_assert_str_eq(read_scope("saved jrun"), "");
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, "include: \"" INCLUDE "\""));
}

Test(unbound_driver, replaces_the_file_only_with_what_was_checked)
{
	fake_answer(fake, "host$ unbound-checkconf " CANDIDATE, 0, "", "");
	read_scope("saved jrun");
	change("saved jrun", "b.jrun A", NULL, "10.0.0.1");
	change("saved jrun", "a.jrun AAAA", NULL, "200::1");
	change("saved jrun", "zone", NULL, "static");
	change("saved jrun", "file", NULL, "as generated");
	cr_assert_str_eq(applied(PHASE_NAMES),
		"replace " CANDIDATE " 644\nhost$ unbound-checkconf " CANDIDATE
		"\nremove " CANDIDATE "\nreplace " INCLUDE " 644\n");
	cr_assert_str_eq(fake_text(fake, INCLUDE),
		HEAD "\tlocal-data: \"a.jrun. IN AAAA 200::1\"\n"
		     "\tlocal-data: \"b.jrun. IN A 10.0.0.1\"\n");
	change("saved jrun", "a.jrun AAAA", "200::1", NULL);
	applied(PHASE_REVOKE);
	cr_assert_str_eq(
		fake_text(fake, INCLUDE), HEAD "\tlocal-data: \"b.jrun. IN A 10.0.0.1\"\n");
	cr_assert_eq(failed.n, 0);
}

Test(unbound_driver, leaves_a_file_alone_that_is_not_its_own)
{
	struct err e = ERR_INIT;

	fake_file(fake, INCLUDE, "server:\n\tverbosity: 2\n");
	cr_assert_str_eq(read_scope("saved jrun"), "");
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, INCLUDE " was not written by jmesh"));
	change("saved jrun", "file", "altered", "as generated");
	applied(PHASE_NAMES);
	cr_assert_eq(driver.ops->withdraw(driver.self, "saved jrun", arena, &e), -1);
	cr_assert_str_eq(fake_text(fake, INCLUDE), "server:\n\tverbosity: 2\n");
}

Test(unbound_driver, keeps_the_old_file_when_the_check_fails)
{
	fake_file(fake, INCLUDE, HEAD "# old\n");
	fake_answer(fake, "host$ unbound-checkconf " CANDIDATE, 1, "", "bad: line 2");
	read_scope("saved jrun");
	change("saved jrun", "file", "altered", "as generated");
	applied(PHASE_NAMES);
	cr_assert_str_eq(fake_text(fake, INCLUDE), HEAD "# old\n");
	cr_assert_null(fake_text(fake, CANDIDATE));
	cr_assert_eq(failed.n, 1);
	cr_assert_str_eq(
		failed.v[0].text, INCLUDE " stays as it was: unbound-checkconf: bad: line 2");
}

Test(unbound_driver, makes_no_folder)
{
	static const struct unbound_conf elsewhere = { "jrun", "/etc/u.conf", "/none/jmesh.conf",
		"unbound-control", "unbound-checkconf", false };

	unbound_driver(&driver, &port, &elsewhere, arena);
	read_scope("saved jrun");
	change("saved jrun", "file", NULL, "as generated");
	cr_assert_str_eq(applied(PHASE_NAMES), "");
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, "jmesh-new: its folder does not exist"));
}

Test(unbound_driver, withdraws_zone_and_file)
{
	struct err e = ERR_INIT;

	answer_live("jrun. static\noffice.jrun. refuse\n", "a.jrun. 1 IN AAAA 200::1\n");
	fake_file(fake, INCLUDE, HEAD);
	cr_assert_eq(driver.ops->withdraw(driver.self, "live jrun", arena, &e), 0, "%s", e.text);
	cr_assert_str_eq(fake_log(fake),
		CONTROL "list_local_zones\n" CONTROL "list_local_data\n" CONTROL
			"local_zone_remove office.jrun\n" CONTROL "local_zone_remove jrun\n");
	cr_assert_eq(driver.ops->withdraw(driver.self, "saved jrun", arena, &e), 0);
	cr_assert_null(fake_text(fake, INCLUDE));
}

/* Reads these scopes, NULL at the end; "SCOPE KEY = VALUE" a line, failures behind them. */
static const char *read_all(const char *const *names)
{
	struct strs scopes = { 0 };
	struct text t = text_new(arena);

	while (*names != NULL)
		strs_push(arena, &scopes, *names++);
	seen = (struct items){ .arena = arena };
	failed.n = 0;
	driver.ops->read(driver.self, &scopes, arena, &seen, &failed);
	for (size_t i = 0; i < seen.n; i++)
		text_addf(&t, "%s %s = %s\n", seen.v[i].scope, seen.v[i].key, seen.v[i].value);
	for (size_t i = 0; i < failed.n; i++)
		text_addf(&t, "%s failed\n", failed.v[i].scope);
	return t.s;
}

static const char *const both[] = { "live jrun", "saved jrun", NULL };
static const char *const none[] = { NULL };

#define FIRST "# jmesh owns this file and replaces it; what is changed here by hand is lost.\n"
#define OLD(zone) FIRST "server:\n\tlocal-zone: \"" zone ".\" static\n"

static const char *apply_one(
	enum phase phase, const char *scope, const char *key, const char *before, const char *after)
{
	fake_log(fake);
	change(scope, key, before, after);
	return applied(phase);
}

Test(unbound_driver, removes_the_zone_that_the_file_still_tells_before_the_file)
{
	answer_live("old. transparent\n", "a.old. 1 IN AAAA 200::1\n");
	fake_answer(fake, CONTROL "local_zone_remove old", 1, "", "error: busy");
	fake_answer(fake, CONTROL "local_zone_remove old", 0, "ok\n", "");
	fake_answer(fake, "host$ unbound-checkconf " CANDIDATE, 0, "", "");
	fake_file(fake, INCLUDE, OLD("old"));
	cr_assert_str_eq(
		read_all(both), "live old zone = transparent\nsaved jrun file = altered\n");
	apply_one(PHASE_REVOKE, "live old", "zone", "transparent", NULL);
	cr_assert_eq(failed.n, 1);
	apply_one(PHASE_NAMES, "saved jrun", "file", "altered", "as generated");
	cr_assert_eq(failed.n, 2);
	cr_assert_not_null(strstr(failed.v[1].text, "its zone old is not known to be gone"));
	cr_assert_str_eq(fake_text(fake, INCLUDE), OLD("old"));
	read_all(both);
	cr_assert_str_eq(apply_one(PHASE_REVOKE, "live old", "zone", "transparent", NULL),
		CONTROL "local_zone_remove old\n");
	apply_one(PHASE_NAMES, "saved jrun", "file", "altered", "as generated");
	cr_assert_eq(failed.n, 0);
	cr_assert_str_eq(fake_text(fake, INCLUDE), HEAD);
}

Test(unbound_driver, tells_of_no_other_zone_than_one_that_is_live_and_was_its_own)
{
	static const char altered[] = "saved jrun file = altered\n";
	static const struct {
		const char *file, *items;
	} cases[] = {
		{ OLD("gone"), altered },
		{ OLD("."), altered },
		{ OLD("o ld"), altered },
		{ FIRST "\tlocal-zone: \"old.\" redirect\n", altered },
		{ FIRST, altered },
		{ "", altered },
		{ "\tlocal-zone: \"old.\" static\n", "saved jrun failed\n" },
		{ OLD("OLD"), "live old zone = static\nsaved jrun file = altered\n" },
	};

	answer_live("old. static\n. static\n", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_file(fake, INCLUDE, cases[i].file);
		cr_assert_str_eq(read_all(both), cases[i].items, "case %zu", i);
	}
}

Test(unbound_driver, keeps_zones_within_each_other_apart)
{
	static const struct unbound_conf inner = { "office.jrun", "/etc/u.conf", INCLUDE,
		"unbound-control", "unbound-checkconf", false };
	static const char *const beneath[] = { "live office.jrun", "saved office.jrun", NULL };

	answer_live("office.jrun. static\n", "a.office.jrun. 1 IN AAAA 200::1\n");
	fake_file(fake, INCLUDE, OLD("office.jrun"));
	cr_assert_str_eq(read_all(both),
		"live jrun zone = office.jrun static\nlive jrun a.office.jrun AAAA = 200::1\n"
		"saved jrun file = altered\n");
	fake = fake_new(arena);
	port = fake_port(fake);
	unbound_driver(&driver, &port, &inner, arena);
	answer_live("jrun. static\n", "a.office.jrun. 1 IN AAAA 200::1\n");
	fake_file(fake, INCLUDE, HEAD);
	cr_assert_str_eq(
		read_all(beneath), "live jrun zone = static\nsaved office.jrun file = altered\n");
}

Test(unbound_driver, takes_zone_and_file_back_where_no_names_are_wanted)
{
	answer_live("jrun. static\n", "a.jrun. 1 IN AAAA 200::1\n");
	fake_file(fake, INCLUDE, HEAD);
	cr_assert_str_eq(
		read_all(none), "saved jrun file = as generated\nlive jrun zone = static\n");
	apply_one(PHASE_REVOKE, "saved jrun", "file", "as generated", NULL);
	cr_assert_eq(failed.n, 1, "the file goes after the zone");
	cr_assert_str_eq(fake_text(fake, INCLUDE), HEAD);
	cr_assert_str_eq(apply_one(PHASE_REVOKE, "live jrun", "zone", "static", NULL),
		CONTROL "local_zone_remove jrun\n");
	cr_assert_str_eq(apply_one(PHASE_REVOKE, "saved jrun", "file", "as generated", NULL),
		"remove " INCLUDE "\n");
	cr_assert_eq(failed.n, 1);
	cr_assert_str_eq(read_all(none), "");
}

Test(unbound_driver, asks_nothing_of_unbound_without_a_file_of_its_own)
{
	static const char *const files[] = { NULL, "", "server:\n\tlocal-zone: \"a.\" static\n" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i] != NULL)
			fake_file(fake, INCLUDE, files[i]);
		cr_assert_str_eq(read_all(none), "");
		cr_assert_str_eq(fake_log(fake), "");
	}
}

Test(unbound_driver, keeps_the_file_when_the_old_zone_cannot_be_read)
{
	fake_file(fake, INCLUDE, HEAD);
	cr_assert_str_eq(read_all(none), "saved jrun file = as generated\nlive jrun failed\n");
	cr_assert_not_null(strstr(failed.v[0].text, INCLUDE " still tells of the zone"));
	apply_one(PHASE_REVOKE, "saved jrun", "file", "as generated", NULL);
	cr_assert_eq(failed.n, 2);
	cr_assert_str_eq(fake_text(fake, INCLUDE), HEAD);
}
