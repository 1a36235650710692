/*
 * The handshake (DESIGN section 7), client side: creates, joins and polls pairings at a relay, several
 * at once. What is obtained is checked (roster.h), then written to the lock, then reported.
 *
 * Files: the lock (lock.h) and STATE_DIR/pending.json (0600), both replaced atomically under the state
 * lock, which is taken only for that.
 */
#ifndef JMESH_PAIRING_HANDSHAKE_H
#define JMESH_PAIRING_HANDSHAKE_H

#include <stdbool.h>

#include "base/lock.h"
#include "base/roster.h"
#include "base/seal.h"
#include "base/text.h"

/* Of a rendezvous whoever comes first creates, and the other joins. */
enum handshake_role { HANDSHAKE_CREATE, HANDSHAKE_JOIN, HANDSHAKE_RENDEZVOUS };

struct handshake_want {
	const char *peer;
	enum handshake_role role;
	bool plain;                  /* Jailrun's own protocol: nobody proves anything */
	const char *code;            /* not with HANDSHAKE_CREATE */
	const struct secret *secret; /* where there is a code, unless it is plain */
};

enum handshake_status { HANDSHAKE_WAITING, HANDSHAKE_PAIRED, HANDSHAKE_FAILED };

struct handshake_result {
	enum handshake_status status;
	const char *code;     /* create: what to pass on (pass_format); NULL while there is none */
	struct roster roster; /* paired */
	struct err err;       /* failed */
};

struct handshake_conf {
	const char *mesh; /* the instance's name */
	const char *relay_url, *ca_file;
	const char *state_dir; /* exists */
	const char *lock_path;
	const struct roster *ours; /* what we tell */
	const struct roster
		*reserved; /* addresses that no peer may claim: ours, the host's, and those
	                                  of peers whose roster is in the mesh file */
	void *ctx;
	/*
	 * Signs the line (seal_statement) by the node of every jail of ours, in their order. Needed where
	 * a want is not plain.
	 */
	int (*sign)(void *ctx, const char *line, struct arena *a,
		uint8_t (*signatures)[SEAL_SIGNATURE], struct err *e);
	/*
	 * Whether a roster that nobody proved is to be let in. 1: yes. 0: no, and it is forgotten. -1: not
	 * now; a later run asks again. NULL: yes.
	 */
	int (*confirm)(void *ctx, const char *peer, const struct roster *theirs);
	/* A code is recorded and may be shown; resumed: an earlier call or another process made it, so it
	 * may have been shown before. NULL: nobody asks. */
	void (*on_code)(void *ctx, const char *peer, const char *code, bool resumed);
	/* Called about ten times a second while it waits. true: stop waiting now. NULL: nobody asks. */
	bool (*on_tick)(void *ctx, size_t waiting, int seconds_left);
};

/*
 * Carries out n wants; results[i] answers wants[i]. Returns when every one is paired or failed, when
 * one more than before is paired (so that the caller can grant it; call again for the rest), when
 * wait_s seconds have passed (0: every pairing is asked once). A hostile or unusable answer fails its own
 * want alone and changes no file; a code that the relay does not know any more is forgotten. A relay that
 * fails is tried again until then, and for 5 seconds in any case; not before the time that it asked for
 * (Retry-After, of which a minute is honoured), and not at all where that is later.
 *
 * -1: nothing could be done (the state cannot be read or written), or on_tick said so (ERR_INTERRUPTED;
 * within a second, the results tell how far it came). The caller must not hold the state lock.
 */
int handshake_run(const struct handshake_conf *c, const struct handshake_want *wants, size_t n,
	int wait_s, struct arena *a, struct handshake_result *results, struct err *e);

/*
 * The lock file. 0: read. 1: there is none, and *out is empty. It is an error when it is unreadable,
 * empty, or of another instance.
 */
int lock_load(const char *path, const char *mesh, struct arena *a, struct lock *out, struct err *e);
/* Who saves holds the state lock since before it loaded. */
int lock_save(const char *path, const struct lock *l, struct arena *a, struct err *e);

/* Pairings that wait for the other side. */
struct pending {
	const char *peer;
	enum handshake_role role;
	const char *code;
	const char *shown; /* what a person passes on or has passed on; of a rendezvous NULL */
	int64_t created_at;
};

/* 0: read, also when there are none. */
int pending_list(
	const char *state_dir, struct arena *a, struct pending **out, size_t *n, struct err *e);

/* Forgets the pending pairings of all peers that are not in keep (NULL: of all). Takes the state lock
 * where there is something to forget, so the caller must not hold it. */
int pending_prune(const char *state_dir, const struct strs *keep, struct err *e);

#endif
