/* One question to a Unix socket (the `ask` of a port). */
#ifndef JMESH_OS_SOCK_H
#define JMESH_OS_SOCK_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

/* What a path of a Unix socket may have, on Linux; elsewhere less. */
enum { SOCK_PATH_BYTES = 107 };

/* Whether the system can have a socket at path; the error says what to do. */
int sock_path_fits(const char *path, struct err *e);

/*
 * Connects, sends request, and reads until the other side closes or one JSON object or array is
 * complete, whichever is first; *reply is NUL-terminated and may be empty. All of it within limit_ms,
 * at most max bytes. 0: answered. 1: nobody listens there.
 */
int sock_ask(const char *path, const char *request, int limit_ms, size_t max, struct arena *a,
	const char **reply, struct err *e);

#endif
