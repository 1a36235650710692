/*
 * STATE_DIR/pending.json (0600): the pairings that wait for the other side, and what resumes them. It is
 * read and replaced under the state lock; the lock file's functions are in handshake.h.
 *
 * {"format":1,"pairings":[{"peer":"office","role":"create","relay":"https://…","code":"…","sealed":true,
 *  "secret":"…","token":"…","key":"…","sent":"{\"jails\":…}","told":"roster_digest","created_at":N},
 *  {"peer":"studio","role":"rendezvous","as":"join","relay":"https://…","code":"…","sealed":true,"key":"…",
 *  "sent":"{\"jails\":…}","told":"roster_digest","created_at":N}]}
 */
#ifndef JMESH_PAIRING_STORE_H
#define JMESH_PAIRING_STORE_H

#include "pairing/handshake.h"

struct record {
	const char *peer;
	enum handshake_role role;
	enum seal_role as; /* of a rendezvous either */
	const char *relay; /* its URL: a code means nothing elsewhere */
	const char *code;
	bool sealed;
	struct secret
		secret; /* sealed, HANDSHAKE_CREATE; whoever has a secret given keeps it elsewhere */
	/* Of who creates: makes reading the answer repeatable. NULL: not created yet, or the relay gave none. */
	const char *token;
	const char *key;  /* join, sealed: makes sending repeatable */
	const char *sent; /* join, sealed: the body that goes with the key */
	const char *told; /* roster_digest of the roster that was or will be sent */
	const char *got;  /* a plain roster that came and nobody has accepted yet; or NULL */
	int64_t created_at;
};

struct records {
	struct record *v;
	size_t n, cap;
};

const char *role_name(enum handshake_role role); /* "create", "join", "rendezvous" */

/* A file that is no pending.json is an error that says how to go on; a missing one is empty. */
int records_load(const char *state_dir, struct arena *a, struct records *out, struct err *e);
int records_save(const char *state_dir, const struct records *r, struct arena *a, struct err *e);

struct record *records_find(const struct records *r, const char *peer); /* NULL: none */
void records_put(struct records *r, struct arena *a, const struct record *rec);
void records_drop(struct records *r, const char *peer);

/* Whether both are one attempt: the same relay, code and key. Either may be NULL. */
bool record_is_same(const struct record *a, const struct record *b);

#endif
