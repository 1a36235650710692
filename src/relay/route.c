#include "relay/route.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* The path of an absolute form, as a client sends it to a proxy. */
static const char *path_of(const char *target)
{
	static const char *const schemes[] = { "http://", "https://" };

	if (target[0] == '/')
		return target;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i]);

		if (strncasecmp(target, schemes[i], n) == 0)
			return target + n + strcspn(target + n, "/?#");
	}
	return target;
}

/* Whether a segment is that text; most are as they are, and only others are decoded. */
static bool is_segment(const char *s, size_t len, const char *text)
{
	const size_t wanted = strlen(text);
	char decoded[CODE_TEXT];

	if (len == wanted && memcmp(s, text, len) == 0)
		return true;
	return percent_decode(s, len, decoded, sizeof(decoded)) == (int)wanted &&
		memcmp(decoded, text, wanted) == 0;
}

/* As above: no code has a '%'. */
static bool read_code(const char *s, size_t len, char code[CODE_TEXT])
{
	char decoded[CODE_TEXT];
	int n;

	if (code_read(s, len, code))
		return true;
	n = percent_decode(s, len, decoded, sizeof(decoded));
	return n > 0 && code_read(decoded, (size_t)n, code);
}

void route_of(const char *target, struct route *out)
{
	/* What ends a segment. */
	static const char ends[] = "/?#";
	const char *path = path_of(target);
	size_t len;

	memset(out, 0, sizeof(*out));
	if (path[0] != '/')
		return;
	path++;
	len = strcspn(path, ends);
	if (len == 0 && path[0] != '/') {
		out->kind = ROUTE_PAGE;
		return;
	}
	if (!is_segment(path, len, "pair"))
		return;
	path += len;
	if (path[0] != '/') {
		out->kind = ROUTE_PAIR;
		return;
	}
	path++;
	len = strcspn(path, ends);
	if (len == 0 || path[len] == '/')
		return;
	out->kind = ROUTE_CODE;
	out->has_code = read_code(path, len, out->code);
}

const char *route_name(enum route_kind kind)
{
	static const char *const names[] = {
		[ROUTE_NONE] = "-",
		[ROUTE_PAGE] = "/",
		[ROUTE_PAIR] = "/pair",
		[ROUTE_CODE] = "/pair/CODE",
	};

	return names[kind];
}

const char *method_name(const char *sent)
{
	static const char *const known[] = { "GET", "POST", "HEAD", "PUT", "DELETE", "PATCH",
		"OPTIONS", "CONNECT", "TRACE" };

	for (size_t i = 0; sent != NULL && i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(sent, known[i]) == 0)
			return known[i];
	return "-";
}

enum method method_of(const char *sent)
{
	if (strcmp(sent, "GET") == 0)
		return METHOD_GET;
	if (strcmp(sent, "HEAD") == 0)
		return METHOD_HEAD;
	return strcmp(sent, "POST") == 0 ? METHOD_POST : METHOD_OTHER;
}

const char *route_allows(enum route_kind kind)
{
	static const char *const methods[] = {
		[ROUTE_NONE] = NULL,
		[ROUTE_PAGE] = "GET, HEAD",
		[ROUTE_PAIR] = "POST",
		[ROUTE_CODE] = "GET, POST",
	};

	return methods[kind];
}
