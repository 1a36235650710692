/* A program that ends with this process, started with its input and output in our hands. */
#ifndef JMESH_RELAY_PROGRAM_H
#define JMESH_RELAY_PROGRAM_H

#include <sys/types.h>

#include "base/err.h"

/*
 * argv[0] is looked up as spawn_exec does. in_fd becomes its standard input and is closed here; *out_fd
 * reads its standard output and error. Returns when the program is executed. ERR_SYSTEM.
 */
int program_start(const char *const *argv, int in_fd, pid_t *pid, int *out_fd, struct err *e);

#endif
