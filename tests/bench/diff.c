/* Comparing two sorted states of 100,000 items each, a tenth of which differ, in under 20 ms. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "reconciler/diff.h"

enum { ITEMS = 100000, ROUNDS = 11 };

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double l = *(const double *)a, r = *(const double *)b;

	return l < r ? -1 : l > r;
}

/* 100 jails of 1,000 addresses; skip leaves every tenth out and puts another in its place. */
static void fill(struct items *list, unsigned skip)
{
	for (unsigned i = 0; i < ITEMS; i++) {
		unsigned n = i % 10 == skip ? i + 0x80000 : i;

		items_add(list, KIND_FIREWALL, arena_printf(list->arena, "jail%02u", i / 1000),
			arena_printf(list->arena, "address 202:%x:%x::%x", n >> 8, n & 0xff, n),
			"allow", NULL, 0);
	}
	items_sort(list);
}

int main(void)
{
	struct arena *a = arena_new();
	struct items wanted = { .arena = a }, observed = { .arena = a };
	struct failures none = { .arena = a };
	double took[ROUNDS];
	size_t changes = 0;

	fill(&wanted, 3);
	fill(&observed, 7);
	for (int i = 0; i < ROUNDS; i++) {
		struct arena *scratch = arena_new();
		struct plan plan = { .arena = scratch };
		double start = now_ms();

		diff(&wanted, &observed, &none, &plan);
		took[i] = now_ms() - start;
		changes = plan.n;
		arena_free(scratch);
	}
	qsort(took, ROUNDS, sizeof(took[0]), by_value);
	printf("diff-100000            %6.2f ms    limit 20 ms    (%zu changes)\n",
		took[ROUNDS / 2], changes);
	arena_free(a);
	return took[ROUNDS / 2] < 20 && changes == 2 * ITEMS / 10 * 2 ? 0 : 1;
}
