/* The relay's listening sockets. */
#ifndef JMESH_RELAY_LISTEN_H
#define JMESH_RELAY_LISTEN_H

#include "base/err.h"

enum { LISTEN_TEXT = 80 };

/*
 * Listens on ADDR:PORT or [ADDR]:PORT; addresses are literals, [::] takes IPv4 as well. *fd does not
 * block. bound is where it listens, with the port that the system chose for port 0.
 */
int listen_open(const char *where, int *fd, char bound[LISTEN_TEXT], struct err *e);

/* The same; where no address is said (PORT alone), on 127.0.0.1. */
int listen_open_local(const char *where, int *fd, char bound[LISTEN_TEXT], struct err *e);

#endif
