/*
 * The registry of a Jailrun: kind pairing; a scope is a peer, its items are "recorded JAIL". Its read tells of
 * every peer that the state has, whatever scopes it is asked for.
 */
#ifndef JMESH_RECONCILER_DRIVERS_JAILRUN_H
#define JMESH_RECONCILER_DRIVERS_JAILRUN_H

#include "base/jailrun.h"
#include "reconciler/drivers/driver.h"

struct jailrun_registry {
	const struct jailrun_store *store;
	struct strs joined; /* peers with whom a code of theirs was used */
	int64_t now;        /* seconds since 1970: when a new peer is recorded as paired */
};

/* All of it must outlive the driver. */
void jailrun_driver(struct driver *out, const struct jailrun_registry *conf, struct arena *a);

#endif
