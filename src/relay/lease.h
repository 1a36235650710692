/*
 * Who has how many pairings open in a store that is elsewhere, as far as this relay knows: a pairing counts from
 * when it was created here until it is read here, or its time to live is over.
 */
#ifndef JMESH_RELAY_LEASE_H
#define JMESH_RELAY_LEASE_H

#include "base/code.h"
#include "relay/limit.h"

struct leases;

/* At most max at a time; for one more the oldest ends early. clients must outlive them. */
struct leases *leases_new(struct clients *clients, unsigned max);
void leases_free(struct leases *ls); /* NULL is fine */

/* The pairing of that code counts for c, which client_open has counted already, until that time. */
void lease_add(struct leases *ls, const char code[CODE_TEXT], struct client *c, int64_t until);

/* It counts no more; where there is none nothing happens. */
void lease_end(struct leases *ls, const char code[CODE_TEXT]);

/* Ends those whose time is over. */
void leases_expire(struct leases *ls, int64_t now);

#endif
