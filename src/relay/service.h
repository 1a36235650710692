/*
 * The three endpoints (DESIGN section 7) over the store, and the page for people, without HTTP's bytes: a request that is read
 * goes in, an answer comes out.
 */
#ifndef JMESH_RELAY_SERVICE_H
#define JMESH_RELAY_SERVICE_H

#include <pthread.h>

#include "base/arena.h"
#include "relay/limit.h"
#include "relay/metrics.h"
#include "relay/route.h"
#include "relay/store.h"

struct service {
	struct store *store;
	struct clients *clients;
	struct metrics *metrics;
	/*
	 * Every function here takes it: any may be called in any thread. It is not held while a store that
	 * is elsewhere is asked.
	 */
	pthread_mutex_t *lock;
	struct memory *memory; /* needs no lock */
};

struct request {
	enum method method;
	struct route route;
	struct network from;
	const char *token; /* of the Authorization header; NULL: none */
	/* The Idempotency-Key header; NULL: none. Ignored where a pairing is created without a code. */
	const char *key;
	/* That of from, where it has a connection open and so is not forgotten; NULL: it is looked for. */
	struct client *client;
};

/* Answers of which status, headers and body are always the same. */
enum fixed_answer { FIXED_NONE, FIXED_WAITING, FIXED_GONE, FIXED_PAGE, FIXED_ANSWERS };

struct answer {
	int status;       /* 0: none yet */
	const char *type; /* of the body; NULL: plain text */
	const char *body;
	const char *allow, *policy; /* NULL where the header is not sent */
	size_t len;
	int retry_after;         /* seconds; 0: not sent */
	enum fixed_answer fixed; /* FIXED_NONE: it is none of them */
};

/*
 * What can be said before the body is read; length is the body's if it is announced, else 0. Leaves
 * status 0 where the body is needed, or memory. Every request passes here once: it is counted against its client.
 */
void service_begin(const struct service *s, const struct request *r, uint64_t length, int64_t now,
	struct answer *out);

/* The answer when the whole body is there. The answer's body lives in the arena. */
void service_answer(const struct service *s, const struct request *r, const char *body, size_t len,
	int64_t now, struct arena *a, struct answer *out);

/*
 * Whether that network may have one more connection, and counting one until it is given back. Not the same
 * call: a connection that is let in may never come to be. Several may be let in at the same time, so that a
 * connection may be found to be over the limit when it is counted; a proxy's is not.
 */
bool service_may_connect(const struct service *s, const struct network *from, int64_t now);
struct client *service_connect(const struct service *s, const struct network *from, bool is_proxy,
	int64_t now, bool *over);
void service_disconnect(const struct service *s, struct client *client);

/* Whether pairings can be served: the store was there when it was asked last. */
bool service_is_up(const struct service *s);

/* What was counted, for Prometheus. */
const char *service_metrics(const struct service *s, int64_t now, struct arena *a);

/* The answer where there is no memory for a request, which it counts. */
void answer_no_memory(const struct service *s, struct answer *out);

/* The answer to a body beyond ROSTER_BYTES_MAX, and to a request that is refused for that reason, a constant. */
void answer_too_large(struct answer *out);
void answer_bad_request(struct answer *out, const char *why);

#endif
