#include <criterion/criterion.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "relay/code.h"
#include "relay/route.h"

Test(relay_code, has_at_least_40_bits)
{
	uint64_t codes = CODE_NUMBERS;

	for (int i = 0; i < CODE_WORDS; i++)
		codes *= code_words_n;
	cr_assert_geq(codes, UINT64_C(1) << 40);
}

Test(relay_code, words_are_short_lower_case_sorted_and_unique)
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

Test(relay_code, no_two_words_are_one_letter_apart)
{
	for (size_t i = 0; i < code_words_n; i++)
		for (size_t k = i + 1; k < code_words_n; k++)
			cr_assert_not(differ_in_one_place(code_words[i], code_words[k]), "%s %s",
				code_words[i], code_words[k]);
}

Test(relay_code, is_two_digits_and_three_words_and_never_the_same)
{
	char seen[200][CODE_TEXT], again[CODE_TEXT];

	cr_assert_geq(sodium_init(), 0);
	for (size_t i = 0; i < 200; i++) {
		char words[3][CODE_TEXT];
		unsigned number;

		code_make(seen[i]);
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
		{ "/", ROUTE_NONE, NULL },
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
