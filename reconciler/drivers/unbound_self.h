/* What the two halves of the unbound driver share: the running resolver and the include file. */
#ifndef JMESH_RECONCILER_DRIVERS_UNBOUND_SELF_H
#define JMESH_RECONCILER_DRIVERS_UNBOUND_SELF_H

#include "reconciler/drivers/unbound.h"
#include "reconciler/unbound.h"

/* What the last read saw in a scope, and what was done to it since. */
struct unbound_scope {
	const char *name; /* "live ZONE" or "saved ZONE" */
	bool read;
	struct local_zone zone;
};

/* The zone that the include file still tells and that is wanted no more. */
struct unbound_old {
	const char *zone; /* NULL: there is none */
	const char *live; /* its scopes; NULL: nothing of it is to be done there */
	const char *saved;
	bool lives; /* perhaps: until it is known to be gone the file must tell of it */
};

struct unbound {
	const struct port *port;
	const struct unbound_conf *conf;
	struct arena *arena;
	struct unbound_scope live, saved;
	struct unbound_old old;
};

/* A change of a record, and whose name it takes records from. */
struct edit {
	const struct change *change;
	const char *name;
};

struct edits {
	struct edit *v;
	size_t n, cap;
};

/*
 * Takes the changes of records into s: what leaves it, what enters. removed gets the changes whose
 * name loses a record; added those that bring one. What is no record of ours goes to failed.
 */
void unbound_edit(struct unbound *u, struct unbound_scope *s, const struct change *const *changes,
	size_t n, struct edits *removed, struct edits *added, struct failures *failed);

void unbound_fail(const struct change *const *changes, size_t n, struct failures *failed,
	const struct err *e);

/* What is there of a zone, in the driver's arena. */
int unbound_live_read(struct unbound *u, const char *zone, struct local_zone *out, struct arena *a,
	struct err *e);
/* Removes a zone with its records. */
int unbound_live_drop(struct unbound *u, const char *zone, struct arena *a, struct err *e);
void unbound_live_apply(struct unbound *u, const struct change *const *changes, size_t n,
	struct arena *a, struct failures *failed);
int unbound_live_withdraw(struct unbound *u, struct arena *a, struct err *e);

#endif
