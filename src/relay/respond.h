/* Answers as libmicrohttpd's responses. */
#ifndef JMESH_RELAY_RESPOND_H
#define JMESH_RELAY_RESPOND_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "relay/service.h"

/* Answers that are always the same, made once. All NULL at first. */
struct responses {
	_Atomic(struct MHD_Response *) fixed[FIXED_ANSWERS];
};

void responses_free(struct responses *r);

/*
 * Queues the answer, of which a copy is made unless it is a fixed one; last: the connection is closed behind
 * it. MHD_NO where there is no memory or the connection is gone.
 */
enum MHD_Result respond(struct responses *r, struct MHD_Connection *connection,
	const struct answer *answer, bool last);

#endif
