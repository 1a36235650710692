/* What the two Yggdrasil drivers share: a node's files and its admin socket. Theirs alone. */
#ifndef JMESH_RECONCILER_DRIVERS_YGGDRASIL_NODE_H
#define JMESH_RECONCILER_DRIVERS_YGGDRASIL_NODE_H

#include "base/hjson.h"
#include "reconciler/drivers/yggdrasil.h"

/* Who a node is, by its key file or else by the key in its configuration. */
struct node_key {
	const char *path; /* of the key file */
	struct pubkey key;
	bool known;   /* key is set */
	bool in_file; /* the key file is there; false with known: it has yet to be written */
	bool failed;  /* err says why */
	struct err err;
};

struct yggdrasil {
	const struct port *port;
	struct arena *a;
	struct strs
		seen; /* nodes of the identity driver's last read; none once that is out of date */
	struct node_key *seen_keys;
};

/* A configuration file. Private keys in it are masked (base/port.h). */
struct node_conf {
	const char *path;
	const char *text; /* NULL: there is no file */
	struct hjson h;   /* empty without a file */
};

/* Looks that are put together with others, and what came of them. */
struct look node_look_conf(const struct yggdrasil *y, const char *node, struct arena *a);
struct look node_look_key(const char *node);
struct look node_look_state(const char *node);
struct look node_look_ask(
	const struct yggdrasil *y, const char *node, const char *request, struct arena *a);
int node_conf_seen(const struct look *v, struct arena *a, struct node_conf *out, struct err *e);
void node_key_seen(
	const struct yggdrasil *y, const struct look *v, struct arena *a, struct node_key *out);

/* What could not be looked at at all has rc -1 in each. */
void node_look(const struct yggdrasil *y, struct look *v, size_t n, struct arena *a);

/* Single looks. */
int node_conf_read(const struct yggdrasil *y, const char *node, struct arena *a,
	struct node_conf *out, struct err *e);
/* 0, or -1 with failed and err set. */
int node_key_read(
	const struct yggdrasil *y, const char *node, struct arena *a, struct node_key *out);
/* One question to the admin socket; uri may be NULL. 1: nobody listens there. */
int node_ask(const struct yggdrasil *y, const char *node, const char *request, const char *uri,
	struct arena *a, const char **reply, struct err *e);

/* 1: the configuration holds a private key. 0: none. -1: something else stands in its place. */
int node_conf_has_key(const struct node_conf *conf, struct err *e);

/* Whether the identity driver's last read has told why it cannot look at the node's key. */
bool node_key_complained(const struct yggdrasil *y, const char *node);

/* The keys of all the nodes in one look. In the arena, in the order of nodes. */
struct node_key *node_keys_read(
	const struct yggdrasil *y, const struct strs *nodes, struct arena *a);

/* Nodes that share a key fail, each with an error that names both. */
void node_keys_compare(const struct strs *nodes, struct node_key *keys);

/* Refuses a yggdrasil at the node's place that is missing or too old. */
int node_check_program(const struct yggdrasil *y, const char *node, struct arena *a, struct err *e);

/* The overlay driver's read. */
void node_overlay_read(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed);

extern const struct driver_ops yggdrasil_identity_ops, yggdrasil_overlay_ops;

#endif
