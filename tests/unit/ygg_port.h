/* A port in memory for the Yggdrasil drivers: files, answers of admin sockets, and a log of changes. */
#ifndef JMESH_TESTS_UNIT_YGG_PORT_H
#define JMESH_TESTS_UNIT_YGG_PORT_H

#include "base/port.h"

enum { YGG_FILES = 16, YGG_ANSWERS = 32 };

struct ygg_port {
	struct port port;
	struct port_ops ops;
	struct arena *a;
	struct {
		const char *path, *text; /* "/NODE/yggdrasil.key", "/NODE/yggdrasil.conf" */
		mode_t mode;
	} files[YGG_FILES];
	size_t n_files;
	struct {
		const char *node, *request, *reply; /* a reply of NULL: nobody listens */
	} answers[YGG_ANSWERS];
	size_t n_answers;
	struct strs running, listening;
	const char *version; /* what `yggdrasil -version` prints */
	const char
		*refused; /* writing there fails; "boot": so does having a node started at boot */
	const char *bad_key; /* the node whose key is refused */
	bool at_boot;        /* every node is started at boot */
	bool blind;          /* nothing can be looked at */
	unsigned n_looks;    /* round trips */
	struct text log;     /* a line each: write, create, remove, start, stop, boot, ask */
};

struct ygg_port *ygg_port_new(struct arena *a);
void ygg_port_file(struct ygg_port *p, const char *path, mode_t mode, const char *text);
const char *ygg_port_text(const struct ygg_port *p, const char *path); /* NULL: no such file */
mode_t ygg_port_mode(const struct ygg_port *p, const char *path);
void ygg_port_answer(struct ygg_port *p, const char *node, const char *request, const char *reply);

/* A node that runs as it should, with peerings (a JSON list of getpeers' entries). */
void ygg_port_runs(struct ygg_port *p, const char *node, const char *pubkey, const char *address,
	const char *version, const char *peers);

#endif
