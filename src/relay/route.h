/* Which of the relay's resources a request means. Pure. */
#ifndef JMESH_RELAY_ROUTE_H
#define JMESH_RELAY_ROUTE_H

#include "base/code.h"

enum route_kind { ROUTE_NONE, ROUTE_PAGE, ROUTE_PAIR, ROUTE_CODE, ROUTES };

enum method { METHOD_OTHER, METHOD_GET, METHOD_HEAD, METHOD_POST };

struct route {
	enum route_kind kind;
	bool has_code; /* with ROUTE_CODE: false where what stands there cannot be a code */
	char code[CODE_TEXT];
};

/*
 * Of a request target as it was sent: origin form or absolute form, percent-encoding and a query
 * allowed (RFC 9112 section 3.2, RFC 3986). A slash too many is another resource: ROUTE_NONE.
 */
void route_of(const char *target, struct route *out);

/* The name of a route in a log and of a method: constants, never what the client sent. */
const char *route_name(enum route_kind kind);
const char *method_name(const char *sent);
enum method method_of(const char *sent);

/* The value of an Allow header; NULL for ROUTE_NONE. */
const char *route_allows(enum route_kind kind);

#endif
