/*
 * A roster: the jails of an instance, as a pairing exchanges them. Whoever sent it is hostile, so it is
 * taken whole or refused whole (DESIGN section 6.1).
 */
#ifndef JMESH_BASE_ROSTER_H
#define JMESH_BASE_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"

enum {
	ROSTER_JAILS_MAX = 1024,
	ROSTER_BYTES_MAX = 256 * 1024,
};

struct roster_jail {
	const char *name; /* a label in lower case */
	struct addr addr; /* in 200::/8 */
	bool has_key;     /* never in a roster from a relay; a lock or a mesh file may have it */
	struct pubkey key;
	int line; /* in the mesh file; 0 elsewhere */
};

struct roster {
	struct roster_jail *jails;
	size_t n;
};

struct cJSON;

/*
 * Reads {"jails":[{"name":…,"ygg_address":…}, …]} (Jailrun's protocol). Other keys of the object and of
 * a jail are ignored, as Jailrun's own client does; a duplicate of the keys that matter is refused.
 * Refused: what is no JSON or has text behind it, more than ROSTER_BYTES_MAX bytes, a NUL in a string,
 * none or more than ROSTER_JAILS_MAX jails, a name that is no label, an address that is not the
 * canonical spelling of one in 200::/8, a name or address that comes twice. ERR_REMOTE.
 */
int roster_parse(const char *json, size_t len, struct arena *a, struct roster *out, struct err *e);

/*
 * As roster_parse, and faster by the tree of JSON that it does not build, for a roster as jmesh and Jailrun write it:
 * these keys in this order and no others, names in lower case, nothing escaped, and behind a bracket, a brace, a colon
 * or a comma at most one blank or newline. false: it is written otherwise or is no roster, and *out is untouched.
 */
bool roster_read_usual(const char *json, size_t len, struct arena *a, struct roster *out);

/* The same for an array that is already parsed. */
int roster_of_json(const struct cJSON *jails, struct arena *a, struct roster *out, struct err *e);

/*
 * The same for the lock's form of it: "address" in place of "ygg_address", and a "public_key" that, where
 * it is given, must be the one that the address derives from. ERR_CONFIG.
 */
int roster_of_lock(const struct cJSON *jails, struct arena *a, struct roster *out, struct err *e);

/* Whether no name and no address comes twice; an error of that code where one does. */
int roster_unique(const struct roster *r, struct arena *a, enum err_code code, struct err *e);

/* {"jails":[…]} in the order of the roster, no key, no newline. */
const char *roster_format(const struct roster *r, struct arena *a);

/* Whether an address of r is in others; the error names both ("'web' has the address of our own jail
 * 'db'": whose is "our own jail" or "peer 'office''s jail"). ERR_REMOTE. */
int roster_disjoint(
	const struct roster *r, const struct roster *others, const char *whose, struct err *e);

/* Sorted by name. */
void roster_sort(struct roster *r);

/* 16 hexadecimal digits that change when a name or an address does; the order does not matter. */
const char *roster_digest(const struct roster *r, struct arena *a);

#endif
