/* What a relay answers, read from hostile bytes. Everything else than what the protocol has is ERR_REMOTE. */
#ifndef JMESH_PAIRING_REPLY_H
#define JMESH_PAIRING_REPLY_H

#include "base/parcel.h"

/* POST /pair: {"code":…} and, from a relay that answers a lost GET again, "token". *token may be NULL. */
int reply_created(const char *body, size_t len, struct arena *a, const char **code,
	const char **token, struct err *e);

/*
 * GET /pair/CODE: {"joined":false} or {"joined":true,"jails":[…]} or the same with a sealed roster. *joined
 * is set with -1 as well: then it is the roster that was refused.
 */
int reply_polled(const char *body, size_t len, struct arena *a, bool *joined, struct parcel *out,
	struct err *e);

/* Whether it may stand in a header: 1 to 128 of letters, digits and "-._~+/=" (RFC 6750). */
bool reply_is_token(const char *s);

/* The first line of a body that is no JSON, at most 200 bytes, to be quoted. */
const char *reply_line(const char *body, size_t len, struct arena *a);

#endif
