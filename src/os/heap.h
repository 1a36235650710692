/* The heap of the C library, where several threads have one. */
#ifndef JMESH_OS_HEAP_H
#define JMESH_OS_HEAP_H

/*
 * Before the first thread begins: what one thread frees, any other may have. Where the C library keeps a heap for
 * each thread, a process may else grow to as many times its most as it has threads.
 */
void heap_share(void);

#endif
