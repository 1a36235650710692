/*
 * The listener for who runs the relay: GET /healthz says that it serves, GET /metrics what it counted.
 * Plain HTTP, in a thread of its own; there are no addresses, codes and rosters in its answers.
 */
#ifndef JMESH_RELAY_ADMIN_H
#define JMESH_RELAY_ADMIN_H

#include "base/err.h"
#include "relay/service.h"

enum { ADMIN_CONNECTIONS = 16 };

struct admin;

/* Takes over listen_fd, also when it fails. What service points to must outlive it. */
int admin_start(struct admin **out, int listen_fd, const struct service *service, struct err *e);
void admin_stop(struct admin *a); /* NULL is fine */

#endif
