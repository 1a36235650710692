/* The relay's log: one line a call on standard error. */
#ifndef JMESH_RELAY_LOG_H
#define JMESH_RELAY_LOG_H

#include <stddef.h>
#include <stdint.h>

/* "jmesh relay: " and the sentence; what is not ours in it must be escaped already. */
void log_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A request: all texts are constants of ours or an address. status 0: it got no answer. */
void log_request(const char *peer, const char *method, const char *route, int status, size_t bytes,
	int64_t microseconds);

#endif
