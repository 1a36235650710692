/* What the mesh file and the lock want, as items; and what a plan says of its own reasons. Pure. */
#ifndef JMESH_RECONCILER_WANT_H
#define JMESH_RECONCILER_WANT_H

#include "base/lock.h"
#include "base/port.h"
#include "reconciler/diff.h"
#include "reconciler/item.h"
#include "schema/mesh.h"

/* A node that is to run. */
struct want_node {
	const char *name; /* a jail's name or HOST_NODE */
	struct node_paths paths;
	int line;
};

/* One jail of a peer that is allowed in. */
struct grant {
	const char *peer;
	const struct roster_jail *jail;
	/* "address ADDR", the same behind "saved ", "PEER/JAIL": every node's items share them. */
	const char *key, *saved_key, *who;
	int line;
};

struct grants {
	struct grant *v; /* sorted by address */
	size_t n;
};

/*
 * The jails of every peer of the file: from the file where it writes a roster down, else from the lock.
 * An address that two jails claim is an error (ERR_CONFIG, at the peer's line).
 */
int want_grants(const struct mesh *mesh, const struct lock *lock, struct arena *a,
	struct grants *out, struct err *e);

/* Whose address it is; NULL: nobody's. */
const struct grant *want_grant_of(const struct grants *grants, const struct addr *addr);

/* Where it is wanted. */
struct want_host {
	struct port_traits traits;
	bool registry; /* another program keeps a registry of peers */
	const struct want_node *nodes;
	size_t n;
};

/* Everything that is wanted of the nodes, the resolver and the registry, sorted. */
void want_build(const struct mesh *mesh, const struct lock *lock, const struct grants *grants,
	const struct want_host *host, struct arena *a, struct items *out);

/* What the lock holds, as items of kind pairing. */
void want_lock_items(const struct lock *lock, struct items *out);

/*
 * Whether a peer needs a handshake: the lock has no roster of it, or one that nobody proved and the file
 * does not say plain, or code (NULL: not known) is another than the one the roster came by. *why says which.
 */
bool want_pairing(const struct mesh_peer *peer, const struct lock *lock, const char *code,
	struct arena *a, const char **why);

/* How a pairing with that peer is made: "create", "join" or "rendezvous", and whether nobody proves anything. */
const char *want_pair_word(const struct mesh_peer *peer);

/*
 * Drops the live settings of a node that the plan starts anyway, says which changes restart a node,
 * and names the peer and jail behind addresses and names that go.
 */
void plan_explain(
	struct plan *p, const struct mesh *mesh, const struct lock *lock, struct arena *a);

#endif
