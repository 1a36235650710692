/*
 * How much memory the relay may take, and how much of it is taken. Whoever allocates for a client takes
 * before, so that the bound is never exceeded, and gives back after; any thread may.
 */
#ifndef JMESH_RELAY_MEMORY_H
#define JMESH_RELAY_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct memory {
	size_t max; /* bytes */
	atomic_size_t used;
};

/*
 * What it is for. Each use leaves a sixteenth of all to every one behind it, so that new pairings, however
 * many, leave room to join those that are there, for requests to be read, and for answers to be sent.
 */
enum memory_use { MEMORY_CREATE, MEMORY_JOIN, MEMORY_REQUEST, MEMORY_ANSWER };

/* False, and takes nothing, where that use may have no n bytes more. */
bool memory_take(struct memory *m, size_t n, enum memory_use use);
void memory_give(struct memory *m, size_t n);

size_t memory_used(struct memory *m);

/* What an allocation of n bytes costs, with what malloc keeps of it for itself. */
size_t memory_block(size_t n);

#endif
