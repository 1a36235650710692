/* Answers as libmicrohttpd's responses. */
#ifndef JMESH_RELAY_RESPOND_H
#define JMESH_RELAY_RESPOND_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "relay/service.h"

/* Answers that are always the same but for the date, made once a second. */
struct responses {
	pthread_mutex_t lock;
	struct {
		struct MHD_Response *response; /* NULL: none yet */
		time_t second;                 /* that its date tells */
	} fixed[FIXED_ANSWERS];
};

void responses_init(struct responses *r);
void responses_free(struct responses *r);

/*
 * Queues the answer, of which a copy is made unless it is a fixed one; last: the connection is closed behind
 * it. MHD_NO where there is no memory or the connection is gone.
 */
enum MHD_Result respond(struct responses *r, struct MHD_Connection *connection,
	const struct answer *answer, bool last);

#endif
