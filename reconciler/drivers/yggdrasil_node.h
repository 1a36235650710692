/* What the two Yggdrasil drivers share: a node's files and its admin socket. Theirs alone. */
#ifndef JMESH_RECONCILER_DRIVERS_YGGDRASIL_NODE_H
#define JMESH_RECONCILER_DRIVERS_YGGDRASIL_NODE_H

#include "base/hjson.h"
#include "base/key.h"
#include "reconciler/drivers/yggdrasil.h"

struct yggdrasil {
	const struct port *port;
};

/* A configuration file. It may hold a private key: node_conf_wipe when done, and copy before. */
struct node_conf {
	const char *path;
	char *text; /* NULL: there is no file */
	size_t len;
	struct hjson h; /* empty without a file */
};

int node_conf_read(const struct yggdrasil *y, const char *node, struct arena *a,
	struct node_conf *out, struct err *e);
void node_conf_wipe(struct node_conf *conf);

/* The seed in the configuration, a secret. 0: there is one. 1: none. -1: no key. */
int node_conf_seed(const struct node_conf *conf, uint8_t seed[SEED_LEN], struct err *e);

/* Who a node is, by its key file or else by the key in its configuration. */
struct node_key {
	const char *path; /* of the key file */
	struct pubkey key;
	bool known;   /* key is set */
	bool in_file; /* the key file is there; false with known: it has yet to be written */
	bool failed;  /* err says why */
	struct err err;
};

/* 0, or -1 with failed and err set. */
int node_key_read(
	const struct yggdrasil *y, const char *node, struct arena *a, struct node_key *out);

/* The keys of all the nodes; those that share one fail. In the arena, in the order of nodes. */
struct node_key *node_keys_read(
	const struct yggdrasil *y, const struct strs *nodes, struct arena *a);

/* One question to the admin socket; uri may be NULL. 1: nobody listens there. */
int node_ask(const struct yggdrasil *y, const char *node, const char *request, const char *uri,
	struct arena *a, const char **reply, struct err *e);

/* Refuses a yggdrasil at the node's place that is missing or too old. */
int node_check_program(const struct yggdrasil *y, const char *node, struct arena *a, struct err *e);

extern const struct driver_ops yggdrasil_identity_ops, yggdrasil_overlay_ops;

#endif
