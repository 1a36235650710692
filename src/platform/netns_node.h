/*
 * The nodes of the Linux platform: yggdrasil as a detached process in its jail's namespace, its files
 * in STATE_DIR/nodes/NODE. node is a jail's name or HOST_NODE. The contracts are those of struct
 * port_ops.
 */
#ifndef JMESH_PLATFORM_NETNS_NODE_H
#define JMESH_PLATFORM_NETNS_NODE_H

#include "base/port.h"

void netns_node_paths(
	const char *state_dir, const char *node, struct arena *a, struct node_paths *out);

/*
 * A node that runs elsewhere than in the namespace that has the jail's name now does not count. Where
 * no namespace has that name any more it does: it lives on in one without a name, and must be stopped.
 */
int netns_node_state(const char *state_dir, const char *node, struct arena *a,
	struct node_state *out, struct err *e);

/* Where it runs already nothing happens; one that runs elsewhere (see above) is stopped before. */
int netns_node_start(const char *state_dir, const char *node, struct err *e);
int netns_node_stop(const char *state_dir, const char *node, struct err *e);

#endif
