/* What a request's headers say of its body, of who asks and of the pairing. */
#ifndef JMESH_RELAY_HEADERS_H
#define JMESH_RELAY_HEADERS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/proxy.h"

struct headers {
	/* Of libmicrohttpd, for as long as the request; NULL: none. Of several the first. */
	const char *
		token; /* behind Bearer: other schemes are somebody else's, a proxy's for instance */
	const char *key;           /* Idempotency-Key */
	uint64_t length;           /* that is announced, else 0 */
	unsigned lengths, codings; /* fields that frame the body */
	bool misnamed; /* a field's name is no token, or there is a blank before its colon */
	bool odd;      /* a transfer coding other than chunked */
	bool folded;   /* a field goes on in a second line */
	struct forwarded forwarded;
	const struct proxies *trusted; /* NULL: whoever asks is none of them */
};

/* trusted as above. All of it in one pass. */
void headers_read(
	struct MHD_Connection *connection, const struct proxies *trusted, struct headers *out);

/*
 * Why the request is refused and its connection closed, a sentence: who reads such a request differently
 * behind a proxy can slip one in (RFC 9112, 2.2, 5.1, 5.2, 6.1 and 6.3). NULL: it is fine. version is that of the
 * request line.
 */
const char *headers_problem(const struct headers *h, const char *version);

#endif
