#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "relay/pack.h"

static struct arena *arena;

static void up(void)
{
	arena = arena_new();
}

static void down(void)
{
	arena_free(arena);
}

TestSuite(relay_pack, .init = up, .fini = down);

static struct parcel roster(unsigned jails, unsigned seed)
{
	struct parcel parcel = { .roster = { arena_alloc(arena, jails, sizeof(struct roster_jail)),
					 jails } };

	for (unsigned i = 0; i < jails; i++) {
		struct roster_jail *jail = &parcel.roster.jails[i];

		jail->addr.b[0] = 2;
		jail->addr.b[1] = (uint8_t)seed;
		for (unsigned j = 2; j < sizeof(jail->addr); j++) {
			seed = seed * 1103515245 + 12345;
			jail->addr.b[j] = (seed >> 28) < 6 ? 0 : (uint8_t)(seed >> 16);
		}
		jail->name = i == 3
			? "n234567890123456789012345678901234567890123456789012345678901-3"
			: arena_printf(arena, "jail-%u", i);
	}
	return parcel;
}

/* Packs and unpacks; the packed size. */
static size_t round_trip(const struct parcel *parcel)
{
	struct packed *p = pack(parcel), *q = pack(parcel);
	size_t size = packed_size(p);

	cr_assert(packed_same(p, q));
	cr_assert_str_eq(unpack(p, arena), parcel_format(parcel, arena));
	free(p);
	free(q);
	return size;
}

Test(relay_pack, a_roster_takes_less_than_half_and_comes_back)
{
	for (unsigned seed = 0; seed < 200; seed++)
		for (unsigned jails = 1; jails < 30; jails += 3) {
			struct parcel parcel = roster(jails, seed);
			const char *text = parcel_format(&parcel, arena);

			cr_assert_lt(round_trip(&parcel), strlen(text) / 2 + 8, "%s", text);
		}
}

Test(relay_pack, the_largest_roster_comes_back)
{
	struct parcel parcel = roster(ROSTER_JAILS_MAX, 1);

	round_trip(&parcel);
}

Test(relay_pack, what_is_sealed_comes_back)
{
	struct parcel parcel = { .sealed = "AAAA" };

	cr_assert_lt(round_trip(&parcel), 24);
	parcel.sealed = "b3Vycw==";
	round_trip(&parcel);
}

Test(relay_pack, a_code_does_not)
{
	const struct parcel with = { .sealed = "AAAA", .code = "81-zephyr-night-climb" };
	struct packed *p = pack(&with);

	cr_assert_str_eq(unpack(p, arena), "{\"jails\":[],\"sealed\":\"AAAA\"}");
	free(p);
}

static void differ(const struct packed *p, const struct parcel *parcel)
{
	struct packed *q = pack(parcel);

	cr_assert_not(packed_same(p, q), "%s", parcel_format(parcel, arena));
	free(q);
}

Test(relay_pack, parcels_that_differ_are_not_the_same)
{
	struct parcel parcel = roster(3, 7), other = { .sealed = "AAAA" };
	struct packed *p = pack(&parcel), *q = pack(&other);
	struct roster_jail was;

	differ(p, &other);
	other.sealed = "AAAB";
	differ(q, &other);
	for (size_t i = 0; i < 3; i++) {
		struct roster_jail *jail = &parcel.roster.jails[i];

		was = *jail;
		jail->name = "jail-9";
		differ(p, &parcel);
		jail->name = "jail";
		differ(p, &parcel);
		*jail = was;
		for (size_t j = 0; j < sizeof(jail->addr); j++) {
			jail->addr.b[j] ^= 1;
			differ(p, &parcel);
			jail->addr.b[j] ^= 1;
		}
	}
	was = parcel.roster.jails[0];
	parcel.roster.jails[0] = parcel.roster.jails[1];
	parcel.roster.jails[1] = was;
	differ(p, &parcel);
	parcel.roster.n = 2;
	differ(p, &parcel);
	free(p);
	free(q);
}
