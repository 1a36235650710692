/* mallopt is glibc's own: mallopt(3). Others, as musl, have one heap. */
#include "os/heap.h"

#include <malloc.h>

void heap_share(void)
{
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1);
#endif
}
