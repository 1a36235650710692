/* The pairings in a Redis or Valkey, so that several relays are one. */
#ifndef JMESH_RELAY_STORE_REDIS_H
#define JMESH_RELAY_STORE_REDIS_H

#include <pthread.h>

#include "relay/redis_where.h"
#include "relay/store.h"

/*
 * Each step is one script in Redis (redis_script.h), whose clock it goes by; now, where a function takes it, is only
 * for counting who has how many pairings open, which each relay does for those that were created at it (lease.h).
 * The limits of conf are those of all relays together.
 *
 * What becomes of it when Redis is slow, gone or something else is redis_pool.h's to say: functions then answer STORE_DOWN.
 *
 * lock guards clients; the store takes it where it needs it, and nobody who calls a function of it holds it.
 */
struct store *store_redis_new(const struct store_conf *conf, const struct redis_where *where,
	struct clients *clients, pthread_mutex_t *lock);

#endif
