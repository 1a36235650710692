#include "base/code.h"

#include <assert.h>
#include <sodium/utils.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void code_format(const uint32_t draws[CODE_DRAWS], char code[CODE_TEXT])
{
	static_assert(CODE_NUMBER_MIN >= 10 && CODE_NUMBER_MIN + CODE_NUMBERS <= 100, "two digits");
	const uint32_t number = CODE_NUMBER_MIN + draws[0];
	size_t n = 0;

	memset(code, 0, CODE_TEXT);
	code[n++] = (char)('0' + number / 10);
	code[n++] = (char)('0' + number % 10);
	for (int i = 1; i < CODE_DRAWS; i++) {
		const char *word = code_words[draws[i]];
		const size_t len = strlen(word);

		if (len + 1 >= CODE_TEXT - n)
			abort(); /* a word in the list is too long */
		code[n++] = '-';
		memcpy(code + n, word, len);
		n += len;
	}
}

/* a-z, 0-9 and '-'. */
static const struct byteset code_bytes = { { 0, 0x03ff2000, 0, 0x07fffffe } };

bool code_read(const char *text, size_t len, char code[CODE_TEXT])
{
	if (len < 1 || len >= CODE_TEXT || !byteset_has(&code_bytes, text, len))
		return false;
	memset(code, 0, CODE_TEXT);
	memcpy(code, text, len);
	return true;
}

bool code_is_valid(const char *code)
{
	size_t len = strlen(code);

	return len >= 1 && len <= CODE_MAX &&
		strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") ==
		len;
}

/* Crockford's: no I, L, O, U. */
static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

enum { DIGITS = 26, GROUP = 4, DIGIT_BITS = 5 };

/* What dice hardly ever show: 26 digits of 32 have some 18 kinds, and one step in 32 is as the one before. */
enum { KINDS_MIN = 8, STEPS_MAX = 12 };

/* Times x in GF(32), whose polynomial is x^5 + x^2 + 1. */
static unsigned times_x(unsigned v)
{
	v <<= 1;
	return (v & 0x20) != 0 ? v ^ 0x25 : v;
}

static unsigned check_digit(const uint8_t d[DIGITS])
{
	unsigned sum = 0;

	for (int i = 0; i < DIGITS; i++)
		sum = times_x(sum ^ d[i]);
	return sum;
}

static void to_digits(const struct secret *s, uint8_t d[DIGITS])
{
	unsigned held = 0, bits = 2;
	int n = 0;

	for (size_t i = 0; i < SECRET_LEN; i++) {
		held = (held << 8 | s->b[i]) & 0xffff;
		bits += 8;
		while (bits >= DIGIT_BITS) {
			bits -= DIGIT_BITS;
			d[n++] = held >> bits & 0x1f;
		}
	}
}

static void of_digits(const uint8_t d[DIGITS], struct secret *out)
{
	unsigned held = d[0] & 7, bits = 3;
	size_t n = 0;

	for (int i = 1; i < DIGITS; i++) {
		held = (held << DIGIT_BITS | d[i]) & 0xffff;
		bits += DIGIT_BITS;
		if (bits >= 8) {
			bits -= 8;
			out->b[n++] = (uint8_t)(held >> bits);
		}
	}
}

void secret_format(const struct secret *s, char text[SECRET_TEXT])
{
	uint8_t d[DIGITS + 1];
	size_t at = 0;

	to_digits(s, d);
	d[DIGITS] = (uint8_t)check_digit(d);
	for (int i = 0; i <= DIGITS; i++) {
		if (i > 0 && i % GROUP == 0)
			text[at++] = '-';
		text[at++] = digits[d[i]];
	}
	text[at] = '\0';
	sodium_memzero(d, sizeof(d));
}

/* The value of a digit as people write it; -1: it is none. */
static int digit_value(char c)
{
	const char *found;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		return 0;
	if (c == 'I' || c == 'L')
		return 1;
	found = c != '\0' ? strchr(digits, c) : NULL;
	return found != NULL ? (int)(found - digits) : -1;
}

static int refuse_secret(struct err *e, const char *why)
{
	return err_set(e, ERR_CONFIG, NOWHERE, "the secret is refused: %s", why);
}

int secret_parse(const char *text, size_t len, struct secret *out, struct err *e)
{
	uint8_t d[DIGITS + 1];
	size_t n = 0;
	int rc = -1;

	for (size_t i = 0; i < len; i++) {
		int v = digit_value(text[i]);

		if (text[i] == '-' || text[i] == ' ')
			continue;
		if (v < 0) {
			refuse_secret(e, "it has a character that no secret has; copy it again");
			goto out;
		}
		if (n <= DIGITS)
			d[n] = (uint8_t)v;
		n++;
	}
	if (n != DIGITS + 1)
		err_set(e, ERR_CONFIG, NOWHERE,
			"the secret is refused: it has %zu characters besides dashes and not %d; "
			"copy it again",
			n, DIGITS + 1);
	else if (d[DIGITS] != check_digit(d) || d[0] > 7)
		refuse_secret(e, "a character of it is wrong or two changed places; copy it again");
	else
		rc = 0;
	if (rc == 0)
		of_digits(d, out);
out:
	sodium_memzero(d, sizeof(d));
	return rc;
}

static bool is_pattern(const struct secret *s)
{
	uint32_t seen = 0;
	int kinds = 0, steps = 0;
	uint8_t d[DIGITS];
	bool weak = false;

	to_digits(s, d);
	for (int i = 0; i < DIGITS; i++) {
		kinds += (seen >> d[i] & 1) == 0;
		seen |= UINT32_C(1) << d[i];
	}
	/* "0123…", "ZYXW…", every other digit: the same step again and again. */
	for (int i = 2; i < DIGITS; i++)
		steps += ((d[i] - d[i - 1]) & 0x1f) == ((d[i - 1] - d[i - 2]) & 0x1f);
	/* One half, or a shorter piece, over and over. */
	for (int period = 1; period <= DIGITS / 2 && !weak; period++) {
		int same = 0;

		for (int i = period; i < DIGITS; i++)
			same += d[i] == d[i - period];
		weak = same == DIGITS - period;
	}
	for (size_t period = 1; period <= SECRET_LEN / 2 && !weak; period++)
		weak = memcmp(s->b, s->b + period, SECRET_LEN - period) == 0;
	sodium_memzero(d, sizeof(d));
	return weak || kinds < KINDS_MIN || steps > STEPS_MAX;
}

/* A key that somebody typed: a count, mostly one byte, or words. Of random ones one in ten million is. */
static bool bytes_are_weak(const struct secret *s)
{
	int steps = 0, run = 1, longest = 1, letters = 0;

	for (size_t i = 0; i < SECRET_LEN; i++) {
		letters += s->b[i] >= 0x20 && s->b[i] < 0x7f;
		if (i == 0)
			continue;
		steps += (uint8_t)(s->b[i] - s->b[i - 1]) == (uint8_t)(s->b[1] - s->b[0]);
		run = s->b[i] == s->b[i - 1] ? run + 1 : 1;
		longest = run > longest ? run : longest;
	}
	return steps == SECRET_LEN - 1 || longest >= 6 || letters == SECRET_LEN;
}

bool secret_is_weak(const struct secret *s)
{
	return is_pattern(s) || bytes_are_weak(s);
}

void pass_format(const char *code, const struct secret *s, char text[PASS_TEXT])
{
	size_t len = strlen(code);

	if (len > CODE_MAX)
		abort(); /* code_is_valid was not asked */
	memcpy(text, code, len);
	text[len] = '#';
	secret_format(s, text + len + 1);
}

int pass_parse(const char *text, struct pass *out, struct err *e)
{
	size_t len = strcspn(text, "#");

	memset(out, 0, sizeof(*out));
	if (len > CODE_MAX)
		len = CODE_MAX + 1;
	memcpy(out->code, text, len <= CODE_MAX ? len : 0);
	if (!code_is_valid(out->code))
		return err_set(e, ERR_CONFIG, NOWHERE,
			"it is no pairing code: one is 1 to 64 letters, digits and '-', and "
			"behind a '#' the secret, as in 81-zephyr-night-climb#K7QF-...");
	out->sealed = text[len] == '#';
	if (!out->sealed)
		return 0;
	for (char *c = out->code; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	if (secret_parse(text + len + 1, strlen(text + len + 1), &out->secret, e) < 0)
		return -1;
	if (is_pattern(&out->secret))
		return refuse_secret(e, "it is a pattern that anybody could guess");
	return 0;
}
