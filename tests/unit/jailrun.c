#include "base/jailrun.h"

#include <criterion/criterion.h>
#include <string.h>

#define ONE "200:6fc8:9220:f400:5cc2:305a:4ac6:967e"
#define TWO "202:90bc:2ab6:34c1:3e3f:e723:783f:ab2"
#define NEW "204:4b0d:94b3:a0d0:a8da:62d5:51f0:3548"

static struct arena *arena;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(jailrun, .init = setup, .fini = teardown);

static const char whole[] =
	"{\n"
	"  \"version\": 1,\n"
	"  \"big\": 12345678901234567890123,\n"
	"  \"jails\": {\n"
	"    \"web\": {\"name\": \"web\", \"ip\": \"10.17.89.10\", \"ports\": [80]},\n"
	"    \"Db\": {\"ip\": null}\n"
	"  },\n"
	"  \"peers\": [\n"
	"    {\n"
	"      \"alias\": \"office\",\n"
	"      \"direction\": \"joined\",\n"
	"      \"paired_at\": \"2026-01-02T03:04:05.678901+00:00\",\n"
	"      \"jails\": [\n"
	"        {\n"
	"          \"name\": \"runner\",\n"
	"          \"ygg_address\": \"" ONE "\"\n"
	"        },\n"
	"        {\"ygg_address\" : \"" TWO "\", \"x\": 1.50, \"name\": \"cache\"}\n"
	"      ]\n"
	"    },\n"
	"    { \"alias\":\"Home\", \"odd\":1e400, "
	"\"jails\":[{\"name\":\"nas\",\"ygg_address\":\"" NEW "\"}] }\n"
	"  ],\n"
	"  \"after\": \"\\u00e9 ] } \\\" \"\n"
	"}\n";

static struct jailrun_state parsed(const char *text)
{
	struct jailrun_state s;
	struct err e = ERR_INIT;

	cr_assert_eq(jailrun_parse(text, strlen(text), arena, &s, &e), 0, "%s", e.text);
	return s;
}

static const char *refusal(const char *text)
{
	struct jailrun_state s;
	struct err e = ERR_INIT;

	if (jailrun_parse(text, strlen(text), arena, &s, &e) == 0)
		return "accepted";
	return arena_dup(arena, e.text);
}

static const char *edited(
	const char *text, const char *alias, const char *jail, const char *address, struct err *e)
{
	struct jailrun_change change = { .jail = jail, .gone = address == NULL };
	struct jailrun_edit edit = {
		.alias = alias, .changes = &change, .n = 1, .paired_at = 1764000000
	};
	const char *out;
	size_t len;

	*e = ERR_INIT;
	if (address != NULL)
		cr_assert_eq(addr_parse(address, NOWHERE, &change.addr, e), 0);
	if (jailrun_edit(text, strlen(text), &edit, arena, &out, &len, e) < 0)
		return NULL;
	cr_assert_eq(strlen(out), len);
	return out;
}

/* text with its first `from` another. */
static const char *with(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	cr_assert_not_null(at, "%s", from);
	return arena_printf(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

Test(jailrun, names_a_jail_by_the_hash_of_its_name)
{
	char name[JAILRUN_SYSTEM_NAME];

	/* printf web | sha256sum */
	jailrun_system_name("web", name);
	cr_assert_str_eq(name, "j4b5e57f6eb2f");
}

Test(jailrun, reads_jails_and_peers)
{
	struct jailrun_state s = parsed(whole);

	cr_assert_eq(s.n_jails, 2);
	cr_assert_str_eq(s.jails[0].name, "db");
	cr_assert_null(s.jails[0].address);
	cr_assert_str_eq(s.jails[0].system_name, "j0a276e36c919", "of the name as it is spelled");
	cr_assert_str_eq(s.jails[1].name, "web");
	cr_assert_str_eq(s.jails[1].address, "10.17.89.10");
	cr_assert_eq(s.ssh_port, 2222);
	cr_assert_eq(s.n_peers, 2);
	cr_assert_str_eq(s.peers[0].alias, "office");
	cr_assert_eq(s.peers[0].roster.n, 2);
	cr_assert_str_eq(s.peers[1].alias, "home");
	cr_assert_not(s.peers[1].failed, "%s", s.peers[1].err.text);
}

Test(jailrun, reads_a_state_with_nothing_in_it)
{
	struct jailrun_state s = parsed("{\"version\":1,\"ssh_port\":2200}");

	cr_assert_eq(s.n_jails + s.n_peers, 0);
	cr_assert_eq(s.ssh_port, 2200);
	cr_assert_eq(parsed("{\"version\":1,\"peers\":null,\"jails\":null}").ssh_port, 2222);
}

Test(jailrun, refuses_what_it_does_not_know)
{
	static const char *const cases[][2] = {
		{ "", "it is empty" },
		{ "[]", "not an object" },
		{ "{}", "it tells no version" },
		{ "{\"version\":2}", "it has version 2; this jmesh knows version 1 of Jailrun's" },
		{ "{\"version\":1.0}", "it has version 1.0" },
		{ "{\"version\":\"1\"}", "it has version \"1\"" },
		{ "{\"version\":true}", "it has version true" },
		{ "{\"version\":1,\"version\":1}", "'version' comes twice" },
		{ "{\"version\":1,\"v\\u0065rsion\":1}", "'version' comes twice" },
		{ "{\"version\":1,\"peers\":[],\"peers\":[]}", "'peers' comes twice" },
		{ "{\"version\":1,\"peers\":{}}", "'peers' is not an array" },
		{ "{\"version\":1,\"jails\":[]}", "'jails' is not an object" },
		{ "{\"version\":1,\"ssh_port\":0}", "'ssh_port'" },
		{ "\xef\xbb\xbf{\"version\":99}", "line 1: a byte order mark" },
		{ "{\"version\":1,\"ssh_port\":22.5}", "'ssh_port'" },
		{ "{\"version\":1,\"ssh_port\":\"22\"}", "'ssh_port'" },
		{ "{\"version\":1,\"jails\":{\"a.b\":{}}}", "jail 'a.b': the name is not a DNS" },
		{ "{\"version\":1,\"jails\":{\"-o\":{}}}", "jail '-o': the name" },
		{ "{\"version\":1,\"jails\":{\"a\":{\"name\":\"b\"}}}", "another name" },
		{ "{\"version\":1,\"jails\":{\"a\":{},\"A\":{}}}", "'a' comes twice" },
		{ "{\"version\":1,\"jails\":{\"a\":3}}", "jail 'a': not an object" },
		{ "{\"version\":1,\"jails\":{\"a\":{\"ip\":\"10.0.0.1/24\"}}}", "no IPv4 address" },
		{ "{\"version\":1} x", "text behind" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_not_null(strstr(refusal(cases[i][0]), cases[i][1]), "%s: %s", cases[i][0],
			refusal(cases[i][0]));
}

Test(jailrun, says_which_peer_is_not_in_order_and_reads_the_others)
{
	static const char *const cases[][2] = {
		{ "3", "peer '(entry 1)'" },
		{ "{}", "peer '(entry 1)' of Jailrun's state: the key 'alias' is missing" },
		{ "{\"alias\":\"a b\"}", "peer 'a b' of Jailrun's state: the alias is not" },
		{ "{\"alias\":\"Local\"}", "'local' is the name of" },
		{ "{\"alias\":\"x\",\"jails\":{}}", "peer 'x' of Jailrun's state: 'jails' is" },
		{ "{\"alias\":\"x\",\"jails\":[{\"name\":\"a\",\"ygg_address\":\"::/0\"}]}",
			"jail 1: '::/0' is not" },
		{ "{\"alias\":\"x\",\"jails\":[{\"name\":\"a\\nb\",\"ygg_address\":\"" ONE "\"}]}",
			"is not a DNS label" },
		{ "{\"alias\":\"x\",\"jails\":[{\"name\":\"a\",\"ygg_address\":\"fe80::1\"}]}",
			"outside 200::/8" },
		{ "{\"alias\":\"x\",\"alias\":\"x\"}", "'alias' comes twice" },
		{ "{\"alias\":\"OK\"}", "peer 'ok' of Jailrun's state comes twice" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jailrun_state s = parsed(arena_printf(arena,
			"{\"version\":1,\"peers\":[%s,{\"alias\":\"fine\"},{\"alias\":\"ok\"}]}",
			cases[i][0]));

		cr_assert_eq(s.n_peers, 3);
		cr_expect(s.peers[0].failed, "case %zu", i);
		cr_expect_eq(s.peers[0].roster.n, 0);
		cr_expect_not_null(
			strstr(s.peers[0].err.text, cases[i][1]), "%s", s.peers[0].err.text);
		cr_expect_not(s.peers[1].failed);
		cr_expect_eq(s.peers[2].failed, i == 9);
	}
}

Test(jailrun, records_an_address_and_keeps_every_other_byte)
{
	struct err e;

	cr_assert_str_eq(edited(whole, "office", "runner", NEW, &e), with(whole, ONE, NEW));
	/* An entry that changes keeps the keys that are not known here. */
	cr_assert_str_eq(edited(whole, "office", "cache", NEW, &e),
		with(whole, "\"ygg_address\" : \"" TWO "\"", "\"ygg_address\" : \"" NEW "\""));
	cr_assert_str_eq(edited(whole, "home", "nas", TWO, &e),
		with(whole,
			"{ \"alias\":\"Home\", \"odd\":1e400, \"jails\":[{\"name\":\"nas\",\"ygg_"
			"address\":\"" NEW "\"}] }",
			"{ \"alias\":\"Home\", \"odd\":1e400, \"jails\":[\n"
			"        {\"name\":\"nas\",\"ygg_address\":\"" TWO "\"}\n      ] }"));
}

Test(jailrun, leaves_a_text_alone_that_says_so_already)
{
	struct err e;

	cr_assert_eq(edited(whole, "office", "runner", ONE, &e), whole);
	cr_assert_eq(edited(whole, "office", "nobody", NULL, &e), whole);
	cr_assert_eq(edited(whole, "nobody", "nobody", NULL, &e), whole);
}

Test(jailrun, adds_a_jail_behind_the_others)
{
	struct err e;

	cr_assert_str_eq(edited(whole, "office", "mail", NEW, &e),
		with(whole, "\"name\": \"cache\"}\n",
			"\"name\": \"cache\"},\n"
			"        {\n"
			"          \"name\": \"mail\",\n"
			"          \"ygg_address\": \"" NEW "\"\n"
			"        }\n"));
}

Test(jailrun, adds_a_peer_as_jailrun_writes_it)
{
	struct err e;

	cr_assert_str_eq(edited(whole, "lab", "a", TWO, &e),
		with(whole, "}] }\n  ],",
			"}] },\n"
			"    {\n"
			"      \"alias\": \"lab\",\n"
			"      \"direction\": \"init\",\n"
			"      \"paired_at\": \"2025-11-24T16:00:00+00:00\",\n"
			"      \"jails\": [\n"
			"        {\n"
			"          \"name\": \"a\",\n"
			"          \"ygg_address\": \"" TWO "\"\n"
			"        }\n"
			"      ]\n"
			"    }\n"
			"  ],"));
	cr_assert_str_eq(edited("{\"version\": 1}", "lab", "a", TWO, &e),
		"{\"version\": 1, \"peers\": [{\"alias\": \"lab\", \"direction\": \"init\", "
		"\"paired_at\": \"2025-11-24T16:00:00+00:00\", \"jails\": [{\"name\": \"a\", "
		"\"ygg_address\": \"" TWO "\"}]}]}");
	cr_assert_str_eq(edited("{\"peers\":null,\"version\":1}\n", "lab", "a", TWO, &e),
		"{\"peers\":[{\"alias\": \"lab\", \"direction\": \"init\", "
		"\"paired_at\": \"2025-11-24T16:00:00+00:00\", \"jails\": [{\"name\": \"a\", "
		"\"ygg_address\": \"" TWO "\"}]}],\"version\":1}\n");
	cr_assert_not_null(strstr(edited("{\n  \"version\": 1\n}\n", "lab", "a", TWO, &e),
		"{\n  \"version\": 1,\n  \"peers\": [\n    {\n      \"alias\": \"lab\",\n"));
}

Test(jailrun, drops_a_peer_with_its_last_jail)
{
	struct err e;
	const char *without = edited(whole, "home", "nas", NULL, &e);

	cr_assert_null(strstr(without, "Home"));
	cr_assert_not_null(strstr(without, "      ]\n    }\n  ],\n  \"after\""));
	without =
		edited(edited(without, "office", "runner", NULL, &e), "office", "cache", NULL, &e);
	cr_assert_not_null(strstr(without, "\"peers\": [],\n"));
}

Test(jailrun, spells_the_time_as_python_does)
{
	static const struct {
		int64_t at;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00+00:00" },
		{ 951782399, "2000-02-28T23:59:59+00:00" },
		{ 951782400, "2000-02-29T00:00:00+00:00" },
		{ 951868800, "2000-03-01T00:00:00+00:00" },
		{ 1767225599, "2025-12-31T23:59:59+00:00" },
		{ 4107542400, "2100-03-01T00:00:00+00:00" },
	};
	struct jailrun_change change = { .jail = "a", .addr = { { 2 } } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jailrun_edit edit = { "x", &change, 1, true, cases[i].at };
		struct err e = ERR_INIT;
		const char *out;
		size_t len;

		cr_assert_eq(jailrun_edit("{\"version\":1}", 13, &edit, arena, &out, &len, &e), 0,
			"%s", e.text);
		cr_expect_not_null(strstr(out, cases[i].text), "%s", out);
		cr_expect_not_null(strstr(out, "\"direction\": \"joined\""));
	}
}

Test(jailrun, edits_no_peer_that_is_not_in_order)
{
	static const char bad[] = "{\"version\":1,\"peers\":[{\"alias\":\"x\",\"jails\":3}]}";
	struct err e;

	cr_assert_null(edited(bad, "x", "a", ONE, &e));
	cr_assert_not_null(strstr(e.text, "peer 'x' of Jailrun's state: 'jails' is"));
	cr_assert_null(edited("{\"version\":7}", "x", "a", ONE, &e));
	/* Others are none of its business, and keep their bytes. */
	cr_assert_not_null(
		strstr(edited(bad, "y", "a", ONE, &e), "[{\"alias\":\"x\",\"jails\":3}, {"));
}
