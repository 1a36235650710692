#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/text.h"

Test(addr, follows_from_the_key)
{
	static const struct {
		const char *key, *addr;
	} known[] = {
		{ "2de87aa93967d838031b90f81ea9a20e788d795340824c28590a7aaae1251e31",
			"202:90bc:2ab6:34c1:3e3f:e723:783f:ab2" },
		{ "0DA7935A62F97AB92CE955707E55BA636DB582E20DF8640CBB66654AD7821EB3",
			"204:4b0d:94b3:a0d0:a8da:62d5:51f0:3548" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct pubkey key;
		struct addr addr;
		char text[ADDR_TEXT];

		cr_assert(pubkey_parse(known[i].key, &key));
		addr = addr_of_key(&key);
		addr_format(&addr, text);
		cr_assert_str_eq(text, known[i].addr);
		cr_assert(addr_is_node(&addr));
	}
}

Test(addr, is_printed_as_the_c_library_prints_it)
{
	struct addr addr;
	char ours[ADDR_TEXT], theirs[ADDR_TEXT];
	uint32_t dice = 1;

	for (unsigned n = 0; n < 300000; n++) {
		/* Zero groups and short ones are as frequent as others. */
		for (unsigned i = 0; i < 8; i++) {
			unsigned kind = (n >> i) & 1;

			dice = dice * 1664525 + 1013904223;
			addr.b[2 * i] = (uint8_t)(kind ? 0 : dice >> (24 + dice % 8));
			addr.b[2 * i + 1] = (uint8_t)(kind ? 0 : dice >> 16);
		}
		addr_format(&addr, ours);
		cr_assert_not_null(inet_ntop(AF_INET6, addr.b, theirs, sizeof(theirs)));
		if (strcmp(ours, theirs) != 0)
			cr_assert_str_eq(ours, theirs);
	}
}

Test(addr, of_a_key_of_zeros_stays_in_bounds)
{
	struct pubkey key = { { 0 } };
	struct addr addr = addr_of_key(&key);

	cr_assert_eq(addr.b[0], 2);
}

Test(addr, is_canonical_in_one_spelling_only)
{
	cr_assert(addr_is_canonical("202:90bc:2ab6:34c1:3e3f:e723:783f:ab2"));
	cr_assert_not(addr_is_canonical("202:90BC:2ab6:34c1:3e3f:e723:783f:ab2"));
	cr_assert_not(addr_is_canonical("0202:90bc:2ab6:34c1:3e3f:e723:783f:ab2"));
	cr_assert_not(addr_is_canonical("200::1/128"));
	cr_assert_not(addr_is_canonical("200::1%ygg0"));
	cr_assert_not(addr_is_canonical(" 200::1"));
	cr_assert_not(addr_is_canonical(""));
}

/* The same, as the C library tells it. */
static bool is_canonical(const char *text, struct addr *out)
{
	char again[ADDR_TEXT];

	return inet_pton(AF_INET6, text, out->b) == 1 &&
		inet_ntop(AF_INET6, out->b, again, sizeof(again)) != NULL &&
		strcmp(again, text) == 0;
}

Test(addr, is_read_as_the_c_library_reads_it)
{
	static const char *const pieces[] = { ":", ":", ":", "0", "1", "9", "a", "f", "12", "abc",
		"02bc", "00", "ffff", "12345", "A", "g", ".", "1.2.3.4", "::", ":0:0:", " " };
	struct addr ours, theirs;
	unsigned good = 0;
	uint32_t dice = 1;

	for (unsigned n = 0; n < 2000000; n++) {
		char text[256] = "2", *at = text + n % 2;
		bool is;

		/* Most often a group and a colon in turn. */
		for (unsigned i = 0; i < 16; i++) {
			dice = dice * 1664525 + 1013904223;
			if ((dice >> 24) < 12 && i > 1)
				break;
			at = stpcpy(at,
				(dice >> 16 & 15) == 0
					? pieces[(dice >> 8) % (sizeof(pieces) / sizeof(pieces[0]))]
					: i % 2 == 0 ? ":"
						     : pieces[3 + (dice >> 10) % 7]);
		}
		*at = '\0';
		is = is_canonical(text, &theirs);
		if (addr_read_canonical(text, &ours) != is || (is && addr_cmp(&ours, &theirs) != 0))
			cr_assert_fail("%s", text);
		good += is;
	}
	cr_assert_gt(good, 10000);
}

Test(addr, says_what_is_no_address)
{
	struct addr addr;
	struct err e;

	cr_assert_eq(addr_parse("nonsense", (struct loc){ 3, 7 }, &addr, &e), -1);
	cr_assert_str_eq(e.text, "not an IPv6 address: 'nonsense'");
	cr_assert_eq(e.at.line, 3);
}

Test(addr, refuses_a_key_that_is_not_64_digits)
{
	struct pubkey key;

	cr_assert_not(pubkey_parse("00", &key));
	cr_assert_not(pubkey_parse(
		"zz00000000000000000000000000000000000000000000000000000000000000", &key));
}

Test(json, finds_a_byte_that_does_not_belong_wherever_it_stands)
{
	for (int c = 0; c < 256; c++)
		for (size_t len = 3; len < 28; len++)
			for (size_t at = 1; at < len - 1; at++) {
				bool may = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
				char text[32];
				struct cJSON *root;
				struct err e = ERR_INIT;

				memset(text, 'a', sizeof(text));
				text[0] = text[len - 1] = '"';
				text[at] = (char)c;
				if ((json_parse(text, len, len, ERR_REMOTE, &root, &e) == 0) != may)
					cr_assert_fail("%d at %zu of %zu", c, at, len);
				cJSON_Delete(root);
			}
}

Test(json, takes_an_escape_of_four_digits_and_no_other)
{
	static const struct {
		const char *text;
		bool is;
	} cases[] = { { "\"\\u0041\"", true }, { "\"\\uABcd\"", true }, { "\"\\\\uZZZZ\"", true },
		{ "\"\\uZZZZ\"", false }, { "\"\\u00K0x\"", false }, { "\"\\u-001\"", false },
		{ "\"\\u004\"", false }, { "\"\\u\"", false }, { "\"\\u0000\"", false },
		{ "\"\\u", false } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		struct cJSON *root;
		int rc =
			json_parse(cases[i].text, strlen(cases[i].text), 64, ERR_REMOTE, &root, &e);

		cr_assert_eq(rc, cases[i].is ? 0 : -1, "%s: %s", cases[i].text, e.text);
		cJSON_Delete(root);
	}
}

Test(arena, begins_anew)
{
	struct arena *a = arena_new();
	char *first = arena_alloc(a, 100, 1), *again;

	memset(first, 'x', 100);
	arena_alloc(a, 100000, 1);
	arena_alloc(a, 20000, 1);
	arena_reset(a);
	for (int i = 0; i < 1000; i++) {
		again = arena_alloc(a, 100, 1);
		for (int j = 0; j < 100; j++)
			cr_assert_eq(again[j], 0);
		memset(again, 'x', 100);
	}
	arena_reset(a);
	arena_alloc(a, 1, 1000000);
	arena_reset(a);
	arena_reset(a);
	arena_free(a);
}

Test(name, is_one_label)
{
	static const char *const good[] = { "a", "web-1", "_x", "A9" };
	static const char *const bad[] = { "", "-a", "a-", "a.b", "a b", "a\n", "\xc3\xa9", "a\"" };
	char long_name[65];

	memset(long_name, 'a', 64);
	long_name[64] = '\0';
	cr_assert_not(name_is_label(long_name));
	cr_assert(name_is_label(long_name + 1));
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_assert(name_is_label(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_not(name_is_label(bad[i]), "%s", bad[i]);
}

Test(text, escapes_what_could_reach_a_terminal)
{
	struct arena *a = arena_new();
	static const struct {
		const char *raw, *safe;
	} cases[] = {
		{ "plain", "plain" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\033[2J", "\\x1b[2J" },
		{ "a\nb", "a\\x0ab" },
		{ "\xff", "\\xff" },
		{ "\xc2\x9b", "\\xc2\\x9b" },
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae" },
		{ "\xc0\x80", "\\xc0\\x80" },
		{ "\xf0\x9f", "\\xf0\\x9f" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_str_eq(
			text_safe(a, cases[i].raw, strlen(cases[i].raw), false), cases[i].safe);
	cr_assert_str_eq(text_safe(a, "a\nb", 3, true), "a\nb");
	arena_free(a);
}

Test(err, wraps_and_shortens_with_an_ellipsis)
{
	struct err e;
	char long_text[3000];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	err_set(&e, ERR_CONFIG, NOWHERE, "inner");
	err_wrap(&e, "jail '%s'", "web");
	cr_assert_str_eq(e.text, "jail 'web': inner");
	err_set(&e, ERR_CONFIG, NOWHERE, "%s", long_text);
	cr_assert_str_eq(e.text + strlen(e.text) - 4, "x...");
	err_wrap(&e, "%s", long_text);
	cr_assert_eq(strlen(e.text), sizeof(e.text) - 1);
	err_set(&e, ERR_CONFIG, NOWHERE, "%s", long_text + 2000);
	err_wrap(&e, "outer");
	cr_assert_eq(strlen(e.text), strlen("outer: ") + 999);
	errno = ENOENT;
	err_sys(&e, "open %s", "x");
	cr_assert_str_eq(e.text, "open x: No such file or directory");
}

Test(text, takes_what_does_not_fit_as_it_takes_what_does)
{
	struct arena *a = arena_new();

	for (int n = 0; n < 600; n++) {
		struct text t = text_new(a);

		text_addf(&t, "%*d", n, 1);
		text_addf(&t, "<%s%*s>", "word", n, "x");
		cr_assert_eq(t.len, strlen(t.s));
		cr_assert_eq(t.len, (size_t)(n > 0 ? n : 1) + 6 + (size_t)(n > 0 ? n : 1));
		cr_assert_eq(t.s[t.len - 2], 'x');
		cr_assert_eq(memcmp(t.s + (n > 0 ? n : 1), "<word", 5), 0);
	}
	arena_free(a);
}

Test(arena, prints_short_texts_as_long_ones)
{
	struct arena *a = arena_new();

	for (int n = 1; n < 3000; n++) {
		const char *text = arena_printf(a, "%*d", n, 7);

		cr_assert_eq(strlen(text), (size_t)n);
		cr_assert_eq(text[n - 1], '7');
	}
	arena_free(a);
}

Test(arena, hands_out_zeroed_memory_that_does_not_overlap)
{
	struct arena *a = arena_new();
	unsigned char *before = NULL;

	for (size_t size = 1; size < 200000; size = size * 3 + 1) {
		unsigned char *p = arena_alloc(a, size, 1);

		for (size_t i = 0; i < size; i++)
			cr_assert_eq(p[i], 0);
		memset(p, 0xa5, size);
		cr_assert(before == NULL || *before == 0xa5);
		before = p;
	}
	arena_free(a);
}

Test(arena, grows_an_array_and_keeps_what_is_in_it)
{
	struct arena *a = arena_new();
	struct strs list = { 0 };

	for (int i = 0; i < 1000; i++)
		strs_push(a, &list, arena_printf(a, "%d", i));
	cr_assert_eq(list.n, 1000);
	cr_assert_str_eq(list.v[777], "777");
	cr_assert(strs_has(&list, "999"));
	cr_assert_not(strs_has(&list, "1000"));
	arena_free(a);
}
