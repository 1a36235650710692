/* What a peer is paired with by: codes that were passed on, and secrets that both sides have. */
#ifndef JMESH_CLI_PASS_H
#define JMESH_CLI_PASS_H

#include "base/code.h"
#include "cli/host.h"

/* A hook of the run (run.h): ctx is the host. */
int pass_find(void *ctx, const struct mesh_peer *peer, struct arena *a, const struct pass **pass,
	struct err *e);

#endif
