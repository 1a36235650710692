#include <criterion/criterion.h>
#include <string.h>

#include "base/key.h"
#include "base/port.h"

/* Made by openssl genpkey -algorithm ed25519; the public key is what openssl says of it. */
#define PEM                                                                  \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MC4CAQAwBQYDK2VwBCIEIJWDQncI+AQ3Ra9Jg/fOyWXYQK0a39nOEnvZK2YUrWMw\n" \
	"-----END PRIVATE KEY-----\n"
#define PUBLIC "6845ae66a46d52cd7d70ad27ea56c4a8f7f0300f5878db6ceccff622aab1dbd6"

/* Made by yggdrasil -genconf. */
#define INLINE                                                             \
	"e5a4c1443634de95bcf0ee1e89246fa3a4918c850f058c8c70a4359fe8489ae2" \
	"42844f80cf629f4d5296be9029955283b9d364e7c040d574e68e9b5f009dd1bd"

static const char *hex_of(struct arena *a, const struct pubkey *key)
{
	char hex[KEY_HEX];

	pubkey_format(key, hex);
	return arena_dup(a, hex);
}

Test(key, reads_the_key_files_of_openssl)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	uint8_t seed[SEED_LEN];
	struct pubkey key;
	char again[KEY_PEM];

	cr_assert_eq(key_pem_parse(PEM, strlen(PEM), seed, &e), 0, "%s", e.text);
	key = key_public(seed);
	cr_expect_str_eq(hex_of(a, &key), PUBLIC);
	key_pem_format(seed, again);
	cr_expect_str_eq(again, PEM);
	cr_expect_eq(key_pem_parse(PEM, strlen(PEM) - 1, seed, &e), 0, "no newline");
	arena_free(a);
}

Test(key, refuses_what_is_not_one_key)
{
	static const char begin[] = "-----BEGIN PRIVATE KEY-----\n";
	static const char key[] =
		"MC4CAQAwBQYDK2VwBCIEIJWDQncI+AQ3Ra9Jg/fOyWXYQK0a39nOEnvZK2YUrWMw";
	static const char end[] = "-----END PRIVATE KEY-----\n";
	static const struct {
		const char *name, *begin, *key, *gap, *end;
	} cases[] = {
		{ "empty", "", "", "", "" },
		{ "text before", "x\n-----BEGIN PRIVATE KEY-----\n", key, "\n", end },
		{ "another block", "-----BEGIN EC PRIVATE KEY-----\n", key, "\n", end },
		{ "no line break", "-----BEGIN PRIVATE KEY-----", key, "\n", end },
		{ "no end", begin, key, "\n", "" },
		{ "an end in the line", begin, key, "", end },
		{ "two keys", begin, key, "\n", "-----END PRIVATE KEY-----\n" PEM },
		{ "text behind", begin, key, "\n", "-----END PRIVATE KEY-----\nx" },
		{ "short", begin, "MC4CAQAwBQYDK2VwBCIEIJWDQncI+AQ3Ra9Jg/fOyWXYQK0a39nOEnvZK2YUrWM",
			"\n", end },
		{ "long", begin,
			"MC4CAQAwBQYDK2VwBCIEIJWDQncI+AQ3Ra9Jg/fOyWXYQK0a39nOEnvZK2YUrWMwAAAA",
			"\n", end },
		{ "X25519", begin,
			"MC4CAQAwBQYDK2VuBCIEIJWDQncI+AQ3Ra9Jg/fOyWXYQK0a39nOEnvZK2YUrWMw", "\n",
			end },
		{ "no base64", begin,
			"MC4CAQAwBQYDK2VwBCIEIJWDQncI!AQ3Ra9Jg/fOyWXYQK0a39nOEnvZK2YUrWMw", "\n",
			end },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = arena_printf(
			a, "%s%s%s%s", cases[i].begin, cases[i].key, cases[i].gap, cases[i].end);
		struct err e = ERR_INIT;
		uint8_t seed[SEED_LEN];

		cr_expect_eq(key_pem_parse(text, strlen(text), seed, &e), -1, "%s", cases[i].name);
		cr_expect_null(strstr(e.text, "MC4C"), "the key is told: %s", e.text);
	}
	arena_free(a);
}

Test(key, reads_the_key_of_a_configuration)
{
	struct arena *a = arena_new();
	char wrong[] = INLINE;
	uint8_t seed[SEED_LEN];
	struct err e = ERR_INIT;
	struct pubkey key;

	cr_assert_eq(key_inline_parse(INLINE, strlen(INLINE), seed, &e), 0, "%s", e.text);
	key = key_public(seed);
	cr_expect_str_eq(hex_of(a, &key), &INLINE[64]);
	wrong[127] = '0';
	cr_expect_eq(key_inline_parse(wrong, strlen(wrong), seed, &e), -1, "halves");
	cr_expect_eq(key_inline_parse(INLINE, 126, seed, &e), -1, "short");
	wrong[0] = 'g';
	cr_expect_eq(key_inline_parse(wrong, strlen(wrong), seed, &e), -1, "no hex");
	arena_free(a);
}

/* What openssl pkey -pubout prints. */
#define PUBLIC_LINE "MCowBQYDK2VwAyEAaEWuZqRtUs19cK0n6lbEqPfwMA9YeNts7M/2Iqqx29Y="
#define PUBLIC_BEGIN "-----BEGIN PUBLIC KEY-----\n"
#define PUBLIC_END "-----END PUBLIC KEY-----\n"
#define PUBLIC_PEM PUBLIC_BEGIN PUBLIC_LINE "\n" PUBLIC_END

Test(key, reads_the_public_keys_of_openssl)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	struct pubkey key;

	cr_assert_eq(
		key_public_pem_parse(PUBLIC_PEM, strlen(PUBLIC_PEM), &key, &e), 0, "%s", e.text);
	cr_expect_str_eq(hex_of(a, &key), PUBLIC);
	arena_free(a);
}

Test(key, refuses_what_is_not_one_public_key)
{
	static const char *const cases[] = {
		"",
		PEM,
		PUBLIC_PEM PUBLIC_PEM,
		"x\n" PUBLIC_PEM,
		PUBLIC_PEM "x\n",
		PUBLIC_BEGIN PUBLIC_LINE "\n",
		PUBLIC_BEGIN PUBLIC_LINE PUBLIC_END,
		PUBLIC_BEGIN "\n" PUBLIC_END,
		PUBLIC_BEGIN
		"MCowBQYDK2VwAyEAaEWuZqRtUs19cK0n6lbEqPfwMA9YeNts7M/2Iqqx29\n" PUBLIC_END,
		/* X25519, and an elliptic curve. */
		PUBLIC_BEGIN
		"MCowBQYDK2VuAyEAQAVR4jiuF8pqBE1eIUyvjbXp6AotNDM12/JyoqE++m4=\n" PUBLIC_END,
		PUBLIC_BEGIN
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+z65U03Gzt8m7asmnZxhRuJrnD8h\n"
		"CQqxTU0xwS4cYt94kfKf/A7nE6k8qh0/kJKchxNh62jGuqEz1qr5OsrnMQ==\n" PUBLIC_END,
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pubkey key;
		struct err e = ERR_INIT;

		cr_expect_eq(
			key_public_pem_parse(cases[i], strlen(cases[i]), &key, &e), -1, "%zu", i);
		cr_expect_eq(e.code, ERR_CONFIG, "%zu", i);
	}
}

Test(key, finds_private_keys_wherever_they_stand_and_masks_them)
{
	static const struct {
		const char *before, *digits, *more, *after;
		bool found;
	} cases[] = {
		{ "", INLINE, "", "", true },
		{ "{ PrivateKey: ", INLINE, "", " }", true },
		{ "abcdef \"", INLINE, "", "\" 0123", true },
		{ "#", INLINE, "00ffAA", "g", true },
		{ "", &INLINE[1], "", "", false },
		{ "", &INLINE[64], "g", &INLINE[64], false },
		{ "", "", "", "", false },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t digits = strlen(cases[i].digits) + strlen(cases[i].more), run;
		char *text = arena_printf(a, "%s%s%s%s", cases[i].before, cases[i].digits,
			cases[i].more, cases[i].after);
		const char *was = arena_dup(a, text);
		size_t len = strlen(text), at = key_find(text, len, &run);

		key_mask(text, len);
		if (!cases[i].found) {
			cr_expect_eq(at, len, "%zu", i);
			cr_expect_eq(run, 0, "%zu", i);
			cr_expect_str_eq(text, was, "%zu", i);
			continue;
		}
		cr_expect_eq(at, strlen(cases[i].before), "%zu", i);
		cr_expect_eq(run, digits, "%zu", i);
		for (size_t j = 0; j < len; j++)
			cr_expect_eq(
				text[j], j >= at && j < at + run ? KEY_MASKED : was[j], "%zu", i);
	}
	arena_free(a);
}

Test(key, masks_every_key_of_a_text)
{
	struct arena *a = arena_new();
	char *text = arena_dup(a, INLINE "\n" INLINE);
	size_t run;

	key_mask(text, strlen(text));
	cr_expect_eq(key_find(text, strlen(text), &run), strlen(text));
	cr_expect_eq(strspn(text, "x"), KEY_HEX_PRIVATE);
	cr_expect_eq(strspn(text + KEY_HEX_PRIVATE + 1, "x"), KEY_HEX_PRIVATE);
	cr_expect_eq(strlen(text), 2 * KEY_HEX_PRIVATE + 1);
	arena_free(a);
}
