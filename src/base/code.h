/*
 * What two people pass on to pair: a code, by which the relay finds the pairing, and the secret of a sealed
 * one, which only their two machines know: `81-zephyr-night-climb#K7QF-…`. Pure: randomness is passed in.
 */
#ifndef JMESH_BASE_CODE_H
#define JMESH_BASE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Room for the longest code that we make. Such a code is kept padded with NULs to this length. */
enum { CODE_TEXT = 32 };

/* Two digits and three words: 90 x 2462^3, at least 40 bits. */
enum { CODE_NUMBER_MIN = 10, CODE_NUMBERS = 90, CODE_WORDS = 3, CODE_DRAWS = 1 + CODE_WORDS };

/* Room for a word and its NUL. */
enum { CODE_WORD = 9 };

extern const char code_words[][CODE_WORD];
extern const size_t code_words_n;

/* draws[0] is below CODE_NUMBERS, the others are below code_words_n. Padded. */
void code_format(const uint32_t draws[CODE_DRAWS], char code[CODE_TEXT]);

/* Copies and pads what may be a code of ours; false where text has a byte or a length that none has. */
bool code_read(const char *text, size_t len, char code[CODE_TEXT]);

/* [A-Za-z0-9-]{1,64}: a code of whatever relay. Anything else never goes into a URL. */
bool code_is_valid(const char *code);

enum {
	CODE_MAX = 64,    /* characters of such a code */
	SECRET_LEN = 16,  /* bytes */
	SECRET_TEXT = 34, /* 27 digits in groups of four with dashes between, and a NUL */
};

struct secret {
	uint8_t b[SECRET_LEN];
};

/*
 * Crockford's base 32, the highest bits first: 26 digits for 130 bits, of which the first two are 0, and a
 * 27th that checks them: the sum of digit i times x^(26-i) over GF(32) (x^5 + x^2 + 1) is 0, so that
 * every wrong digit and every two that changed places are noticed.
 */
void secret_format(const struct secret *s, char text[SECRET_TEXT]);

/*
 * Case, dashes and blanks do not matter, nor O for 0 and I or L for 1. ERR_CONFIG tells what is wrong (its
 * length, a character, the check digit); no digit of it is in the sentence.
 */
int secret_parse(const char *text, size_t len, struct secret *out, struct err *e);

/*
 * So few different digits, or such a pattern, that nobody's dice made it; or its bytes count, or six in a row are the
 * same, or all are printable ASCII, as in one random secret of some millions.
 */
bool secret_is_weak(const struct secret *s);

/* CODE, or CODE#SECRET. */
struct pass {
	char code[CODE_MAX + 1];
	bool sealed; /* there is a secret */
	struct secret secret;
};

enum { PASS_TEXT = CODE_MAX + 1 + SECRET_TEXT };

void pass_format(const char *code, const struct secret *s, char text[PASS_TEXT]);

/* ERR_CONFIG as secret_parse. The code goes in lower case where a secret follows: case is forgiven. */
int pass_parse(const char *text, struct pass *out, struct err *e);

#endif
