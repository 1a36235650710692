/*
 * What this side tells a peer, and what it makes of what the peer tells: sealed (seal.h), or as Jailrun does
 * it, where nobody proves anything.
 */
#ifndef JMESH_PAIRING_OFFER_H
#define JMESH_PAIRING_OFFER_H

#include "base/parcel.h"
#include "pairing/store.h"

/*
 * Fills rec: a fresh attempt at w, in that role, under that code (NULL: the relay gives one), with that
 * secret unless it is plain. ERR_CONFIG, or what the signing failed with.
 */
int offer_make(const struct handshake_conf *c, const struct handshake_want *w, enum seal_role as,
	const char *code, const struct secret *secret, struct arena *a, struct record *rec,
	struct err *e);

/* What came of it. */
struct obtained {
	struct roster roster;
	const char *instance; /* what the peer calls itself; NULL: nobody proved anything */
	int64_t made;         /* when it made its message, milliseconds since 1970 */
};

/* Whether its own offer is what this machine was given: one of an earlier run that was lost. */
enum offer { OFFER_THEIRS, OFFER_OURS };

/*
 * Opens the parcel that answers rec. ERR_REMOTE says what was wrong with it: nothing of it may be used
 * then. w has the secret where rec has none.
 */
int offer_open(const struct handshake_conf *c, const struct handshake_want *w,
	const struct record *rec, const struct parcel *parcel, struct arena *a,
	struct obtained *out, enum offer *whose, struct err *e);

#endif
