#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/unit/pairing_lab.h"

TestSuite(pairing_hostile, .init = pair_setup, .fini = pair_teardown, .timeout = 120);

Test(pairing_hostile, a_hostile_code_is_neither_shown_nor_recorded)
{
	static const char *const bodies[] = {
		"",
		"{}",
		"[]",
		"not json",
		"{\"code\":7}",
		"{\"code\":null}",
		"{\"code\":\"\"}",
		"{\"code\":\"a b\"}",
		"{\"code\":\"../../etc/passwd\"}",
		"{\"code\":\"a/b\"}",
		"{\"code\":\"a?b\"}",
		"{\"code\":\"a\\r\\nHost: evil\"}",
		"{\"code\":\"a\\u001b[2J\"}",
		"{\"code\":\"a\\u0000\"}",
		"{\"code\":\"local\\\"\"}",
		"{\"code\":\"$(id)\"}",
		"{\"code\":\"caf\303\251\"}",
		"{\"code\":\"a\",\"code\":\"b\"}",
		"{\"code\":\"12345678901234567890123456789012345678901234567890123456789012345\"}",
		"{\"code\":\"a\"} trailing",
		"{\"code\":\"a\",\"token\":7}",
		"{\"code\":\"a\",\"token\":\"\"}",
		"{\"code\":\"a\",\"token\":\"x\\r\\nHost: evil\"}",
		"{\"code\":\"a\",\"token\":\"x y\"}",
	};

	pair_relay.answer = pair_answer_raw;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct handshake_result r;

		pair_relay.raw = pair_ok_body(bodies[i]);
		r = pair_create(0);
		pair_failed(&r, ERR_REMOTE, "its answer is refused");
		cr_expect_null(r.code);
	}
	cr_assert_eq(pair_laptop.shown, 0);
	cr_assert_neq(access(pair_pending_of(&pair_laptop), F_OK), 0);
	cr_assert_neq(access(pair_laptop.lock, F_OK), 0);
}

#define JAIL(name, addr) "{\"name\":\"" name "\",\"ygg_address\":\"" addr "\"}"
#define ROSTER(jails) "{\"jails\":[" jails "]}"

static const char *const hostile[] = {
	"",
	"gone",
	"[]",
	"{}",
	"null",
	ROSTER(""),
	"{\"jails\":{}}",
	ROSTER(JAIL("db", "::/0")),
	ROSTER(JAIL("db", "300::1")),
	ROSTER(JAIL("db", "200::2") "," JAIL("DB", "200::3")),
	ROSTER(JAIL("db\\\"\\n", "200::2")),
	"{\"jails\":[" JAIL("db", "200::2") "],\"jails\":[]}",
	ROSTER(JAIL("db", "200::2")) " {}",
	ROSTER(JAIL("db", "200::1")),
	ROSTER(JAIL("db", "200::66")),
	ROSTER(JAIL("db", "200::77")),
};

/* Peer 'third' has 200::66 by the lock, 200::77 is reserved, and 200::1 is the laptop's. */

static const char *text_of(const char *path)
{
	char *text = arena_alloc(pair_arena, 65536, 1);
	FILE *f = fopen(path, "r");

	cr_assert_not_null(f);
	cr_assert_gt(fread(text, 1, 65535, f), 0);
	fclose(f);
	return text;
}

Test(pairing_hostile, a_hostile_roster_from_a_poll_changes_no_file)
{
	const char *lock, *pending;

	pair_add_third(&pair_laptop);
	pair_create(0);
	lock = text_of(pair_laptop.lock);
	pending = text_of(pair_pending_of(&pair_laptop));
	pair_relay.answer = pair_answer_raw;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		const char *body = hostile[i][0] != '{'
			? hostile[i]
			: arena_printf(pair_arena, "{\"joined\":true%s%s",
				  hostile[i][1] == '}' ? "" : ",", hostile[i] + 1);

		pair_relay.raw = pair_ok_body(body);
		pair_failed((struct handshake_result[]){ pair_create(0) }, ERR_REMOTE, "refused");
	}
	cr_assert_str_eq(text_of(pair_laptop.lock), lock);
	cr_assert_str_eq(text_of(pair_pending_of(&pair_laptop)), pending);
}

Test(pairing_hostile, a_hostile_roster_from_a_join_changes_no_lock)
{
	const char *lock;

	pair_side_init(&pair_server, "server", PAIR_OURS);
	pair_add_third(&pair_server);
	lock = text_of(pair_server.lock);
	pair_relay.answer = pair_answer_raw;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		pair_relay.raw = pair_ok_body(hostile[i]);
		pair_failed((struct handshake_result[]){ pair_join("1-zephyr") }, ERR_REMOTE,
			"refused");
	}
	cr_assert_str_eq(text_of(pair_server.lock), lock);
}

Test(pairing_hostile, a_poll_says_joined_or_not_and_nothing_else)
{
	static const char *const bodies[] = { "{\"joined\":1}", "{\"joined\":\"true\"}",
		"{\"joined\":null}", "{\"Joined\":true}", "{\"joined\":false,\"joined\":true}" };

	pair_create(0);
	pair_relay.answer = pair_answer_raw;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		pair_relay.raw = pair_ok_body(bodies[i]);
		pair_failed((struct handshake_result[]){ pair_create(0) }, ERR_REMOTE, "joined");
	}
}

Test(pairing_hostile, whose_address_was_claimed_is_said)
{
	pair_add_third(&pair_laptop);
	pair_create(0);
	pair_relay.answer = pair_answer_raw;
	pair_relay.raw = pair_ok_body("{\"joined\":true,\"jails\":[" JAIL("db", "200::66") "]}");
	pair_failed((struct handshake_result[]){ pair_create(0) }, ERR_REMOTE,
		"'db' has the address of peer 'third''s jail 'third'");
	pair_relay.raw = pair_ok_body("{\"joined\":true,\"jails\":[" JAIL("db", "200::1") "]}");
	pair_failed((struct handshake_result[]){ pair_create(0) }, ERR_REMOTE,
		"'db' has the address of our own jail 'web'");
}

#define FORGET "; run jmesh teardown --peer office --forget and pair again"

Test(pairing_hostile, a_refused_roster_says_how_to_start_anew)
{
	const char *name = arena_printf(pair_arena, "%0900d", 0);
	struct handshake_result r = pair_create(0);
	struct strs keep = { 0 };
	struct err e = ERR_INIT;

	pair_relay.answer = pair_answer_raw;
	pair_relay.raw = pair_ok_body("{\"joined\":true,\"jails\":[" JAIL("db", "200::1") "]}");
	pair_failed((struct handshake_result[]){ pair_create(0) }, ERR_REMOTE, FORGET);
	pair_relay.raw = pair_ok_body("{\"joined\":true,\"jails\":[" JAIL("db", "300::1") "]}");
	pair_failed((struct handshake_result[]){ pair_create(0) }, ERR_REMOTE, FORGET);
	pair_relay.raw = pair_ok_body(arena_printf(pair_arena,
		"{\"joined\":true,\"jails\":[{\"name\":\"%s\",\"ygg_address\":\"200::2\"}]}",
		name));
	pair_failed((struct handshake_result[]){ pair_create(0) }, ERR_REMOTE, "..." FORGET);
	pair_relay.raw = pair_ok_body("{\"joined\":1}");
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_FAILED);
	cr_assert_null(strstr(r.err.text, "--forget"), "%s", r.err.text);
	pair_relay.answer = NULL;
	strs_push(pair_arena, &keep, "studio");
	cr_assert_eq(pending_prune(pair_laptop.c.state_dir, &keep, &e), 0, "%s", e.text);
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_str_eq(r.code, "2-zephyr");
	cr_assert_not(pair_laptop.resumed);
}

Test(pairing_hostile, a_refused_roster_of_a_join_needs_only_a_new_code)
{
	pair_relay.answer = pair_answer_raw;
	pair_relay.raw = pair_ok_body(ROSTER(JAIL("web", "200::2")));
	pair_failed((struct handshake_result[]){ pair_join("7-liar") }, ERR_REMOTE,
		"; ask for a new code");
	pair_relay.raw = pair_ok_body(ROSTER(JAIL("web", "300::1")));
	pair_failed((struct handshake_result[]){ pair_join("7-liar") }, ERR_REMOTE,
		"; ask for a new code");
	pair_relay.answer = NULL;
	pair_create(0);
	cr_assert_eq(pair_join("1-zephyr").status, HANDSHAKE_PAIRED);
	pair_has_roster(&pair_server, "home", PAIR_OURS);
	cr_assert_eq(pair_pendings(&pair_server), 0);
}

Test(pairing_hostile, two_peers_of_one_run_cannot_have_one_address)
{
	struct handshake_want wants[] = { { "office", HANDSHAKE_CREATE, true, NULL, NULL },
		{ "studio", HANDSHAKE_CREATE, true, NULL, NULL } };
	struct handshake_result r[2];
	struct err e = ERR_INIT;
	struct lock lock;

	cr_assert_eq(handshake_run(&pair_laptop.c, wants, 2, 0, pair_arena, r, &e), 0);
	pair_relay.answer = pair_answer_raw;
	pair_relay.raw = pair_ok_body("{\"joined\":true,\"jails\":[" JAIL("db", "200::2") "]}");
	cr_assert_eq(handshake_run(&pair_laptop.c, wants, 2, 0, pair_arena, r, &e), 0);
	cr_assert_eq((r[0].status == HANDSHAKE_PAIRED) + (r[1].status == HANDSHAKE_PAIRED), 1);
	cr_assert_eq((r[0].status == HANDSHAKE_FAILED) + (r[1].status == HANDSHAKE_FAILED), 1);
	cr_assert_eq(lock_load(pair_laptop.lock, "laptop", pair_arena, &lock, &e), 0);
	cr_assert_eq(lock.n, 1);
}
