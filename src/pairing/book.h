/*
 * What a handshake keeps, in the lock and in pending.json, so that a run that is killed at any instant
 * loses nothing and two runs at once agree. Each function takes the state lock (waiting up to a minute),
 * reads both files afresh, and lets go of it.
 */
#ifndef JMESH_PAIRING_BOOK_H
#define JMESH_PAIRING_BOOK_H

#include "pairing/offer.h"
#include "pairing/store.h"

enum book {
	BOOK_NOTHING, /* neither paired nor pending */
	BOOK_PENDING, /* *rec is the pairing to go on with */
	BOOK_PAIRED,  /* *roster is the peer's */
};

struct page {
	enum book found;
	struct record rec;
	struct roster roster;
};

/* What the files say about a want. A record for another role, relay or code does not count. */
int book_look(const struct handshake_conf *c, const struct handshake_want *w, struct arena *a,
	struct page *out, struct err *e);

/*
 * Records rec where nothing is, or in the place of old (NULL: nothing), unless another run was first: then *out
 * is what that one has.
 */
int book_record(const struct handshake_conf *c, const struct handshake_want *w,
	const struct record *old, const struct record *rec, struct arena *a, struct page *out,
	struct err *e);

/*
 * Checks the roster that rec obtained against all others, writes it to the lock, and then forgets rec.
 * Where another run was first, *out is what that one wrote.
 */
int book_obtained(const struct handshake_conf *c, const struct handshake_want *w,
	const struct record *rec, const struct obtained *theirs, struct arena *a, struct page *out,
	struct err *e);

/* The relay does not know rec's code any more: forgets it, unless another run has more. */
int book_forget(const struct handshake_conf *c, const struct handshake_want *w,
	const struct record *rec, struct arena *a, struct page *out, struct err *e);

#endif
