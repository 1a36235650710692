/* The signals that a relay takes, as a descriptor that can be polled. One user a process. */
#ifndef JMESH_RELAY_SIGNALS_H
#define JMESH_RELAY_SIGNALS_H

#include <stdbool.h>

#include "base/err.h"

struct signals {
	bool stop;   /* SIGTERM or SIGINT: stays set */
	bool reload; /* SIGHUP since the last call */
};

/* Takes over SIGTERM, SIGINT and SIGPIPE, which is ignored, and with reload SIGHUP. fd can be read then. */
int signals_catch(bool reload, int *fd, struct err *e);

/* Call it when fd can be read. */
struct signals signals_taken(void);

/* Gives the signals back. Harmless where they were not taken. */
void signals_release(void);

#endif
