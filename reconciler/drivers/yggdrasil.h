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

/* The node's public key from its key file. 0: read. 1: it has none yet. -1: unreadable or wrong. */
int yggdrasil_identity(struct yggdrasil *y, const char *node, struct arena *a, struct identity *out,
	struct err *e);

/* For status: what the running node itself says. */
struct yggdrasil_status {
	const char *version;
	struct addr addr;
	struct yggdrasil_peering *peerings;
	size_t n;
};

/* 0: asked. 1: it does not run. */
int yggdrasil_status(struct yggdrasil *y, const char *node, struct arena *a,
	struct yggdrasil_status *out, struct err *e);

#endif
