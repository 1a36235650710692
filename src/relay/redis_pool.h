/*
 * A Redis that is asked by many threads, each of which has a connection meanwhile, and whether it is well. Where a
 * connection breaks or an answer is none that the script gives, whoever asks is told so at once, until a thread of
 * the pool's own finds Redis to be well again. The log has a line when it goes and when it is back.
 */
#ifndef JMESH_RELAY_REDIS_POOL_H
#define JMESH_RELAY_REDIS_POOL_H

#include "base/arena.h"
#include "base/code.h"
#include "relay/redis_link.h"

enum { REDIS_ARGS_MAX = 12, REDIS_WATCH_MS = 1000 /* between looks at whether Redis is well */ };

/* A step of the script (redis_script.h): its words, and the pairing that it concerns. */
struct redis_step {
	struct arena *a;
	const char *pairing;
	struct redis_word args[REDIS_ARGS_MAX];
	size_t n;
};

/* code NULL: it concerns no pairing. */
struct redis_step redis_step(struct arena *a, const char *name, const char *code);
void redis_arg(struct redis_step *step, const char *s); /* lives as long as the step */
void redis_arg_number(struct redis_step *step, uint64_t n);

/* What it came to; in the step's arena, and of printable ASCII alone. */
struct redis_outcome {
	const char *status, *text;
	unsigned expired;
};

bool redis_outcome_is(const struct redis_outcome *out, const char *status);

struct redis_pool;

/*
 * Whether Redis is well is found out before it returns (some seconds at most). A Redis that is not is no error.
 */
struct redis_pool *redis_pool_new(const struct redis_where *where);
void redis_pool_free(struct redis_pool *p); /* nobody asks any more */

/*
 * False: it is not known whether the step was taken. fits tells whether an outcome is one that this step can
 * have; if not, it counts as none.
 */
bool redis_pool_take(struct redis_pool *p, const struct redis_step *step,
	bool (*fits)(const struct redis_outcome *out), struct redis_outcome *out);

bool redis_pool_is_up(struct redis_pool *p);

#endif
