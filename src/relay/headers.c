#include "relay/headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Whether a field of that name, of len characters, is the one that is meant. */
#define IS(meant) (len == sizeof(meant) - 1 && strncasecmp(name, meant, len) == 0)

static const char *bearer(const char *value)
{
	if (strncasecmp(value, "Bearer ", 7) != 0)
		return NULL;
	return value + 7 + strspn(value + 7, " ");
}

/*
 * libmicrohttpd before 1.0 puts what a second line says behind the field's name, and that at another place:
 * a value behind its name was in one line. Later ones refuse such a field themselves.
 */
static bool is_folded(const char *name, size_t len, const char *value)
{
	const uintptr_t end = (uintptr_t)name + len;

	return (uintptr_t)value <= end;
}

/* Of a token (RFC 9110, 5.6.2). */
static const struct byteset token_bytes = { { 0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff } };

/* libmicrohttpd before 1.0 takes blanks around a name for a part of it. */
static bool is_token(const char *name, size_t len)
{
	return len > 0 && byteset_has(&token_bytes, name, len);
}

static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t len,
	const char *value, size_t value_len)
{
	struct headers *h = cls;

	(void)kind;
	(void)value_len;
	h->misnamed = h->misnamed || !is_token(name, len);
	if (value == NULL)
		value = "";
	else if (is_folded(name, len, value))
		h->folded = true;
	if (IS(MHD_HTTP_HEADER_CONTENT_LENGTH)) {
		h->lengths++;
		/* More digits than fit give ULLONG_MAX, which is too large as well. */
		h->length = strtoull(value, NULL, 10);
	} else if (IS(MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
		h->codings++;
		h->odd = h->odd || strcasecmp(value, "chunked") != 0;
	} else if (IS(MHD_HTTP_HEADER_AUTHORIZATION)) {
		h->token = h->token != NULL ? h->token : bearer(value);
	} else if (IS("Idempotency-Key")) {
		h->key = h->key != NULL ? h->key : value;
	} else if (h->trusted != NULL && IS("X-Forwarded-For")) {
		forwarded_read(&h->forwarded, h->trusted, value);
	}
	return MHD_YES;
}

void headers_read(
	struct MHD_Connection *connection, const struct proxies *trusted, struct headers *out)
{
	*out = (struct headers){ .trusted = trusted };
	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_field, out);
}

const char *headers_problem(const struct headers *h, const char *version)
{
	if (h->misnamed)
		return "the request is refused: the name of a header has a blank or another "
		       "character "
		       "that none may have\n";
	if (h->folded)
		return "the request is refused: a header goes on in a second line\n";
	if (h->odd)
		return "the request is refused: no Transfer-Encoding but chunked is known here\n";
	if (h->lengths + h->codings > 1)
		return "the request is refused: its length is given in more than one way\n";
	if (h->codings > 0 && strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
		return "the request is refused: HTTP/1.0 knows no Transfer-Encoding\n";
	return NULL;
}
