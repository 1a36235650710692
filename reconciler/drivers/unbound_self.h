/* What the parts of the unbound driver share: the running resolver and the include file. */
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

/* All that a read looks at, so that it can look at once. */
enum { SEEN_INCLUDE, SEEN_CONFIG, SEEN_ZONES, SEEN_DATA, SEEN };

struct unbound {
	const struct port *port;
	const struct unbound_conf *conf;
	struct arena *arena;
	struct unbound_scope live, saved;
	struct unbound_old old;
	struct look seen[SEEN];
};

/* Looks at the things from first to last. -1: at none of them. */
int unbound_look(struct unbound *u, size_t first, size_t last, struct arena *a, struct err *e);

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

/* Whether the driver leaves a record alone: Jailrun's own. */
bool unbound_is_theirs(const struct unbound *u, const struct dns_record *r);

/* What was seen of a zone, in the driver's arena. */
int unbound_live_parse(struct unbound *u, const char *zone, struct local_zone *out, struct err *e);
/* Removes a zone with its records. */
int unbound_live_drop(struct unbound *u, const char *zone, struct arena *a, struct err *e);
void unbound_live_apply(struct unbound *u, const struct change *const *changes, size_t n,
	struct arena *a, struct failures *failed);
int unbound_live_withdraw(struct unbound *u, struct arena *a, struct err *e);

/* 0: the include file as it was seen, which is ours or has our block; 1: there is none. */
int unbound_file_seen(const struct unbound *u, const char **text, size_t *len, struct err *e);
/* What was seen of the file, into u->saved; *value: what the item "file" says, or NULL. */
int unbound_file_parse(struct unbound *u, const char **value, struct err *e);
void unbound_file_apply(struct unbound *u, const struct change *const *changes, size_t n,
	struct arena *a, struct failures *failed);
int unbound_file_withdraw(struct unbound *u, struct arena *a, struct err *e);
/* Whether the file may go: it is what is known of the old zone, and goes last. */
int unbound_check_old(const struct unbound *u, struct err *e);

#endif
