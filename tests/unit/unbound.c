#include <criterion/criterion.h>
#include <string.h>

#include "reconciler/unbound.h"

static struct arena *arena;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(unbound, .init = setup, .fini = teardown);

static const char *shown(const struct local_zone *z)
{
	struct text t = text_new(arena);

	text_addf(&t, "%s\n", z->type == NULL ? "none" : z->type);
	for (size_t i = 0; i < z->nested.n; i++)
		text_addf(&t, "beneath: %s\n", z->nested.v[i]);
	for (size_t i = 0; i < z->found.n; i++)
		text_addf(&t, "%s %s %s\n", z->found.v[i].name, z->found.v[i].type,
			z->found.v[i].data);
	return t.s;
}

static const char *live(const char *zones, const char *data)
{
	struct local_zone z = { 0 };
	struct err e = ERR_INIT;

	if (unbound_parse_zones(zones, strlen(zones), "jrun", arena, &z, &e) < 0 ||
		unbound_parse_data(data, strlen(data), "jrun", arena, &z, &e) < 0)
		return arena_dup(arena, e.text);
	return shown(&z);
}

static const char *saved(const char *text)
{
	struct local_zone z = { 0 };
	bool same = unbound_parse_file(text, strlen(text), "jrun", arena, &z);

	return arena_printf(arena, "%s, %s", same ? "as generated" : "altered", shown(&z));
}

Test(unbound, reads_its_own_zone_alone)
{
	cr_assert_str_eq(
		live("jrun. static\nnot-jrun. static\noffice.jrun. refuse\nlocalhost. redirect\n",
			"web.office.jrun.\t3600\tIN\tAAAA\t200::1\n\n"
			"web.local.JRUN.\t60\tIN\tA\t10.0.0.1\n"
			"localhost.\t10800\tIN\tA\t127.0.0.1\n"
			"xjrun.\t10800\tIN\tA\t127.0.0.1\n"
			"a\\.jrun.\t10800\tIN\tA\t127.0.0.1\n"
			"jrun.\t3600\tIN\tMX\t10 x.jrun.\n"
			"t.jrun.\t3600\tCH\tTXT\t\"a\"\n"
			"t.jrun.\t3600\tIN\tTXT\t\"a b\"\n"),
		"static\nbeneath: office.jrun refuse\njrun MX 10 x.jrun.\nt.jrun TXT \"a b\"\n"
		"web.local.jrun A 10.0.0.1\nweb.office.jrun AAAA 200::1\n");
	cr_assert_str_eq(live("", ""), "none\n");
}

Test(unbound, refuses_what_is_no_listing)
{
	cr_assert_str_eq(live("error\n", ""), "unbound lists no zone in 'error'");
	cr_assert_str_eq(live("", "error what\n"), "unbound lists no record in 'error what'");
}

Test(unbound, reads_back_what_it_wrote)
{
	struct dns_record v[] = { { "db.office.jrun", "AAAA", "200::2" },
		{ "web.local.jrun", "A", "10.0.0.1" } };
	struct dns_records records = { v, 2, 2 };
	const char *text = unbound_file("jrun", &records, arena);

	cr_assert_str_eq(text,
		"# jmesh owns this file and replaces it; what is changed here by hand is lost.\n"
		"server:\n"
		"\tlocal-zone: \"jrun.\" static\n"
		"\tlocal-data: \"db.office.jrun. IN AAAA 200::2\"\n"
		"\tlocal-data: \"web.local.jrun. IN A 10.0.0.1\"\n");
	cr_assert_str_eq(saved(text),
		"as generated, static\ndb.office.jrun AAAA 200::2\n"
		"web.local.jrun A 10.0.0.1\n");
}

Test(unbound, sees_every_alteration_of_the_file)
{
#define HEAD "# jmesh owns this file and replaces it; what is changed here by hand is lost.\n"
#define ZONE "server:\n\tlocal-zone: \"jrun.\" static\n"
	static const char *const cases[][2] = {
		{ "", "altered, none\n" },
		{ HEAD, "altered, none\n" },
		{ HEAD ZONE, "as generated, static\n" },
		{ ZONE, "altered, static\n" },
		{ HEAD ZONE "\n", "altered, static\n" },
		{ HEAD "server:\n\tlocal-zone: \"jrun.\" redirect\n", "altered, redirect\n" },
		{ HEAD ZONE "\tlocal-data: \"a.jrun. IN AAAA 200::1\"",
			"altered, static\na.jrun AAAA 200::1\n" },
		{ HEAD ZONE "\tlocal-data: \"a.jrun. IN AAAA 200::1\"\n",
			"as generated, static\na.jrun AAAA 200::1\n" },
		{ HEAD ZONE "\tlocal-data: \"a.jrun. IN AAAA 200::1\"\n"
			    "\tlocal-data: \"a.jrun. IN AAAA 200::1\"\n",
			"altered, static\na.jrun AAAA 200::1\n" },
		{ HEAD ZONE "\tlocal-data: \"b.jrun. IN AAAA 200::1\"\n"
			    "\tlocal-data: \"a.jrun. IN AAAA 200::1\"\n",
			"altered, static\na.jrun AAAA 200::1\nb.jrun AAAA 200::1\n" },
		{ HEAD ZONE "\tlocal-data: \"A.jrun. IN AAAA 200::1\"\n",
			"altered, static\na.jrun AAAA 200::1\n" },
		{ HEAD ZONE "\tlocal-data: \"a.jrun. IN AAAA 200:0::1\"\n", "altered, static\n" },
		{ HEAD ZONE "\tlocal-data: \"a.jrun. 60 IN AAAA 200::1\"\n", "altered, static\n" },
		{ HEAD ZONE "\tlocal-data: \"a.other. IN AAAA 200::1\"\n", "altered, static\n" },
		{ HEAD ZONE "\tlocal-data: \"a.jrun. IN TXT x\"\n", "altered, static\n" },
		{ HEAD ZONE "\tforward-zone:\n", "altered, static\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(
			saved(cases[i][0]), cases[i][1], "case %zu: %s", i, saved(cases[i][0]));
}

Test(unbound, refuses_every_record_that_is_not_harmless)
{
	static const struct {
		struct dns_record r;
		bool good;
	} cases[] = {
		{ { "web.office.jrun", "AAAA", "200::1" }, true },
		{ { "my_jail-1.office.jrun", "A", "10.0.0.1" }, true },
		{ { "jrun", "A", "10.0.0.1" }, true },
		{ { "web.office.jrun.", "AAAA", "200::1" }, false },
		{ { "web..jrun", "AAAA", "200::1" }, false },
		{ { ".jrun", "AAAA", "200::1" }, false },
		{ { "webjrun", "AAAA", "200::1" }, false },
		{ { "web.other", "AAAA", "200::1" }, false },
		{ { "*.jrun", "AAAA", "200::1" }, false },
		{ { "a\" b.jrun", "AAAA", "200::1" }, false },
		{ { "a\nserver:.jrun", "AAAA", "200::1" }, false },
		{ { "-a.jrun", "AAAA", "200::1" }, false },
		{ { "a.jrun", "AAAA", "10.0.0.1" }, false },
		{ { "a.jrun", "A", "200::1" }, false },
		{ { "a.jrun", "A", "10.0.0.01" }, false },
		{ { "a.jrun", "AAAA", "200:0::1" }, false },
		{ { "a.jrun", "AAAA", "200::1\"\n\tx" }, false },
		{ { "a.jrun", "TXT", "x" }, false },
		{ { "a.jrun", "AAAA 200::2\nb.jrun AAAA", "200::1" }, false },
	};
	char label[70], name[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;

		cr_expect_eq(dns_record_check(&cases[i].r, "jrun", &e) == 0, cases[i].good,
			"%s %s %s", cases[i].r.name, cases[i].r.type, cases[i].r.data);
	}
	memset(label, 'a', sizeof(label));
	for (int len = 63; len <= 64; len++) {
		struct dns_record r = { arena_printf(arena, "%.*s.jrun", len, label), "A",
			"1.2.3.4" };
		struct err e = ERR_INIT;

		cr_expect_eq(dns_record_check(&r, "jrun", &e) == 0, len == 63);
	}
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	for (int len = 248; len <= 250; len += 2) {
		struct dns_record r = { arena_printf(arena, "%.*sjrun", len, name), "A",
			"1.2.3.4" };
		struct err e = ERR_INIT;

		cr_expect_eq(
			dns_record_check(&r, "jrun", &e) == 0, len == 248, "%zu", strlen(r.name));
	}
}

Test(unbound, hears_a_refusal_behind_the_first_line)
{
	cr_assert_null(unbound_refusal("added 2 datas\n", arena));
	cr_assert_null(unbound_refusal("", arena));
	cr_assert_null(unbound_refusal("no error\n", arena));
	cr_assert_str_eq(unbound_refusal("added 1\nerror for input line: x\n", arena),
		"error for input line: x");
}

Test(unbound, knows_when_nothing_is_included)
{
	static const struct {
		const char *text;
		bool nothing;
	} cases[] = {
		{ "", true },
		{ "server:\n\tinterface: ::1\n", true },
		{ "# include: \"x\"\nserver: # include: y\n", true },
		{ "include: \"/x/*.conf\"\n", false },
		{ "server:\n include-toplevel: y", false },
		{ "server: include: y", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(unbound_includes_nothing(cases[i].text, strlen(cases[i].text)),
			cases[i].nothing, "%s", cases[i].text);
}
