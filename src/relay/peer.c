#include "relay/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static void map(struct peer *p, const struct in_addr *v4)
{
	memcpy(p->b, mapped, sizeof(mapped));
	memcpy(p->b + sizeof(mapped), v4, 4);
}

struct peer peer_of(const struct sockaddr *sa)
{
	const struct sockaddr_in6 *in6 = (const void *)sa;
	const struct sockaddr_in *in = (const void *)sa;
	struct peer p = { 0 };

	if (sa != NULL && sa->sa_family == AF_INET)
		map(&p, &in->sin_addr);
	else if (sa != NULL && sa->sa_family == AF_INET6)
		memcpy(p.b, &in6->sin6_addr, sizeof(p.b));
	return p;
}

bool peer_parse(const char *text, size_t len, struct peer *out)
{
	char copy[INET6_ADDRSTRLEN];
	struct in_addr v4;

	if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, &v4) == 1) {
		map(out, &v4);
		return true;
	}
	return inet_pton(AF_INET6, copy, out->b) == 1;
}

bool peer_is_v4(const struct peer *p)
{
	return memcmp(p->b, mapped, sizeof(mapped)) == 0;
}

/* inet_ntop(3) goes by printf, which at a line a request is felt. */
static size_t format_v4(const uint8_t b[4], char *out)
{
	char *at = out;

	for (int i = 0; i < 4; i++) {
		if (b[i] >= 100)
			*at++ = (char)('0' + b[i] / 100);
		if (b[i] >= 10)
			*at++ = (char)('0' + b[i] / 10 % 10);
		*at++ = (char)('0' + b[i] % 10);
		*at++ = i < 3 ? '.' : '\0';
	}
	return (size_t)(at - out) - 1;
}

size_t peer_format(const struct peer *p, char text[PEER_TEXT])
{
	static const struct peer unknown;

	if (peer_is_v4(p))
		return format_v4(p->b + sizeof(mapped), text);
	if (memcmp(p, &unknown, sizeof(unknown)) == 0 ||
		inet_ntop(AF_INET6, p->b, text, PEER_TEXT) == NULL)
		strcpy(text, "-");
	return strlen(text);
}

struct network peer_network(const struct peer *p)
{
	struct network net = { 0 };

	memcpy(net.b, p->b, peer_is_v4(p) ? sizeof(net.b) : sizeof(net.b) / 2);
	return net;
}
