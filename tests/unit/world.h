/*
 * A host in memory for runs: drivers that read and change a list of items, a port that has the keys, and
 * hooks. What happens is in a log, a line each: "PHASE KIND SCOPE ACTION KEY", "withdraw KIND SCOPE", "stop
 * NODE", "pair PEER…".
 */
#ifndef JMESH_TESTS_UNIT_WORLD_H
#define JMESH_TESTS_UNIT_WORLD_H

#include "reconciler/run/run.h"
#include "tests/unit/ygg_port.h"

struct world_driver {
	struct world *world;
	enum item_kind kind;
};

struct world {
	struct arena *a;
	struct mesh mesh;
	struct lock lock;
	struct ygg_port *files;
	struct port port;
	struct port_ops port_ops;
	struct items live;
	struct strs running, known; /* jails; nodes that have files */
	struct world_driver drivers[4], registry;
	struct run run;
	struct run_hooks hooks;
	struct text log;
	/* Each NULL or "KIND SCOPE": cannot be read; "KIND SCOPE KEY": a change that fails, or does nothing. */
	const char *unreadable, *failing, *idle;
	bool unreadable_once; /* the next look succeeds */
	/* What the handshake obtains, for every peer that needs one; NULL: nobody has joined. */
	const struct roster *obtained;
	bool held; /* the state lock */
};

/* A host that has only what the mesh file's jails need to run. */
struct world *world_new(struct arena *a, const char *mesh);

/* Applies and returns what happened since the last call. */
const char *world_apply(struct world *w, enum run_pair pair, struct report *out);

/* The same of a teardown. */
const char *world_teardown(struct world *w, const char *only, struct report *out);

/* From now on there is a registry of peers. */
void world_register(struct world *w);

/* The address that a node's key gives; it has one from its first apply on. */
const char *world_address(struct world *w, const char *node);

#endif
