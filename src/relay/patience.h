/*
 * Connections that take too long. Who serves one says until when it is waited for, and says that anew whenever it
 * comes on; when that is over it is shut down, whatever is missing. libmicrohttpd's own timer is not
 * used: it knows only silence, and reads the clock at each step of a request.
 */
#ifndef JMESH_RELAY_PATIENCE_H
#define JMESH_RELAY_PATIENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct patience;

/* A connection that is waited for; its members are patience's own. */
struct waited {
	struct waited *prev, *next;
	int fd;
	/* Written by who serves the connection, at each request and without a lock. */
	_Atomic int64_t until;
	atomic_bool busy;
};

int patience_new(struct patience **out, struct err *e); /* starts a thread */
void patience_free(struct patience *p); /* nothing is waited for any more; NULL is fine */

/*
 * until is of clock_ms; it is looked at once a second. fd stays open, and *w where it is, until
 * patience_remove. A connection is added, spoken of and removed by one thread.
 */
void patience_add(struct patience *p, struct waited *w, int fd, int64_t until);
void patience_until(struct waited *w, int64_t until);
void patience_remove(struct patience *p, struct waited *w);

/* Whether a request is under way on it; on none when it is added. */
void patience_busy(struct waited *w, bool busy);
/* Whether one is on any. */
bool patience_any_busy(struct patience *p);

#endif
