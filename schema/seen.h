/* What has been seen before: a hash table from bytes within a scope to a number. */
#ifndef JMESH_SCHEMA_SEEN_H
#define JMESH_SCHEMA_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct seen_slot {
	const void *key; /* not copied; NULL: free */
	size_t len, value;
	uint64_t scope;
};

struct seen {
	struct arena *arena;
	struct seen_slot *slots;
	size_t n, size;
};

enum { SEEN_FIRST = -1 };

/* A table that holds about that many without growing. */
struct seen seen_new(struct arena *a, size_t expected);

/* The number stored for the key; (size_t)SEEN_FIRST where the key is new. Valid until the next call. */
size_t *seen_at(struct seen *s, uint64_t scope, const void *key, size_t len);

#endif
