/*
 * The Yggdrasil driver, in two: identity (key files) and overlay (configuration, daemon, peerings).
 * A scope is a node.
 */
#ifndef JMESH_RECONCILER_DRIVERS_YGGDRASIL_H
#define JMESH_RECONCILER_DRIVERS_YGGDRASIL_H

#include "base/addr.h"
#include "reconciler/drivers/driver.h"
#include "reconciler/yggdrasil.h"

/* Who a node is. */
struct identity {
	const char *node;
	struct pubkey key;
	struct addr addr;
};

struct yggdrasil;

struct yggdrasil *yggdrasil_new(const struct port *port, struct arena *a);
void yggdrasil_identity_driver(struct yggdrasil *y, struct driver *out);
void yggdrasil_overlay_driver(struct yggdrasil *y, struct driver *out);

struct identified {
	int rc; /* 0: id is set. 1: the node has no key yet. -1: err says what is wrong with it */
	struct identity id;
	struct err err;
};

/*
 * Who the nodes are, in their order, in one look; or in none where the identity driver read all of them
 * and no key was made since.
 */
struct identified *yggdrasil_identities(
	struct yggdrasil *y, const struct strs *nodes, struct arena *a);

/* For status: what the running node itself says. */
struct yggdrasil_status {
	int rc; /* 0: asked. 1: it does not run. -1: err says why it could not be asked */
	struct err err;
	const char *version;
	struct addr addr;
	struct yggdrasil_peering *peerings;
	size_t n;
};

/* Of all the nodes, in their order, in one look. */
struct yggdrasil_status *yggdrasil_statuses(
	struct yggdrasil *y, const struct strs *nodes, struct arena *a);

#endif
