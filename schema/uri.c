/* The addresses of Yggdrasil's peerings and of the relay, by RFC 3986 as far as they use it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "schema/value.h"

enum { URI_MAX = 2048 };

/* A URI taken apart; nothing ends in a NUL. */
struct part {
	const char *s;
	size_t len;
};

struct uri {
	struct part scheme, host, port, path, query;
	bool has_port, has_query, has_fragment, has_userinfo;
};

static bool refuse(struct fault *f, const char *text, const char *hint)
{
	*f = (struct fault){ text, hint };
	return false;
}

static bool part_is(struct part p, const char *s)
{
	return p.len == strlen(s) && memcmp(p.s, s, p.len) == 0;
}

static bool part_is_one_of(struct part p, const char *const *list)
{
	for (; *list != NULL; list++)
		if (part_is(p, *list))
			return true;
	return false;
}

/* Splits "SCHEME://[USER@]HOST[:PORT][/PATH][?QUERY][#FRAGMENT]". */
static bool split(const char *s, struct uri *u, struct fault *f)
{
	const char *sep = strstr(s, "://"), *end, *colon, *close = NULL;

	memset(u, 0, sizeof(*u));
	if (strlen(s) > URI_MAX)
		return refuse(f, "is too long for a URI", NULL);
	for (const char *p = s; *p != '\0'; p++)
		if (*p <= 0x20 || *p > 0x7e || strchr("\"<>\\^`{|}", *p) != NULL)
			return refuse(f, "has a character in it that no URI has",
				"write it as % and two hexadecimal digits");
	if (sep == NULL || sep == s)
		return refuse(f, "has no scheme", "begin it with tcp:// or tls://");
	u->scheme = (struct part){ s, (size_t)(sep - s) };
	u->host.s = sep + 3;
	end = u->host.s + strcspn(u->host.s, "/?#");
	u->has_userinfo = memchr(u->host.s, '@', (size_t)(end - u->host.s)) != NULL;
	u->path = (struct part){ end, strcspn(end, "?#") };
	if (u->path.s[u->path.len] == '?') {
		u->has_query = true;
		u->query.s = u->path.s + u->path.len + 1;
		u->query.len = strcspn(u->query.s, "#");
	}
	u->has_fragment = strchr(end, '#') != NULL;
	if (u->host.s[0] == '[')
		close = memchr(u->host.s, ']', (size_t)(end - u->host.s));
	colon = memchr(close == NULL ? u->host.s : close, ':',
		(size_t)(end - (close == NULL ? u->host.s : close)));
	u->has_port = colon != NULL;
	u->host.len = (size_t)((colon == NULL ? end : colon) - u->host.s);
	if (colon != NULL)
		u->port = (struct part){ colon + 1, (size_t)(end - colon - 1) };
	return true;
}

/* An IPv6 address in brackets; a zone after it ("%eth0") where zones is. */
static bool check_ipv6(struct part host, bool zones, struct fault *f)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;
	size_t len = host.len - 2, n;
	const char *zone = memchr(host.s, '%', host.len);

	n = zone == NULL ? len : (size_t)(zone - host.s - 1);
	if (host.len < 2 || host.s[host.len - 1] != ']' || n >= sizeof(text) ||
		(zone != NULL && (!zones || n == len - 1)))
		return refuse(f, "has no IPv6 address in its brackets", NULL);
	memcpy(text, host.s + 1, n);
	text[n] = '\0';
	if (inet_pton(AF_INET6, text, &a) != 1)
		return refuse(f, "has no IPv6 address in its brackets", NULL);
	return true;
}

static bool check_host(const struct uri *u, bool zones, struct fault *f)
{
	if (u->has_userinfo)
		return refuse(f, "has a user name in it", "leave out what stands before '@'");
	if (u->host.len == 0)
		return refuse(f, "names no host", NULL);
	if (u->host.s[0] == '[')
		return check_ipv6(u->host, zones, f);
	if (u->port.len != 0 && memchr(u->port.s, ':', u->port.len) != NULL)
		return refuse(f, "has an IPv6 address without brackets",
			"write it as tcp://[ADDRESS]:PORT");
	for (size_t i = 0; i < u->host.len; i++) {
		char c = u->host.s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '.' || c == '-' || c == '_'))
			return refuse(f, "names no host", NULL);
	}
	return true;
}

static bool check_port(struct part port, struct fault *f)
{
	unsigned n = 0;

	for (size_t i = 0; i < port.len && n <= 65535; i++) {
		if (port.s[i] < '0' || port.s[i] > '9')
			return refuse(f, "has no number as its port", NULL);
		n = n * 10 + (unsigned)(port.s[i] - '0');
	}
	if (n < 1 || n > 65535 || port.s[0] == '0')
		return refuse(f, "has no good port", "a port is 1 to 65535");
	return true;
}

/* Yggdrasil's ?key= pins the node at the other end; a typing error there would never connect. */
static bool check_query(struct part query, struct fault *f)
{
	const char *p = query.s, *end = query.s + query.len;

	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		size_t n = (size_t)((amp == NULL ? end : amp) - p);

		if (n >= 4 && memcmp(p, "key=", 4) == 0) {
			char hex[KEY_HEX];
			struct pubkey key;

			if (n - 4 >= sizeof(hex))
				return refuse(f, "pins no public key with 'key='",
					"it is 64 hexadecimal digits");
			memcpy(hex, p + 4, n - 4);
			hex[n - 4] = '\0';
			if (!pubkey_parse(hex, &key))
				return refuse(f, "pins no public key with 'key='",
					"it is 64 hexadecimal digits");
		}
		p += n + 1;
	}
	return true;
}

/* What follows the scheme in tcp, tls, quic, ws and wss. */
static bool check_network(const struct uri *u, bool must_have_port, struct fault *f)
{
	if (!check_host(u, true, f))
		return false;
	if (!u->has_port && must_have_port)
		return refuse(f, "has no port", "write it as tcp://HOST:PORT");
	if (u->has_port && !check_port(u->port, f))
		return false;
	if (u->has_fragment)
		return refuse(f, "has a '#' in it", NULL);
	return !u->has_query || check_query(u->query, f);
}

/* https://yggdrasil-network.github.io/configuration.html, and src/core/link.go of 0.5. */
bool value_listen(const char *s, struct fault *f)
{
	static const char *const schemes[] = { "tcp", "tls", "quic", "ws", NULL };
	struct uri u;

	if (!split(s, &u, f))
		return false;
	if (!part_is_one_of(u.scheme, schemes))
		return refuse(f, "cannot be listened on", "use tcp://, tls://, quic:// or ws://");
	if (u.path.len > 1 && !part_is(u.scheme, "ws"))
		return refuse(f, "has a path after its port", NULL);
	return check_network(&u, true, f);
}

bool value_peer(const char *s, struct fault *f)
{
	static const char *const direct[] = { "tcp", "tls", "quic", NULL };
	static const char *const web[] = { "ws", "wss", NULL };
	static const char *const proxied[] = { "socks", "sockstls", NULL };
	struct uri u;

	if (!split(s, &u, f))
		return false;
	if (part_is(u.scheme, "unix")) {
		if (u.host.len != 0 || u.path.len < 2)
			return refuse(f, "has no absolute path", "write it as unix:///PATH");
		return true;
	}
	if (part_is_one_of(u.scheme, web))
		return check_network(&u, false, f);
	if (part_is_one_of(u.scheme, proxied)) {
		if (u.path.len < 2)
			return refuse(f, "does not say which host is behind the proxy",
				"write it as socks://PROXY:PORT/HOST:PORT");
		return u.host.len != 0 || refuse(f, "names no proxy", NULL);
	}
	if (!part_is_one_of(u.scheme, direct))
		return refuse(f, "has a scheme that Yggdrasil does not peer by",
			"use tcp, tls, quic, ws, wss, unix, socks or sockstls");
	if (u.path.len > 1)
		return refuse(f, "has a path after its port", NULL);
	return check_network(&u, true, f);
}

bool value_url(const char *s, struct fault *f)
{
	static const char *const schemes[] = { "http", "https", NULL };
	struct uri u;

	if (!split(s, &u, f)) {
		if (strcmp(f->text, "has no scheme") == 0)
			f->hint = "begin it with https://";
		return false;
	}
	if (!part_is_one_of(u.scheme, schemes))
		return refuse(f, "is not a URL of a relay", "begin it with https:// (or http://)");
	if (!check_host(&u, false, f))
		return false;
	if (u.has_port && !check_port(u.port, f))
		return false;
	if (u.has_query)
		return refuse(f, "has a query in it", "leave out what follows '?'");
	if (u.has_fragment)
		return refuse(f, "has a fragment in it", "leave out what follows '#'");
	return true;
}
