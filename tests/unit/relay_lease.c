#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

#include "relay/lease.h"

static struct clients *clients;
static struct client *one, *two;

static void setup(void)
{
	const struct rate rate = { 10, 20 };
	const struct limits limits = { { rate, rate, rate, rate }, 2, 4, 3 };
	const struct network a = { { 1 } }, b = { { 2 } };

	cr_assert_geq(sodium_init(), 0);
	clients = clients_new(&limits);
	one = clients_at(clients, &a, 0);
	two = clients_at(clients, &b, 0);
}

static void teardown(void)
{
	clients_free(clients);
}

TestSuite(relay_lease, .init = setup, .fini = teardown);

static void add(struct leases *ls, const char *name, struct client *c, int64_t until)
{
	char code[CODE_TEXT] = { 0 };

	snprintf(code, sizeof(code), "%s", name);
	cr_assert(client_open(clients, c));
	lease_add(ls, code, c, until);
}

static void end(struct leases *ls, const char *name)
{
	char code[CODE_TEXT] = { 0 };

	snprintf(code, sizeof(code), "%s", name);
	lease_end(ls, code);
}

/* How many more c may open. */
static int left(struct client *c)
{
	int n = 0;

	while (client_open(clients, c))
		n++;
	for (int i = 0; i < n; i++)
		client_close(clients, c);
	return n;
}

Test(relay_lease, counts_until_it_ends)
{
	struct leases *ls = leases_new(clients, 10);

	add(ls, "a", one, 10);
	add(ls, "b", one, 20);
	cr_assert_eq(left(one), 0);
	cr_assert_eq(left(two), 2);
	end(ls, "a");
	end(ls, "a");
	end(ls, "c");
	cr_assert_eq(left(one), 1);
	leases_expire(ls, 19);
	cr_assert_eq(left(one), 1);
	leases_expire(ls, 20);
	cr_assert_eq(left(one), 2);
	leases_free(ls);
}

Test(relay_lease, of_one_code_there_is_one)
{
	struct leases *ls = leases_new(clients, 10);

	add(ls, "a", one, 10);
	add(ls, "a", two, 20);
	cr_assert_eq(left(one), 2);
	cr_assert_eq(left(two), 1);
	leases_expire(ls, 10);
	cr_assert_eq(left(two), 1);
	leases_free(ls);
	cr_assert_eq(left(two), 2);
}

Test(relay_lease, the_oldest_ends_where_there_are_too_many)
{
	struct leases *ls = leases_new(clients, 2);

	add(ls, "a", one, 10);
	add(ls, "b", two, 20);
	add(ls, "c", two, 30);
	cr_assert_eq(left(one), 2);
	cr_assert_eq(left(two), 0);
	end(ls, "b");
	end(ls, "c");
	leases_free(ls);
	cr_assert_eq(left(two), 2);
}
