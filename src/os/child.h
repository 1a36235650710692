/* Child processes that must not outlive their parent. */
#ifndef JMESH_OS_CHILD_H
#define JMESH_OS_CHILD_H

#include <sys/types.h>

/*
 * Called in a child between fork and exec: from then on the system sends it SIGTERM when its parent
 * ends, however that ends. parent is the pid of the process that forked. Returns -1 where the parent is
 * gone already. Async-signal-safe. Where the system has nothing of the kind it does nothing.
 */
int child_end_with(pid_t parent);

#endif
