#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first block is for those who need little, each further one is twice as large. */
enum { FIRST_BLOCK = 8 * 1024, BLOCK = 64 * 1024 };

struct block {
	struct block *next;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

struct arena {
	struct block *head;
	size_t next; /* bytes of the next block for small allocations; 0: there was none */
};

struct arena *arena_new(void)
{
	struct arena *a = malloc(sizeof(*a));

	if (a == NULL)
		abort();
	*a = (struct arena){ 0 };
	return a;
}

static void free_blocks(struct block *b)
{
	while (b != NULL) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

void arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	free_blocks(a->head);
	free(a);
}

void arena_reset(struct arena *a)
{
	struct block *b = a->head;

	*a = (struct arena){ 0 };
	if (b == NULL || b->size > BLOCK) {
		free_blocks(b);
		return;
	}
	free_blocks(b->next);
	*b = (struct block){ .size = b->size };
	*a = (struct arena){ b, b->size };
}

static struct block *block_new(size_t size)
{
	struct block *b;

	if (size > SIZE_MAX / 2)
		abort();
	b = malloc(sizeof(*b) + size);
	if (b == NULL)
		abort();
	*b = (struct block){ .size = size };
	return b;
}

/* want is at most a quarter of BLOCK. */
static size_t size_of_next(struct arena *a, size_t want)
{
	size_t size;

	do {
		a->next = a->next == 0 ? FIRST_BLOCK : a->next < BLOCK ? a->next * 2 : BLOCK;
		size = a->next;
	} while (size < want);
	return size;
}

void *arena_bytes(struct arena *a, size_t n)
{
	struct block *b = a->head;
	size_t want;
	void *p;

	if (n > SIZE_MAX / 4)
		abort();
	want = (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	if (b == NULL || b->size - b->used < want) {
		bool large = want > BLOCK / 4;
		struct block *fresh = block_new(large ? want : size_of_next(a, want));

		/* A large allocation leaves the half-used block in front, for the small ones. */
		if (b != NULL && large) {
			fresh->next = b->next;
			b->next = fresh;
		} else {
			fresh->next = b;
			a->head = fresh;
		}
		b = fresh;
	}
	p = b->bytes + b->used;
	b->used += want;
	return p;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
	void *p;

	if (size != 0 && n > SIZE_MAX / 4 / size)
		abort();
	p = arena_bytes(a, n * size);
	memset(p, 0, n * size);
	return p;
}

char *arena_dupn(struct arena *a, const void *bytes, size_t len)
{
	char *copy = arena_bytes(a, len + 1);

	if (len != 0)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

char *arena_dup(struct arena *a, const char *text)
{
	return text == NULL ? NULL : arena_dupn(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char most[1024], *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(most, sizeof(most), fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	if ((size_t)n < sizeof(most))
		return arena_dupn(a, most, (size_t)n);
	text = arena_bytes(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return text;
}

void *arena_push(struct arena *a, void **items, size_t n, size_t *cap, size_t size)
{
	if (n == *cap) {
		size_t grown = *cap == 0 ? 8 : *cap * 2;
		void *fresh = arena_alloc(a, grown, size);

		if (n != 0)
			memcpy(fresh, *items, n * size);
		*items = fresh;
		*cap = grown;
	}
	return (char *)*items + n * size;
}
