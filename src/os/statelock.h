/*
 * One jmesh at a time changes a machine: flock on STATE_DIR/lock, which holds the holder's pid and
 * command for those who wait. It is never held while a relay is polled, and ends with its process.
 */
#ifndef JMESH_OS_STATELOCK_H
#define JMESH_OS_STATELOCK_H

#include <stdint.h>

#include "base/err.h"

struct statelock {
	int fd;         /* -1: not held */
	int64_t marked; /* when somebody last called statelock_mark, before it was taken */
};

#define STATELOCK_INIT ((struct statelock){ .fd = -1 })

/*
 * Creates state_dir (0700) where it is missing. Waits up to wait_s seconds; told(ctx, pid) is called
 * once if it has to wait (pid 0: unknown). ERR_BUSY "another jmesh (pid N) is at work on DIR".
 */
int statelock_take(struct statelock *l, const char *state_dir, int wait_s,
	void (*told)(void *ctx, long pid), void *ctx, struct err *e);
void statelock_drop(struct statelock *l);

/* Tells those who let go of the lock and take it again that what they knew is no longer so. */
int statelock_mark(struct statelock *l, struct err *e);

#endif
