#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/lock.h"

#define KEY "2de87aa93967d838031b90f81ea9a20e788d795340824c28590a7aaae1251e31"
#define KEY_ADDR "202:90bc:2ab6:34c1:3e3f:e723:783f:ab2"
#define JAIL(name, addr) "{\"name\":\"" name "\",\"address\":\"" addr "\"}"
#define PEER(name, jails) "{\"name\":\"" name "\",\"paired_at\":1,\"jails\":[" jails "]}"
#define LOCK(peers) "{\"format\":1,\"mesh\":\"laptop\",\"peers\":[" peers "]}"

static struct arena *a;

static void setup(void)
{
	a = arena_new();
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(lock, .init = setup, .fini = teardown);

static const char whole[] = "{\n"
			    "  \"format\": 1,\n"
			    "  \"mesh\": \"laptop\",\n"
			    "  \"peers\": [\n"
			    "    {\n"
			    "      \"name\": \"office\",\n"
			    "      \"role\": \"create\",\n"
			    "      \"code\": \"0123456789abcdef\",\n"
			    "      \"told\": \"fedcba9876543210\",\n"
			    "      \"paired_at\": 1700000000,\n"
			    "      \"jails\": [\n"
			    "        { \"name\": \"db\", \"address\": \"200::2\" },\n"
			    "        { \"name\": \"web\", \"address\": \"" KEY_ADDR
			    "\", \"public_key\": \"" KEY "\" }\n"
			    "      ]\n"
			    "    },\n"
			    "    {\n"
			    "      \"name\": \"studio\",\n"
			    "      \"paired_at\": 0,\n"
			    "      \"jails\": [\n"
			    "        { \"name\": \"web\", \"address\": \"200::3\" }\n"
			    "      ]\n"
			    "    }\n"
			    "  ]\n"
			    "}\n";

static struct lock parsed(const char *json)
{
	struct err e = ERR_INIT;
	struct lock l;

	cr_assert_eq(lock_parse(json, strlen(json), a, &l, &e), 0, "%s", e.text);
	return l;
}

Test(lock, formats_what_it_parsed)
{
	struct lock l = parsed(whole);

	cr_assert_str_eq(l.mesh, "laptop");
	cr_assert_eq(l.n, 2);
	cr_assert_str_eq(l.peers[0].role, "create");
	cr_assert_eq(l.peers[0].paired_at, 1700000000);
	cr_assert(l.peers[0].roster.jails[1].has_key);
	cr_assert_null(l.peers[1].code);
	cr_assert_str_eq(lock_format(&l, a), whole);
}

Test(lock, formats_peers_and_jails_sorted)
{
	struct lock l = parsed(LOCK(PEER("b", JAIL("z", "200::1") "," JAIL("y", "200::2")) "," PEER(
		"a", JAIL("x", "200::3"))));
	const char *text = lock_format(&l, a);

	cr_assert_lt(strstr(text, "\"a\"") - text, strstr(text, "\"b\"") - text);
	cr_assert_lt(strstr(text, "\"y\"") - text, strstr(text, "\"z\"") - text);
	l = parsed(text);
	cr_assert_str_eq(lock_format(&l, a), text);
}

Test(lock, an_empty_lock_is_written_whole)
{
	struct lock l = { .mesh = "laptop" };
	const char *text = lock_format(&l, a);

	cr_assert_str_eq(
		text, "{\n  \"format\": 1,\n  \"mesh\": \"laptop\",\n  \"peers\": []\n}\n");
	l = parsed(text);
	cr_assert_eq(l.n, 0);
}

struct bad {
	const char *json, *says;
};

static const struct bad table[] = {
	{ "", "empty" },
	{ "\n", "not JSON" },
	{ "{}", "'format'" },
	{ "[]", "not an object" },
	{ "null", "not an object" },
	{ "{\"format\":2,\"mesh\":\"laptop\",\"peers\":[]}", "its format is 2" },
	{ "{\"format\":\"1\",\"mesh\":\"laptop\",\"peers\":[]}", "'format'" },
	{ "{\"format\":1.5,\"mesh\":\"laptop\",\"peers\":[]}", "'format'" },
	{ "{\"format\":1,\"format\":1,\"mesh\":\"laptop\",\"peers\":[]}", "twice" },
	{ "{\"format\":1,\"peers\":[]}", "'mesh' is missing" },
	{ "{\"format\":1,\"mesh\":\"a.b\",\"peers\":[]}", "'a.b'" },
	{ "{\"format\":1,\"mesh\":\"laptop\"}", "'peers' is not an array" },
	{ "{\"format\":1,\"mesh\":\"laptop\",\"peers\":{}}", "'peers' is not an array" },
	{ "{\"format\":1,\"mesh\":\"laptop\",\"peers\":[],\"more\":1}", "unknown key 'more'" },
	{ LOCK("") " x", "behind" },
	{ "{\"format\":1,\n\"mesh\":\"laptop\",\n\"peers\":[\n<<<<<<< HEAD\n]}",
		"line 4: not JSON" },
	{ LOCK("7"), "not an object" },
	{ LOCK("{\"paired_at\":1,\"jails\":[" JAIL("x", "200::1") "]}"), "'name' is missing" },
	{ LOCK(PEER("local", JAIL("x", "200::1"))), "'local' is not a name" },
	{ LOCK(PEER("Office", JAIL("x", "200::1"))), "'Office' is not a name" },
	{ LOCK(PEER("a.b", JAIL("x", "200::1"))), "'a.b' is not a name" },
	{ LOCK(PEER("a", "")), "peer 'a': it has no jails" },
	{ LOCK("{\"name\":\"a\",\"paired_at\":1}"), "'jails' is not an array" },
	{ LOCK("{\"name\":\"a\",\"jails\":[" JAIL("x", "200::1") "]}"), "'paired_at'" },
	{ LOCK("{\"name\":\"a\",\"paired_at\":-1,\"jails\":[" JAIL("x", "200::1") "]}"),
		"'paired_at'" },
	{ LOCK("{\"name\":\"a\",\"paired_at\":1e300,\"jails\":[" JAIL("x", "200::1") "]}"),
		"'paired_at'" },
	{ LOCK("{\"name\":\"a\",\"paired_at\":1,\"code\":\"81-zephyr\",\"jails\":[" JAIL(
		  "x", "200::1") "]}"),
		"valid 'code'" },
	{ LOCK("{\"name\":\"a\",\"paired_at\":1,\"code\":null,\"jails\":[" JAIL(
		  "x", "200::1") "]}"),
		"not a string" },
	{ LOCK("{\"name\":\"a\",\"paired_at\":1,\"told\":\"0123456789ABCDEF\",\"jails\":[" JAIL(
		  "x", "200::1") "]}"),
		"valid 'told'" },
	{ LOCK("{\"name\":\"a\",\"paired_at\":1,\"role\":\"king\",\"jails\":[" JAIL(
		  "x", "200::1") "]}"),
		"valid 'role'" },
	{ LOCK("{\"name\":\"a\",\"paired_at\":1,\"token\":\"x\",\"jails\":[" JAIL(
		  "x", "200::1") "]}"),
		"unknown key 'token'" },
	{ LOCK(PEER("a", JAIL("x", "200::1") "," JAIL("x", "200::2"))), "'x' comes twice" },
	{ LOCK(PEER("a", JAIL("x", "200::1") "," JAIL("y", "200::1"))), "both have" },
	{ LOCK(PEER("a", JAIL("x", "::/0"))), "canonical" },
	{ LOCK(PEER("a", JAIL("x", "300::1"))), "200::/8" },
	{ LOCK(PEER("a", JAIL("x\\u0000", "200::1"))), "NUL" },
	{ LOCK(PEER("a", JAIL("x", "200::1")) "," PEER("a", JAIL("y", "200::2"))),
		"the peer 'a' comes twice" },
	{ LOCK(PEER("a", JAIL("x", "200::1")) "," PEER("b", JAIL("y", "200::1"))),
		"200::1 belongs" },
	{ LOCK(PEER("a", "{\"name\":\"x\",\"address\":\"200::1\",\"public_key\":\"" KEY "\"}")),
		"does not come from" },
	{ LOCK(PEER("a", "{\"name\":\"x\",\"address\":\"200::1\",\"public_key\":\"7\"}")),
		"64 hexadecimal" },
};

Test(lock, refuses_what_is_no_lock)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct lock l = { .n = 99 };
		struct err e = ERR_INIT;

		cr_expect_eq(lock_parse(table[i].json, strlen(table[i].json), a, &l, &e), -1,
			"taken: %s", table[i].json);
		cr_expect_eq(l.n, 0);
		cr_expect_eq(e.code, ERR_CONFIG);
		cr_expect(strstr(e.text, table[i].says) != NULL, "'%s' is not in '%s' (%s)",
			table[i].says, e.text, table[i].json);
	}
}

Test(lock, refuses_every_prefix)
{
	struct err e = ERR_INIT;
	struct lock l;

	for (size_t n = 0; n + 2 < sizeof(whole); n++)
		cr_expect_eq(lock_parse(whole, n, a, &l, &e), -1, "%zu", n);
}

Test(lock, puts_finds_and_drops)
{
	struct roster_jail jail = { .name = "x", .addr = { .b = { 2 } } };
	struct lock l = parsed(whole);
	struct lock_peer peer = { .name = "new", .paired_at = 7, .roster = { &jail, 1 } };

	lock_put(&l, a, &peer);
	cr_assert_eq(l.n, 3);
	peer.paired_at = 8;
	lock_put(&l, a, &peer);
	cr_assert_eq(l.n, 3);
	cr_assert_eq(lock_find(&l, "new")->paired_at, 8);
	lock_drop(&l, "office");
	lock_drop(&l, "nobody");
	cr_assert_eq(l.n, 2);
	cr_assert_null(lock_find(&l, "office"));
	cr_assert_not_null(lock_find(&l, "studio"));
	lock_drop(&l, "studio");
	lock_drop(&l, "new");
	cr_assert_eq(l.n, 0);
}

Test(lock, a_put_survives_the_growth_of_the_array)
{
	struct lock l = { .mesh = "laptop" };

	for (int i = 0; i < 100; i++)
		lock_put(&l, a, &(struct lock_peer){ .name = arena_printf(a, "p%d", i) });
	cr_assert_eq(l.n, 100);
	for (int i = 0; i < 100; i++)
		cr_assert_not_null(lock_find(&l, arena_printf(a, "p%d", i)));
}

Test(lock, a_code_is_letters_digits_and_dashes)
{
	static const char *const bad[] = { "", "a b", "a/b", "../x", "a?b", "a#b", "a%20", "a\n",
		"a.b", "caf\303\251", "a\"b", "a_b",
		"12345678901234567890123456789012345678901234567890123456789012345" };

	cr_assert(code_is_valid("81-zephyr-night-climb"));
	cr_assert(code_is_valid("A"));
	cr_assert(
		code_is_valid("1234567890123456789012345678901234567890123456789012345678901234"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(code_is_valid(bad[i]), "%s", bad[i]);
}

Test(lock, a_codes_digest_does_not_show_the_code)
{
	const char *digest = code_digest("81-zephyr-night-climb", a);

	cr_assert_eq(strlen(digest), 16);
	cr_assert_str_eq(digest, code_digest("81-zephyr-night-climb", a));
	cr_assert_str_neq(digest, code_digest("81-zephyr-night-climc", a));
}
