/*
 * mesh.lock: every peer's roster as last obtained (DESIGN section 2). It holds no secret: of a code
 * only a digest is kept. Pure: where the file is and how it is replaced is pairing/store.h.
 *
 * {"format":1,"mesh":"laptop","peers":[{"name":"office","role":"create","code":"16 hex digits",
 *  "told":"roster_digest of ours","paired_at":1700000000,"sealed":true,"instance":"server",
 *  "made":1700000000000,"jails":[{"name":…,"address":…,"public_key":…}]}]}
 */
#ifndef JMESH_BASE_LOCK_H
#define JMESH_BASE_LOCK_H

#include <stdint.h>

#include "base/code.h"
#include "base/roster.h"

struct lock_peer {
	const char *name;  /* this user's name for the peer */
	const char *role;  /* "create", "join" or "rendezvous"; NULL: not known */
	const char *code;  /* code_digest of the code that was used; NULL: not known */
	const char *told;  /* roster_digest of our roster as the peer has it */
	int64_t paired_at; /* seconds since 1970 */
	bool sealed; /* the roster was proved; false: whoever ran the relay could have written it */
	const char *instance; /* sealed: what the peer calls itself, a label; else NULL */
	int64_t made; /* sealed: when it made its message, milliseconds since 1970; else 0 */
	struct roster roster;
};

enum { LOCK_BYTES_MAX = 64 * 1024 * 1024, LOCK_PEERS_MAX = 65536 };

struct lock {
	const char *mesh; /* the instance's name */
	struct lock_peer *peers;
	size_t n, cap;
};

/*
 * As strict as roster_parse, and no address may belong to two peers. An empty file or a format that
 * is not known is an error (ERR_CONFIG), never an empty lock.
 */
int lock_parse(const char *json, size_t len, struct arena *a, struct lock *out, struct err *e);

/* Indented by two spaces, a newline at the end, peers sorted by name: made for version control. */
const char *lock_format(const struct lock *l, struct arena *a);

const struct lock_peer *lock_find(const struct lock *l, const char *peer); /* NULL: none */

/* Adds or replaces the peer of that name. */
void lock_put(struct lock *l, struct arena *a, const struct lock_peer *peer);

/* Removes the peer of that name if it is there. */
void lock_drop(struct lock *l, const char *peer);

/* 16 hexadecimal digits of a pairing code. */
const char *code_digest(const char *code, struct arena *a);

#endif
