/*
 * What a relay counts, and how Prometheus reads it (its text format, version 0.0.4). All of it may be
 * counted in one thread and formatted in another.
 */
#ifndef JMESH_RELAY_METRICS_H
#define JMESH_RELAY_METRICS_H

#include <stdatomic.h>

#include "base/arena.h"
#include "relay/limit.h"
#include "relay/route.h"
#include "relay/store.h"

/* What a request or a connection was refused for; the first ones are the budgets. */
enum refusal {
	REFUSED_CREATE = BUDGET_CREATE,
	REFUSED_JOIN = BUDGET_JOIN,
	REFUSED_POLL = BUDGET_POLL,
	REFUSED_OTHER = BUDGET_OTHER,
	REFUSED_CODES = BUDGETS, /* wrong ones, too many */
	REFUSED_CLIENT_PAIRINGS,
	REFUSED_RELAY_PAIRINGS,
	REFUSED_CONNECTION,
	REFUSED_MEMORY,
	REFUSALS,
};

/* Of a status: the hundreds, and 0 where there was no answer. */
enum { STATUS_CLASSES = 6 };

struct metrics {
	atomic_ullong requests[ROUTES][STATUS_CLASSES], refused[REFUSALS];
	atomic_uint connections; /* open */
};

void metrics_request(struct metrics *m, enum route_kind route, int status);
void metrics_refused(struct metrics *m, enum refusal why);

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

const char *metrics_format(
	struct metrics *m, const struct store_stats *store, struct memory *memory, struct arena *a);

#endif
