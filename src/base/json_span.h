/*
 * Where the parts of a JSON text stand, so that one of them can be replaced and every other byte kept. The
 * text must be one that json_parse has taken; the parts are in the order of cJSON's children, which know
 * their names. Pure.
 */
#ifndef JMESH_BASE_JSON_SPAN_H
#define JMESH_BASE_JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

struct span {
	const char *at;
	size_t len;
};

/* The parts of an object or an array; n is 0 for anything else. */
struct spans {
	struct span *v; /* an object's: the values */
	size_t n, cap;
};

/* The value without the white space around it. */
struct span span_value(const char *text, size_t len);
struct spans span_parts(struct span value, struct arena *a);

bool span_is(struct span s, const char *text);

/* Adds whole with the part in it replaced by text. */
void span_replace(struct text *t, struct span whole, struct span part, const char *text);

#endif
