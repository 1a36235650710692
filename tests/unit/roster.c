#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/json.h"
#include "base/roster.h"
#include "base/text.h"

#define A1 "200:90bc:2ab6:34c1:3e3f:e723:783f:ab2"
#define A2 "204:4b0d:94b3:a0d0:a8da:62d5:51f0:3548"
#define JAIL(name, addr) "{\"name\":\"" name "\",\"ygg_address\":\"" addr "\"}"
#define ROSTER(jails) "{\"jails\":[" jails "]}"
#define ONE(name, addr) ROSTER(JAIL(name, addr))
#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"

static struct arena *a;

static void setup(void)
{
	a = arena_new();
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(roster, .init = setup, .fini = teardown);

/* Without a NUL behind it, so that the sanitizer sees a read past its end. */
static char *exactly(const char *text, size_t len)
{
	char *exact = malloc(len == 0 ? 1 : len);

	memcpy(exact, text, len);
	return exact;
}

/* Whether it is in the usual spelling; then it must be what roster_parse reads, too. */
static bool is_usual(const char *text, size_t len)
{
	char *exact = exactly(text, len);
	struct roster usual, parsed;
	struct err e = ERR_INIT;

	if (!roster_read_usual(exact, len, a, &usual)) {
		free(exact);
		return false;
	}
	cr_assert_eq(
		roster_parse(exact, len, a, &parsed, &e), 0, "%.*s: %s", (int)len, text, e.text);
	free(exact);
	cr_assert_eq(usual.n, parsed.n);
	for (size_t i = 0; i < usual.n; i++) {
		cr_assert_str_eq(usual.jails[i].name, parsed.jails[i].name);
		cr_assert_eq(addr_cmp(&usual.jails[i].addr, &parsed.jails[i].addr), 0);
		cr_assert_not(usual.jails[i].has_key);
	}
	return true;
}

static int parse(const char *text, size_t len, struct roster *r, struct err *e)
{
	char *exact = exactly(text, len);
	int rc = roster_parse(exact, len, a, r, e);

	free(exact);
	cr_assert(rc == 0 || !is_usual(text, len), "%.*s", (int)len, text);
	return rc;
}

struct hostile {
	const char *what;
	const char *json;
	const char *says; /* is in the error */
	size_t len;       /* 0: strlen */
};

static const struct hostile table[] = {
	{ "nothing", "", "empty", 0 },
	{ "white space", " \n", "not JSON", 0 },
	{ "no JSON", "Not found or expired", "not JSON", 0 },
	{ "truncated in a string", "{\"jails\":[{\"name\":\"w", "not JSON", 0 },
	{ "truncated before the end", "{\"jails\":[" JAIL("web", A1) "]", "not JSON", 0 },
	{ "truncated escape", "{\"jails\":[{\"name\":\"w\\", "not JSON", 0 },
	{ "truncated unicode escape", "{\"jails\":[{\"name\":\"w\\u00", "an unknown escape", 0 },
	{ "text behind", ONE("web", A1) "x", "behind", 0 },
	{ "a second value behind", ONE("web", A1) " {}", "behind", 0 },
	{ "a NUL behind", ONE("web", A1) "\0", "control character", sizeof(ONE("web", A1)) },
	{ "array at the top", "[" JAIL("web", A1) "]", "not an object", 0 },
	{ "string at the top", "\"jails\"", "not an object", 0 },
	{ "null at the top", "null", "not an object", 0 },
	{ "no jails", "{}", "missing", 0 },
	{ "jails in capitals", "{\"JAILS\":[" JAIL("web", A1) "]}", "missing", 0 },
	{ "jails null", "{\"jails\":null}", "not an array", 0 },
	{ "jails an object", "{\"jails\":{\"web\":\"" A1 "\"}}", "not an array", 0 },
	{ "jails a string", "{\"jails\":\"web\"}", "not an array", 0 },
	{ "jails twice", "{\"jails\":[" JAIL("web", A1) "],\"jails\":[]}", "twice", 0 },
	{ "jails twice, once escaped",
		"{\"jails\":[" JAIL("web", A1) "],\"\\u006aails\":[" JAIL("x", A2) "]}", "twice",
		0 },
	{ "an empty array", "{\"jails\":[]}", "no jails", 0 },
	{ "a jail that is null", ROSTER("null"), "not an object", 0 },
	{ "a jail that is a string", ROSTER("\"web\""), "not an object", 0 },
	{ "a jail that is an array", ROSTER("[\"web\",\"" A1 "\"]"), "not an object", 0 },
	{ "no name", ROSTER("{\"ygg_address\":\"" A1 "\"}"), "'name' is missing", 0 },
	{ "no address", ROSTER("{\"name\":\"web\"}"), "'ygg_address' is missing", 0 },
	{ "the lock's key", ROSTER("{\"name\":\"web\",\"address\":\"" A1 "\"}"), "missing", 0 },
	{ "a name that is a number", ROSTER("{\"name\":7,\"ygg_address\":\"" A1 "\"}"),
		"not a string", 0 },
	{ "a name that is null", ROSTER("{\"name\":null,\"ygg_address\":\"" A1 "\"}"),
		"not a string", 0 },
	{ "an address that is a list", ROSTER("{\"name\":\"web\",\"ygg_address\":[\"" A1 "\"]}"),
		"not a string", 0 },
	{ "an address that is true", ROSTER("{\"name\":\"web\",\"ygg_address\":true}"),
		"not a string", 0 },
	{ "name twice", ROSTER("{\"name\":\"web\",\"name\":\"x\",\"ygg_address\":\"" A1 "\"}"),
		"twice", 0 },
	{ "address twice",
		ROSTER("{\"name\":\"web\",\"ygg_address\":\"" A1 "\",\"ygg_address\":\"" A2 "\"}"),
		"twice", 0 },
	{ "an empty name", ONE("", A1), "DNS label", 0 },
	{ "a name of 64", ONE("x" L63, A1), "DNS label", 0 },
	{ "a dot", ONE("a.b", A1), "DNS label", 0 },
	{ "a final dot", ONE("a.", A1), "DNS label", 0 },
	{ "a path", ONE("../x", A1), "DNS label", 0 },
	{ "a slash", ONE("a/b", A1), "DNS label", 0 },
	{ "a leading dash", ONE("-a", A1), "DNS label", 0 },
	{ "a trailing dash", ONE("a-", A1), "DNS label", 0 },
	{ "a command", ONE("$(id)", A1), "DNS label", 0 },
	{ "backticks", ONE("`id`", A1), "DNS label", 0 },
	{ "a semicolon", ONE("a;id", A1), "DNS label", 0 },
	{ "a template", ONE("{{7*7}}", A1), "DNS label", 0 },
	{ "a star", ONE("*", A1), "DNS label", 0 },
	{ "an at sign", ONE("@", A1), "DNS label", 0 },
	{ "a quote", ONE("local\\\"", A1), "DNS label", 0 },
	{ "an unbound directive", ONE("x\\\"\\nforward-zone:", A1), "DNS label", 0 },
	{ "an escaped newline", ONE("a\\nb", A1), "DNS label", 0 },
	{ "a raw newline", ONE("a\nb", A1), "control character", 0 },
	{ "an escape sequence", ONE("a\\u001b[2Jb", A1), "DNS label", 0 },
	{ "a raw escape sequence", ONE("a\033[2Jb", A1), "control character", 0 },
	{ "a DEL", ONE("a\177b", A1), "DNS label", 0 },
	{ "a blank", ONE("a b", A1), "DNS label", 0 },
	{ "UTF-8", ONE("caf\303\251", A1), "DNS label", 0 },
	{ "a Cyrillic letter", ONE("\\u0430dmin", A1), "DNS label", 0 },
	{ "a right-to-left override", ONE("a\342\200\256b", A1), "DNS label", 0 },
	{ "invalid UTF-8", ONE("a\377", A1), "UTF-8", 0 },
	{ "overlong UTF-8", ONE("a\300\257", A1), "UTF-8", 0 },
	{ "a surrogate in UTF-8", ONE("a\355\240\200", A1), "UTF-8", 0 },
	{ "invalid UTF-8 where nobody looks", "{\"x\":\"\377\",\"jails\":[" JAIL("web", A1) "]}",
		"UTF-8", 0 },
	{ "a lone surrogate escaped", ONE("a\\ud800", A1), "not JSON", 0 },
	{ "an escaped NUL in a name", ONE("web\\u0000.evil", A1), "NUL", 0 },
	{ "an escaped NUL in an address", ONE("web", A1 "\\u0000/0"), "NUL", 0 },
	{ "an escaped NUL behind a backslash", ONE("web\\\\\\u0000", A1), "NUL", 0 },
	{ "a raw NUL", "{\"jails\":[{\"name\":\"we\0b\"}]}", "control character",
		sizeof("{\"jails\":[{\"name\":\"we\0b\"}]}") - 1 },
	{ "an escaped letter of no meaning", ONE("w\\eb", A1), "not JSON", 0 },
	{ "everything", ONE("web", "::/0"), "canonical", 0 },
	{ "the unspecified address", ONE("web", "::"), "200::/8", 0 },
	{ "loopback", ONE("web", "::1"), "200::/8", 0 },
	{ "the whole overlay", ONE("web", "200::/7"), "canonical", 0 },
	{ "a prefix length", ONE("web", A1 "/128"), "canonical", 0 },
	{ "a routed network", ONE("web", "300::1"), "200::/8", 0 },
	{ "link-local", ONE("web", "fe80::1"), "200::/8", 0 },
	{ "multicast", ONE("web", "ff02::1"), "200::/8", 0 },
	{ "a global address", ONE("web", "2001:db8::1"), "200::/8", 0 },
	{ "a zone", ONE("web", A1 "%eth0"), "canonical", 0 },
	{ "IPv4", ONE("web", "10.0.0.1"), "canonical", 0 },
	{ "IPv4-mapped", ONE("web", "::ffff:10.0.0.1"), "200::/8", 0 },
	{ "an IPv4 tail", ONE("web", "200::10.0.0.1"), "canonical", 0 },
	{ "capitals", ONE("web", "200:90BC:2ab6:34c1:3e3f:e723:783f:ab2"), "canonical", 0 },
	{ "leading zeros", ONE("web", "200:90bc:2ab6:34c1:3e3f:e723:783f:0ab2"), "canonical", 0 },
	{ "zeros not shortened", ONE("web", "200:0:0:0:0:0:0:1"), "canonical", 0 },
	{ "a leading blank", ONE("web", " " A1), "canonical", 0 },
	{ "a trailing blank", ONE("web", A1 " "), "canonical", 0 },
	{ "a trailing newline", ONE("web", A1 "\\n"), "canonical", 0 },
	{ "two addresses", ONE("web", A1 " } table x { "), "canonical", 0 },
	{ "brackets", ONE("web", "[" A1 "]"), "canonical", 0 },
	{ "a negation", ONE("web", "!" A1), "canonical", 0 },
	{ "an interface", ONE("web", "eth0"), "canonical", 0 },
	{ "a host name", ONE("web", "localhost"), "canonical", 0 },
	{ "an empty address", ONE("web", ""), "canonical", 0 },
	{ "a duplicate name", ROSTER(JAIL("web", A1) "," JAIL("web", A2)), "'web' comes twice", 0 },
	{ "a duplicate after folding", ROSTER(JAIL("web", A1) "," JAIL("WEB", A2)),
		"'web' comes twice", 0 },
	{ "a duplicate address", ROSTER(JAIL("web", A1) "," JAIL("db", A1)), "both have", 0 },
	{ "one bad among good", ROSTER(JAIL("web", A1) "," JAIL("db", "::1")), "jail 2", 0 },
	{ "single quotes", "{'jails':[]}", "not JSON", 0 },
	{ "a comment", "{/* */\"jails\":[]}", "not JSON", 0 },
	{ "a final comma", "{\"jails\":[" JAIL("web", A1) ",]}", "not JSON", 0 },
};

Test(roster, refuses_what_is_hostile)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct hostile *h = &table[i];
		struct roster r = { NULL, 99 };
		struct err e = ERR_INIT;

		cr_expect_eq(parse(h->json, h->len != 0 ? h->len : strlen(h->json), &r, &e), -1,
			"%s was taken", h->what);
		cr_expect_eq(e.code, ERR_REMOTE, "%s", h->what);
		cr_expect_eq(r.n, 0, "%s: a part was taken", h->what);
		cr_expect(strstr(e.text, h->says) != NULL, "%s: '%s' is not in '%s'", h->what,
			h->says, e.text);
		cr_expect(strncmp(e.text, "roster refused: ", 16) == 0, "%s", e.text);
	}
}

static const char *many(size_t n)
{
	struct text t = text_new(a);

	text_add(&t, "{\"jails\":[");
	for (size_t i = 0; i < n; i++)
		text_addf(&t, "%s{\"name\":\"j%zu\",\"ygg_address\":\"200::%zx\"}",
			i == 0 ? "" : ",", i, i + 1);
	text_add(&t, "]}");
	return t.s;
}

Test(roster, takes_1024_jails_and_not_one_more)
{
	struct err e = ERR_INIT;
	struct roster r;

	cr_assert_eq(parse(many(1024), strlen(many(1024)), &r, &e), 0, "%s", e.text);
	cr_assert_eq(r.n, 1024);
	cr_assert_eq(parse(many(1025), strlen(many(1025)), &r, &e), -1);
	cr_assert(strstr(e.text, "1025 jails") != NULL, "%s", e.text);
}

Test(roster, takes_256_kib_and_not_a_byte_more)
{
	struct text t = text_new(a);
	struct err e = ERR_INIT;
	struct roster r;

	text_add(&t, ONE("web", A1));
	while (t.len < ROSTER_BYTES_MAX)
		text_add(&t, " ");
	cr_assert_eq(parse(t.s, t.len, &r, &e), 0, "%s", e.text);
	text_add(&t, " ");
	cr_assert_eq(parse(t.s, t.len, &r, &e), -1);
	cr_assert(strstr(e.text, "262145 bytes") != NULL, "%s", e.text);
}

Test(roster, refuses_a_depth_bomb)
{
	static const char *const open[] = { "[", "{\"jails\":", "{\"jails\":[" };

	for (size_t i = 0; i < 3; i++) {
		struct text t = text_new(a);
		struct err e = ERR_INIT;
		struct roster r;

		while (t.len < ROSTER_BYTES_MAX - 32)
			text_add(&t, open[i]);
		cr_assert_eq(parse(t.s, t.len, &r, &e), -1);
	}
}

/* Every prefix of a good roster, and every byte of it replaced: never a crash, never half a roster. */
Test(roster, refuses_every_prefix)
{
	const char *good = ROSTER(JAIL("web", A1) "," JAIL("db", A2));
	struct err e = ERR_INIT;
	struct roster r;

	for (size_t n = 0; n < strlen(good); n++)
		cr_expect_eq(parse(good, n, &r, &e), -1, "%zu", n);
	for (size_t n = 0; n < strlen(good); n++) {
		char *bad = arena_dup(a, good);

		bad[n] = '\0';
		cr_expect_eq(parse(bad, strlen(good), &r, &e), -1, "%zu", n);
		bad[n] = (char)0xff;
		cr_expect_eq(parse(bad, strlen(good), &r, &e), -1, "%zu", n);
	}
}

Test(roster, the_usual_spelling_is_read_without_a_tree)
{
	static const char *const usual[] = { ONE("web", A1),
		ROSTER(JAIL("web", A1) "," JAIL("d_1", A2)),
		"{\"jails\": [{\"name\": \"web\", \"ygg_address\": \"" A1
		"\"}, {\"name\": \"db\", \"ygg_address\": \"" A2 "\"}]}",
		ONE(L63, "200::1"), ONE("web", A1) "\n" };
	static const char *const unusual[] = { ONE("Web", A1), ONE("web", A1) "\n\n",
		" " ONE("web", A1), "{\"jails\":[]}", ONE("w\\u0065b", A1),
		ROSTER("{\"ygg_address\":\"" A1 "\",\"name\":\"web\"}"),
		ROSTER("{\"name\":\"web\",\"ygg_address\":\"" A1 "\",\"x\":1}"),
		"{\"x\":1,\"jails\":[" JAIL("web", A1) "]}" };

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		cr_expect(is_usual(usual[i], strlen(usual[i])), "%s", usual[i]);
	cr_expect(is_usual(many(1024), strlen(many(1024))));
	for (size_t i = 0; i < sizeof(unusual) / sizeof(unusual[0]); i++)
		cr_expect_not(is_usual(unusual[i], strlen(unusual[i])), "%s", unusual[i]);
}

/* Each byte of both spellings taken away, and each byte there is in its place and in front of it. */
Test(roster, what_differs_in_a_byte_is_read_as_json_is)
{
	static const char *const from[] = { ROSTER(JAIL("web", "200:1::7") "," JAIL("d", "200::9")),
		"{\"jails\": [{\"name\": \"web\", \"ygg_address\": \"2ff::\"}]}" };
	unsigned taken = 0;

	for (size_t i = 0; i < 2; i++)
		for (size_t at = 0, len = strlen(from[i]); at < len; at++) {
			char text[256];

			memcpy(text, from[i], at);
			memcpy(text + at, from[i] + at + 1, len - at - 1);
			taken += is_usual(text, len - 1);
			for (int c = 0; c < 256; c++) {
				text[at] = (char)c;
				memcpy(text + at + 1, from[i] + at + 1, len - at - 1);
				taken += is_usual(text, len);
				memcpy(text + at + 1, from[i] + at, len - at);
				taken += is_usual(text, len + 1);
			}
		}
	/* Other letters in names and digits in addresses, and blanks. */
	cr_assert(taken > 500 && taken < 5000, "%u", taken);
}

Test(roster, takes_what_jailruns_relay_sends)
{
	const char *json = " {\"joined\": true, \"jails\": [\n" JAIL(
		"Web", A1) ", "
			   "{\"extra\": [1, {\"name\": 2}], \"extra\": \"\\\\u0000\", "
			   "\"ygg_address\": \"" A2 "\", \"name\": \"d\\u0062_1\"}]}\r\n";
	struct err e = ERR_INIT;
	struct roster r;
	char text[ADDR_TEXT];

	cr_assert_eq(parse(json, strlen(json), &r, &e), 0, "%s", e.text);
	cr_assert_eq(r.n, 2);
	cr_assert_str_eq(r.jails[0].name, "web");
	cr_assert_str_eq(r.jails[1].name, "db_1");
	addr_format(&r.jails[1].addr, text);
	cr_assert_str_eq(text, A2);
	cr_assert_not(r.jails[1].has_key);
}

Test(roster, takes_a_name_of_63)
{
	const char *json = ONE(L63, "200::1");
	struct err e = ERR_INIT;
	struct roster r;

	cr_assert_eq(parse(json, strlen(json), &r, &e), 0, "%s", e.text);
}

Test(roster, ignores_a_public_key_from_a_relay)
{
	const char *json =
		ROSTER("{\"name\":\"web\",\"ygg_address\":\"" A1 "\",\"public_key\":\"rubbish\"}");
	struct err e = ERR_INIT;
	struct roster r;

	cr_assert_eq(parse(json, strlen(json), &r, &e), 0, "%s", e.text);
	cr_assert_not(r.jails[0].has_key);
}

Test(roster, formats_what_it_parsed)
{
	const char *json = ROSTER(JAIL("web", A1) "," JAIL("db", A2));
	struct err e = ERR_INIT;
	struct roster r;

	cr_assert_eq(parse(json, strlen(json), &r, &e), 0, "%s", e.text);
	cr_assert_str_eq(roster_format(&r, a), json);
	roster_sort(&r);
	cr_assert_str_eq(roster_format(&r, a), ROSTER(JAIL("db", A2) "," JAIL("web", A1)));
	r.n = 0;
	cr_assert_str_eq(roster_format(&r, a), "{\"jails\":[]}");
}

static struct roster roster_of(const char *json)
{
	struct err e = ERR_INIT;
	struct roster r;

	cr_assert_eq(roster_parse(json, strlen(json), a, &r, &e), 0, "%s", e.text);
	return r;
}

Test(roster, digest_changes_with_names_and_addresses_and_not_with_the_order)
{
	struct roster one = roster_of(ROSTER(JAIL("web", A1) "," JAIL("db", A2)));
	struct roster turned = roster_of(ROSTER(JAIL("db", A2) "," JAIL("web", A1)));
	struct roster renamed = roster_of(ROSTER(JAIL("web", A1) "," JAIL("dc", A2)));
	struct roster moved = roster_of(ROSTER(JAIL("web", A1) "," JAIL("db", "200::1")));
	struct roster swapped = roster_of(ROSTER(JAIL("web", A2) "," JAIL("db", A1)));
	struct roster less = roster_of(ROSTER(JAIL("web", A1)));
	const char *digest = roster_digest(&one, a);

	cr_assert_eq(strlen(digest), 16);
	cr_assert_eq(strspn(digest, "0123456789abcdef"), 16);
	cr_assert_str_eq(one.jails[0].name, "web", "the digest reordered the roster");
	cr_assert_str_eq(roster_digest(&turned, a), digest);
	cr_assert_str_neq(roster_digest(&renamed, a), digest);
	cr_assert_str_neq(roster_digest(&moved, a), digest);
	cr_assert_str_neq(roster_digest(&swapped, a), digest);
	cr_assert_str_neq(roster_digest(&less, a), digest);
}

Test(roster, a_shared_address_names_both_jails)
{
	struct roster theirs = roster_of(ROSTER(JAIL("web", A1) "," JAIL("mail", A2)));
	struct roster ours = roster_of(ROSTER(JAIL("x", "200::1") "," JAIL("db", A2)));
	struct roster others = roster_of(ROSTER(JAIL("web", "200::2")));
	struct err e = ERR_INIT;

	cr_assert_eq(roster_disjoint(&theirs, &others, "our own jail", &e), 0);
	cr_assert_eq(roster_disjoint(&theirs, &ours, "our own jail", &e), -1);
	cr_assert_str_eq(e.text, "'mail' has the address of our own jail 'db'");
	cr_assert_eq(e.code, ERR_REMOTE);
}
