/*
 * Text: growing buffers, the rules for names, and the escape that hostile bytes pass before a
 * terminal or a log sees them.
 */
#ifndef JMESH_BASE_TEXT_H
#define JMESH_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* A buffer in an arena; always ends in a NUL that len does not count. */
struct text {
	struct arena *arena;
	char *s;
	size_t len, cap;
};

struct text text_new(struct arena *a);
void text_add(struct text *t, const char *s);
void text_addn(struct text *t, const void *bytes, size_t len);
void text_addf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A list of strings. */
struct strs {
	const char **v;
	size_t n, cap;
};

void strs_push(struct arena *a, struct strs *list, const char *s);
bool strs_has(const struct strs *list, const char *s);
void strs_sort(struct strs *list);

/* The length of the UTF-8 sequence at s (RFC 3629) and its code point; 0 where it is none. len >= 1. */
size_t text_utf8(const char *s, size_t len, uint32_t *cp);

/*
 * A copy that is safe to print: control characters, invalid UTF-8 and the characters that reorder
 * text become \xNN; a newline stays only where keep_newlines says so.
 */
const char *text_safe(struct arena *a, const char *s, size_t len, bool keep_newlines);

bool text_begins(const char *s, const char *prefix);

/* A set of bytes: a bit for each, 32 a word. */
struct byteset {
	uint32_t words[8];
};

/* Whether each of n bytes is in the set. Reads all of them, without a branch for each. */
bool byteset_has(const struct byteset *set, const char *s, size_t n);

/*
 * Decodes the percent-encoding (RFC 3986) of n bytes: the length, -1 where a '%' has no two digits behind it,
 * -2 where out's size bytes are too few. No NUL is put behind it; any byte may come.
 */
int percent_decode(const char *s, size_t n, char *out, size_t size);

/* The value of a hexadecimal digit of either case; -1: it is none. */
int hex_digit(char c);

/* One DNS label as DESIGN has it: 1 to 63 of letters, digits, '-', '_', no '-' at either end. */
bool name_is_label(const char *s);

/* Whether no letter of it is upper case (ASCII only). */
bool name_is_folded(const char *s);

/* A copy in lower case (ASCII only). */
char *name_fold(struct arena *a, const char *s);

#endif
