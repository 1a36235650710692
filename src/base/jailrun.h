/*
 * Jailrun's own state, ~/.jrun/state.json (Jailrun 0.9.0): the jails of its machine and the peers that it is
 * paired with. Pure: where the file is and how it is locked is platform/jailrun.h.
 *
 * {"version": 1, "ssh_port": 2222, "jails": {"web": {"name": "web", "ip": "10.17.89.10", …}},
 *  "peers": [{"alias": "office", "direction": "init", "paired_at": "2026-11-23T12:00:00+00:00",
 *             "jails": [{"name": "db", "ygg_address": "200:…"}]}], …}
 *
 * Its rosters came from a relay and were believed, so they are taken for hostile.
 */
#ifndef JMESH_BASE_JAILRUN_H
#define JMESH_BASE_JAILRUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roster.h"

enum {
	JAILRUN_BYTES_MAX = 64 * 1024 * 1024,
	JAILRUN_SSH_PORT = 2222,  /* where the state tells none */
	JAILRUN_SYSTEM_NAME = 14, /* the size of a system name with its NUL */
};

struct jailrun_jail {
	const char *name;        /* a label in lower case */
	const char *system_name; /* what the machine calls it */
	const char *address;     /* canonical IPv4, or NULL */
};

struct jailrun_peer {
	/* A label in lower case, not "local"; of an entry that failed whatever tells it from the others. */
	const char *alias;
	struct roster roster; /* may be empty; no keys */
	bool failed;          /* err says what is wrong with the entry; its roster is empty */
	struct err err;
};

struct jailrun_state {
	struct jailrun_jail *jails; /* sorted by name */
	size_t n_jails;
	int ssh_port;
	struct jailrun_peer *peers; /* in the order of the file */
	size_t n_peers;
};

/*
 * ERR_CONFIG: no JSON, another version than 1, a jail whose name is no label or whose address is none,
 * a key that matters and comes twice. What is wrong with a peer is said of that peer alone.
 */
int jailrun_parse(
	const char *text, size_t len, struct arena *a, struct jailrun_state *out, struct err *e);

/* NULL: there is none. */
const struct jailrun_peer *jailrun_find(const struct jailrun_state *s, const char *alias);

/* "j" and the first 12 hexadecimal digits of the SHA-256 of the name. */
void jailrun_system_name(const char *name, char out[JAILRUN_SYSTEM_NAME]);

/* One jail of a peer as it is to be recorded. */
struct jailrun_change {
	const char *jail; /* a label in lower case */
	bool gone;
	struct addr addr;
};

struct jailrun_edit {
	const char *alias; /* a label in lower case, not "local" */
	const struct jailrun_change *changes;
	size_t n;
	/* Of an entry that is new. */
	bool joined;       /* with a code of theirs; else we began */
	int64_t paired_at; /* seconds since 1970 */
};

/*
 * The text with these jails of one peer recorded. A peer without jails goes; one that was not there comes
 * last. Only the value of the key "peers" is another (or that key is new, at the end); inside it, entries
 * that do not change keep their bytes, and those that do keep the keys that jmesh does not know.
 * ERR_CONFIG as jailrun_parse, and where that peer's entry is not in order.
 */
int jailrun_edit(const char *text, size_t len, const struct jailrun_edit *edit, struct arena *a,
	const char **out, size_t *out_len, struct err *e);

/*
 * How the state is reached. load takes no lock. update waits for Jailrun's lock (ERR_BUSY), hands change
 * what the file holds then, and replaces it by what change makes of it; the same text changes nothing.
 */
struct jailrun_store {
	void *self;
	const char *path; /* as errors call it */
	int (*load)(void *self, struct arena *a, const char **text, size_t *len, struct err *e);
	int (*update)(void *self,
		int (*change)(void *ctx, const char *text, size_t len, struct arena *a,
			const char **out, size_t *out_len, struct err *e),
		void *ctx, struct arena *a, struct err *e);
};

#endif
