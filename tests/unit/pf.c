#include <criterion/criterion.h>
#include <string.h>

#include "reconciler/pf.h"

#define MARK "# Written by jmesh, which owns this file and writes it anew.\n"
#define FOUR                     \
	"pass quick inet all\n"  \
	"pass out on ygg0 all\n" \
	"block in on ygg0 all\n" \
	"pass in on ygg0 inet6 from <mesh_peers>\n"
#define LISTED                                         \
	"pass quick inet all flags S/SA keep state\n"  \
	"pass out on ygg0 all flags S/SA keep state\n" \
	"block drop in on ygg0 all\n"                  \
	"pass in on ygg0 inet6 from <mesh_peers> to any flags S/SA keep state\n"
#define LISTED_ANCHOR                                                                  \
	"pass in quick on ygg0 inet6 from <mesh_peers> to any flags S/SA keep state\n" \
	"block drop in quick on ygg0 all\n"                                            \
	"pass out quick on ygg0 all flags S/SA keep state\n"
/* As Jailrun 0.9.0 writes it. */
#define JAILRUN_HEAD "# managed by jailrun\n"
#define JAILRUN_TAIL                  \
	"\n\npass quick inet all\n\n" \
	"pass out on ygg0 all\n"      \
	"block in on ygg0 all\n\n"    \
	"pass in on ygg0 inet6 from <mesh_peers>\n"

static const struct pf_names ruleset = { "ygg0", "mesh_peers", false };
static const struct pf_names anchor = { "ygg0", "mesh_peers", true };
static struct arena *arena;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(pf, .init = setup, .fini = teardown);

static struct addrs addrs_of(const char *one, const char *two)
{
	struct addrs list = { .v = arena_alloc(arena, 2, sizeof(*list.v)) };
	struct err e;

	cr_assert_eq(addr_parse(one, NOWHERE, &list.v[list.n++], &e), 0);
	if (two != NULL)
		cr_assert_eq(addr_parse(two, NOWHERE, &list.v[list.n++], &e), 0);
	return list;
}

static const char *addrs_text(const struct addrs *list)
{
	return pf_addresses_format(list->v, list->n, arena);
}

static struct pf_file file_of(const char *text, const struct pf_names *names)
{
	struct pf_file f;

	pf_file_parse(text, strlen(text), names, arena, &f);
	return f;
}

Test(pf, the_file_is_what_jailrun_writes_behind_our_mark)
{
	struct addrs none = { 0 }, one = addrs_of("201::1", NULL),
		     two = addrs_of("201::1", "202::2");

	cr_assert_str_eq(pf_file_format(NULL, 0, &ruleset, &none, arena),
		MARK "table <mesh_peers> persist\n" FOUR);
	cr_assert_str_eq(pf_file_format(NULL, 0, &ruleset, &one, arena),
		MARK "table <mesh_peers> persist { 201::1 }\n" FOUR);
	cr_assert_str_eq(pf_file_format(NULL, 0, &ruleset, &two, arena),
		MARK "table <mesh_peers> persist { 201::1, 202::2 }\n" FOUR);
}

Test(pf, loaded_rules_leave_the_table_what_it_has)
{
	cr_assert_str_eq(pf_rules_format(&ruleset, arena), "table <mesh_peers> persist\n" FOUR);
	cr_assert_str_eq(pf_rules_format(&anchor, arena),
		"table <mesh_peers> persist\n"
		"pass in quick on ygg0 inet6 from <mesh_peers>\n"
		"block in quick on ygg0 all\n"
		"pass out quick on ygg0 all\n");
}

Test(pf, knows_its_rules_as_pfctl_lists_them)
{
	static const struct {
		const struct pf_names *names;
		const char *text;
		enum pf_rules is;
	} cases[] = {
		{ &ruleset, LISTED, PF_RULES_OURS },
		{ &anchor, LISTED_ANCHOR, PF_RULES_OURS },
		{ &ruleset, "", PF_RULES_NONE },
		{ &ruleset, "\n", PF_RULES_NONE },
		{ &ruleset, "scrub in all fragment reassemble\n", PF_RULES_NONE },
		{ &ruleset, "scrub in all fragment reassemble\n" LISTED, PF_RULES_OTHER },
		{ &ruleset, LISTED "pass in on ygg0 all flags S/SA keep state\n", PF_RULES_OTHER },
		{ &ruleset, "pass quick inet all flags S/SA keep state\n", PF_RULES_OTHER },
		{ &ruleset, LISTED_ANCHOR, PF_RULES_OTHER },
		{ &anchor, LISTED, PF_RULES_OTHER },
		{ &ruleset, "anchor \"x\" all\n" LISTED, PF_RULES_OTHER },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(
			pf_rules_parse(cases[i].text, cases[i].names), cases[i].is, "case %zu", i);
}

Test(pf, rules_of_another_interface_or_table_are_others)
{
	static const struct pf_names other = { "ygg1", "mesh_peers", false };
	static const struct pf_names table = { "ygg0", "friends", false };

	cr_expect_eq(pf_rules_parse(LISTED, &other), PF_RULES_OTHER);
	cr_expect_eq(pf_rules_parse(LISTED, &table), PF_RULES_OTHER);
}

Test(pf, tells_whether_it_is_enabled)
{
	static const struct {
		const char *text;
		int is;
	} cases[] = {
		{ "Status: Enabled for 0 days 00:01:02           Debug: Urgent\n\nState Table\n",
			1 },
		{ "Status: Enabled\n", 1 },
		{ "Status: Disabled for 0 days 00:00:07          Debug: Urgent\n", 0 },
		{ "Status: Disabled", 0 },
		{ "", -1 },
		{ "Status: Enablement\n", -1 },
		{ "Enabled\n", -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;

		cr_expect_eq(pf_info_parse(cases[i].text, &e), cases[i].is, "case %zu", i);
	}
}

Test(pf, skips_the_noise_about_altq)
{
	cr_expect_str_eq(
		pf_complaint("No ALTQ support in kernel\nALTQ related functions disabled", arena),
		"");
	cr_expect_str_eq(pf_complaint("No ALTQ support in kernel\nALTQ related functions disabled\n"
				      "pfctl: Table does not exist.",
				 arena),
		"Table does not exist.");
	cr_expect_str_eq(pf_complaint("stdin:3: syntax error\npfctl: Syntax error in config file: "
				      "pf rules not loaded",
				 arena),
		"stdin:3: syntax error");
	cr_expect_str_eq(pf_complaint(NULL, arena), "");
}

Test(pf, reads_a_table_sorted_and_apart_from_what_is_no_address)
{
	struct pf_table t;
	struct err e = ERR_INIT;

	cr_assert_eq(pf_table_parse("   10.0.0.1\n   10.0.0.0/8\n   202::2\n   201::1\n"
				    "   200::/7\n  !201::5\n   ! 300::/8\n",
			     arena, &t, &e),
		0);
	cr_assert_str_eq(addrs_text(&t.addrs), "201::1\n202::2\n");
	cr_assert_eq(t.others.n, 5);
	cr_expect_str_eq(t.others.v[0], "10.0.0.1");
	cr_expect_str_eq(t.others.v[1], "10.0.0.0/8");
	cr_expect_str_eq(t.others.v[2], "200::/7");
	cr_expect_str_eq(t.others.v[3], "!201::5");
	cr_expect_str_eq(t.others.v[4], "!300::/8");
	for (size_t i = 0; i < t.others.n; i++)
		cr_expect(pf_entry_check(t.others.v[i]), "%s", t.others.v[i]);
}

Test(pf, refuses_a_table_of_anything_else)
{
	static const char *const texts[] = { "   web.example\n", "   201::1/129\n", "   201::1/\n",
		"   201::1/7x\n", "   201::1/-1\n", "   201::1 202::2\n", "   !\n", "   ygg0\n",
		"   10.0.0.1/33\n" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct pf_table t;
		struct err e = ERR_INIT;

		cr_expect_eq(pf_table_parse(texts[i], arena, &t, &e), -1, "%s", texts[i]);
		cr_expect_eq(e.code, ERR_SYSTEM);
	}
}

Test(pf, an_entry_has_one_spelling_and_is_no_single_address)
{
	static const char *const bad[] = { "", "201::1", "200:0::/7", "! 201::1", "200::/07",
		"200::/128", "a b", "ygg0" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(pf_entry_check(bad[i]), "'%s'", bad[i]);
}

Test(pf, knows_whose_a_file_is)
{
	static const struct {
		const char *text;
		enum pf_owner owner;
		bool altered;
		const char *allowed;
	} cases[] = {
		{ "", PF_FILE_EMPTY, false, "" },
		{ " \n\t\n", PF_FILE_EMPTY, false, "" },
		{ MARK "table <mesh_peers> persist\n" FOUR, PF_FILE_OURS, false, "" },
		{ MARK "table <mesh_peers> persist { 201::1, 202::2 }\n" FOUR, PF_FILE_OURS, false,
			"201::1\n202::2\n" },
		{ MARK "table <mesh_peers> persist { 201::1, 200::/7 }\n" FOUR, PF_FILE_OURS, true,
			"201::1\n" },
		{ MARK "table <mesh_peers> persist { 201::1 }\n" FOUR "pass in all\n", PF_FILE_OURS,
			true, "201::1\n" },
		{ MARK "table <mesh_peers> persist { web.example }\n" FOUR, PF_FILE_OURS, true,
			"" },
		{ MARK, PF_FILE_OURS, true, "" },
		{ JAILRUN_HEAD "table <mesh_peers> persist {  }" JAILRUN_TAIL, PF_FILE_JAILRUN,
			false, "" },
		{ JAILRUN_HEAD "table <mesh_peers> persist { 202::2 201::1 }" JAILRUN_TAIL,
			PF_FILE_JAILRUN, false, "201::1\n202::2\n" },
		{ "table <mesh_peers> persist {\n\t202::2, # office\n\t201::1\n}" JAILRUN_TAIL,
			PF_FILE_JAILRUN, false, "201::1\n202::2\n" },
		{ "table <mesh_peers> persist { ::/0 }" JAILRUN_TAIL, PF_FILE_JAILRUN, true, "" },
		{ JAILRUN_HEAD "table <mesh_peers> persist { evil.example }" JAILRUN_TAIL,
			PF_FILE_OTHER, false, "" },
		{ JAILRUN_HEAD "table <mesh_peers> persist { 201::1" JAILRUN_TAIL, PF_FILE_OTHER,
			false, "" },
		{ JAILRUN_HEAD "table <mesh_peers> persist" JAILRUN_TAIL "pass in all\n",
			PF_FILE_OTHER, false, "" },
		{ "table <others> persist" JAILRUN_TAIL, PF_FILE_OTHER, false, "" },
		{ "table <mesh_peers> const" JAILRUN_TAIL, PF_FILE_OTHER, false, "" },
		{ "ext=\"em0\"\ntable <mesh_peers> persist" JAILRUN_TAIL, PF_FILE_OTHER, false,
			"" },
		{ "# kept for later\n", PF_FILE_OTHER, false, "" },
		{ "block in all\n", PF_FILE_OTHER, false, "" },
		{ "table <mesh_peers> persist\r\n" FOUR, PF_FILE_OTHER, false, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pf_file f = file_of(cases[i].text, &ruleset);

		cr_expect_eq(f.owner, cases[i].owner, "case %zu: %d", i, (int)f.owner);
		cr_expect_eq(f.altered, cases[i].altered, "case %zu", i);
		cr_expect_str_eq(addrs_text(&f.allowed), cases[i].allowed, "case %zu", i);
	}
}

Test(pf, the_file_of_an_anchor_is_ours_or_nobody_elses)
{
	struct addrs one = addrs_of("201::1", NULL);
	const char *text = pf_file_format(NULL, 0, &anchor, &one, arena);

	cr_assert_str_eq(text,
		MARK "table <mesh_peers> persist { 201::1 }\n"
		     "pass in quick on ygg0 inet6 from <mesh_peers>\n"
		     "block in quick on ygg0 all\npass out quick on ygg0 all\n");
	cr_expect_eq(file_of(text, &anchor).owner, PF_FILE_OURS);
	cr_expect_not(file_of(text, &anchor).altered);
	cr_expect(file_of(text, &ruleset).altered);
	cr_expect_eq(
		file_of("table <mesh_peers> persist" JAILRUN_TAIL, &anchor).owner, PF_FILE_OTHER);
}

Test(pf, a_nul_hides_nothing)
{
	static const char text[] = MARK "table <mesh_peers> persist\n" FOUR "\0pass all\n";
	static const char other[] = " \n\0pass all\n";
	struct pf_file f;

	pf_file_parse(text, sizeof(text) - 1, &ruleset, arena, &f);
	cr_expect(f.altered);
	pf_file_parse(other, sizeof(other) - 1, &ruleset, arena, &f);
	cr_expect_eq(f.owner, PF_FILE_OTHER);
}

Test(pf, of_jailruns_file_only_the_table_changes)
{
	static const char *const tables[] = { "table <mesh_peers> persist {  }",
		"table <mesh_peers> persist", "table  <mesh_peers>\tpersist {\n 201::9 # old\n}" };
	struct addrs two = addrs_of("201::1", "202::2");

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const char *old = arena_printf(arena, JAILRUN_HEAD "%s" JAILRUN_TAIL, tables[i]);
		const char *text = pf_file_format(old, strlen(old), &ruleset, &two, arena);
		struct pf_file f = file_of(text, &ruleset);

		cr_expect_str_eq(text,
			JAILRUN_HEAD "table <mesh_peers> persist { 201::1, 202::2 }" JAILRUN_TAIL);
		cr_expect_eq(f.owner, PF_FILE_JAILRUN);
		cr_expect_not(f.altered);
		cr_expect_str_eq(addrs_text(&f.allowed), "201::1\n202::2\n");
	}
}

Test(pf, a_file_that_ends_in_the_middle_of_a_line_is_mended)
{
	const char *old = "table <mesh_peers> persist\npass quick inet all\npass out on ygg0 all\n"
			  "block in on ygg0 all\npass in on ygg0 inet6 from <mesh_peers>";
	struct addrs none = { 0 };

	cr_assert(file_of(old, &ruleset).altered);
	cr_assert_str_eq(pf_file_format(old, strlen(old), &ruleset, &none, arena),
		"table <mesh_peers> persist\n" FOUR);
}

Test(pf, an_anchor_must_come_before_whoever_lets_strangers_in)
{
	static const struct {
		const char *rules;
		bool evaluated;
		const char *why;
	} cases[] = {
		{ "anchor \"jmesh\" all\n", true, "" },
		{ "anchor \"jmesh\" on ygg0 all\n", true, "" },
		{ "anchor \"jmesh\" quick all\n", true, "" },
		{ "block drop in all\nanchor \"jmesh\" all\npass quick all\n", true, "" },
		{ "scrub in all\npass quick on em0 all\nanchor \"jmesh\" all\n", true, "" },
		{ "pass quick on lo all\nanchor \"jmesh\" all\n", true, "" },
		{ "pass in quick on ! ygg0 all\nanchor \"jmesh\" all\n", true, "" },
		{ "pass quick inet proto tcp from any to any\nanchor \"jmesh\" all\n", true, "" },
		{ "pass out quick all\nanchor \"jmesh\" all\n", true, "" },
		{ "pass in all\nanchor \"jmesh\" all\n", true, "" },
		{ "pass in all label \"x quick\"\nanchor \"jmesh\" all\n", true, "" },
		{ "block drop in quick on ygg0 all\nanchor \"jmesh\" all\n", true, "" },
		{ "anchor \"blacklistd/*\" in on em0 all\nanchor \"jmesh\" all\n", true, "" },
		{ "", false, "have no line anchor \"jmesh\"" },
		{ "anchor \"jmesh/*\" all\n", false, "have the line anchor \"jmesh\" before it" },
		{ "anchor \"jmesh\" on em0 all\n", false, "have no line" },
		{ "anchor \"jmesh\" out all\n", false, "have no line" },
		{ "anchor \"jmesh\" inet all\n", false, "have no line" },
		{ "anchor \"jmesh\" proto tcp all\n", false, "comes before" },
		{ "anchor \"ftp-proxy/*\" all\nanchor \"jmesh\" all\n", false, "comes before" },
		{ "anchor all {\n  pass quick all\n}\nanchor \"jmesh\" all\n", false,
			"comes before" },
		{ "pass quick all flags S/SA keep state\nanchor \"jmesh\" all\n", false,
			"'pass quick all flags S/SA keep state' comes before" },
		{ "pass in log (all) quick on ygg0 all\nanchor \"jmesh\" all\n", false,
			"comes before" },
		{ "pass in quick on tun all\nanchor \"jmesh\" all\n", false, "comes before" },
		{ "pass in quick on ! em0 all\nanchor \"jmesh\" all\n", false, "comes before" },
		{ "pass in quick inet6 proto tcp from any to any port = ssh\nanchor \"jmesh\" "
		  "all\n",
			false, "comes before" },
		{ "pass in quick proto tcp from any to any tagged inet\nanchor \"jmesh\" all\n",
			false, "comes before" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = "";

		cr_expect_eq(pf_anchor_evaluated(cases[i].rules, &anchor, arena, &why),
			cases[i].evaluated, "case %zu: %s", i, cases[i].rules);
		cr_expect_not_null(strstr(why, cases[i].why), "case %zu: %s", i, why);
	}
}

Test(pf, finds_the_line_by_which_pf_skips_our_interface)
{
	static const struct {
		const char *text, *line;
	} cases[] = {
		{ "", NULL },
		{ "set skip on lo\n", NULL },
		{ "# set skip on ygg0\nset skip on { lo0 em0 }\n", NULL },
		{ "set skip on ygg0", "set skip on ygg0" },
		{ "pass\n\tset  skip on { lo0, ygg0 } # both\n", "set skip on { lo0, ygg0 }" },
		{ "set skip on ygg\n", "set skip on ygg" },
		{ "set skip on \"tun\"\n", "set skip on \"tun\"" },
		{ "set skip on $quiet\n", "set skip on $quiet" },
	};
	const struct pf_names names = { "ygg0", "mesh_peers", true };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *line =
			pf_conf_skips(cases[i].text, strlen(cases[i].text), &names, arena);

		cr_expect(cases[i].line == NULL ? line == NULL
						: line != NULL && strcmp(line, cases[i].line) == 0,
			"case %zu: %s", i, line == NULL ? "none" : line);
	}
}

Test(pf, both_lines_of_an_anchor_are_looked_for)
{
	static const struct {
		const char *text;
		bool has;
	} cases[] = {
		{ "block in\n" PF_LINE_ANCHOR "\n" PF_LINE_LOAD "\n", true },
		{ "  anchor   \"jmesh\"  # ours\n\tload anchor \"jmesh\" from "
		  "\"/etc/pf.jmesh.conf\"",
			true },
		{ PF_LINE_ANCHOR "\n", false },
		{ PF_LINE_LOAD "\n", false },
		{ "# " PF_LINE_ANCHOR "\n" PF_LINE_LOAD "\n", false },
		{ "anchor \"jmesh/*\"\n" PF_LINE_LOAD "\n", false },
		{ PF_LINE_ANCHOR "\nload anchor \"jmesh\" from \"/tmp/x\"\n", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(pf_conf_has_anchor(cases[i].text, strlen(cases[i].text), arena),
			cases[i].has, "case %zu", i);
}

Test(pf, takes_a_table_as_large_as_pfctl_shows)
{
	struct addrs many = { .v = arena_alloc(arena, PF_TABLE_MAX, sizeof(*many.v)) };
	struct pf_table t;
	struct pf_file f;
	const char *text;
	struct err e;

	for (many.n = 0; many.n < PF_TABLE_MAX; many.n++)
		many.v[many.n] = (struct addr){ { 2,
			1, [14] = (uint8_t)(many.n >> 8), [15] = (uint8_t)many.n } };
	cr_assert_eq(pf_table_parse(addrs_text(&many), arena, &t, &e), 0);
	cr_assert_eq(t.addrs.n, PF_TABLE_MAX);
	text = pf_file_format(NULL, 0, &ruleset, &many, arena);
	cr_assert_lt(strlen(text), PF_FILE_MAX);
	pf_file_parse(text, strlen(text), &ruleset, arena, &f);
	cr_assert_not(f.altered);
	cr_assert_eq(f.allowed.n, PF_TABLE_MAX);
}

Test(pf, a_nul_byte_makes_a_file_another_s)
{
	static const char text[] = "table <mesh_peers> persist\npass quick\0 inet all\n";
	const struct pf_names names = { "ygg0", "mesh_peers", false };
	struct arena *a = arena_new();
	struct pf_file file;

	pf_file_parse(text, sizeof(text) - 1, &names, a, &file);
	cr_assert_eq(file.owner, PF_FILE_OTHER);
	cr_assert_eq(file.other_line, 2);
	cr_assert_str_eq(file.other, "");
	arena_free(a);
}
