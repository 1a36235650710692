#include "pairing/book.h"

#include <string.h>
#include <time.h>

#include "os/statelock.h"

enum { WAIT_S = 60 };

struct files {
	struct lock lock;
	struct records records;
};

static int files_read(
	const struct handshake_conf *c, struct arena *a, struct files *f, struct err *e)
{
	if (lock_load(c->lock_path, c->mesh, a, &f->lock, e) < 0)
		return -1;
	return records_load(c->state_dir, a, &f->records, e);
}

/* A record that this want can go on with. */
static bool fits(
	const struct handshake_conf *c, const struct handshake_want *w, const struct record *rec)
{
	return rec != NULL && rec->role == w->role && rec->sealed == !w->plain &&
		strcmp(rec->relay, c->relay_url) == 0 &&
		(w->role == HANDSHAKE_CREATE || strcmp(rec->code, w->code) == 0);
}

/*
 * What was not proved does not count where proof is wanted. A peer that was joined counts only by the same
 * code: a new code asks for a new roster.
 */
static bool is_paired(const struct handshake_want *w, const struct lock_peer *peer, struct arena *a)
{
	if (peer == NULL || (!w->plain && !peer->sealed))
		return false;
	if (w->role == HANDSHAKE_CREATE)
		return true;
	return peer->code != NULL && strcmp(peer->code, code_digest(w->code, a)) == 0;
}

static void find(const struct handshake_conf *c, const struct handshake_want *w,
	const struct files *f, struct arena *a, struct page *out)
{
	const struct lock_peer *peer = lock_find(&f->lock, w->peer);
	const struct record *rec = records_find(&f->records, w->peer);

	*out = (struct page){ .found = BOOK_NOTHING };
	if (is_paired(w, peer, a)) {
		out->found = BOOK_PAIRED;
		out->roster = peer->roster;
	} else if (fits(c, w, rec)) {
		out->found = BOOK_PENDING;
		out->rec = *rec;
	}
}

/* Both files, read under the state lock. */
static int begin(const struct handshake_conf *c, struct arena *a, struct statelock *held,
	struct files *f, struct err *e)
{
	if (statelock_take(held, c->state_dir, WAIT_S, NULL, NULL, e) < 0)
		return -1;
	if (files_read(c, a, f, e) == 0)
		return 0;
	statelock_drop(held);
	return -1;
}

int book_look(const struct handshake_conf *c, const struct handshake_want *w, struct arena *a,
	struct page *out, struct err *e)
{
	struct statelock held = STATELOCK_INIT;
	struct files f;

	if (begin(c, a, &held, &f, e) < 0)
		return -1;
	statelock_drop(&held);
	find(c, w, &f, a, out);
	return 0;
}

int book_record(const struct handshake_conf *c, const struct handshake_want *w,
	const struct record *old, const struct record *rec, struct arena *a, struct page *out,
	struct err *e)
{
	struct statelock held = STATELOCK_INIT;
	struct files f;
	int rc = 0;

	if (begin(c, a, &held, &f, e) < 0)
		return -1;
	find(c, w, &f, a, out);
	if (out->found == BOOK_NOTHING ||
		(out->found == BOOK_PENDING &&
			record_is_same(records_find(&f.records, w->peer), old))) {
		records_put(&f.records, a, rec);
		rc = records_save(c->state_dir, &f.records, a, e);
		*out = (struct page){ .found = BOOK_PENDING, .rec = *rec };
	}
	statelock_drop(&held);
	return rc;
}

/* DESIGN section 6.1: none is one of ours or another peer's. */
static int check(const struct handshake_conf *c, const struct handshake_want *w,
	const struct roster *theirs, const struct lock *lock, struct arena *a, struct err *e)
{
	int rc = roster_disjoint(theirs, c->ours, "our own jail", e);

	if (rc == 0 && c->reserved != NULL)
		rc = roster_disjoint(
			theirs, c->reserved, "this host or of a peer in the mesh file:", e);
	for (size_t i = 0; rc == 0 && i < lock->n; i++)
		if (strcmp(lock->peers[i].name, w->peer) != 0)
			rc = roster_disjoint(theirs, &lock->peers[i].roster,
				arena_printf(a, "peer '%s''s jail", lock->peers[i].name), e);
	return rc < 0 ? err_wrap(e, "roster refused") : 0;
}

/* Of a rendezvous, whose code stays the same: what is not newer than what is known is somebody's copy. */
static int check_made(const struct handshake_want *w, const struct obtained *theirs,
	const struct lock *lock, struct err *e)
{
	const struct lock_peer *known = lock_find(lock, w->peer);

	if (w->role != HANDSHAKE_RENDEZVOUS || known == NULL || theirs->made > known->made)
		return 0;
	return err_set(e, ERR_REMOTE, NOWHERE,
		"roster refused: the message of '%s' is not newer than the one in the lock: the "
		"relay "
		"gives out an old message, or the clock there was set back",
		w->peer);
}

/* The roster first: killed between the two, the next run finds it and needs no relay. */
static int keep(const struct handshake_conf *c, const struct handshake_want *w,
	const struct record *rec, const struct obtained *theirs, struct arena *a, struct files *f,
	struct err *e)
{
	struct lock_peer peer = {
		.name = w->peer,
		.role = role_name(w->role),
		.code = code_digest(rec->code, a),
		.told = rec->told,
		.paired_at = time(NULL),
		.sealed = theirs->instance != NULL,
		.instance = theirs->instance,
		.made = theirs->made,
		.roster = theirs->roster,
	};

	if (check(c, w, &theirs->roster, &f->lock, a, e) < 0 ||
		check_made(w, theirs, &f->lock, e) < 0)
		return -1;
	lock_put(&f->lock, a, &peer);
	return lock_save(c->lock_path, &f->lock, a, e);
}

int book_obtained(const struct handshake_conf *c, const struct handshake_want *w,
	const struct record *rec, const struct obtained *theirs, struct arena *a, struct page *out,
	struct err *e)
{
	struct statelock held = STATELOCK_INIT;
	struct files f;
	int rc = 0;

	if (begin(c, a, &held, &f, e) < 0)
		return -1;
	find(c, w, &f, a, out);
	if (out->found != BOOK_PAIRED) {
		rc = keep(c, w, rec, theirs, a, &f, e);
		*out = (struct page){ .found = BOOK_PAIRED, .roster = theirs->roster };
	}
	if (rc == 0 && record_is_same(records_find(&f.records, w->peer), rec)) {
		records_drop(&f.records, w->peer);
		rc = records_save(c->state_dir, &f.records, a, e);
	}
	statelock_drop(&held);
	return rc;
}

int book_forget(const struct handshake_conf *c, const struct handshake_want *w,
	const struct record *rec, struct arena *a, struct page *out, struct err *e)
{
	struct statelock held = STATELOCK_INIT;
	struct files f;
	int rc = 0;

	if (begin(c, a, &held, &f, e) < 0)
		return -1;
	if (record_is_same(records_find(&f.records, w->peer), rec)) {
		records_drop(&f.records, w->peer);
		rc = records_save(c->state_dir, &f.records, a, e);
	}
	find(c, w, &f, a, out);
	statelock_drop(&held);
	return rc;
}
