/* What has been seen before: a hash table from bytes within a scope to a number. */
#ifndef JMESH_SCHEMA_SEEN_H
#define JMESH_SCHEMA_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct seen_slot {
	const void *key; /* not copied; NULL: free */
	uint32_t len, value, scope;
};

struct seen {
	struct arena *arena;
	struct seen_slot *slots;
	size_t n, size;
};

#define SEEN_FIRST UINT32_MAX

/* A table that holds that many without growing. */
struct seen seen_new(struct arena *a, size_t expected);

/* The number stored for the key; SEEN_FIRST where the key is new. Valid until the next call. */
uint32_t *seen_at(struct seen *s, uint32_t scope, const void *key, size_t len);

#endif
