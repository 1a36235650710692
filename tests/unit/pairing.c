#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "pairing/store.h"
#include "tests/unit/pairing_lab.h"

TestSuite(pairing, .init = pair_setup, .fini = pair_teardown, .timeout = 120);

static void pair_both(void)
{
	struct handshake_result r = pair_create(0);

	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_str_eq(r.code, "1-zephyr");
	r = pair_join("1-zephyr");
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	pair_has_roster(&pair_laptop, "office", PAIR_THEIRS);
	pair_has_roster(&pair_server, "home", PAIR_OURS);
	cr_assert_eq(pair_pendings(&pair_laptop), 0);
	cr_assert_eq(pair_pendings(&pair_server), 0);
}

Test(pairing, creates_and_joins)
{
	pair_both();
	cr_assert_eq(pair_relay.posts, 1);
	cr_assert_eq(pair_laptop.shown, 2);
	cr_assert(pair_laptop.resumed);
	cr_assert_not(pair_laptop.unrecorded, "a code was shown before it was recorded");
	cr_assert(pair_in_file(pair_laptop.lock, code_digest("1-zephyr", pair_arena)));
	cr_assert_not(pair_in_file(pair_laptop.lock, "1-zephyr"), "the lock holds a code");
}

Test(pairing, creates_and_joins_at_a_plain_relay)
{
	pair_relay.plain = true;
	pair_both();
}

Test(pairing, sends_exactly_the_protocol)
{
	struct handshake_result r = pair_create(0);

	cr_assert_eq(r.status, HANDSHAKE_WAITING);
	cr_assert(strncmp(pair_relay.last, "POST /pair HTTP/1.1\r\n", 21) == 0, "%s",
		pair_relay.last);
	cr_assert(strstr(pair_relay.last, "\r\nUser-Agent: jmesh/" JMESH_VERSION "\r\n") != NULL);
	cr_assert_str_eq(strstr(pair_relay.last, "\r\n\r\n") + 4, PAIR_OURS);
	pair_create(0);
	cr_assert(strncmp(pair_relay.last, "GET /pair/1-zephyr HTTP/1.1\r\n", 29) == 0, "%s",
		pair_relay.last);
	cr_assert(strstr(pair_relay.last, "\r\nAuthorization: Bearer tok.1\r\n") != NULL);
}

Test(pairing, the_pending_file_is_for_its_owner_only)
{
	struct stat st;

	pair_create(0);
	cr_assert_eq(stat(pair_pending_of(&pair_laptop), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(pairing, a_paired_peer_asks_no_relay)
{
	unsigned asked;

	pair_both();
	asked = pair_relay.requests;
	cr_assert_eq(pair_create(0).status, HANDSHAKE_PAIRED);
	cr_assert_eq(pair_join("1-zephyr").status, HANDSHAKE_PAIRED);
	cr_assert_eq(pair_relay.requests, asked);
}

Test(pairing, a_new_code_joins_again)
{
	pair_both();
	pair_failed((struct handshake_result[]){ pair_join("7-other") }, ERR_REMOTE,
		"the code '7-other' is unknown, expired or used; ask for a new one");
	pair_has_roster(&pair_server, "home", PAIR_OURS);
	cr_assert_eq(pair_pendings(&pair_server), 0);
}

Test(pairing, another_relay_gets_another_pairing)
{
	struct handshake_result r = pair_create(0);

	pair_laptop.c.relay_url =
		arena_printf(pair_arena, "http://localhost%s", strrchr(pair_relay.url, ':'));
	r = pair_create(0);
	cr_assert_str_eq(r.code, "2-zephyr", "%s", r.err.text);
	cr_assert_not(pair_laptop.resumed);
	cr_assert_eq(pair_pendings(&pair_laptop), 1);
}

Test(pairing, an_expired_code_is_replaced)
{
	struct handshake_result r = pair_create(0);

	pair_relay.pairings[0].code[0] = '\0';
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_str_eq(r.code, "2-zephyr");
	cr_assert_not(pair_laptop.resumed);
	cr_assert_not(pair_laptop.unrecorded);
}

Test(pairing, a_code_that_another_run_used_up_is_no_loss)
{
	struct lock lock = { .mesh = "laptop" };
	struct handshake_result r;
	struct err e = ERR_INIT;

	pair_create(0);
	pair_relay.pairings[0].code[0] = '\0';
	lock_put(&lock, pair_arena,
		&(struct lock_peer){ .name = "office", .roster = pair_server.ours });
	/* Written while this run polls: the first thing it sees is that the code is gone. */
	cr_assert_eq(lock_save(pair_laptop.lock, &lock, pair_arena, &e), 0);
	r = pair_create(5);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	cr_assert_eq(pair_relay.posts, 1);
}

static struct rogue *writer_relay;

static bool answer_gone_and_write(struct rogue *r, const char *request, char *out, size_t size)
{
	if (strncmp(request, "GET ", 4) != 0)
		return false;
	if (r->requests == 3) {
		struct arena *own = arena_new();
		struct lock lock = { .mesh = "laptop" };
		struct err e = ERR_INIT;

		lock_put(&lock, own,
			&(struct lock_peer){ .name = "office", .roster = pair_server.ours });
		lock_save(pair_laptop.lock, &lock, own, &e);
		arena_free(own);
	}
	writer_relay = r;
	snprintf(out, size, "HTTP/1.1 404 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
	return true;
}

Test(pairing, a_roster_that_another_run_is_about_to_write_is_waited_for)
{
	struct handshake_result r;

	pair_create(0);
	pair_relay.answer = answer_gone_and_write;
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	cr_assert_eq(pair_relay.posts, 1);
}

Test(pairing, several_are_polled_at_once_and_one_paired_returns)
{
	struct handshake_want wants[] = { { "office", HANDSHAKE_CREATE, true, NULL, NULL },
		{ "studio", HANDSHAKE_CREATE, true, NULL, NULL },
		{ "attic", HANDSHAKE_CREATE, true, NULL, NULL } };
	struct handshake_result r[3];
	struct err e = ERR_INIT;
	time_t began = time(NULL);

	cr_assert_eq(handshake_run(&pair_laptop.c, wants, 3, 0, pair_arena, r, &e), 0);
	cr_assert_eq(pair_laptop.shown, 3);
	cr_assert_eq(pair_join(r[1].code).status, HANDSHAKE_PAIRED);
	cr_assert_eq(handshake_run(&pair_laptop.c, wants, 3, 60, pair_arena, r, &e), 0);
	cr_assert_eq(r[0].status, HANDSHAKE_WAITING);
	cr_assert_eq(r[1].status, HANDSHAKE_PAIRED, "%s", r[1].err.text);
	cr_assert_eq(r[2].status, HANDSHAKE_WAITING);
	cr_assert_eq(pair_relay.posts, 3);
	cr_assert_eq(pair_pendings(&pair_laptop), 2);
	cr_assert_leq(time(NULL) - began, 5);
}

Test(pairing, one_that_fails_stops_no_other)
{
	struct handshake_want wants[] = { { "office", HANDSHAKE_CREATE, true, NULL, NULL },
		{ "studio", HANDSHAKE_JOIN, true, "a b", NULL },
		{ "attic", HANDSHAKE_JOIN, true, "7-unknown", NULL } };
	struct handshake_result r[3];
	struct err e = ERR_INIT;

	cr_assert_eq(handshake_run(&pair_laptop.c, wants, 3, 0, pair_arena, r, &e), 0);
	cr_assert_eq(r[0].status, HANDSHAKE_WAITING, "%s", r[0].err.text);
	pair_failed(&r[1], ERR_CONFIG, "'a b' is not a code");
	pair_failed(&r[2], ERR_REMOTE, "'7-unknown' is unknown");
}

Test(pairing, waits_as_long_as_it_is_told_and_ticks)
{
	time_t began = time(NULL);
	struct handshake_result r = pair_create(2);

	cr_assert_eq(r.status, HANDSHAKE_WAITING);
	cr_assert_geq(time(NULL) - began, 1);
	cr_assert_leq(time(NULL) - began, 4);
	cr_assert_geq(pair_laptop.ticks, 10);
	cr_assert_leq(pair_laptop.ticks, 25);
}

Test(pairing, a_tick_interrupts)
{
	struct handshake_want want = { "office", HANDSHAKE_CREATE, true, NULL, NULL };
	struct handshake_result r;
	struct err e = ERR_INIT;
	time_t began = time(NULL);

	pair_laptop.stop = true;
	cr_assert_eq(handshake_run(&pair_laptop.c, &want, 1, 600, pair_arena, &r, &e), -1);
	cr_assert_eq(e.code, ERR_INTERRUPTED);
	cr_assert_leq(time(NULL) - began, 3);
}

Test(pairing, no_jails_is_nothing_to_tell)
{
	pair_laptop.ours.n = 0;
	pair_failed((struct handshake_result[]){ pair_create(0) }, ERR_CONFIG, "0 jails");
	cr_assert_eq(pair_relay.requests, 0);
}

Test(pairing, an_unusable_state_is_an_error_of_the_run)
{
	struct handshake_want want = { "office", HANDSHAKE_CREATE, true, NULL, NULL };
	struct handshake_result r;
	struct err e = ERR_INIT;
	FILE *f = fopen(pair_pending_of(&pair_laptop), "w");

	fputs("{\"format\":1,", f);
	fclose(f);
	cr_assert_eq(handshake_run(&pair_laptop.c, &want, 1, 0, pair_arena, &r, &e), -1);
	cr_assert(strstr(e.text, "remove it to forget") != NULL, "%s", e.text);
	cr_assert_eq(pair_relay.requests, 0);
}

Test(pairing, prunes_only_those_that_are_not_kept)
{
	struct handshake_want wants[] = { { "office", HANDSHAKE_CREATE, true, NULL, NULL },
		{ "studio", HANDSHAKE_CREATE, true, NULL, NULL } };
	struct handshake_result r[2];
	struct strs keep = { 0 };
	struct err e = ERR_INIT;
	struct pending *list;
	size_t n;

	cr_assert_eq(handshake_run(&pair_laptop.c, wants, 2, 0, pair_arena, r, &e), 0);
	strs_push(pair_arena, &keep, "studio");
	cr_assert_eq(pending_prune(pair_laptop.c.state_dir, &keep, &e), 0, "%s", e.text);
	cr_assert_eq(pending_list(pair_laptop.c.state_dir, pair_arena, &list, &n, &e), 0);
	cr_assert_eq(n, 1);
	cr_assert_str_eq(list[0].peer, "studio");
	cr_assert_eq(list[0].role, HANDSHAKE_CREATE);
	cr_assert_eq(pending_prune(pair_laptop.c.state_dir, NULL, &e), 0);
	cr_assert_eq(pair_pendings(&pair_laptop), 0);
}

Test(pairing, a_lock_is_missing_or_whole_or_an_error)
{
	struct err e = ERR_INIT;
	struct lock lock;
	FILE *f;

	cr_assert_eq(lock_load(pair_laptop.lock, "laptop", pair_arena, &lock, &e), 1);
	cr_assert_eq(lock.n, 0);
	cr_assert_str_eq(lock.mesh, "laptop");
	f = fopen(pair_laptop.lock, "w");
	fclose(f);
	cr_assert_eq(lock_load(pair_laptop.lock, "laptop", pair_arena, &lock, &e), -1);
	cr_assert(strstr(e.text, "laptop.lock: it is empty") != NULL, "%s", e.text);
	pair_add_third(&pair_laptop);
	cr_assert_eq(lock_load(pair_laptop.lock, "laptop", pair_arena, &lock, &e), 0);
	cr_assert_eq(lock_load(pair_laptop.lock, "other", pair_arena, &lock, &e), -1);
	cr_assert(strstr(e.text, "belongs to the instance 'laptop'") != NULL, "%s", e.text);
}
