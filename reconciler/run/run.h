/*
 * One run of jmesh over a host: observe, plan, carry out in DESIGN's order, observe again.
 *
 * A run reaches the host through drivers and a port, and whatever concerns the lock file, the state
 * lock and the relay through hooks, which the command line provides.
 */
#ifndef JMESH_RECONCILER_RUN_RUN_H
#define JMESH_RECONCILER_RUN_RUN_H

#include "base/code.h"
#include "base/lock.h"
#include "base/port.h"
#include "reconciler/diff.h"
#include "reconciler/drivers/yggdrasil.h"
#include "reconciler/want.h"
#include "schema/mesh.h"

/* A peer that a pairing is needed with. */
struct run_need {
	const struct mesh_peer *peer;
	const struct pass *pass; /* for PAIR_JOIN and PAIR_RENDEZVOUS; NULL: nobody gave one */
	const char *why;
};

struct run_pending {
	const char *peer, *code;
};

/* What a round of pairing came to; the lists grow in the run's arena. */
struct run_paired {
	struct strs paired; /* peers */
	struct run_pending *waiting;
	size_t n_waiting;
};

struct run_hooks {
	void *ctx;
	int (*load_lock)(void *ctx, struct arena *a, struct lock *out, struct err *e);
	int (*save_lock)(void *ctx, const struct lock *lock, struct arena *a, struct err *e);
	/* The state lock: taken for whatever changes this host, never while a relay is polled. */
	int (*take)(void *ctx, struct err *e);
	void (*drop)(void *ctx);
	/* Handshakes. Failures of one peer go to failed. Called without the state lock. */
	int (*pair)(void *ctx, const struct run_need *needs, size_t n, const struct roster *ours,
		const struct roster *reserved, bool wait, struct arena *a, struct run_paired *out,
		struct failures *failed, struct err *e);
	/*
	 * What to pair with a peer by, from wherever the file says: the code, and the secret unless it is
	 * plain; of a rendezvous the code at which both meet. 0, also when there is none (*pass NULL).
	 */
	int (*pass)(void *ctx, const struct mesh_peer *peer, struct arena *a,
		const struct pass **pass, struct err *e);
	bool (*interrupted)(void *ctx);
};

struct run {
	const struct mesh *mesh;
	const struct port *port;
	struct arena *a;
	struct yggdrasil *yggdrasil;
	struct driver identity, overlay, firewall, dns;
	/* Of peers, kind pairing, which another program keeps; its scopes are peers. ops NULL: none. */
	struct driver registry;
	const struct run_hooks *hooks;
};

/* Everything that one look at the host tells. */
struct view {
	struct lock lock;
	struct strs nodes;  /* that the file wants and that can run, HOST_NODE first */
	struct strs strays; /* that jmesh once set up and the file no longer names */
	struct items wanted, observed;
	struct failures failed; /* scopes that could not be read */
	struct plan plan;
	struct run_need *needs;
	size_t n_needs;
	struct identity *ours; /* identities of our nodes that have one, HOST_NODE among them */
	size_t n_ours;
	struct strs claimed; /* addresses that a peer and one of our nodes both say they have */
	struct strs notices;
	struct strs
		stuck; /* nodes on another interface than their rules that could not be stopped */
};

/* Looks at the host and the lock and plans. Changes nothing. -1: nothing useful could be found out. */
int run_look(struct run *r, struct view *out, struct err *e);

/* Our own roster: the jails that have an identity, and one that nobody else has. */
struct roster run_roster(const struct run *r, const struct view *v);

struct report {
	struct plan done; /* the changes that were carried out, the pairings that came about */
	struct failures failed; /* what failed or still differs */
	struct run_pending *waiting;
	size_t n_waiting;
	struct strs notices;
	bool changed;
	bool interrupted;
};

/* Whether handshakes run, and whether those that wait for the other side are waited for. */
enum run_pair { RUN_PAIR_NOT, RUN_PAIR_ONCE, RUN_PAIR_WAIT };

/*
 * Carries out the plan's phases up to last, in its order; the pairings are left out. -1: the host cannot be
 * reached any more; the report says how far it came.
 */
int run_execute(struct run *r, struct view *v, enum phase last, struct report *out, struct err *e);

/* Converges. -1: it stopped as a whole; the report says how far it came. */
int run_apply(struct run *r, enum run_pair pair, struct report *out, struct err *e);

/*
 * Takes back what the file granted: addresses and their flows, names, then the nodes and their rules.
 * only: one peer's grants alone (NULL: everything).
 */
int run_teardown(struct run *r, const char *only, struct report *out, struct err *e);

#endif
