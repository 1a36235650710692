/*
 * The port: everything through which drivers and pairing reach the world. The platform implements it
 * (src/platform), tests hand in fakes, and another implementation may put ssh between.
 *
 * A place is a jail's name, or NULL for the host itself. All functions return 0 or -1 with the error
 * set, unless their comment says more. Paths are absolute, as seen at that place.
 */
#ifndef JMESH_BASE_PORT_H
#define JMESH_BASE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* The scope and file name of the instance's own node. No jail may have this name. */
#define HOST_NODE "_host"

struct command {
	const char *jail;        /* NULL: the host */
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	const char *input;       /* standard input; NULL: empty */
	size_t input_len;
};

struct output {
	int status;      /* exit status; 128 + signal; -1: it did not run, and err says why */
	bool late;       /* status -1: it ran, but did not end in time */
	const char *out; /* standard output, NUL-terminated, at most 64 MiB (more: status -1) */
	size_t out_len;
	const char *err; /* the first 4 KiB of standard error, NUL-terminated, no final newline */
};

/* Where the files of a node are. */
struct node_paths {
	const char *dir; /* the folder that jmesh may create, 0700 */
	const char *key, *conf, *socket;
};

/* What is known of a node's process. */
struct node_state {
	bool running;
	bool astray; /* not running where its jail is, but where a former jail of that name was */
	pid_t pid;   /* 0: unknown on this platform */
	struct strs listening; /* "ADDR:PORT" of TCP listeners of the process, IPv6 in brackets */
	bool at_boot; /* the service is started at boot; where the platform has no such thing: true */
};

/* A node's public key. */
struct key_seen {
	bool in_file; /* the key file is there; false: only its configuration holds the key as yet */
	struct pubkey key;
};

/* A run of 128 hexadecimal digits is a private key (yggdrasil-go's PrivateKey). Where a file is looked
 * at, this stands in its place, as often: no private key passes through a port. */
#define KEY_MASKED 'x'
enum { KEY_HEX_PRIVATE = 128 };

/* An Ed25519 signature: its bytes, and the size of its hexadecimal digits with the NUL. */
enum { SIGNATURE_LEN = 64, SIGNATURE_HEX = 129 };

/*
 * A node signs with the key that LOOK_KEY tells of; that its file and its configuration hold different keys may
 * be seen by LOOK_KEY alone. The line has 1 to this many characters of printable ASCII.
 */
enum { SIGN_MAX = 100 };

enum look_kind {
	LOOK_RUN,  /* cmd, which changes nothing */
	LOOK_FILE, /* a file's text */
	LOOK_KEY,  /* a node's public key */
	LOOK_NODE, /* a node's process */
	LOOK_ASK,  /* one question to a Unix socket: 5 seconds, 16 MiB */
	LOOK_SIGN, /* a node's signature of a line, made where its key lives */
};

/* One thing to look at, and what was seen. */
struct look {
	enum look_kind kind;
	const char *place; /* a jail, NULL for the host; LOOK_KEY, LOOK_NODE, LOOK_SIGN: the node */
	const char *path;  /* of the file, or of the socket */
	size_t max;        /* LOOK_FILE: bytes; a larger file is an error */
	const char *request; /* LOOK_ASK; LOOK_SIGN: the line, up to SIGN_MAX characters */
	struct command cmd;  /* LOOK_RUN; its jail, not place, counts */

	/*
	 * 0: seen. 1: there is none: no such file, no key yet, nobody listens at the socket (no socket, or
	 * connection refused). -1: err says why not. LOOK_RUN is always 0: the output tells the rest.
	 */
	int rc;
	struct err err;
	struct output output; /* LOOK_RUN */
	const char *text; /* NUL-terminated: LOOK_FILE, LOOK_ASK; LOOK_SIGN: lower-case digits */
	size_t len;
	struct key_seen key;     /* LOOK_KEY */
	struct node_state state; /* LOOK_NODE */
};

/* What is always so on a platform. */
struct port_traits {
	bool saves_firewall; /* the rules are in a file as well, which is loaded at boot */
	bool boots_nodes;    /* nodes are services, which are to be started at boot */
	bool foreign_nodes;  /* keys, configurations and daemons of nodes are another program's */
};

struct port_ops {
	const char *name; /* "netns" */
	struct port_traits traits;

	/*
	 * Looks at n things in as few round trips as the platform can, side by side where that is possible.
	 * It changes nothing. -1 only when nothing could be looked at at all.
	 */
	int (*look)(void *self, struct look *v, size_t n, struct arena *a, struct err *e);

	/*
	 * Makes the key file (0600) of a node: from the key that its configuration holds, else a new
	 * one. It comes into being where it stays and is never replaced. 0: made, or there was one.
	 */
	int (*key_make)(void *self, const char *node, struct err *e);

	/* Has the node started at boot. Only where traits say boots_nodes. */
	int (*node_boot)(void *self, const char *node, struct err *e);

	/*
	 * The jails, in two sorted lists: those that run now, and those whose nodes have files of ours
	 * (HOST_NODE left out), also of jails that do not run any more.
	 */
	int (*jails)(void *self, struct arena *a, struct strs *running, struct strs *known,
		struct err *e);

	/*
	 * Runs n commands, side by side where that is possible; outs[i] answers cmds[i]. -1 only when
	 * nothing could be run at all. Each command has 30 seconds.
	 */
	int (*run)(void *self, const struct command *cmds, size_t n, struct arena *a,
		struct output *outs, struct err *e);

	/* Replaces or creates the file atomically (fsync, rename, fsync of the folder, which must exist). */
	int (*replace)(void *self, const char *jail, const char *path, const void *bytes,
		size_t len, mode_t mode, struct err *e);

	/* Creates the file atomically. 0: created. 1: it existed and is untouched. */
	int (*create)(void *self, const char *jail, const char *path, const void *bytes, size_t len,
		mode_t mode, struct err *e);

	/* 0: removed, or there was none. */
	int (*remove)(void *self, const char *jail, const char *path, struct err *e);

	/* Creates the folder and its parents where they are missing. */
	int (*mkdirs)(void *self, const char *jail, const char *path, mode_t mode, struct err *e);

	/* node is a jail's name or HOST_NODE. */
	void (*node_paths)(void *self, const char *node, struct arena *a, struct node_paths *out);
	/* Starts it detached, with its log in its folder, and returns when its admin socket answers or
	 * after 10 seconds with an error that ends in the last line of the log. */
	int (*node_start)(void *self, const char *node, struct err *e);
	/* SIGTERM, then waits up to 5 seconds, then SIGKILL. 0 when it does not run (any more). */
	int (*node_stop)(void *self, const char *node, struct err *e);

	/* -1: the host could not be reached (any more) and is not asked again; NULL where that cannot be. */
	int (*reached)(void *self, struct err *e);

	/* How often the host was asked something so far; NULL where that costs nothing worth counting. */
	size_t (*trips)(void *self);

	void (*close)(void *self);
};

struct port {
	const struct port_ops *ops;
	void *self;
};

/* The place of a scope: NULL for HOST_NODE, else the scope itself. */
const char *port_place(const char *scope);

/* Single looks. What there is many of is looked at in one call of look. */

/* 0: *text (NUL-terminated, keys masked) and *len are set. 1: there is no such file. Larger than max: -1. */
int port_read(const struct port *p, const char *place, const char *path, size_t max,
	struct arena *a, const char **text, size_t *len, struct err *e);

int port_node_state(const struct port *p, const char *node, struct arena *a, struct node_state *out,
	struct err *e);

/* 0: answered. 1: nobody listens there. */
int port_ask(const struct port *p, const char *place, const char *socket, const char *request,
	struct arena *a, const char **reply, struct err *e);

/*
 * Has every one of the n nodes sign the line, all in one look; signatures[i] is that of nodes[i]. The error
 * names the first node that did not. Whether a signature is the node's is for the caller to check.
 */
int port_sign(const struct port *p, const char *const *nodes, size_t n, const char *line,
	struct arena *a, uint8_t (*signatures)[SIGNATURE_LEN], struct err *e);

/* The bytes of a signature as LOOK_SIGN tells it; false: these are not its digits. */
bool signature_read(const char *hex, uint8_t out[SIGNATURE_LEN]);

/*
 * Runs one command that must succeed. On another status than 0 the error is "NAME: first line of
 * standard error" (or "NAME exited with N").
 */
int port_run(const struct port *p, const char *jail, const char *const *argv, const char *input,
	struct arena *a, struct output *out, struct err *e);

/* The error of a command that failed, as port_run words it; returns -1. */
int port_failed(const char *program, const struct output *out, struct err *e);

#endif
