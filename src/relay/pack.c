#include "relay/pack.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Of each jail its address, its name and a NUL; of what is sealed the base 64 and a NUL. */
struct packed {
	uint32_t n;     /* bytes */
	uint16_t jails; /* none: it is sealed */
	char bytes[];
};

static size_t size_of(const struct parcel *parcel)
{
	size_t n = 0;

	if (parcel->sealed != NULL)
		return strlen(parcel->sealed) + 1;
	for (size_t i = 0; i < parcel->roster.n; i++)
		n += sizeof(struct addr) + strlen(parcel->roster.jails[i].name) + 1;
	return n;
}

static void pack_roster(const struct roster *r, char *out)
{
	for (size_t i = 0; i < r->n; i++) {
		size_t len = strlen(r->jails[i].name) + 1;

		memcpy(out, r->jails[i].addr.b, sizeof(struct addr));
		memcpy(out + sizeof(struct addr), r->jails[i].name, len);
		out += sizeof(struct addr) + len;
	}
}

struct packed *pack(const struct parcel *parcel)
{
	size_t n = size_of(parcel);
	struct packed *p = malloc(sizeof(*p) + n);

	assert(n != 0);
	if (p == NULL)
		return NULL;
	*p = (struct packed){ (uint32_t)n, (uint16_t)parcel->roster.n };
	if (parcel->sealed != NULL)
		memcpy(p->bytes, parcel->sealed, n);
	else
		pack_roster(&parcel->roster, p->bytes);
	return p;
}

size_t packed_size(const struct packed *p)
{
	return sizeof(*p) + p->n;
}

const char *unpack(const struct packed *p, struct arena *a)
{
	struct parcel parcel = { .roster = { NULL, p->jails } };
	const char *at = p->bytes;

	if (p->jails == 0) {
		parcel.sealed = at;
		return parcel_format(&parcel, a);
	}
	parcel.roster.jails = arena_alloc(a, p->jails, sizeof(*parcel.roster.jails));
	for (size_t i = 0; i < p->jails; i++) {
		struct roster_jail *jail = &parcel.roster.jails[i];

		memcpy(jail->addr.b, at, sizeof(jail->addr));
		jail->name = at + sizeof(jail->addr);
		at = jail->name + strlen(jail->name) + 1;
	}
	return parcel_format(&parcel, a);
}

bool packed_same(const struct packed *a, const struct packed *b)
{
	return a->n == b->n && a->jails == b->jails && memcmp(a->bytes, b->bytes, a->n) == 0;
}
