/*
 * Connections that take too long. libmicrohttpd closes one that is silent; one that sends or takes a byte now
 * and then it keeps for ever. Here each has so long from its beginning, or from its last answer, to
 * its next one; then it is shut down, whichever part of the request or of the answer is missing.
 */
#ifndef JMESH_RELAY_PATIENCE_H
#define JMESH_RELAY_PATIENCE_H

#include <stdint.h>

#include "base/err.h"

struct patience;
struct waited; /* a connection that is waited for */

/* Starts a thread. max is in milliseconds. */
int patience_new(struct patience **out, int64_t max, struct err *e);
void patience_free(struct patience *p); /* nothing is waited for any more; NULL is fine */

/* fd stays open until patience_remove. now is of clock_ms. Any thread may call these. */
struct waited *patience_add(struct patience *p, int fd, int64_t now);
void patience_renew(struct patience *p, struct waited *w, int64_t now);
void patience_remove(struct patience *p, struct waited *w);

#endif
