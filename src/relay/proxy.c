#include "relay/proxy.h"

#include <stdlib.h>
#include <string.h>

static int refuse(const char *text, struct err *e)
{
	return err_set(e, ERR_USAGE, NOWHERE,
		"--trusted-proxy '%s': write an address or a network, as in 127.0.0.1, "
		"10.0.0.0/8 or 2001:db8::/32",
		text);
}

/* The length of a prefix in decimal, at most max; -1 where it is none. */
static int bits_of(const char *text, int max)
{
	size_t len = strlen(text);
	int bits;

	if (len < 1 || len > 3 || strspn(text, "0123456789") != len || (len > 1 && text[0] == '0'))
		return -1;
	bits = atoi(text);
	return bits <= max ? bits : -1;
}

static bool same_bits(const struct peer *a, const struct peer *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a->b, b->b, whole) != 0)
		return false;
	return rest == 0 || ((a->b[whole] ^ b->b[whole]) >> (8 - rest)) == 0;
}

/* Whether no bit behind the first ones is set. */
static bool is_network(const struct peer *p, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		if ((p->b[i / 8] >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

int proxies_add(struct proxies *list, const char *text, struct err *e)
{
	size_t len = strcspn(text, "/");
	struct peer net;
	bool v4;
	int bits;

	if (list->n == PROXIES_MAX)
		return err_set(e, ERR_USAGE, NOWHERE, "--trusted-proxy: there may be %d of them",
			PROXIES_MAX);
	if (!peer_parse(text, len, &net))
		return refuse(text, e);
	v4 = peer_is_v4(&net) && memchr(text, ':', len) == NULL;
	bits = v4 ? 32 : 128;
	if (text[len] == '/' && (bits = bits_of(text + len + 1, bits)) < 0)
		return refuse(text, e);
	bits += v4 ? 96 : 0;
	if (!is_network(&net, (unsigned)bits))
		return err_set(e, ERR_USAGE, NOWHERE,
			"--trusted-proxy '%s': bits are set behind the prefix", text);
	list->v[list->n].net = net;
	list->v[list->n++].bits = (unsigned)bits;
	return 0;
}

bool proxies_have(const struct proxies *list, const struct peer *p)
{
	for (size_t i = 0; i < list->n; i++)
		if (same_bits(&list->v[i].net, p, list->v[i].bits))
			return true;
	return false;
}

static void read_one(
	struct forwarded *f, const struct proxies *trusted, const char *text, size_t len)
{
	struct peer p;

	if (!peer_parse(text, len, &p)) {
		f->found = false;
	} else if (!proxies_have(trusted, &p)) {
		f->found = true;
		f->client = p;
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

void forwarded_read(struct forwarded *f, const struct proxies *trusted, const char *value)
{
	for (;;) {
		const char *next, *end;

		while (is_blank(*value))
			value++;
		next = end = value + strcspn(value, ",");
		while (end > value && is_blank(end[-1]))
			end--;
		/* An element of a list may be empty (RFC 9110, 5.6.1). */
		if (end > value)
			read_one(f, trusted, value, (size_t)(end - value));
		if (*next == '\0')
			return;
		value = next + 1;
	}
}
