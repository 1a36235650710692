/* The relay's log: one line a call on standard error. */
#ifndef JMESH_RELAY_LOG_H
#define JMESH_RELAY_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "relay/peer.h"

/*
 * Between the two, lines are gathered for a moment and written together by a thread of their own, so that
 * no request waits for standard error, but for a second where that takes too little; log_stop writes what is left,
 * for a second as well. Before and after, each is written at once. Lines that cannot be written are lost, and
 * counted: the log says how many once it can be written again.
 */
int log_start(struct err *e);
void log_stop(void); /* also where log_start failed or was not called */

/* "jmesh relay: " and the sentence; what is not ours in it must be escaped already. */
void log_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A request: the texts are constants of ours. status 0: it got no answer. */
void log_request(const struct peer *peer, const char *method, const char *route, int status,
	size_t bytes, int64_t microseconds);

#endif
