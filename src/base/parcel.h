/*
 * The body of a request or an answer of the pairing protocol: a roster as Jailrun sends it, or a sealed one,
 * of which the relay sees nothing (seal.h). Pure.
 *
 *   {"jails":[{"name":…,"ygg_address":…}]}
 *   {"jails":[],"sealed":"base64…","code":"81-zephyr-night-climb"}
 */
#ifndef JMESH_BASE_PARCEL_H
#define JMESH_BASE_PARCEL_H

#include "base/code.h"
#include "base/roster.h"

enum {
	PARCEL_CODE_MIN = 12, /* characters of a code that a creator proposes */
};

struct parcel {
	const char *sealed;   /* NULL: the roster counts */
	struct roster roster; /* without keys; empty where sealed */
	const char *code; /* that the creator proposes (code_read), only where sealed; or NULL */
	bool has_code; /* there is a "code", also beside a plain roster, where it proposes nothing */
};

/*
 * Plain: as roster_parse. Sealed: "jails" is an empty list, "sealed" is 4 to SEAL_TEXT_MAX characters of
 * base64 with its padding; both at most ROSTER_BYTES_MAX bytes. Keys that are not known are ignored; one of
 * these that comes twice is refused. The JSON that it builds meanwhile stays in the arena too. ERR_REMOTE.
 */
int parcel_parse(const char *json, size_t len, struct arena *a, struct parcel *out, struct err *e);

struct cJSON;

/* The same for an object that is already parsed and may have more in it ("joined"). */
int parcel_of_json(const struct cJSON *object, struct arena *a, struct parcel *out, struct err *e);

/* One line without a newline; begins with {"jails":. */
const char *parcel_format(const struct parcel *p, struct arena *a);

#endif
