/* A lock that is another program's too: flock(2) on a file that it made known for that. */
#ifndef JMESH_OS_FILELOCK_H
#define JMESH_OS_FILELOCK_H

#include "base/err.h"

/*
 * A descriptor that holds the lock until it is closed; the file is created (0600) where it is missing, and
 * its content is not looked at. Waits up to wait_s seconds, or until a signal comes. -1: ERR_BUSY "WHO is at
 * work and holds PATH", ERR_INTERRUPTED, or what the system says.
 */
int filelock_take(const char *path, int wait_s, const char *who, struct err *e);
void filelock_drop(int fd);

#endif
