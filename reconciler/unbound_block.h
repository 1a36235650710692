/*
 * Jailrun's configuration of its resolver, jrun.conf (Jailrun 0.9.0), of which the lines between two marks,
 * which may be indented, are the names of peers. Everything else in it is Jailrun's: the zone, the names of its
 * own jails, which are those beneath local.ZONE, and every A record. Pure.
 */
#ifndef JMESH_RECONCILER_UNBOUND_BLOCK_H
#define JMESH_RECONCILER_UNBOUND_BLOCK_H

#include "reconciler/unbound.h"

#define BLOCK_BEGIN "# BEGIN JRUN PEERS"
#define BLOCK_END "# END JRUN PEERS"

/* Whether a record of the zone is Jailrun's own, wherever it stands. */
bool unbound_block_is_theirs(const struct dns_record *r, const char *zone);

/* What the file says of a name's zone: that of its local-zone outside the block, NULL without one. */
const char *unbound_block_zone(const char *text, size_t len, const char *zone, struct arena *a);

/*
 * The records of the block; none where it is missing. *as_generated: it has nothing but lines as Jailrun
 * writes them, in any order. ERR_CONFIG unless both marks are there once and in order, or neither is.
 */
int unbound_block_parse(const char *text, size_t len, const char *zone, struct arena *a,
	struct local_zone *out, bool *as_generated, struct err *e);

/*
 * The text with these records (sorted, each checked by dns_record_check, none of them theirs) in the block
 * and nothing else: lines that stay keep their place, new ones follow. A block that is missing is made before
 * the first "forward-zone:" that begins a line, else at the end; one without records goes with its marks.
 * ERR_CONFIG as above.
 */
int unbound_block_edit(const char *text, size_t len, const char *zone,
	const struct dns_records *records, struct arena *a, struct text *out, struct err *e);

#endif
