#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_lab.h"
#include "relay/pack.h"
#include "relay/store_redis.h"

enum { TTL = 3600 * 1000, PLENTY = 64 * 1024 * 1024 };

static const char ours[] = "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}";
static const char theirs[] = "{\"jails\":[{\"name\":\"db\",\"ygg_address\":\"200::2\"}]}";
static const char key[] = "0123456789abcdef";

static struct roster_jail web = { .name = "web", .addr = { { 2, [15] = 1 } } };
static struct roster_jail db = { .name = "db", .addr = { { 2, [15] = 2 } } };
static const struct parcel our_side = { .roster = { &web, 1 } },
			   their_side = { .roster = { &db, 1 } };
static const struct parcel our_sealed = { .sealed = "b3Vycw==" },
			   their_sealed = { .sealed = "AAAA" };

enum kind { MEMORY, REDIS };

/* What holds of one store holds of the other. */
#define BOTH(name)                        \
	static void name(enum kind kind); \
	Test(relay_store, name)           \
	{                                 \
		name(MEMORY);             \
	}                                 \
	Test(relay_store_redis, name)     \
	{                                 \
		name(REDIS);              \
	}                                 \
	static void name(enum kind kind)

TestSuite(relay_store, .timeout = 60);
TestSuite(relay_store_redis, .timeout = 120);

/* The store in Redis, whose clock shows what the test says that time it is. */
struct timed {
	struct store store;
	struct store *inner;
	struct redis_server server;
};

static struct store *at(struct store *s, int64_t now)
{
	struct timed *t = (struct timed *)s;

	redis_at(&t->server, now);
	return t->inner;
}

static enum store_status timed_create(struct store *s, const struct network *creator,
	const struct parcel *side, const struct proposal *proposal, int64_t now, struct ticket *out)
{
	return store_create(at(s, now), creator, side, proposal, now, out);
}

static enum store_status timed_owns(struct store *s, const char code[CODE_TEXT], const char *token,
	const struct network *reader, int64_t now)
{
	return store_owns(at(s, now), code, token, reader, now);
}

static enum store_status timed_joinable(
	struct store *s, const char code[CODE_TEXT], const char *k, int64_t now)
{
	return store_joinable(at(s, now), code, k, now);
}

static enum store_status timed_join(struct store *s, const char code[CODE_TEXT],
	const struct parcel *side, const char *k, int64_t now, struct arena *a,
	const char **creator)
{
	return store_join(at(s, now), code, side, k, now, a, creator);
}

static enum store_status timed_read(struct store *s, const char code[CODE_TEXT], const char *token,
	int64_t now, struct arena *a, const char **joiner)
{
	return store_read(at(s, now), code, token, now, a, joiner);
}

static struct store_stats timed_stats(struct store *s, int64_t now)
{
	return store_stats(at(s, now), now);
}

static bool timed_is_up(struct store *s)
{
	return store_is_up(((struct timed *)s)->inner);
}

static void timed_free(struct store *s)
{
	struct timed *t = (struct timed *)s;

	store_free(t->inner);
	redis_down(&t->server);
	free(t);
}

static const struct store_ops timed_ops = { .create = timed_create,
	.owns = timed_owns,
	.joinable = timed_joinable,
	.join = timed_join,
	.read = timed_read,
	.stats = timed_stats,
	.is_up = timed_is_up,
	.free = timed_free,
	.remote = true };

static struct store *timed_new(const struct store_conf *conf, struct clients *clients)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct timed *t = calloc(1, sizeof(*t));
	struct redis_where where;
	struct err e = ERR_INIT;

	t->store.ops = &timed_ops;
	t->server = redis_up(true, NULL);
	cr_assert_eq(redis_where_parse(t->server.url, &where, &e), 0, "%s", e.text);
	t->inner = store_redis_new(conf, &where, clients, &lock);
	cr_assert(store_is_up(t->inner));
	return &t->store;
}

struct bench {
	struct clients *clients;
	struct store *store;
	struct arena *arena;
};

static struct memory memory;

static struct bench bench_new(enum kind kind, unsigned open_max, unsigned per_client, size_t bytes)
{
	const struct rate rate = { 10, 20 };
	const struct limits limits = { { rate, rate, rate, rate }, per_client, 4, 3 };
	const struct store_conf conf = { TTL, open_max, &memory };
	struct bench b;

	cr_assert_geq(sodium_init(), 0);
	b.arena = arena_new();
	memory = (struct memory){ .max = bytes };
	b.clients = clients_new(&limits);
	b.store = kind == REDIS ? timed_new(&conf, b.clients) : store_memory_new(&conf, b.clients);
	return b;
}

static void bench_free(struct bench *b)
{
	store_free(b->store);
	clients_free(b->clients);
	arena_free(b->arena);
}

static const struct network alice = { { 1 } }, bob = { { 2 } };

static struct ticket create(struct bench *b, int64_t now)
{
	struct ticket t;

	cr_assert_eq(store_create(b->store, &alice, &our_side, NULL, now, &t), STORE_OK);
	return t;
}

static enum store_status propose(
	struct bench *b, const struct parcel *side, const char *k, int64_t now, struct ticket *out)
{
	const struct proposal proposal = { "81-zephyr-night-climb", k };

	return store_create(b->store, &alice, side, &proposal, now, out);
}

static enum store_status join(struct bench *b, const struct ticket *t, const char *k, int64_t now)
{
	const char *got = NULL;
	enum store_status status =
		store_join(b->store, t->code, &their_side, k, now, b->arena, &got);

	if (status == STORE_OK)
		cr_assert_str_eq(got, ours);
	return status;
}

static enum store_status read_as(
	struct bench *b, const struct ticket *t, const char *token, int64_t now)
{
	const char *got = NULL;
	enum store_status look = store_look(b->store, t->code, token, now);
	enum store_status status = store_read(b->store, t->code, token, now, b->arena, &got);

	cr_assert_eq(look, store_is_remote(b->store) ? STORE_OK : status);
	if (status == STORE_OK)
		cr_assert_str_eq(got, theirs);
	return status;
}

BOTH(pairs_once)
{
	struct bench b = bench_new(kind, 10, 10, PLENTY);
	struct ticket t = create(&b, 0);

	cr_assert_eq(read_as(&b, &t, NULL, 1), STORE_WAITING);
	cr_assert_eq(store_joinable(b.store, t.code, NULL, 1), STORE_OK);
	cr_assert_eq(join(&b, &t, NULL, 2), STORE_OK);
	cr_assert_eq(store_joinable(b.store, t.code, NULL, 3), STORE_GONE);
	cr_assert_eq(join(&b, &t, NULL, 3), STORE_GONE);
	cr_assert_eq(read_as(&b, &t, NULL, 4), STORE_OK);
	cr_assert_eq(read_as(&b, &t, NULL, 4), STORE_GONE);
	cr_assert_eq(join(&b, &t, NULL, 4), STORE_GONE);
	cr_assert_eq(store_stats(b.store, 4).open, 0);
	bench_free(&b);
}

BOTH(knows_no_code_that_it_did_not_give)
{
	struct bench b = bench_new(kind, 10, 10, PLENTY);
	struct ticket t = create(&b, 0), other = { "81-zephyr-night-climb", "" };

	cr_assert_eq(read_as(&b, &other, NULL, 1), STORE_GONE);
	cr_assert_eq(join(&b, &other, NULL, 1), STORE_GONE);
	cr_assert_eq(read_as(&b, &t, NULL, 1), STORE_WAITING);
	bench_free(&b);
}

BOTH(forgets_at_the_end_of_the_time_to_live)
{
	struct bench b = bench_new(kind, 10, 10, PLENTY);
	struct ticket t = create(&b, 5), u = create(&b, 6);

	cr_assert_eq(read_as(&b, &t, NULL, TTL + 4), STORE_WAITING);
	cr_assert_eq(read_as(&b, &t, NULL, TTL + 5), STORE_GONE);
	cr_assert_eq(read_as(&b, &t, t.token, TTL + 5), STORE_GONE);
	cr_assert_eq(store_stats(b.store, TTL + 5).open, 1);
	cr_assert_eq(join(&b, &u, NULL, TTL + 6), STORE_GONE);
	cr_assert_eq(store_stats(b.store, TTL + 6).open, 0);
	bench_free(&b);
}

BOTH(a_plain_read_ends_with_the_time_to_live_also_when_joined)
{
	struct bench b = bench_new(kind, 10, 10, PLENTY);
	struct ticket t = create(&b, 0);

	cr_assert_eq(join(&b, &t, key, TTL - 1), STORE_OK);
	cr_assert_eq(read_as(&b, &t, NULL, TTL), STORE_GONE);
	cr_assert_eq(join(&b, &t, key, TTL + 1), STORE_OK);
	cr_assert_eq(read_as(&b, &t, t.token, TTL - 2 + STORE_AGAIN), STORE_OK);
	cr_assert_eq(read_as(&b, &t, t.token, TTL - 3 + 2 * STORE_AGAIN), STORE_OK);
	cr_assert_eq(read_as(&b, &t, t.token, TTL - 2 + 2 * STORE_AGAIN), STORE_GONE);
	bench_free(&b);
}

BOTH(the_token_reads_again_for_a_minute)
{
	for (int plain = 0; plain <= 1; plain++) {
		struct bench b = bench_new(kind, 10, 10, PLENTY);
		struct ticket t = create(&b, 0);

		cr_assert_eq(read_as(&b, &t, t.token, 0), STORE_WAITING);
		cr_assert_eq(join(&b, &t, NULL, 0), STORE_OK);
		cr_assert_eq(read_as(&b, &t, plain ? NULL : t.token, 10), STORE_OK);
		cr_assert_eq(read_as(&b, &t, NULL, 11), STORE_GONE);
		cr_assert_eq(read_as(&b, &t, t.token, 9 + STORE_AGAIN), STORE_OK);
		cr_assert_eq(read_as(&b, &t, t.token, 10 + STORE_AGAIN), STORE_GONE);
		bench_free(&b);
	}
}

BOTH(a_wrong_token_uses_nothing_up)
{
	struct bench b = bench_new(kind, 10, 10, PLENTY);
	struct ticket t = create(&b, 0), other = create(&b, 0);

	cr_assert_eq(join(&b, &t, NULL, 0), STORE_OK);
	cr_assert_eq(read_as(&b, &t, other.token, 1), STORE_GONE);
	cr_assert_eq(read_as(&b, &t, "", 1), STORE_GONE);
	cr_assert_eq(read_as(&b, &t, "0123456789abcdef0123456789abcdef0", 1), STORE_GONE);
	cr_assert_eq(read_as(&b, &t, NULL, 1), STORE_OK);
	bench_free(&b);
}

BOTH(the_key_gets_the_same_answer_with_the_same_roster)
{
	struct bench b = bench_new(kind, 10, 10, PLENTY);
	struct ticket t = create(&b, 0);
	const struct parcel other = { .roster = { &web, 1 } };
	const char *got;

	cr_assert_eq(join(&b, &t, key, 0), STORE_OK);
	cr_assert_eq(store_joinable(b.store, t.code, key, 5), STORE_OK);
	cr_assert_eq(join(&b, &t, key, TTL - 1), STORE_OK);
	cr_assert_eq(join(&b, &t, "0123456789abcdeX", TTL - 1), STORE_GONE);
	cr_assert_eq(join(&b, &t, "0123456789abcdef0", TTL - 1), STORE_GONE);
	cr_assert_eq(join(&b, &t, NULL, TTL - 1), STORE_GONE);
	cr_assert_eq(store_join(b.store, t.code, &other, key, TTL - 1, b.arena, &got), STORE_GONE);
	cr_assert_eq(read_as(&b, &t, NULL, TTL - 1), STORE_OK);
	cr_assert_eq(join(&b, &t, key, TTL - 2 + STORE_AGAIN), STORE_OK);
	cr_assert_eq(join(&b, &t, key, TTL - 1 + STORE_AGAIN), STORE_GONE);
	bench_free(&b);
}

BOTH(without_a_key_nobody_joins_again_with_one)
{
	struct bench b = bench_new(kind, 10, 10, PLENTY);
	struct ticket t = create(&b, 0);

	cr_assert_eq(join(&b, &t, NULL, 0), STORE_OK);
	cr_assert_eq(join(&b, &t, key, 0), STORE_GONE);
	cr_assert_eq(join(&b, &t, "", 0), STORE_GONE);
	bench_free(&b);
}

BOTH(a_pairing_is_its_creators_or_its_tokens)
{
	struct bench b = bench_new(kind, 10, 10, PLENTY);
	struct ticket t = create(&b, 0), other = { "81-zephyr-night-climb", "" };

	cr_assert_eq(store_owns(b.store, t.code, NULL, &alice, 1), STORE_OK);
	cr_assert_eq(store_owns(b.store, t.code, NULL, &bob, 1), STORE_GONE);
	cr_assert_eq(store_owns(b.store, t.code, t.token, &bob, 1), STORE_OK);
	cr_assert_eq(store_owns(b.store, t.code, "", &alice, 1), STORE_GONE);
	cr_assert_eq(store_owns(b.store, other.code, t.token, &alice, 1), STORE_GONE);
	cr_assert_eq(store_owns(b.store, t.code, t.token, &alice, TTL), STORE_GONE);
	bench_free(&b);
}

BOTH(creates_under_a_code_that_is_proposed_until_it_is_gone)
{
	struct bench b = bench_new(kind, 1, 10, PLENTY);
	struct ticket t, u;

	cr_assert_eq(propose(&b, &our_sealed, NULL, 0, &t), STORE_OK);
	cr_assert_str_eq(t.code, "81-zephyr-night-climb");
	cr_assert_eq(propose(&b, &our_sealed, NULL, 1, &u), STORE_TAKEN, "without a key");
	cr_assert_eq(propose(&b, &our_sealed, key, 1, &u), STORE_TAKEN);
	cr_assert_eq(propose(&b, &our_sealed, key, TTL - 1, &u), STORE_TAKEN);
	cr_assert_eq(propose(&b, &our_sealed, key, TTL, &u), STORE_OK);
	cr_assert_str_neq(t.token, u.token);
	cr_assert_eq(store_stats(b.store, TTL).created, 2);
	bench_free(&b);
}

BOTH(a_proposal_with_its_key_gets_the_same_ticket_again)
{
	struct bench b = bench_new(kind, 1, 1, PLENTY);
	struct ticket t, u = { "", "" };
	const char *got;

	cr_assert_eq(propose(&b, &our_sealed, key, 0, &t), STORE_OK);
	cr_assert_eq(propose(&b, &our_sealed, key, 1, &u), STORE_OK);
	cr_assert_eq(memcmp(&t, &u, sizeof(t)), 0);
	cr_assert_eq(propose(&b, &their_sealed, key, 1, &u), STORE_TAKEN, "another body");
	cr_assert_eq(propose(&b, &our_sealed, "0123456789abcdeF", 1, &u), STORE_TAKEN);
	cr_assert_eq(propose(&b, &our_sealed, "0123456789abcdef0", 1, &u), STORE_TAKEN);
	cr_assert_eq(propose(&b, &our_sealed, "", 1, &u), STORE_TAKEN);
	cr_assert_eq(store_join(b.store, t.code, &their_sealed, NULL, 2, b.arena, &got), STORE_OK);
	cr_assert_eq(propose(&b, &our_sealed, key, 3, &u), STORE_OK, "joined");
	cr_assert_eq(memcmp(&t, &u, sizeof(t)), 0);
	cr_assert_str_eq(got, "{\"jails\":[],\"sealed\":\"b3Vycw==\"}");
	cr_assert_eq(store_read(b.store, t.code, t.token, 4, b.arena, &got), STORE_OK);
	cr_assert_str_eq(got, "{\"jails\":[],\"sealed\":\"AAAA\"}");
	cr_assert_eq(propose(&b, &our_sealed, key, 5, &u), STORE_OK, "read");
	cr_assert_eq(memcmp(&t, &u, sizeof(t)), 0);
	cr_assert_eq(propose(&b, &our_sealed, NULL, 3 + STORE_AGAIN, &u), STORE_TAKEN);
	cr_assert_eq(propose(&b, &our_sealed, key, 4 + STORE_AGAIN, &u), STORE_OK, "gone");
	cr_assert_str_neq(t.token, u.token);
	cr_assert_eq(store_stats(b.store, 4 + STORE_AGAIN).created, 2);
	bench_free(&b);
}

BOTH(a_join_of_the_other_kind_uses_nothing_up)
{
	struct bench b = bench_new(kind, 10, 10, PLENTY);
	struct ticket plain = create(&b, 0), sealed;
	const char *got;

	cr_assert_eq(propose(&b, &our_sealed, NULL, 0, &sealed), STORE_OK);
	cr_assert_eq(
		store_join(b.store, plain.code, &their_sealed, key, 1, b.arena, &got), STORE_PLAIN);
	cr_assert_eq(
		store_join(b.store, sealed.code, &their_side, key, 1, b.arena, &got), STORE_SEALED);
	cr_assert_eq(read_as(&b, &plain, NULL, 2), STORE_WAITING);
	cr_assert_eq(read_as(&b, &sealed, NULL, 2), STORE_WAITING);
	cr_assert_eq(
		store_join(b.store, plain.code, &their_side, NULL, 3, b.arena, &got), STORE_OK);
	cr_assert_eq(
		store_join(b.store, sealed.code, &their_sealed, NULL, 3, b.arena, &got), STORE_OK);
	cr_assert_eq(
		store_join(b.store, plain.code, &their_sealed, NULL, 4, b.arena, &got), STORE_GONE);
	cr_assert_eq(
		store_join(b.store, sealed.code, &their_side, NULL, 4, b.arena, &got), STORE_GONE);
	bench_free(&b);
}

BOTH(bounds_open_pairings)
{
	struct bench b = bench_new(kind, 2, 10, PLENTY);
	struct ticket t = create(&b, 0), u = create(&b, 1), v;

	cr_assert_eq(store_create(b.store, &bob, &our_side, NULL, 1, &v), STORE_FULL);
	cr_assert_eq(join(&b, &t, NULL, 1), STORE_OK);
	cr_assert_eq(store_create(b.store, &bob, &our_side, NULL, 1, &v), STORE_FULL);
	cr_assert_eq(read_as(&b, &t, NULL, 1), STORE_OK);
	v = create(&b, 2);
	cr_assert_eq(read_as(&b, &u, NULL, 2), STORE_WAITING);
	cr_assert_eq(store_create(b.store, &bob, &our_side, NULL, TTL + 1, &v), STORE_OK);
	bench_free(&b);
}

BOTH(bounds_pairings_of_one_client)
{
	struct bench b = bench_new(kind, 100, 2, PLENTY);
	struct ticket t = create(&b, 0), u;

	create(&b, 0);
	cr_assert_eq(store_create(b.store, &alice, &our_side, NULL, 0, &u), STORE_TOO_MANY);
	cr_assert_eq(store_create(b.store, &bob, &our_side, NULL, 0, &u), STORE_OK);
	cr_assert_eq(join(&b, &t, NULL, 0), STORE_OK);
	cr_assert_eq(store_create(b.store, &alice, &our_side, NULL, 0, &u), STORE_TOO_MANY);
	cr_assert_eq(read_as(&b, &t, NULL, 0), STORE_OK);
	create(&b, 0);
	create(&b, TTL);
	bench_free(&b);
}

/* Bytes of memory that a roster takes in this process. */
static size_t kept(const struct parcel *roster)
{
	struct packed *p = pack(roster);
	size_t n = memory_block(packed_size(p));

	free(p);
	return n;
}

Test(relay_store_redis, bounds_bytes_and_gives_up_repetitions_first)
{
	struct bench b = bench_new(REDIS, 100, 100, 3 * (sizeof(ours) - 1));
	struct ticket t = create(&b, 0), u, v;

	cr_assert_eq(join(&b, &t, key, 0), STORE_OK);
	cr_assert_eq(read_as(&b, &t, t.token, 0), STORE_OK);
	u = create(&b, 0);
	cr_assert_eq(read_as(&b, &t, t.token, 0), STORE_OK);
	create(&b, 0);
	cr_assert_eq(read_as(&b, &t, t.token, 0), STORE_GONE);
	cr_assert_eq(join(&b, &u, NULL, 0), STORE_OK);
	cr_assert_eq(store_create(b.store, &alice, &our_side, NULL, 0, &v), STORE_NO_MEMORY);
	cr_assert_eq(read_as(&b, &u, NULL, 0), STORE_OK);
	bench_free(&b);
}

/* What a pairing takes, and what being joined adds. */
static void costs(size_t *created, size_t *joined)
{
	struct bench b = bench_new(MEMORY, 1, 1, PLENTY);
	struct ticket t = create(&b, 0);

	*created = memory_used(&memory);
	cr_assert_eq(join(&b, &t, NULL, 0), STORE_OK);
	*joined = memory_used(&memory) - *created;
	bench_free(&b);
	cr_assert_eq(memory_used(&memory), 0);
}

Test(relay_store, bounds_memory_and_gives_up_repetitions_first)
{
	size_t created, joined;
	struct ticket t, u, v;
	struct bench b;

	costs(&created, &joined);
	/* Of 16 parts creating may have 13. */
	b = bench_new(MEMORY, 100, 100, (2 * created + joined + 12) / 13 * 16);
	t = create(&b, 0);
	cr_assert_eq(join(&b, &t, key, 0), STORE_OK);
	cr_assert_eq(read_as(&b, &t, t.token, 0), STORE_OK);
	u = create(&b, 0);
	cr_assert_eq(read_as(&b, &t, t.token, 0), STORE_OK);
	create(&b, 0);
	cr_assert_eq(read_as(&b, &t, t.token, 0), STORE_GONE);
	cr_assert_eq(store_create(b.store, &alice, &our_side, NULL, 0, &v), STORE_NO_MEMORY);
	cr_assert_eq(join(&b, &u, NULL, 0), STORE_OK, "there is room left to join");
	cr_assert_eq(read_as(&b, &u, NULL, 0), STORE_OK);
	create(&b, TTL);
	cr_assert_eq(memory_used(&memory), created);
	bench_free(&b);
	cr_assert_eq(memory_used(&memory), 0);
}

BOTH(reading_fast_keeps_no_more_than_may_be_open)
{
	struct bench b = bench_new(kind, 2, 10, PLENTY);
	struct ticket t[3];

	for (int i = 0; i < 3; i++) {
		t[i] = create(&b, i);
		cr_assert_eq(join(&b, &t[i], NULL, i), STORE_OK);
		cr_assert_eq(read_as(&b, &t[i], NULL, i), STORE_OK);
	}
	cr_assert_eq(read_as(&b, &t[0], t[0].token, 3), STORE_GONE);
	cr_assert_eq(read_as(&b, &t[1], t[1].token, 3), STORE_OK);
	cr_assert_eq(read_as(&b, &t[2], t[2].token, 3), STORE_OK);
	bench_free(&b);
}

BOTH(counts_what_becomes_of_pairings)
{
	struct bench b = bench_new(kind, 10, 10, PLENTY);
	struct ticket t = create(&b, 0), late, u;
	struct store_stats got;
	size_t one;

	create(&b, 0);
	late = create(&b, 0);
	one = store_stats(b.store, 0).bytes / 3;
	cr_assert_gt(one, sizeof(ours) - 1);
	cr_assert_eq(join(&b, &t, key, 1), STORE_OK);
	cr_assert_eq(join(&b, &t, key, 1), STORE_OK, "a repetition is not counted again");
	cr_assert_eq(store_stats(b.store, 1).bytes,
		3 * one + (kind == MEMORY ? kept(&their_side) : sizeof(theirs) - 1));
	cr_assert_eq(read_as(&b, &t, t.token, 2), STORE_OK);
	cr_assert_eq(read_as(&b, &t, t.token, 2), STORE_OK);
	cr_assert_eq(join(&b, &late, NULL, TTL - 1), STORE_OK);
	got = store_stats(b.store, TTL);
	cr_assert_eq(got.created, 3);
	cr_assert_eq(got.joined, 2);
	cr_assert_eq(got.collected, 1);
	cr_assert_eq(got.expired, 1);
	cr_assert_eq(got.open, 1, "joined late, it waits for its reader");
	got = store_stats(b.store, 2 * TTL);
	cr_assert_eq(got.expired, 2);
	cr_assert_eq(got.open, 0);
	cr_assert_eq(got.bytes, 0);
	cr_assert_eq(store_create(b.store, &alice, &our_sealed, NULL, 2 * TTL, &u), STORE_OK);
	cr_assert_eq(store_stats(b.store, 2 * TTL).created, 4);
	bench_free(&b);
}

BOTH(many_pairings_come_and_go)
{
	enum { N = 20000 };
	struct bench b = bench_new(kind, N, N, PLENTY);
	static struct ticket t[N];

	for (int i = 0; i < N; i++)
		t[i] = create(&b, i);
	for (int i = 0; i < N; i += 2)
		cr_assert_eq(join(&b, &t[i], NULL, N), STORE_OK);
	for (int i = 0; i < N; i++)
		cr_assert_eq(read_as(&b, &t[i], NULL, N), i % 2 == 0 ? STORE_OK : STORE_WAITING);
	cr_assert_eq(store_stats(b.store, N).open, N / 2);
	cr_assert_eq(store_stats(b.store, TTL + N / 2).open, N / 4);
	cr_assert_eq(store_stats(b.store, TTL + N).open, 0);
	bench_free(&b);
}
