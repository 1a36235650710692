/*
 * HJSON objects (hjson.github.io, as hjson-go reads them), of which JSON is a part: where the members
 * of the outermost object stand in the text, what they hold, and how to change some of them while every
 * other byte, comments with them, stays what it was. Pure.
 */
#ifndef JMESH_BASE_HJSON_H
#define JMESH_BASE_HJSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

/* Offsets into the text. */
struct hjson_member {
	const char *name;
	size_t start;      /* of the name */
	size_t value, end; /* the value is [value, end) */
	size_t comma;      /* of the comma before the member; SIZE_MAX: none */
	bool bare;         /* a string without quotes: it would swallow a comma behind it */
};

struct hjson {
	const char *text;
	size_t len;
	size_t open; /* just behind the opening brace, or the start of an object without braces */
	struct hjson_member *v;
	size_t n, cap;
};

/* text must outlive out. ERR_CONFIG with the line in the sentence. */
int hjson_parse(const char *text, size_t len, struct arena *a, struct hjson *out, struct err *e);

/* The daemon takes names in any case, and the last of several: so does this. NULL: it is not there. */
const struct hjson_member *hjson_find(const struct hjson *h, const char *name);

/* The member's value as compact JSON, in the arena, as cJSON_PrintUnformatted writes it. */
int hjson_value(const struct hjson *h, const struct hjson_member *m, struct arena *a,
	const char **json, struct err *e);

/* The bytes of a simple value as they stand in the text, without quotes around them; "" for null. */
const char *hjson_plain(const struct hjson *h, const struct hjson_member *m, size_t *len);

struct hjson_edit {
	const char *name;
	const char *json; /* NULL: every member of that name goes */
};

/* The text with the edits made: values replaced where they stand, new members behind the last. */
char *hjson_edit(const struct hjson *h, const struct hjson_edit *edits, size_t n, struct arena *a);

#endif
