/* Starts a program with pipes; it ends with this process. */
#ifndef JMESH_RELAY_SPAWN_H
#define JMESH_RELAY_SPAWN_H

#include <sys/types.h>

#include "base/err.h"

/*
 * argv[0] is looked up in PATH. in_fd becomes its standard input and is closed here; *out_fd reads its
 * standard output and error. ERR_SYSTEM, also when the program cannot be executed.
 */
int spawn(const char *const *argv, int in_fd, pid_t *pid, int *out_fd, struct err *e);

/* A pipe whose ends are not inherited. */
int spawn_pipe(int ends[2], struct err *e);

#endif
