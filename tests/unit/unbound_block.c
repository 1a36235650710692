#include "reconciler/unbound_block.h"

#include <criterion/criterion.h>
#include <string.h>

#include "fake_port.h"
#include "reconciler/drivers/unbound.h"

#define ONE "200:6fc8:9220:f400:5cc2:305a:4ac6:967e"
#define TWO "202:90bc:2ab6:34c1:3e3f:e723:783f:ab2"
#define INCLUDE "/var/unbound/conf.d/jrun.conf"
#define CANDIDATE INCLUDE ".jmesh-new"
#define CONTROL "host$ local-unbound-control -c /var/unbound/unbound.conf "
#define TOP                                                                    \
	"server:\n  interface: 10.17.89.1\n    local-zone: \"jrun.\" static\n" \
	"    local-data: \"web.local.jrun. IN A 10.17.89.10\"\n"
#define WEB "    local-data: \"web.office.jrun. IN AAAA " ONE "\"\n"
#define DB "    local-data: \"db.office.jrun. IN AAAA " TWO "\"\n"
#define BLOCK(lines) BLOCK_BEGIN "\n" lines BLOCK_END "\n"
#define BOTTOM "forward-zone:\n  name: \".\"\n  forward-addr: 9.9.9.9"

static const struct unbound_conf conf = { "jrun", "/var/unbound/unbound.conf", INCLUDE,
	"local-unbound-control", "local-unbound-checkconf", true };
static struct arena *arena;
static struct fake *fake;
static struct port port;
static struct driver driver;
static struct failures failed;

static void setup(void)
{
	arena = arena_new();
	fake = fake_new(arena);
	port = fake_port(fake);
	unbound_driver(&driver, &port, &conf, arena);
	failed = (struct failures){ .arena = arena };
	fake_file(fake, conf.config, "include: /var/unbound/conf.d/*.conf\n");
	fake_folder(fake, "/var/unbound/conf.d");
	fake_answer(fake, "host$ local-unbound-checkconf " CANDIDATE, 0, "", "");
	fake_answer(fake, CONTROL "list_local_zones", 0, "jrun. static\nlocal.jrun. static\n", "");
	fake_answer(fake, CONTROL "list_local_data", 0,
		"web.local.jrun. 3600 IN A 10.17.89.10\nweb.local.jrun. 3600 IN AAAA 200::9\n"
		"web.office.jrun. 3600 IN A 10.0.0.1\nweb.office.jrun. 3600 IN AAAA " ONE "\n",
		"");
	fake_answer(fake, CONTROL "local_datas_remove", 0, "removed 1 datas\n", "");
	fake_answer(fake, CONTROL "local_datas", 0, "added 1 datas\n", "");
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(unbound_block, .init = setup, .fini = teardown);

static struct dns_records records(bool web, bool db)
{
	struct dns_records list = { 0 };

	if (web)
		dns_records_add(
			&list, arena, &(struct dns_record){ "web.office.jrun", "AAAA", ONE });
	if (db)
		dns_records_add(
			&list, arena, &(struct dns_record){ "db.office.jrun", "AAAA", TWO });
	dns_records_sort(&list);
	return list;
}

static const char *edited(const char *text, bool web, bool db)
{
	struct dns_records list = records(web, db);
	struct text t = text_new(arena);
	struct err e = ERR_INIT;

	if (unbound_block_edit(text, strlen(text), "jrun", &list, arena, &t, &e) < 0)
		return arena_dup(arena, e.text);
	return t.s;
}

Test(unbound_block, changes_nothing_outside_the_marks)
{
	static const struct {
		const char *text;
		bool web, db;
		const char *result;
	} cases[] = {
		{ TOP BOTTOM, true, false, TOP BLOCK(WEB) BOTTOM },
		{ TOP, true, true, TOP BLOCK(DB WEB) },
		{ "", true, false, BLOCK(WEB) },
		{ "server:", true, false, "server:\n" BLOCK(WEB) },
		{ "forward-zone:", true, false, BLOCK(WEB) "forward-zone:" },
		{ " forward-zone:\nforward-zone:\nforward-zone:\n", true, false,
			" forward-zone:\n" BLOCK(WEB) "forward-zone:\nforward-zone:\n" },
		/* Lines that stay keep their place. */
		{ TOP BLOCK(WEB) BOTTOM, true, true, TOP BLOCK(WEB DB) BOTTOM },
		{ TOP BLOCK(WEB DB) BOTTOM, true, true, TOP BLOCK(WEB DB) BOTTOM },
		{ TOP BLOCK(WEB DB) BOTTOM, false, true, TOP BLOCK(DB) BOTTOM },
		{ TOP BLOCK(WEB "# mine\n" WEB) BOTTOM, true, false, TOP BLOCK(WEB) BOTTOM },
		/* Without a record the marks go, as Ansible's blockinfile has it. */
		{ TOP BLOCK(WEB DB) BOTTOM, false, false, TOP BOTTOM },
		{ TOP BLOCK("") BOTTOM, false, false, TOP BOTTOM },
		{ TOP BOTTOM, false, false, TOP BOTTOM },
		{ TOP BLOCK_BEGIN "\n" WEB BLOCK_END, true, true,
			TOP BLOCK_BEGIN "\n" WEB DB BLOCK_END },
		{ TOP "  " BLOCK_BEGIN "\n\t" BLOCK_END "\n" BOTTOM, true, false,
			TOP "  " BLOCK_BEGIN "\n" WEB "\t" BLOCK_END "\n" BOTTOM },
		/* A mark is a line of its own. */
		{ "# see " BLOCK_BEGIN "\n", true, false, "# see " BLOCK_BEGIN "\n" BLOCK(WEB) },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(edited(cases[i].text, cases[i].web, cases[i].db), cases[i].result,
			"case %zu: %s", i, edited(cases[i].text, cases[i].web, cases[i].db));
}

Test(unbound_block, refuses_marks_that_do_not_pair)
{
	static const char *const cases[] = {
		BLOCK_BEGIN "\n",
		BLOCK_END "\n",
		BLOCK_END "\n" BLOCK_BEGIN "\n",
		BLOCK("") BLOCK(""),
		BLOCK_BEGIN "\n" BLOCK(""),
		BLOCK("") BLOCK_END,
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct local_zone zone = { 0 };
		struct err e = ERR_INIT;
		bool whole;

		cr_expect_not_null(strstr(edited(cases[i], true, true), "must be there once each"),
			"case %zu", i);
		cr_expect_eq(unbound_block_parse(
				     cases[i], strlen(cases[i]), "jrun", arena, &zone, &whole, &e),
			-1, "case %zu", i);
	}
}

Test(unbound_block, tells_lines_that_are_not_as_generated)
{
	static const struct {
		const char *lines;
		size_t n;
		bool whole;
	} cases[] = {
		{ BLOCK(WEB), 1, true },
		{ BLOCK(WEB DB), 2, true },
		{ "", 0, true },
		{ BLOCK(""), 0, true },
		{ BLOCK(WEB WEB), 1, false },
		{ BLOCK(WEB "\n"), 1, false },
		{ BLOCK("  " WEB), 0, false },
		{ BLOCK("    local-data: \"a.office.jrun. IN AAAA 200:0::1\"\n"), 0, false },
		{ BLOCK("    local-data: \"a.office.jrun. IN A 10.0.0.1\"\n"), 0, false },
		{ BLOCK("    local-data: \"a.local.jrun. IN AAAA 200::1\"\n"), 0, false },
		{ BLOCK("    local-data: \"a.office.other. IN AAAA 200::1\"\n"), 0, false },
		{ BLOCK("    local-data: \"A.office.jrun. IN AAAA 200::1\"\n"), 0, false },
		{ BLOCK("    local-data: \"a.office.jrun. IN AAAA 200::1\" # x\n"), 0, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = arena_printf(arena, TOP "%s" BOTTOM, cases[i].lines);
		struct local_zone zone = { 0 };
		struct err e = ERR_INIT;
		bool whole = false;

		cr_assert_eq(
			unbound_block_parse(text, strlen(text), "jrun", arena, &zone, &whole, &e),
			0);
		cr_expect_eq(zone.found.n, cases[i].n, "case %zu", i);
		cr_expect_eq(whole, cases[i].whole, "case %zu", i);
	}
}

Test(unbound_block, knows_what_is_jailruns)
{
	static const struct {
		const char *name, *type;
		bool theirs;
	} cases[] = {
		{ "web.local.jrun", "AAAA", true },
		{ "local.jrun", "AAAA", true },
		{ "a.b.local.jrun", "AAAA", true },
		{ "web.office.jrun", "A", true },
		{ "jrun", "A", true },
		{ "web.office.jrun", "AAAA", false },
		{ "local.office.jrun", "AAAA", false },
		{ "notlocal.jrun", "AAAA", false },
		{ "jrun", "AAAA", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dns_record r = { cases[i].name, cases[i].type, "" };

		cr_expect_eq(unbound_block_is_theirs(&r, "jrun"), cases[i].theirs, "case %zu", i);
	}
}

Test(unbound_block, finds_the_zone_in_every_spelling)
{
	static const char *const cases[][2] = {
		{ "local-zone: \"jrun.\" static\n", "static" },
		{ "\t local-zone:\t\"JRUN\"  transparent\r\n", "transparent" },
		{ "local-zone: jrun. \"static\"\n", "static" },
		{ "# local-zone: \"jrun.\" static\n", NULL },
		{ "local-zone: \"other.\" static\n", NULL },
		{ "local-zone: \"jrun", "" },
		{ BLOCK("local-zone: \"jrun.\" static\n"), NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *type =
			unbound_block_zone(cases[i][0], strlen(cases[i][0]), "jrun", arena);

		if (cases[i][1] == NULL)
			cr_expect_null(type, "case %zu", i);
		else
			cr_expect_str_eq(type, cases[i][1], "case %zu", i);
	}
}

/* "SCOPE KEY = VALUE" a line, failures behind them. */
static const char *read_all(bool wanted)
{
	struct items seen = { .arena = arena };
	struct strs scopes = { 0 };
	struct text t = text_new(arena);

	if (wanted) {
		strs_push(arena, &scopes, "live jrun");
		strs_push(arena, &scopes, "saved jrun");
	}
	failed.n = 0;
	driver.ops->read(driver.self, &scopes, arena, &seen, &failed);
	for (size_t i = 0; i < seen.n; i++)
		text_addf(&t, "%s %s = %s\n", seen.v[i].scope, seen.v[i].key, seen.v[i].value);
	for (size_t i = 0; i < failed.n; i++)
		text_addf(&t, "%s failed: %s\n", failed.v[i].scope, failed.v[i].text);
	fake_log(fake);
	return t.s;
}

static const char *apply_one(
	const char *scope, const char *key, const char *before, const char *after)
{
	struct change c = {
		.kind = KIND_DNS, .scope = scope, .key = key, .before = before, .after = after
	};
	const struct change *list = &c;

	failed.n = 0;
	driver.ops->apply(driver.self, PHASE_NAMES, scope, &list, 1, arena, &failed);
	return fake_log(fake);
}

Test(unbound_block, tells_of_peers_names_alone)
{
	fake_file(fake, INCLUDE, TOP BLOCK(WEB) BOTTOM);
	cr_assert_str_eq(read_all(true),
		"live jrun zone = static\nlive jrun web.office.jrun AAAA = " ONE "\n"
		"saved jrun file = as generated\nsaved jrun zone = static\n"
		"saved jrun web.office.jrun AAAA = " ONE "\n");
}

Test(unbound_block, leaves_it_to_jailrun_to_make_the_zone)
{
	fake_answer(fake, CONTROL "list_local_zones", 0, "jrun. transparent\n", "");
	cr_assert_not_null(strstr(read_all(true), "saved jrun failed: " INCLUDE " is not there"));
	fake_file(fake, INCLUDE, "server:\n");
	cr_assert_str_eq(read_all(true),
		"live jrun failed: unbound has no static zone jrun, which Jailrun makes: run jrun "
		"up, or give dns.zone the name of Jailrun's zone\n"
		"saved jrun failed: " INCLUDE " has no static zone jrun, which Jailrun makes: run "
		"jrun up, or give dns.zone the name of Jailrun's zone\n");
	cr_assert_str_eq(apply_one("saved jrun", "db.office.jrun AAAA", NULL, TWO), "");
	cr_assert_eq(failed.n, 1);
}

Test(unbound_block, replaces_the_file_only_with_what_was_checked)
{
	fake_file(fake, INCLUDE, TOP BLOCK(WEB) BOTTOM);
	read_all(true);
	cr_assert_str_eq(apply_one("saved jrun", "db.office.jrun AAAA", NULL, TWO),
		"replace " CANDIDATE " 644\nhost$ local-unbound-checkconf " CANDIDATE
		"\nremove " CANDIDATE "\nreplace " INCLUDE " 644\n");
	cr_assert_str_eq(fake_text(fake, INCLUDE), TOP BLOCK(WEB DB) BOTTOM);
	/* Jailrun has written the rest of it anew meanwhile. */
	fake_file(fake, INCLUDE, TOP "# new\n" BLOCK(WEB DB) BOTTOM);
	apply_one("saved jrun", "web.office.jrun AAAA", ONE, NULL);
	cr_assert_str_eq(fake_text(fake, INCLUDE), TOP "# new\n" BLOCK(DB) BOTTOM);
	cr_assert_eq(failed.n, 0);
}

Test(unbound_block, refuses_a_record_that_is_jailruns)
{
	fake_file(fake, INCLUDE, TOP BOTTOM);
	read_all(true);
	apply_one("saved jrun", "a.local.jrun AAAA", NULL, TWO);
	cr_assert_eq(failed.n, 1);
	cr_assert_str_eq(failed.v[0].text, "a.local.jrun AAAA is Jailrun's own");
	cr_assert_str_eq(fake_text(fake, INCLUDE), TOP BOTTOM);
}

Test(unbound_block, takes_back_its_own_names_and_puts_back_jailruns)
{
	static const char removed[] = CONTROL "local_datas_remove\n  < web.office.jrun.\n" CONTROL
					      "local_datas\n  < web.office.jrun. IN A 10.0.0.1\n";
	struct err e = ERR_INIT;

	fake_file(fake, INCLUDE, TOP BLOCK(WEB) BOTTOM);
	read_all(true);
	cr_assert_str_eq(apply_one("live jrun", "web.office.jrun AAAA", ONE, NULL), removed);
	cr_assert_eq(driver.ops->withdraw(driver.self, "live jrun", arena, &e), 0, "%s", e.text);
	cr_assert_not_null(strstr(fake_log(fake), removed));
	cr_assert_eq(driver.ops->withdraw(driver.self, "saved jrun", arena, &e), 0, "%s", e.text);
	cr_assert_str_eq(fake_text(fake, INCLUDE), TOP BOTTOM);
	fake_log(fake);
	cr_assert_eq(driver.ops->withdraw(driver.self, "saved jrun", arena, &e), 0);
	cr_assert_str_eq(fake_log(fake), "");
}

Test(unbound_block, takes_the_names_back_where_none_are_wanted)
{
	fake_file(fake, INCLUDE, TOP BLOCK(WEB) BOTTOM);
	cr_assert_str_eq(read_all(false),
		"saved jrun web.office.jrun AAAA = " ONE "\n"
		"live jrun web.office.jrun AAAA = " ONE "\n");
	/* The saved names tell which there were, so they outlive the live ones. */
	apply_one("saved jrun", "web.office.jrun AAAA", ONE, NULL);
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, "not known to be gone"));
	cr_assert_str_eq(fake_text(fake, INCLUDE), TOP BLOCK(WEB) BOTTOM);
	apply_one("live jrun", "web.office.jrun AAAA", ONE, NULL);
	apply_one("saved jrun", "web.office.jrun AAAA", ONE, NULL);
	cr_assert_str_eq(fake_text(fake, INCLUDE), TOP BOTTOM);
	cr_assert_str_eq(read_all(false), "");
}

Test(unbound_block, writes_back_no_file_that_a_port_has_masked)
{
	char key[KEY_HEX_PRIVATE + 1] = "";

	memset(key, KEY_MASKED, KEY_HEX_PRIVATE);
	fake_file(fake, INCLUDE, arena_printf(arena, "# %s\n" TOP BLOCK(WEB) BOTTOM, key));
	cr_assert_not_null(strstr(read_all(true), "looks like a private key"));
}
