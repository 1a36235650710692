/* The list of what is wrong with a mesh file (struct problems of mesh.h) while it is built. */
#ifndef JMESH_SCHEMA_PROBLEM_H
#define JMESH_SCHEMA_PROBLEM_H

#include <stdarg.h>

#include "base/arena.h"
#include "base/err.h"
#include "schema/mesh.h"

/* Adds one; the hint (or NULL) is kept, not copied. */
void problem_add(struct problems *p, struct arena *a, struct loc at, const char *hint,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

void problem_addv(struct problems *p, struct arena *a, struct loc at, const char *hint,
	const char *fmt, va_list ap);

/* By place, and each only once: what an alias repeats is told at one place. */
void problems_sort(struct problems *p);

/* A text as messages quote it: whole, or its first 60 characters and "...". */
const char *problem_quote(struct arena *a, const char *text);

/* "did you mean 'WORD'?" for the nearest of n words if it is near enough, else NULL. */
const char *problem_nearest(struct arena *a, const char *text, const char *const *words, size_t n);

#endif
