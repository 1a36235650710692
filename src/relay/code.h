/* Pairing codes: two digits and three words, `81-zephyr-night-climb`. */
#ifndef JMESH_RELAY_CODE_H
#define JMESH_RELAY_CODE_H

#include <stdbool.h>
#include <stddef.h>

/* Room for the longest code. A code is kept padded with NULs to this length and compared as a whole. */
enum { CODE_TEXT = 32 };

enum { CODE_NUMBER_MIN = 10, CODE_NUMBERS = 90, CODE_WORDS = 3 };

extern const char *const code_words[];
extern const size_t code_words_n;

/* A fresh code from libsodium's randomness, at least 40 bits of it; padded with NULs. */
void code_make(char code[CODE_TEXT]);

/* Copies and pads what may be a code; false where text has a byte or a length that no code has. */
bool code_read(const char *text, size_t len, char code[CODE_TEXT]);

#endif
