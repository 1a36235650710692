/*
 * An arena: memory that is freed all at once. A command has one, and what a function builds lives in
 * the arena that it is handed. When the system has no memory left the program ends (abort), so no
 * function here returns NULL.
 */
#ifndef JMESH_BASE_ARENA_H
#define JMESH_BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a); /* NULL is fine */

/* As new, but for a block of at most 64 KiB that it keeps to begin with. */
void arena_reset(struct arena *a);

/* Zeroed and aligned for any type. n times size must not overflow (abort otherwise). */
void *arena_alloc(struct arena *a, size_t n, size_t size);

/* As malloc: n bytes of which nothing is known, aligned for any type. */
void *arena_bytes(struct arena *a, size_t n);

char *arena_dup(struct arena *a, const char *text);               /* NULL gives NULL */
char *arena_dupn(struct arena *a, const void *bytes, size_t len); /* adds a NUL */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * The place of one more element of a growing array: *items holds n elements of size bytes, room for
 * *cap. Returns a zeroed element at index n; the caller counts n up itself.
 */
void *arena_push(struct arena *a, void **items, size_t n, size_t *cap, size_t size);

#endif
