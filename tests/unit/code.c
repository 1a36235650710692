#include <criterion/criterion.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "os/dice.h"
#include "relay/route.h"

Test(code, has_at_least_40_bits)
{
	uint64_t codes = CODE_NUMBERS;

	for (int i = 0; i < CODE_WORDS; i++)
		codes *= code_words_n;
	cr_assert_geq(codes, UINT64_C(1) << 40);
}

Test(code, words_are_short_lower_case_sorted_and_unique)
{
	for (size_t i = 0; i < code_words_n; i++) {
		size_t len = strlen(code_words[i]);

		cr_assert(len >= 3 && len <= 8, "%s", code_words[i]);
		cr_assert_eq(strspn(code_words[i], "abcdefghijklmnopqrstuvwxyz"), len, "%s",
			code_words[i]);
		if (i > 0)
			cr_assert_lt(
				strcmp(code_words[i - 1], code_words[i]), 0, "%s", code_words[i]);
	}
}

static bool differ_in_one_place(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), same = 0;

	if (la > lb)
		return differ_in_one_place(b, a);
	while (same < la && a[same] == b[same])
		same++;
	if (la == lb)
		return strcmp(a + same + 1, b + same + 1) == 0;
	return lb == la + 1 && strcmp(a + same, b + same + 1) == 0;
}

Test(code, no_two_words_are_one_letter_apart)
{
	for (size_t i = 0; i < code_words_n; i++)
		for (size_t k = i + 1; k < code_words_n; k++)
			cr_assert_not(differ_in_one_place(code_words[i], code_words[k]), "%s %s",
				code_words[i], code_words[k]);
}

Test(code, is_two_digits_and_three_words_and_never_the_same)
{
	char seen[200][CODE_TEXT], again[CODE_TEXT];

	cr_assert_geq(sodium_init(), 0);
	for (size_t i = 0; i < 200; i++) {
		char words[3][CODE_TEXT];
		unsigned number;

		dice_code(seen[i]);
		cr_assert_eq(sscanf(seen[i], "%2u-%31[a-z]-%31[a-z]-%31[a-z]", &number, words[0],
				     words[1], words[2]),
			4, "%s", seen[i]);
		cr_assert(number >= 10 && number <= 99);
		cr_assert(code_read(seen[i], strlen(seen[i]), again));
		cr_assert_eq(memcmp(again, seen[i], CODE_TEXT), 0);
		for (size_t k = 0; k < i; k++)
			cr_assert_neq(memcmp(seen[i], seen[k], CODE_TEXT), 0);
	}
}

Test(relay_route, tells_resources_apart)
{
	static const struct {
		const char *target;
		enum route_kind kind;
		const char *code; /* NULL: none */
	} cases[] = {
		{ "/pair", ROUTE_PAIR, NULL },
		{ "/pair?x=/y", ROUTE_PAIR, NULL },
		{ "/%70air", ROUTE_PAIR, NULL },
		{ "http://relay.example:80/pair", ROUTE_PAIR, NULL },
		{ "HTTPS://relay/pair?", ROUTE_PAIR, NULL },
		{ "/pair/81-zephyr-night-climb", ROUTE_CODE, "81-zephyr-night-climb" },
		{ "/pair/81%2dzephyr%2Dnight-clim%62?q#f", ROUTE_CODE, "81-zephyr-night-climb" },
		{ "/pair/Zephyr", ROUTE_CODE, NULL },
		{ "/pair/a%00", ROUTE_CODE, NULL },
		{ "/pair/a%2fb", ROUTE_CODE, NULL },
		{ "/pair/%", ROUTE_CODE, NULL },
		{ "/pair/a%2", ROUTE_CODE, NULL },
		{ "/pair/a%zz", ROUTE_CODE, NULL },
		{ "/pair/..", ROUTE_CODE, NULL },
		{ "/pair/a b", ROUTE_CODE, NULL },
		{ "/pair/aaaaaaaaaabbbbbbbbbbccccccccccdd", ROUTE_CODE, NULL },
		{ "/pair/", ROUTE_NONE, NULL },
		{ "/pair//a", ROUTE_NONE, NULL },
		{ "/pair/a/", ROUTE_NONE, NULL },
		{ "/pair/a/b", ROUTE_NONE, NULL },
		{ "//pair", ROUTE_NONE, NULL },
		{ "/pair%2fa", ROUTE_NONE, NULL },
		{ "/pai", ROUTE_NONE, NULL },
		{ "/pairs", ROUTE_NONE, NULL },
		{ "/Pair", ROUTE_NONE, NULL },
		{ "/", ROUTE_PAGE, NULL },
		{ "/?x=/pair", ROUTE_PAGE, NULL },
		{ "http://relay/", ROUTE_PAGE, NULL },
		{ "//", ROUTE_NONE, NULL },
		{ "", ROUTE_NONE, NULL },
		{ "*", ROUTE_NONE, NULL },
		{ "pair", ROUTE_NONE, NULL },
		{ "http://relay", ROUTE_NONE, NULL },
		{ "?/pair", ROUTE_NONE, NULL },
		{ "ftp://relay/pair", ROUTE_NONE, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct route r;

		route_of(cases[i].target, &r);
		cr_assert_eq(r.kind, cases[i].kind, "%s", cases[i].target);
		cr_assert_eq(r.has_code, cases[i].code != NULL, "%s", cases[i].target);
		if (cases[i].code != NULL)
			cr_assert_str_eq(r.code, cases[i].code);
	}
}

Test(relay_route, names_only_methods_that_it_knows)
{
	cr_assert_str_eq(method_name("DELETE"), "DELETE");
	cr_assert_str_eq(method_name("get"), "-");
	cr_assert_str_eq(method_name("X\033[31m"), "-");
}

static struct secret secret_of(const char *hex)
{
	struct secret s = { { 0 } };

	cr_assert_eq(sodium_hex2bin(s.b, sizeof(s.b), hex, strlen(hex), NULL, NULL, NULL), 0);
	return s;
}

static const char vector_hex[] = "000102030405060708090a0b0c0d0e0f";

Test(secret, is_written_in_groups_and_read_again)
{
	char text[SECRET_TEXT];
	struct secret read;
	struct err e = ERR_INIT;

	for (int i = 0; i < 1000; i++) {
		struct secret s;

		dice_secret(&s);
		secret_format(&s, text);
		cr_assert_eq(strlen(text), SECRET_TEXT - 1);
		cr_assert_eq(secret_parse(text, strlen(text), &read, &e), 0, "%s", e.text);
		cr_assert_arr_eq(read.b, s.b, SECRET_LEN);
		cr_assert_not(secret_is_weak(&s), "%s", text);
	}
}

/* As the document of the format has it, and its decoder computes it. */
Test(secret, has_the_digits_of_the_document)
{
	const struct secret s = secret_of(vector_hex);
	char text[SECRET_TEXT];

	secret_format(&s, text);
	cr_assert_str_eq(text, "0004-1061-050R-3GG2-8A1C-60T3-GFZ", "%s", text);
}

Test(secret, forgives_case_dashes_blanks_and_look_alikes)
{
	static const char *const ways[] = { "0004-1061-050R-3GG2-8A1C-60T3-GFZ",
		"00041061050r3gg28a1c60t3gfz", "OOO4-1O6L-O5OR-3GG2-8AIC-6OT3-GFZ",
		"ooo4 lo6i o5or 3gg2 8alc 6ot3 gfz" };
	const struct secret s = secret_of(vector_hex);
	struct secret read;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		cr_assert_eq(secret_parse(ways[i], strlen(ways[i]), &read, &e), 0, "%s: %s",
			ways[i], e.text);
		cr_assert_arr_eq(read.b, s.b, SECRET_LEN);
	}
}

Test(secret, notices_every_wrong_digit_and_every_two_that_changed_places)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	struct secret s, read;
	struct err e = ERR_INIT;
	char text[SECRET_TEXT], plain[28];

	dice_secret(&s);
	secret_format(&s, text);
	for (size_t i = 0, n = 0; n < 27; i++)
		if (text[i] != '-')
			plain[n++] = text[i];
	plain[27] = '\0';
	for (size_t i = 0; i < 27; i++) {
		char was = plain[i];

		for (size_t d = 0; d < 32; d++) {
			plain[i] = digits[d];
			cr_assert_eq(secret_parse(plain, 27, &read, &e) == 0, digits[d] == was);
		}
		plain[i] = was;
		for (size_t k = i + 1; k < 27; k++) {
			plain[i] = plain[k];
			plain[k] = was;
			cr_assert_eq(secret_parse(plain, 27, &read, &e) == 0, plain[i] == was);
			plain[k] = plain[i];
			plain[i] = was;
		}
	}
}

Test(secret, says_what_is_wrong_and_never_a_digit_of_it)
{
	static const char *const bad[] = { "", "K7QF", "0004-1061-050R-3GG2-8A1C-60T3-GFY",
		"0004-1061-050R-3GG2-8A1C-60T3-GFZ0", "0004-1061-050R-3GG2-8A1C-60T3-GF!",
		"0004_1061_050R_3GG2_8A1C_60T3_GFZ", "Z004-1061-050R-3GG2-8A1C-60T3-GFZ" };
	struct secret read;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		cr_assert_eq(secret_parse(bad[i], strlen(bad[i]), &read, &e), -1, "%s", bad[i]);
		cr_assert_eq(e.code, ERR_CONFIG);
		cr_assert_null(strstr(e.text, "3GG2"));
	}
}

Test(secret, is_weak_where_it_is_a_pattern)
{
	static const char *const weak[] = { "00000000000000000000000000000000",
		"ffffffffffffffffffffffffffffffff", "0123456789abcdef0123456789abcdef",
		"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", "00000000000000000000000000000001",
		"000102030405060708090a0b0c0d0e0f", "00020406080a0c0e10121416181a1c1e",
		"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0", "00000000000000004a8d15c3f07b29e6",
		"6d7973656372657470617373776f7264", "4a8d15c3f07b777777777777299e36d1" };
	struct secret s;

	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
		s = secret_of(weak[i]);
		cr_assert(secret_is_weak(&s), "%s", weak[i]);
	}
}

Test(pass, is_a_code_and_perhaps_a_secret)
{
	const struct secret s = secret_of("9c3d5a7be1f0428866aa90b1c2d3e4f5");
	char text[PASS_TEXT];
	struct pass p;
	struct err e = ERR_INIT;

	pass_format("81-zephyr-night-climb", &s, text);
	cr_assert_eq(pass_parse(text, &p, &e), 0, "%s", e.text);
	cr_assert(p.sealed);
	cr_assert_str_eq(p.code, "81-zephyr-night-climb");
	cr_assert_arr_eq(p.secret.b, s.b, SECRET_LEN);
	cr_assert_eq(pass_parse("81-Zephyr", &p, &e), 0);
	cr_assert_not(p.sealed);
	cr_assert_str_eq(p.code, "81-Zephyr");
	memcpy(text, "81-ZEPHYR", 9);
	cr_assert_eq(pass_parse(text, &p, &e), 0);
	cr_assert_str_eq(p.code, "81-zephyr-night-climb");
}

Test(pass, refuses_what_is_none)
{
	static const char *const bad[] = { "", "#", "a#", "a b", "a/b", "#K7QF",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"a#0004-1061-050R-3GG2-8A1C-60T3-GFZ#", "a#0000-0000-0000-0000-0000-0000-000" };
	struct pass p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		cr_assert_eq(pass_parse(bad[i], &p, &e), -1, "%s", bad[i]);
	}
}
