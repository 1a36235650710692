/* What the parts of the FreeBSD port share. Theirs alone. */
#ifndef JMESH_PLATFORM_FREEBSD_SELF_H
#define JMESH_PLATFORM_FREEBSD_SELF_H

#include "os/link.h"
#include "platform/freebsd.h"
#include "platform/freebsd_script.h"

#define FREEBSD_KEY "/usr/local/etc/yggdrasil.key"
#define FREEBSD_CONF "/usr/local/etc/yggdrasil.conf"
#define FREEBSD_SOCKET "/var/run/yggdrasil.sock"

enum {
	FREEBSD_CONF_MAX = 1 << 20,
	FREEBSD_REPLY_MAX = 16 << 20,
};

/* A jail's name and the host's name for it. */
struct freebsd_jail {
	const char *name, *system;
};

struct freebsd {
	const struct freebsd_conf *conf;
	struct link *link;
	struct arena *a; /* as long as the port */
	bool listed;     /* jails were asked for */
	struct freebsd_jail *running;
	size_t n_running, cap_running;
	struct strs late; /* jails where a command did not end in time */
};

/* Whether the jail ran when the jails were last asked for; before that it is thought to. */
bool freebsd_runs(const struct freebsd *f, const char *jail);

/*
 * As the run of a port, in one round trip. A command in a jail that does not run has status -1, and err
 * says so.
 */
int freebsd_batch(struct freebsd *f, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e);

/* The command `sh -c SCRIPT sh ARG...`; args end in NULL. */
struct command freebsd_command(
	const char *place, const char *script, const char *const *args, struct arena *a);

/* Runs one script, which must succeed. */
int freebsd_script(struct freebsd *f, const char *place, const char *script,
	const char *const *args, struct arena *a, struct output *out, struct err *e);

/* The error of a script that failed: the first line of what it said; returns -1. */
int freebsd_said(const struct output *out, struct err *e);

/* The error of an answer that no script of ours gives; returns -1. */
int freebsd_garbled(const char *place, struct err *e);

/* As in struct port_ops. */
int freebsd_look(void *self, struct look *v, size_t n, struct arena *a, struct err *e);
int freebsd_key_make(void *self, const char *node, struct err *e);
int freebsd_node_boot(void *self, const char *node, struct err *e);
int freebsd_node_start(void *self, const char *node, struct err *e);
int freebsd_node_stop(void *self, const char *node, struct err *e);

/*
 * The answers of the scripts, hostile text both. place is for the errors. 0, 1 and -1 as the rc of struct
 * look.
 */
int freebsd_parse_file(const struct output *out, size_t max, const char *place, struct arena *a,
	const char **text, size_t *len, struct err *e);
int freebsd_parse_key(const struct output *out, const char *place, struct arena *a,
	struct key_seen *key, struct err *e);
int freebsd_parse_sign(const struct output *out, const char *place, struct arena *a,
	const char **hex, struct err *e);
int freebsd_parse_node(const struct output *out, const char *place, struct arena *a,
	struct node_state *state, struct err *e);
int freebsd_parse_ask(const struct output *out, const char *place, struct arena *a,
	const char **text, size_t *len, struct err *e);

/* What jls(8) printed as JSON: every name, also such as no jail of ours has. */
int freebsd_parse_jls(
	const char *text, size_t len, struct arena *a, struct strs *names, struct err *e);

#endif
