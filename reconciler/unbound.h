/*
 * The texts of unbound (unbound.conf(5), unbound-control(8)): what it lists of its local data, what it
 * is told, and the include file that is jmesh's own. Pure. The zone is jmesh's own: every name at or
 * beneath it counts, other zones are never looked at.
 */
#ifndef JMESH_RECONCILER_UNBOUND_H
#define JMESH_RECONCILER_UNBOUND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* One record of class IN. */
struct dns_record {
	const char *name; /* in lower case, without the dot at the end */
	const char *type; /* in upper case: "AAAA" */
	const char *data; /* an address is canonical */
};

struct dns_records {
	struct dns_record *v;
	size_t n, cap;
};

struct local_zone {
	const char *type;   /* "static"; NULL: unbound has no such zone */
	struct strs nested; /* "NAME TYPE" of zones beneath it, which hide what ours says there */
	struct dns_records found; /* sorted by name, type and data, no duplicates */
};

/*
 * What `unbound-control list_local_zones` and `list_local_data` printed. Time to live is ignored, and
 * so are other classes than IN, which no resolver of names asks for. ERR_SYSTEM on what is no listing.
 */
int unbound_parse_zones(const char *text, size_t len, const char *zone, struct arena *a,
	struct local_zone *out, struct err *e);
int unbound_parse_data(const char *text, size_t len, const char *zone, struct arena *a,
	struct local_zone *out, struct err *e);

/* The next line of a text, without its end; false when there is none. */
bool unbound_next_line(const char **text, size_t *len, const char **line, size_t *line_len);

/* The record of a line INDENT local-data: "NAME. IN TYPE DATA", unchecked. False: it is another line. */
bool unbound_parse_line(
	const char *line, size_t len, const char *indent, struct arena *a, struct dns_record *out);

/* The include file: what of it unbound_file would have written. True when that is all of it, byte for
 * byte. */
bool unbound_parse_file(
	const char *text, size_t len, const char *zone, struct arena *a, struct local_zone *out);

/* The zone of an include file that is ours, whatever was changed in it since; NULL: it tells none. */
const char *unbound_file_zone(const char *text, size_t len, struct arena *a);

/* The include file of these records, each checked by dns_record_check. */
const char *unbound_file(const char *zone, const struct dns_records *records, struct arena *a);

/*
 * An A or AAAA record whose every byte is known to be harmless: labels beneath the zone (or the zone
 * itself), a canonical address. ERR_CONFIG otherwise.
 */
int dns_record_check(const struct dns_record *r, const char *zone, struct err *e);

/* Whether the name is the zone or beneath it; both in lower case, without a dot at the end. */
bool dns_name_in_zone(const char *name, const char *zone);

void dns_records_add(struct dns_records *list, struct arena *a, const struct dns_record *r);
void dns_records_sort(struct dns_records *list); /* and drops duplicates */

/* Of sorted lists: whether it has the record; those of a name; and without some of them. */
bool dns_records_has(const struct dns_records *sorted, const struct dns_record *r);
const struct dns_record *dns_records_named(
	const struct dns_records *sorted, const char *name, size_t *n);
void dns_records_drop(struct dns_records *sorted, const struct dns_records *these);

/* The first line of unbound-control's answer that says "error", or NULL. Its exit status tells of an
 * error in the first line alone. */
const char *unbound_refusal(const char *text, struct arena *a);

/* Whether jmesh may replace a file with this text: it is empty, or begins as jmesh begins its own. */
bool unbound_file_is_ours(const char *text, size_t len);

/* Whether a configuration includes no other file at all. */
bool unbound_includes_nothing(const char *text, size_t len);

#endif
