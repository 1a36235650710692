#include <criterion/criterion.h>
#include <sodium.h>

#include "relay/limit.h"

/* Remembers four that are idle; open pairings and three connections are allowed to each. */
static struct clients *few(unsigned open)
{
	const struct rate rate = { 10, 20 };
	const struct limits limits = { { rate, rate, rate, rate }, open, 4, 3 };

	cr_assert_geq(sodium_init(), 0);
	return clients_new(&limits);
}

static struct client *client(struct clients *cs, uint8_t n)
{
	const struct network net = { { n } };

	return clients_at(cs, &net, 0);
}

Test(relay_limit, lets_a_burst_through_and_then_the_rate)
{
	struct clients *cs = few(10);
	struct client *c = client(cs, 1);
	int passed = 0;

	for (int i = 0; i < 100; i++)
		passed += client_request(cs, c, BUDGET_JOIN, 0);
	cr_assert_eq(passed, 20);
	cr_assert(client_request(cs, c, BUDGET_POLL, 0), "budgets are apart");
	cr_assert_not(client_request(cs, c, BUDGET_JOIN, 99));
	cr_assert(client_request(cs, c, BUDGET_JOIN, 100));
	cr_assert_not(client_request(cs, c, BUDGET_JOIN, 101));
	/* An older time brings nothing twice. */
	cr_assert_not(client_request(cs, c, BUDGET_JOIN, 0));
	cr_assert_not(client_request(cs, c, BUDGET_JOIN, 150));
	passed = 0;
	for (int i = 0; i < 100; i++)
		passed += client_request(cs, c, BUDGET_JOIN, INT64_C(1) << 60);
	cr_assert_eq(passed, 20);
	cr_assert(client_request(cs, client(cs, 2), BUDGET_JOIN, 0));
	clients_free(cs);
}

Test(relay_limit, wrong_codes_pause_longer_and_longer_and_are_forgotten)
{
	struct clients *cs = few(10);
	struct client *c = client(cs, 1);
	int64_t now = 1000;

	for (int i = 0; i < MISSES_FREE; i++) {
		client_miss(c, now);
		cr_assert_eq(client_pause(c, now), 0, "%d", i);
	}
	for (int i = 0; i <= MISS_DOUBLINGS; i++) {
		client_miss(c, now);
		cr_assert_eq(client_pause(c, now), INT64_C(1000) << i, "%d", i);
		cr_assert_eq(client_pause(c, now + (INT64_C(1000) << i) - 1), 1);
		now += INT64_C(1000) << i;
		cr_assert_eq(client_pause(c, now), 0);
	}
	for (int i = 0; i < 20; i++) {
		client_miss(c, now);
		cr_assert_eq(client_pause(c, now), 64000, "the longest pause stays");
		now += 64000;
	}
	now += (MISS_DOUBLINGS + 1) * MISS_FORGOTTEN;
	client_miss(c, now);
	cr_assert_leq(client_pause(c, now), 1000);
	now += 100 * MISS_FORGOTTEN;
	client_miss(c, now);
	cr_assert_eq(client_pause(c, now), 0);
	cr_assert_eq(client_pause(client(cs, 2), now), 0);
	clients_free(cs);
}

Test(relay_limit, remembers_clients_with_pairings_and_few_others)
{
	struct clients *cs = few(1);
	struct client *holder = client(cs, 1);

	cr_assert(client_open(cs, holder));
	for (uint8_t i = 2; i < 200; i++)
		cr_assert(client_request(cs, client(cs, i), BUDGET_JOIN, 0));
	cr_assert_eq(client(cs, 1), holder);
	cr_assert_not(client_open(cs, holder));
	client_close(cs, holder);
	clients_free(cs);
}

Test(relay_limit, counts_connections_of_a_client_and_remembers_it_meanwhile)
{
	struct clients *cs = few(1);
	struct client *c = client(cs, 1);

	for (int i = 0; i < 3; i++) {
		cr_assert(client_may_connect(cs, c));
		client_connect(cs, c);
	}
	cr_assert_not(client_may_connect(cs, c));
	cr_assert(client_may_connect(cs, client(cs, 2)));
	for (uint8_t i = 3; i < 200; i++)
		client(cs, i);
	cr_assert_eq(client(cs, 1), c);
	cr_assert_not(client_may_connect(cs, c));
	client_disconnect(cs, c);
	cr_assert(client_may_connect(cs, c));
	clients_free(cs);
}

/* A pairing outlives its connection and the other way round: neither end may let the other go. */
Test(relay_limit, a_client_is_idle_only_without_a_pairing_and_without_a_connection)
{
	struct clients *cs = few(1);
	struct client *c = client(cs, 1);

	client_connect(cs, c);
	cr_assert(client_open(cs, c));
	client_disconnect(cs, c);
	for (uint8_t i = 2; i < 20; i++)
		client(cs, i);
	cr_assert_not(client_open(cs, client(cs, 1)));
	client_connect(cs, c);
	client_close(cs, c);
	for (uint8_t i = 2; i < 20; i++)
		client(cs, i);
	cr_assert_eq(client(cs, 1), c);
	client_disconnect(cs, c);
	cr_assert(client_open(cs, c));
	client_close(cs, c);
	clients_free(cs);
}
