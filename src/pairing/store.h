/*
 * STATE_DIR/pending.json (0600): the pairings that wait for the other side, and what resumes them. It is
 * read and replaced under the state lock; the lock file's functions are in handshake.h.
 *
 * {"format":1,"pairings":[{"peer":"office","role":"create","relay":"https://…","code":"…","token":"…",
 *  "told":"roster_digest","created_at":N},{"peer":"studio","role":"join","relay":"https://…","code":"…",
 *  "key":"…","sent":"{\"jails\":…}","told":"roster_digest","created_at":N}]}
 */
#ifndef JMESH_PAIRING_STORE_H
#define JMESH_PAIRING_STORE_H

#include "pairing/handshake.h"

struct record {
	const char *peer;
	enum handshake_role role;
	const char *relay; /* its URL: a code means nothing elsewhere */
	const char *code;
	const char
		*token; /* create: makes reading the answer repeatable; NULL: the relay gave none */
	const char *key;  /* join: makes joining repeatable */
	const char *sent; /* join: the body that goes with the key */
	const char *told; /* roster_digest of the roster that was or will be sent */
	int64_t created_at;
};

struct records {
	struct record *v;
	size_t n, cap;
};

const char *role_name(enum handshake_role role); /* "create", "join" */

/* A file that is no pending.json is an error that says how to go on; a missing one is empty. */
int records_load(const char *state_dir, struct arena *a, struct records *out, struct err *e);
int records_save(const char *state_dir, const struct records *r, struct arena *a, struct err *e);

struct record *records_find(const struct records *r, const char *peer); /* NULL: none */
void records_put(struct records *r, struct arena *a, const struct record *rec);
void records_drop(struct records *r, const char *peer);

#endif
