/* Other systems than Linux, which is in linux_heap.c: FreeBSD's jemalloc gives pages back by itself. */
#include "os/heap.h"

#ifndef __linux__

void heap_share(void)
{
}

#endif
