#include "relay/metrics.h"

#include "base/text.h"

#define PREFIX "jmesh_relay_"

void metrics_request(struct metrics *m, enum route_kind route, int status)
{
	int class = status / 100;

	atomic_fetch_add(&m->requests[route][class > 0 && class < STATUS_CLASSES ? class : 0], 1);
}

void metrics_refused(struct metrics *m, enum refusal why)
{
	atomic_fetch_add(&m->refused[why], 1);
}

static void head(struct text *t, const char *name, const char *type, const char *help)
{
	text_addf(t, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void one(struct text *t, const char *name, const char *type, const char *help,
	unsigned long long value)
{
	head(t, name, type, help);
	text_addf(t, PREFIX "%s %llu\n", name, value);
}

static void add_pairings(struct text *t, const struct store_stats *store)
{
	one(t, "store_up", "gauge", "Whether the store of pairings answers.", store->up);
	one(t, "store_errors_total", "counter", "Calls that the store did not answer.",
		store->errors);
	if (store->up) {
		one(t, "pairings_open", "gauge", "Pairings that are neither collected nor expired.",
			store->open);
		one(t, "pairings_bytes", "gauge",
			"Bytes of memory that pairings hold, with those kept for repetitions.",
			store->bytes);
	}
	one(t, "pairings_created_total", "counter", "Pairings that were created.", store->created);
	one(t, "pairings_joined_total", "counter", "Pairings that were joined.", store->joined);
	one(t, "pairings_collected_total", "counter",
		"Pairings whose creator has read the joined roster.", store->collected);
	one(t, "pairings_expired_total", "counter",
		"Pairings that ended before they were collected.", store->expired);
}

static void add_requests(struct text *t, struct metrics *m)
{
	static const char *const classes[STATUS_CLASSES] = { "none", "1xx", "2xx", "3xx", "4xx",
		"5xx" };

	head(t, "requests_total", "counter",
		"Requests by route and status class; none: there was no answer.");
	for (int route = 0; route < ROUTES; route++)
		for (int class = 0; class < STATUS_CLASSES; class ++)
			text_addf(t, PREFIX "requests_total{route=\"%s\",class=\"%s\"} %llu\n",
				route == ROUTE_NONE ? "other" : route_name((enum route_kind)route),
				classes[class], atomic_load(&m->requests[route][class]));
}

static void add_refused(struct text *t, struct metrics *m)
{
	static const char *const names[REFUSALS] = {
		[REFUSED_CREATE] = "create",
		[REFUSED_JOIN] = "join",
		[REFUSED_POLL] = "poll",
		[REFUSED_OTHER] = "other",
		[REFUSED_CODES] = "wrong_codes",
		[REFUSED_CLIENT_PAIRINGS] = "client_pairings",
		[REFUSED_RELAY_PAIRINGS] = "relay_pairings",
		[REFUSED_CONNECTION] = "client_connections",
		[REFUSED_MEMORY] = "memory",
	};

	head(t, "refused_total", "counter", "Requests and connections that a limit refused.");
	for (int i = 0; i < REFUSALS; i++)
		text_addf(t, PREFIX "refused_total{limit=\"%s\"} %llu\n", names[i],
			atomic_load(&m->refused[i]));
}

const char *metrics_format(
	struct metrics *m, const struct store_stats *store, struct memory *memory, struct arena *a)
{
	struct text t = text_new(a);

	add_pairings(&t, store);
	add_requests(&t, m);
	add_refused(&t, m);
	one(&t, "connections_open", "gauge", "Connections that are open.",
		atomic_load(&m->connections));
	one(&t, "memory_bytes", "gauge",
		"Bytes of memory that are taken, with what is set aside for connections.",
		memory_used(memory));
	one(&t, "memory_max_bytes", "gauge", "Bytes of memory that may be taken.", memory->max);
	return t.s;
}
