#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "reconciler/nft.h"

static const struct nft_names names = { "ygg0", "mesh_peers" };
static struct arena *arena;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(nft, .init = setup, .fini = teardown);

/* What nft 1.0.6 lists of nft_table's own text with 200::1 and 200::2 allowed. */
static const char *listing(void)
{
	static char text[16384];
	FILE *f = fopen("tests/golden/formats/nft-1.0.6.json", "r");

	cr_assert_not_null(f, "run the tests in the root of the repository");
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* The listing with the first `from` after `after` replaced. */
static const char *edited(const char *after, const char *from, const char *to)
{
	const char *text = listing(), *at = strstr(text, after);

	cr_assert_not_null(at, "no '%s' in the listing", after);
	at = strstr(at, from);
	cr_assert_not_null(at, "no '%s' in the listing", from);
	return arena_printf(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

/* "altered 200::1 200::2" */
static const char *parsed(const char *json)
{
	struct nft_state state;
	struct err e = ERR_INIT;
	struct text t = text_new(arena);

	if (nft_parse(json, strlen(json), &names, arena, &state, &e) < 0)
		return e.text[0] == '\0' ? "no sentence" : "error";
	text_add(&t, state.altered ? "altered" : "ours");
	for (size_t i = 0; i < state.allowed.n; i++) {
		char one[ADDR_TEXT];

		addr_format(&state.allowed.v[i], one);
		text_addf(&t, " %s", one);
	}
	return t.s;
}

static struct addrs addrs_of(const char *list)
{
	struct addrs out = { .v = arena_alloc(arena, 8, sizeof(*out.v)) };
	char *copy = arena_dup(arena, list);
	struct err e = ERR_INIT;

	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
		cr_assert_eq(addr_parse(word, NOWHERE, &out.v[out.n++], &e), 0);
	return out;
}

Test(nft, knows_its_own_table)
{
	cr_assert_str_eq(parsed(listing()), "ours 200::1 200::2");
}

Test(nft, knows_it_in_the_spelling_of_newer_versions)
{
	cr_assert_str_eq(
		parsed(edited("_revoked", "[\"timeout\"]", "\"timeout\"")), "ours 200::1 200::2");
	cr_assert_str_eq(
		parsed(edited("input", "\"invalid\"", "[\"invalid\"]")), "ours 200::1 200::2");
	cr_assert_str_eq(parsed(edited("input", "[\"established\", \"related\"]",
				 "[\"related\", \"established\"]")),
		"ours 200::1 200::2");
	cr_assert_str_eq(parsed(edited("input", "[\"established\", \"related\"]",
				 "{\"|\": [\"established\", \"related\"]}")),
		"ours 200::1 200::2");
	cr_assert_str_eq(
		parsed(edited("mesh_peers", "\"200::2\"", "{\"elem\":{\"val\":\"200::2\"}}")),
		"ours 200::1 200::2");
}

Test(nft, reads_addresses_in_any_spelling_and_order)
{
	cr_assert_str_eq(parsed(edited("mesh_peers", "\"200::2\"",
				 "\"200:0:0:0::A\", \"200:0::1\", \"200::9\"")),
		"ours 200::1 200::9 200::a");
}

Test(nft, sees_every_alteration)
{
	static const struct {
		const char *after, *from, *to;
	} cases[] = {
		{ "\"table\"", "\"handle\": 4", "\"handle\": 4, \"flags\": \"dormant\"" },
		{ "mesh_peers", "\"type\": \"ipv6_addr\"", "\"type\": \"ipv4_addr\"" },
		{ "mesh_peers", "\"type\"", "\"flags\": [\"interval\"], \"type\"" },
		{ "mesh_peers", "\"type\"", "\"timeout\": 5, \"type\"" },
		{ "mesh_peers", "\"type\"", "\"size\": 5, \"type\"" },
		{ "mesh_peers", "\"200::2\"",
			"\"200::2\", {\"prefix\":{\"addr\":\"300::\",\"len\":8}}" },
		{ "mesh_peers", "\"200::2\"", "\"200::2\", {\"range\":[\"200::3\",\"200::4\"]}" },
		{ "mesh_peers", "\"200::2\"", "{\"elem\":{\"val\":\"200::2\",\"comment\":\"x\"}}" },
		{ "mesh_peers", "\"200::2\"",
			"{\"elem\":{\"val\":\"200::2\",\"timeout\":9,\"expires\":8}}" },
		{ "_revoked", "\"timeout\": 600", "\"timeout\": 6" },
		{ "_revoked", "\"flags\": [\"timeout\"], ", "" },
		{ "_revoked", "_revoked", "_other" },
		{ "\"chain\"", "\"prio\": -10", "\"prio\": 10" },
		{ "\"chain\"", "\"policy\": \"accept\"", "\"policy\": \"drop\"" },
		{ "\"chain\"", "\"hook\": \"input\"", "\"hook\": \"prerouting\"" },
		{ "\"chain\"", "\"type\": \"filter\"", "\"type\": \"route\"" },
		{ "\"chain\"", "\"name\": \"forward\"", "\"name\": \"other\"" },
		{ "\"chain\"", "\"name\": \"forward\"", "\"name\": \"input\"" },
		{ "\"rule\"", "\"ygg0\"", "\"ygg1\"" },
		{ "\"rule\"", "\"!=\"", "\"==\"" },
		{ "\"rule\"", "{\"accept\": null}", "{\"drop\": null}" },
		{ "\"rule\"", "{\"accept\": null}",
			"{\"counter\": {\"packets\": 0, \"bytes\": 0}}, {\"accept\": null}" },
		{ "\"rule\"", "[\"established\", \"related\"]",
			"[\"established\", \"related\", \"new\"]" },
		{ "\"rule\"", "\"@mesh_peers\"", "\"@other\"" },
		{ "\"rule\"",
			"{\"match\": {\"op\": \"==\", \"left\": {\"ct\": {\"key\": "
			"\"direction\"}}, "
			"\"right\": \"reply\"}}, ",
			"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = parsed(edited(cases[i].after, cases[i].from, cases[i].to));

		cr_expect(strncmp(got, "altered", 7) == 0, "%s -> %s: %s", cases[i].from,
			cases[i].to, got);
	}
}

Test(nft, sees_a_line_too_many_and_a_line_too_few)
{
	const char *whole = listing();
	size_t lines = 0;

	for (const char *p = strchr(whole, '\n'); p != NULL; p = strchr(p + 1, '\n'))
		lines++;
	/* Between the head, the version and the end; a line of the middle has a comma at its end. */
	for (size_t i = 3; i + 2 < lines; i++) {
		const char *start = whole, *end;
		const char *twice, *less;

		for (size_t skip = 0; skip < i; skip++)
			start = strchr(start, '\n') + 1;
		end = strchr(start, '\n') + 1;
		less = arena_printf(arena, "%.*s%s", (int)(start - whole), whole, end);
		twice = arena_printf(arena, "%.*s%s", (int)(end - whole), whole, start);
		cr_expect(strncmp(parsed(less), "altered", 7) == 0, "without line %zu", i);
		if (strstr(start, "{\"set\"") != start)
			cr_expect(strncmp(parsed(twice), "altered", 7) == 0, "line %zu twice", i);
	}
	cr_assert_str_eq(parsed(edited("\"chain\"", "{\"rule\"",
				 "{\"map\": {\"name\": \"m\"}},\n{\"rule\"")),
		"altered 200::1 200::2");
}

Test(nft, refuses_what_is_no_listing)
{
	cr_assert_str_eq(parsed(""), "error");
	cr_assert_str_eq(parsed("{}"), "error");
	cr_assert_str_eq(parsed("{\"nftables\": {}}"), "error");
	cr_assert_str_eq(parsed("{\"nftables\": ["), "error");
	cr_assert_str_eq(parsed("{\"nftables\": []}"), "altered");
	cr_assert_str_eq(parsed("{\"nftables\": [null, 1, \"x\", {}, {\"rule\": 1}]}"), "altered");
}

Test(nft, finds_its_table_in_a_list_of_tables)
{
	static const struct {
		const char *json;
		int want;
	} cases[] = {
		{ "{\"nftables\":[{\"metainfo\":{}}]}", 0 },
		{ "{\"nftables\":[{\"table\":{\"family\":\"inet\",\"name\":\"jmesh\"}}]}", 1 },
		{ "{\"nftables\":[{\"table\":{\"family\":\"ip\",\"name\":\"jmesh\"}}]}", 0 },
		{ "{\"nftables\":[{\"table\":{\"family\":\"inet\",\"name\":\"jmesh2\"}}]}", 0 },
		{ "", -1 },
		{ "[]", -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;

		cr_expect_eq(nft_lists_table(cases[i].json, strlen(cases[i].json), &e),
			cases[i].want, "%s", cases[i].json);
	}
}

Test(nft, replaces_the_table_in_one_transaction)
{
	struct addrs allowed = addrs_of("200::1 200::2"), none = { 0 };
	const char *text = nft_table(&names, &allowed, &none, arena);

	cr_assert_eq(
		strncmp(text, "add table inet jmesh\ndelete table inet jmesh\ntable inet jmesh {\n",
			60),
		0);
	cr_assert_not_null(strstr(text, "\t\tiifname != \"ygg0\" accept\n"));
	cr_assert_not_null(strstr(text, "\t\tip6 saddr @mesh_peers accept\n\t\tdrop\n"));
	cr_assert_not_null(
		strstr(text, "}\nadd element inet jmesh mesh_peers { 200::1,\n\t200::2 }\n"));
	cr_assert_null(strchr(text, '$'));
}

Test(nft, revokes_what_may_be_gone_already)
{
	struct addrs one = addrs_of("200::1");

	cr_assert_str_eq(nft_revoke(&names, &one, arena),
		"add element inet jmesh mesh_peers { 200::1 }\n"
		"delete element inet jmesh mesh_peers { 200::1 }\n"
		"add element inet jmesh mesh_peers_revoked { 200::1 }\n"
		"delete element inet jmesh mesh_peers_revoked { 200::1 }\n"
		"add element inet jmesh mesh_peers_revoked "
		"{ 200::1 timeout 365d comment \"flows\" }\n");
	cr_assert_str_eq(nft_revoked(&names, &one, arena),
		"add element inet jmesh mesh_peers_revoked { 200::1 }\n"
		"delete element inet jmesh mesh_peers_revoked { 200::1 }\n"
		"add element inet jmesh mesh_peers_revoked { 200::1 }\n");
}

Test(nft, forgets_flows_by_whichever_side_names_the_address)
{
	static const char flows[] =
		"icmpv6   58 29 src=200::1 dst=200::10 type=128 src=200::10 dst=200::1 use=1\n"
		"tcp 6 src=200::1 dst=200::10 sport=1 src=200::10 dst=200::1 [ASSURED]\n"
		"udp 17 src=200::10 dst=200::2 sport=1 [UNREPLIED] src=200::2 dst=200::10\n"
		"tcp 6 src=200::10 dst=300::9 sport=1 src=200::3 dst=200::10\n"
		"tcp 6 src=fd00::1 dst=200::10 sport=1 src=200::10 dst=200::4\n"
		"tcp 6 src=200::7 dst=200::10 sport=1 src=200::10 dst=200::7\n"
		"noise src= dst=x src=200::1zz\n";
	struct addrs addrs = addrs_of("200::1 200::2 200::3 200::4 200::5");
	struct strs lines = { 0 };

	nft_forget(flows, &addrs, arena, &lines);
	cr_assert_eq(lines.n, 4);
	cr_assert_str_eq(lines.v[0], "-D -f ipv6 -d 200::2\n");
	cr_assert_str_eq(lines.v[1], "-D -f ipv6 -q 200::4\n");
	cr_assert_str_eq(lines.v[2], "-D -f ipv6 -r 200::3\n");
	cr_assert_str_eq(lines.v[3], "-D -f ipv6 -s 200::1\n");
}
