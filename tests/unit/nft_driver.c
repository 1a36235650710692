#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_port.h"
#include "reconciler/drivers/nft.h"

#define LIST(place) place "$ nft -j list table inet jmesh"
#define TABLES(place) place "$ nft -j list tables inet"
#define LINKS "web$ ip -o link show"
#define NO_TABLE "{\"nftables\":[{\"metainfo\":{}}]}"

static struct arena *arena;
static struct fake *fake;
static struct port port;
static struct driver driver;
static struct items seen;
static struct failures failed;

static void setup(void)
{
	arena = arena_new();
	fake = fake_new(arena);
	port = fake_port(fake);
	nft_driver(&driver, &port, "ygg0", "mesh_peers", arena);
	failed = (struct failures){ .arena = arena };
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(nft_driver, .init = setup, .fini = teardown);

static const char *listing(void)
{
	char *text = arena_alloc(arena, 16384, 1);
	FILE *f = fopen("tests/golden/formats/nft-1.0.6.json", "r");

	cr_assert_not_null(f, "run the tests in the root of the repository");
	text[fread(text, 1, 16383, f)] = '\0';
	fclose(f);
	return text;
}

/* The listing with one more rule at its end. */
static const char *altered(void)
{
	const char *text = listing();

	return arena_printf(arena, "%.*s, {\"rule\": {\"chain\": \"output\", \"expr\": []}}]}",
		(int)(strrchr(text, ']') - text), text);
}

/* Reads the scopes and returns "SCOPE KEY = VALUE\n"... */
static const char *read_scopes(const char *one, const char *two)
{
	struct strs scopes = { 0 };
	struct text t = text_new(arena);

	strs_push(arena, &scopes, one);
	if (two != NULL)
		strs_push(arena, &scopes, two);
	seen = (struct items){ .arena = arena };
	failed.n = 0;
	driver.ops->read(driver.self, &scopes, arena, &seen, &failed);
	for (size_t i = 0; i < seen.n; i++)
		text_addf(&t, "%s %s = %s\n", seen.v[i].scope, seen.v[i].key, seen.v[i].value);
	return t.s;
}

static void apply(enum phase phase, enum action action, const char *key)
{
	struct change c = { .action = action,
		.phase = phase,
		.kind = KIND_FIREWALL,
		.scope = "web",
		.key = key,
		.before = "x",
		.after = "x",
		.line = 7 };
	const struct change *one = &c;

	fake_log(fake);
	driver.ops->apply(driver.self, phase, "web", &one, 1, arena, &failed);
}

static void answer_all(void)
{
	fake_answer(fake, "web$ nft -c -f -", 0, "", "");
	fake_answer(fake, "web$ nft -f -", 0, "", "");
	fake_answer(fake, "web$ conntrack -L -f ipv6", 0,
		"tcp 6 src=200::1 dst=200::10 sport=1 src=200::10 dst=200::1\n", "");
	fake_answer(fake, "web$ conntrack -R -", 0, "", "");
}

Test(nft_driver, reads_jails_and_the_host)
{
	fake_answer(fake, LIST("web"), 0, listing(), "");
	fake_answer(fake, LIST("host"), 0, altered(), "");
	cr_assert_str_eq(read_scopes("web", HOST_NODE),
		"web rules = default-deny on ygg0\nweb address 200::1 = allow\n"
		"web address 200::2 = allow\n_host rules = altered\n"
		"_host address 200::1 = allow\n_host address 200::2 = allow\n");
	cr_assert_eq(failed.n, 0);
	cr_assert_str_eq(fake_log(fake), LIST("web") "\n" LIST("host") "\n");
}

Test(nft_driver, takes_a_missing_table_for_nothing_there)
{
	fake_answer(fake, LIST("web"), 1, "", "Error: No such file or directory");
	fake_answer(fake, TABLES("web"), 0, NO_TABLE, "");
	cr_assert_str_eq(read_scopes("web", NULL), "");
	cr_assert_eq(failed.n, 0);
}

Test(nft_driver, never_takes_what_it_cannot_read_for_nothing_there)
{
	static const struct {
		int status;
		const char *out, *err;
		int tables_status;
		const char *tables;
		const char *says;
	} cases[] = {
		{ 1, "", "Operation not permitted", 1, "", "firewall of web: nft: refused" },
		{ 1, "", "No such file", 0, "{\"nft", "firewall of web: nft did not answer" },
		{ 1, "", "Error: too much", 0,
			"{\"nftables\":[{\"table\":{\"family\":\"inet\",\"name\":\"jmesh\"}}]}",
			"firewall of web: nft: Error: too much" },
		{ 0, "", "", 0, NO_TABLE, "firewall of web: nft did not answer" },
		{ -1, "", "no such program", 0, NO_TABLE, "firewall of web: nft: no such program" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		teardown();
		setup();
		fake_answer(fake, LIST("web"), cases[i].status, cases[i].out, cases[i].err);
		fake_answer(
			fake, TABLES("web"), cases[i].tables_status, cases[i].tables, "refused");
		cr_expect_str_eq(read_scopes("web", NULL), "", "case %zu", i);
		cr_assert_eq(failed.n, 1, "case %zu", i);
		cr_expect_eq(strncmp(failed.v[0].text, cases[i].says, strlen(cases[i].says)), 0,
			"case %zu: %s", i, failed.v[0].text);
		apply(PHASE_REVOKE, ACTION_REMOVE, "address 200::1");
		cr_expect_eq(failed.n, 2, "case %zu applied what was not read", i);
		cr_expect_str_eq(fake_log(fake), "", "case %zu", i);
	}
}

Test(nft_driver, one_unreadable_jail_leaves_the_others_readable)
{
	fake_answer(fake, LIST("web"), 1, "", "Operation not permitted");
	fake_answer(fake, TABLES("web"), 1, "", "Operation not permitted");
	fake_answer(fake, LIST("db"), 0, listing(), "");
	cr_assert_str_eq(read_scopes("web", "db"),
		"db rules = default-deny on ygg0\ndb address 200::1 = allow\n"
		"db address 200::2 = allow\n");
	cr_assert_eq(failed.n, 1);
	cr_assert_str_eq(failed.v[0].scope, "web");
}

Test(nft_driver, revokes_the_address_and_then_its_flows)
{
	fake_answer(fake, LIST("web"), 0, listing(), "");
	answer_all();
	read_scopes("web", NULL);
	apply(PHASE_REVOKE, ACTION_REMOVE, "address 200::1");
#define REVOKE                                                                                   \
	"  < add element inet jmesh mesh_peers { 200::1 }\n"                                     \
	"  < delete element inet jmesh mesh_peers { 200::1 }\n"                                  \
	"  < add element inet jmesh mesh_peers_revoked { 200::1 }\n"                             \
	"  < delete element inet jmesh mesh_peers_revoked { 200::1 }\n"                          \
	"  < add element inet jmesh mesh_peers_revoked { 200::1 timeout 365d comment \"flows\" " \
	"}\n"
#define REVOKED                                                         \
	"  < add element inet jmesh mesh_peers_revoked { 200::1 }\n"    \
	"  < delete element inet jmesh mesh_peers_revoked { 200::1 }\n" \
	"  < add element inet jmesh mesh_peers_revoked { 200::1 }\n"
	cr_assert_str_eq(fake_log(fake),
		"web$ nft -c -f -\n" REVOKE "web$ nft -f -\n" REVOKE "web$ conntrack -L -f ipv6\n"
		"web$ conntrack -R -\n  < -D -f ipv6 -s 200::1\n"
		"web$ nft -c -f -\n" REVOKED "web$ nft -f -\n" REVOKED);
	cr_assert_eq(failed.n, 0);
}

Test(nft_driver, remembers_whose_flows_are_still_to_be_ended)
{
	static const char head
		[] = "\"timeout\": 600",
	    more[] = ", \"elem\": ["
		     "{\"elem\":{\"val\":\"200::2\",\"timeout\":31536000,\"comment\":\"flows\"}},"
		     "{\"elem\":{\"val\":\"200::3\",\"timeout\":31536000,\"comment\":\"flows\"}},"
		     "{\"elem\":{\"val\":\"200::4\",\"expires\":5}}]";
	const char *text = listing(), *at = strstr(text, head) + strlen(head);

	fake_answer(fake, LIST("web"), 0,
		arena_printf(arena, "%.*s%s%s", (int)(at - text), text, more, at), "");
	cr_assert_str_eq(read_scopes("web", NULL),
		"web rules = default-deny on ygg0\nweb address 200::1 = allow\n"
		"web address 200::2 = allow\nweb address 200::3 = flows may live on\n");
}

Test(nft_driver, says_which_change_failed)
{
	fake_answer(fake, LIST("web"), 0, listing(), "");
	fake_answer(fake, "web$ nft -c -f -", 0, "", "");
	fake_answer(fake, "web$ nft -f -", 0, "", "");
	fake_answer(fake, "web$ conntrack -L -f ipv6", 1, "", "Operation not permitted");
	read_scopes("web", NULL);
	apply(PHASE_REVOKE, ACTION_REMOVE, "address 200::1");
	cr_assert_eq(failed.n, 1);
	cr_assert_str_eq(failed.v[0].key, "address 200::1");
	cr_assert_eq(failed.v[0].line, 7);
	cr_assert_str_eq(failed.v[0].text,
		"established flows of web may live on: conntrack: Operation not permitted");
}

Test(nft_driver, mends_altered_rules_with_what_was_seen_less_what_is_revoked)
{
	const char *log;

	fake_answer(fake, LIST("web"), 0, altered(), "");
	answer_all();
	read_scopes("web", NULL);
	apply(PHASE_REVOKE, ACTION_REMOVE, "address 200::1");
	log = fake_log(fake);
	cr_assert_not_null(strstr(log, "web$ nft -f -\n  < add table inet jmesh\n"));
	cr_assert_not_null(strstr(log, "  < add element inet jmesh mesh_peers { 200::2 }\n"));
	cr_assert_not_null(strstr(log, "  < -D -f ipv6 -s 200::1\n"));
	apply(PHASE_PROTECT, ACTION_CHANGE, "rules");
	cr_assert_str_eq(fake_log(fake), "", "it is mended already");
	cr_assert_eq(failed.n, 0);
}

Test(nft_driver, a_failed_revocation_does_not_come_back_with_the_rules)
{
	const char *log;

	fake_answer(fake, LIST("web"), 0, altered(), "");
	fake_answer(fake, "web$ nft -c -f -", 1, "", "Error: busy");
	fake_answer(fake, "web$ nft -c -f -", 0, "", "");
	answer_all();
	read_scopes("web", NULL);
	apply(PHASE_REVOKE, ACTION_REMOVE, "address 200::1");
	cr_assert_eq(failed.n, 1);
	apply(PHASE_PROTECT, ACTION_CHANGE, "rules");
	log = fake_log(fake);
	cr_assert_not_null(strstr(log, "  < add element inet jmesh mesh_peers { 200::2 }\n"));
	cr_assert_null(strstr(log, "mesh_peers { 200::1"));
}

Test(nft_driver, loads_nothing_that_the_check_refused)
{
	fake_answer(fake, LIST("web"), 0, listing(), "");
	fake_answer(fake, "web$ nft -c -f -", 1, "", "Error: no");
	read_scopes("web", NULL);
	apply(PHASE_GRANT, ACTION_ADD, "address 200::3");
	cr_assert_str_eq(fake_log(fake),
		"web$ nft -c -f -\n  < add element inet jmesh mesh_peers { 200::3 }\n");
	cr_assert_eq(failed.n, 1);
}

Test(nft_driver, allows_nothing_where_the_rules_are_not_in_place)
{
	fake_answer(fake, LIST("web"), 1, "", "Error: No such file or directory");
	fake_answer(fake, TABLES("web"), 0, NO_TABLE, "");
	answer_all();
	read_scopes("web", NULL);
	apply(PHASE_GRANT, ACTION_ADD, "address 200::3");
	cr_assert_str_eq(fake_log(fake), "");
	cr_assert_eq(failed.n, 1);
	apply(PHASE_PROTECT, ACTION_ADD, "rules");
	cr_assert_null(strstr(fake_log(fake), "add element"));
	apply(PHASE_GRANT, ACTION_ADD, "address 200::3");
	cr_assert_not_null(strstr(fake_log(fake), "mesh_peers { 200::3 }"));
	cr_assert_eq(failed.n, 1);
}

Test(nft_driver, trusts_no_text_of_a_plan)
{
	static const char *const keys[] = { "address ::/0", "address 200::1 }; flush ruleset",
		"address ", "address", "200::1" };

	fake_answer(fake, LIST("web"), 0, listing(), "");
	answer_all();
	read_scopes("web", NULL);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		failed.n = 0;
		apply(PHASE_GRANT, ACTION_ADD, keys[i]);
		cr_expect_eq(failed.n, 1, "%s", keys[i]);
		cr_expect_str_eq(fake_log(fake), "", "%s", keys[i]);
	}
}

Test(nft_driver, withdraws_behind_closed_doors)
{
	struct err e = ERR_INIT;
	const char *log;

	fake_answer(fake, LIST("web"), 0, listing(), "");
	fake_answer(fake, LINKS, 0, "1: lo: <LOOPBACK,UP>\n4: eth0@if5: <UP>\n", "");
	answer_all();
	cr_assert_eq(driver.ops->withdraw(driver.self, "web", arena, &e), 0, "%s", e.text);
	log = fake_log(fake);
	cr_assert_null(strstr(log, "add element"), "the set is empty before the table goes");
	cr_assert_not_null(strstr(log, "web$ nft -f -\n  < delete table inet jmesh\n"));
}

Test(nft_driver, keeps_the_rules_before_a_node_that_runs)
{
	static const char *const links[] = { "1: lo: <UP>\n5: ygg0: <POINTOPOINT,UP>\n", "" };

	for (size_t i = 0; i < 2; i++) {
		struct err e = ERR_INIT;

		fake_answer(fake, LIST("web"), 0, listing(), "");
		fake_answer(fake, LINKS, i == 0 ? 0 : -1, links[i], "");
		fake_log(fake);
		cr_assert_eq(driver.ops->withdraw(driver.self, "web", arena, &e), -1);
		cr_assert_not_null(strstr(e.text, "firewall of web stays"));
		cr_assert_str_eq(fake_log(fake), LIST("web") "\n" LINKS "\n");
	}
}

Test(nft_driver, withdraws_nothing_where_nothing_is)
{
	struct err e = ERR_INIT;

	fake_answer(fake, LIST("web"), 1, "", "Error: No such file or directory");
	fake_answer(fake, TABLES("web"), 0, NO_TABLE, "");
	cr_assert_eq(driver.ops->withdraw(driver.self, "web", arena, &e), 0);
	cr_assert_str_eq(fake_log(fake), LIST("web") "\n" TABLES("web") "\n");
}
