#include "relay/redis_where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { PORT = 6379, DB_MAX = 65535 };

static int refuse(struct err *e, const char *why)
{
	return err_set(e, ERR_USAGE, NOWHERE, "the URL of the store is refused: %s", why);
}

/* Printable ASCII alone: what else is meant is percent-encoded or a mistake. */
static bool is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= 0x20 || *s >= 0x7f)
			return false;
	return true;
}

/* Decodes one of the two words before the '@'. */
static int decode(const char *s, size_t len, char *out, size_t size, struct err *e)
{
	int n = percent_decode(s, len, out, size - 1);

	if (n == -2)
		return refuse(e, "the user or the password is too long");
	if (n < 0 || memchr(out, '\0', (size_t)n) != NULL)
		return refuse(e, "a '%' in the password is written %25");
	out[n] = '\0';
	return 0;
}

/* What stands before the last '@' of the authority, if there is one; moves *at behind it. */
static int read_user(const char **at, struct redis_where *out, struct err *e)
{
	const char *end = *at + strcspn(*at, "/"), *sign = NULL, *colon;

	for (const char *c = *at; c < end; c++)
		if (*c == '@')
			sign = c;
	if (sign == NULL)
		return 0;
	colon = memchr(*at, ':', (size_t)(sign - *at));
	if (colon == NULL || colon + 1 == sign)
		return refuse(e, "before the '@' stands :PASSWORD or USER:PASSWORD");
	if (decode(*at, (size_t)(colon - *at), out->user, sizeof(out->user), e) < 0 ||
		decode(colon + 1, (size_t)(sign - colon) - 1, out->password, sizeof(out->password),
			e) < 0)
		return -1;
	*at = sign + 1;
	return 0;
}

/* Digits alone, to the end of the text or up to stop. */
static int number(const char **at, char stop, int low, int high)
{
	char *end;
	long n;

	if (**at < '0' || **at > '9' || strspn(*at, "0123456789") > 5)
		return -1;
	n = strtol(*at, &end, 10);
	if ((*end != '\0' && *end != stop) || n < low || n > high)
		return -1;
	*at = end;
	return (int)n;
}

static int read_host(const char **at, struct redis_where *out, struct err *e)
{
	const char *start = *at, *end;

	if (*start == '[') {
		start++;
		end = start + strspn(start, "0123456789abcdefABCDEF:.");
		if (*end != ']')
			return refuse(e, "what is in the brackets is no IPv6 address");
		*at = end + 1;
	} else {
		end = start +
			strspn(start,
				"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
				"_");
		*at = end;
	}
	if (end == start || (size_t)(end - start) >= sizeof(out->host) ||
		(**at != '\0' && **at != ':' && **at != '/'))
		return refuse(e, "it has no host, or one that cannot be; write redis://HOST:PORT");
	memcpy(out->host, start, (size_t)(end - start));
	return 0;
}

static int read_tcp(const char *at, struct redis_where *out, struct err *e)
{
	if (read_host(&at, out, e) < 0)
		return -1;
	out->port = PORT;
	if (*at == ':') {
		at++;
		out->port = number(&at, '/', 1, 65535);
		if (out->port < 0)
			return refuse(e, "behind the host's ':' stands a port, 1 to 65535");
	}
	if (*at == '/' && *++at != '\0') {
		out->db = number(&at, '\0', 0, DB_MAX);
		if (out->db < 0)
			return refuse(e, "behind the '/' stands the number of a database");
	}
	snprintf(out->name, sizeof(out->name),
		strchr(out->host, ':') != NULL ? "redis://[%s]:%d/%d" : "redis://%s:%d/%d",
		out->host, out->port, out->db);
	return 0;
}

static int read_local(const char *at, struct redis_where *out, struct err *e)
{
	size_t len = strlen(at);

	if (*at != '/' || len < 2)
		return refuse(e, "unix:// needs an absolute path, as unix:///run/redis/redis.sock");
	if (len >= sizeof(out->path))
		return refuse(e, "the path of the socket is too long");
	memcpy(out->path, at, len + 1);
	snprintf(out->name, sizeof(out->name), "unix://%s", out->path);
	return 0;
}

int redis_where_parse(const char *url, struct redis_where *out, struct err *e)
{
	bool local = text_begins(url, "unix://");
	const char *at = url + (local ? strlen("unix://") : strlen("redis://"));

	memset(out, 0, sizeof(*out));
	out->local = local;
	if (text_begins(url, "rediss://"))
		return refuse(e, "TLS to the store is not spoken; let a tunnel speak it");
	if (!local && !text_begins(url, "redis://"))
		return refuse(e, "it begins with redis:// or unix://");
	if (!is_printable(url) || strpbrk(url, "?#") != NULL)
		return refuse(e,
			"there is a character in it that it cannot have; in a password "
			"write it as %XX");
	if (read_user(&at, out, e) < 0)
		return -1;
	return local ? read_local(at, out, e) : read_tcp(at, out, e);
}
