/* What the commands share: the options, their exit statuses, and how they speak. */
#ifndef JMESH_CLI_CLI_H
#define JMESH_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "schema/mesh.h"

enum exit_status {
	EXIT_OK = 0,
	EXIT_ERROR = 1,
	EXIT_DIFFERENT = 2, /* diff found something */
	EXIT_WAITING = 3,   /* apply: converged but for a pairing that still waits */
	EXIT_SIGINT = 130,
};

struct options {
	const char *file; /* the mesh file; "-" is standard input */
	const char *lock; /* --lock, or NULL */
	bool json;
	bool verbose;
	bool pair;                 /* false with --no-pair */
	bool yes;                  /* --yes: take unauthenticated rosters as they come */
	int wait;                  /* --wait SECONDS */
	struct strs code;          /* --code PEER=CODE, as given */
	const char *peer;          /* teardown --peer, or NULL */
	bool forget;               /* teardown --forget */
	bool from_jailrun;         /* init --from-jailrun */
	const char *listen, *node; /* relay */
	const char *admin, *tls_cert, *tls_key, *store;
	struct strs trusted_proxy; /* relay --trusted-proxy, as given */
	int ttl;
	unsigned max_pairings, max_connections;
	unsigned workers;               /* 0: not given */
	size_t max_memory;              /* bytes; 0: not given */
	bool colour_out, colour_err;    /* a terminal, and NO_COLOR is not set */
	bool terminal_in, terminal_err; /* standard input and error are terminals */
};

/* A mesh file as it was read: problems are shown with the line they stand on. */
struct input {
	const char *name; /* as messages call it: the path, or "<stdin>" */
	const char *text;
	size_t len;
	bool again; /* a file, which can be read again */
};

/* Each command: its exit status. It has said everything itself. */
int cmd_validate(const struct options *o, struct arena *a);
int cmd_diff(const struct options *o, struct arena *a);
int cmd_apply(const struct options *o, struct arena *a);
int cmd_status(const struct options *o, struct arena *a);
int cmd_roster(const struct options *o, struct arena *a);
int cmd_teardown(const struct options *o, struct arena *a);
int cmd_init(const struct options *o, struct arena *a);
int cmd_relay(const struct options *o, struct arena *a);
int cmd_secret(const struct options *o, struct arena *a);

/* Reads FILE ("-": standard input), at most MESH_BYTES_MAX. ERR_CONFIG "FILE: is a directory" and so on. */
int input_read(const char *file, struct arena *a, struct input *out, struct err *e);

/* "FILE:LINE:COL: error: TEXT", the line, a caret, and the hint, for every problem. Escaped. */
void input_complain(
	FILE *to, bool colour, const struct input *in, const struct problem *problems, size_t n);

/*
 * Standard output up to here. Why it did not take it is remembered for the end: other calls would have set
 * another errno by then.
 */
void out_flush(void);

/* "jmesh: error: TEXT", escaped, to standard error. Returns EXIT_ERROR. */
int complain(const struct options *o, const struct err *e);

#endif
