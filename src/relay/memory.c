#include "relay/memory.h"

enum { SHARES = 16, ALIGNMENT = 16 };

bool memory_take(struct memory *m, size_t n, enum memory_use use)
{
	size_t max = m->max - m->max / SHARES * (size_t)(MEMORY_ANSWER - use);
	size_t used = atomic_load(&m->used);

	do
		if (n > max || used > max - n)
			return false;
	while (!atomic_compare_exchange_weak(&m->used, &used, used + n));
	return true;
}

void memory_give(struct memory *m, size_t n)
{
	atomic_fetch_sub(&m->used, n);
}

size_t memory_used(struct memory *m)
{
	return atomic_load(&m->used);
}

size_t memory_block(size_t n)
{
	return (n + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}
