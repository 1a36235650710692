/* Sealed handshakes: by a code and its secret, and by a secret that both sides have. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <sodium.h>

#include "base/parcel.h"
#include "pairing/store.h"
#include "tests/unit/pairing_lab.h"

static void setup(void)
{
	pair_setup();
	pair_side_keys(&pair_laptop);
	pair_side_keys(&pair_server);
}

TestSuite(pairing_sealed, .init = setup, .fini = pair_teardown, .timeout = 120);

static struct handshake_result run_sealed(
	struct side *s, const char *peer, enum handshake_role role, const char *text, int wait_s)
{
	struct handshake_want want = { .peer = peer, .role = role };
	struct handshake_result result;
	struct err e = ERR_INIT;
	struct pass pass;

	if (text != NULL) {
		cr_assert_eq(pass_parse(text, &pass, &e), 0, "%s", e.text);
		want.code = pass.code;
		want.secret = &pass.secret;
	}
	cr_assert_eq(
		handshake_run(&s->c, &want, 1, wait_s, pair_arena, &result, &e), 0, "%s", e.text);
	return result;
}

static struct handshake_result create(int wait_s)
{
	return run_sealed(&pair_laptop, "office", HANDSHAKE_CREATE, NULL, wait_s);
}

static struct handshake_result join(const char *text)
{
	return run_sealed(&pair_server, "home", HANDSHAKE_JOIN, text, 0);
}

static const char *offered(void)
{
	struct handshake_result r = create(0);

	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_not_null(strchr(r.code, '#'));
	return r.code;
}

static const struct lock_peer *locked(const struct side *s, const char *peer)
{
	struct lock *lock = arena_alloc(pair_arena, 1, sizeof(*lock));
	struct err e = ERR_INIT;

	cr_assert_geq(lock_load(s->lock, s->c.mesh, pair_arena, lock, &e), 0, "%s", e.text);
	return lock_find(lock, peer);
}

static void has_keys_of(const struct side *s, const char *peer, const struct side *other)
{
	const struct lock_peer *found = locked(s, peer);

	cr_assert_not_null(found);
	cr_assert(found->sealed);
	cr_assert_str_eq(found->instance, other->c.mesh);
	cr_assert_gt(found->made, INT64_C(1700000000000));
	cr_assert_eq(found->roster.n, other->ours.n);
	for (size_t i = 0; i < found->roster.n; i++) {
		cr_assert(found->roster.jails[i].has_key);
		cr_assert_eq(memcmp(&found->roster.jails[i].key, &other->ours.jails[i].key,
				     sizeof(struct pubkey)),
			0);
	}
}

static void both_paired(void)
{
	has_keys_of(&pair_laptop, "office", &pair_server);
	has_keys_of(&pair_server, "home", &pair_laptop);
	cr_assert_eq(pair_pendings(&pair_laptop), 0);
	cr_assert_eq(pair_pendings(&pair_server), 0);
}

Test(pairing_sealed, creates_and_joins)
{
	const char *text = offered();
	struct handshake_result r;
	struct stat st;

	cr_assert_eq(pair_laptop.shown, 1);
	cr_assert_not(pair_laptop.resumed);
	cr_assert_str_eq(pair_laptop.code, text);
	cr_assert_eq(stat(pair_pending_of(&pair_laptop), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	r = join(text);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	both_paired();
	cr_assert_not(
		pair_in_file(pair_laptop.lock, strchr(text, '#') + 1), "the lock holds a secret");
}

/* What the relay could read: neither the secret nor a name nor an address. */
Test(pairing_sealed, tells_the_relay_nothing)
{
	const char *text = offered();
	char address[ADDR_TEXT];

	addr_format(&pair_laptop.ours.jails[0].addr, address);
	cr_assert(strncmp(pair_relay.last, "POST /pair HTTP/1.1\r\n", 21) == 0);
	cr_assert_not_null(strstr(pair_relay.last, "\r\nIdempotency-Key: "));
	cr_assert_not_null(strstr(pair_relay.last, "{\"jails\":[],\"sealed\":\""));
	cr_assert_null(strstr(pair_relay.last, strchr(text, '#') + 1));
	cr_assert_null(strstr(pair_relay.last, address));
	cr_assert_null(strstr(pair_relay.last, "\"web\""));
	cr_assert_eq(join(text).status, HANDSHAKE_PAIRED);
	cr_assert_null(strstr(pair_relay.last, strchr(text, '#') + 1));
	cr_assert_null(strstr(pair_relay.last, "\"db\""));
}

Test(pairing_sealed, resumes_with_the_same_code_and_secret)
{
	const char *text = offered(), *again = offered();

	cr_assert_str_eq(text, again);
	cr_assert(pair_laptop.resumed);
	cr_assert_eq(pair_relay.posts, 1);
}

Test(pairing_sealed, a_creation_whose_answer_was_lost_is_the_same_pairing)
{
	const char *text;

	pair_relay.cut = 30;
	text = offered();
	cr_assert_eq(pair_relay.n, 1);
	cr_assert_eq(pair_relay.posts, 2);
	cr_assert_eq(join(text).status, HANDSHAKE_PAIRED);
}

Test(pairing_sealed, an_expired_code_is_replaced_with_its_secret)
{
	const char *text = offered();
	struct handshake_result r;

	pair_relay.pairings[0].code[0] = '\0';
	r = create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_neq(strcmp(r.code, text), 0);
	cr_assert_neq(strcmp(strchr(r.code, '#'), strchr(text, '#')), 0);
	cr_assert_eq(join(r.code).status, HANDSHAKE_PAIRED);
	cr_assert_eq(create(0).status, HANDSHAKE_PAIRED);
	both_paired();
}

/* The code with a secret of somebody who only overheard the code. */
static const char *with_other_secret(const char *text)
{
	char other[PASS_TEXT];
	struct secret secret;
	struct pass pass;
	struct err e;

	cr_assert_eq(pass_parse(text, &pass, &e), 0);
	randombytes_buf(&secret, sizeof(secret));
	pass_format(pass.code, &secret, other);
	return arena_dup(pair_arena, other);
}

Test(pairing_sealed, who_overheard_the_code_alone_gets_nothing_and_gives_nothing)
{
	const char *text = offered();
	struct handshake_result r = join(with_other_secret(text));

	pair_failed(&r, ERR_REMOTE, "does not open with the secret of this pairing");
	cr_assert_null(locked(&pair_server, "home"));
	r = create(0);
	pair_failed(&r, ERR_REMOTE, "does not open with the secret of this pairing");
	cr_assert(strstr(r.err.text, "run jmesh teardown --peer office --forget") != NULL, "%s",
		r.err.text);
	cr_assert_null(locked(&pair_laptop, "office"));
}

static void hostile_join(const char *text, const char *answer, const char *says)
{
	struct handshake_result r;

	pair_relay.answer = pair_answer_raw;
	pair_relay.raw = pair_ok_body(answer);
	r = join(text);
	pair_failed(&r, ERR_REMOTE, says);
	cr_assert_neq(access(pair_server.lock, F_OK), 0);
}

static const char *sealed_of(const char *body)
{
	const char *at = strstr(body, "\"sealed\":\"") + strlen("\"sealed\":\"");

	return arena_dupn(pair_arena, at, strcspn(at, "\""));
}

static const char *body_of(const char *sealed)
{
	return arena_printf(pair_arena, "{\"jails\":[],\"sealed\":\"%s\"}", sealed);
}

Test(pairing_sealed, what_a_relay_makes_of_a_roster_is_refused)
{
	const char *text = offered();
	const char *sealed = sealed_of(pair_relay.pairings[0].creator);
	char *changed = arena_dup(pair_arena, sealed);

	hostile_join(text, PAIR_OURS, "is not sealed: the other side speaks Jailrun's protocol");
	hostile_join(text, "{\"jails\":[]}", "it has no jails");
	hostile_join(text,
		"{\"jails\":[{\"name\":\"a\",\"ygg_address\":\"200::9\"}],\"sealed\":\"AAAA\"}",
		"not an empty array");
	hostile_join(text, body_of("AAAA"), "no sealed roster");
	hostile_join(text, body_of("A"), "not base 64");
	/* Each bit that is turned over is noticed. */
	for (size_t i = 0; i < strlen(sealed) - 4; i += 7) {
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		hostile_join(text, body_of(changed), "does not open");
		changed[i] = sealed[i];
	}
	changed[strlen(sealed) - 4] = '\0';
	hostile_join(text, body_of(changed), "does not open");
}

/* Its own message comes back to the joiner, and that of another pairing. */
Test(pairing_sealed, reflected_and_swapped_rosters_are_refused)
{
	const char *first = offered(), *second, *other;
	struct handshake_result r;

	cr_assert_eq(run_sealed(&pair_laptop, "studio", HANDSHAKE_CREATE, NULL, 0).status,
		HANDSHAKE_WAITING);
	second = pair_laptop.code;
	other = sealed_of(pair_relay.pairings[1].creator);
	hostile_join(first, body_of(other), "does not open");
	cr_assert_neq(strcmp(first, second), 0);
	/* What the creator sent comes back to it as the joiner's. */
	pair_relay.raw = pair_ok_body(arena_printf(pair_arena, "{\"joined\":true,%s",
		body_of(sealed_of(pair_relay.pairings[0].creator)) + 1));
	r = create(0);
	pair_failed(&r, ERR_REMOTE, "does not open");
	cr_assert_neq(access(pair_laptop.lock, F_OK), 0);
}

Test(pairing_sealed, another_relay_than_ours_is_said_to_be_one)
{
	struct handshake_result r;

	pair_relay.plain = true;
	r = create(0);
	pair_failed(&r, ERR_REMOTE, "is not one of jmesh's and cannot carry a sealed pairing");
	pair_relay.plain = false;
	pair_relay.fails = 1;
	pair_relay.status = 422;
	r = run_sealed(&pair_laptop, "studio", HANDSHAKE_CREATE, NULL, 0);
	pair_failed(&r, ERR_REMOTE, "carries no sealed rosters");
}

Test(pairing_sealed, a_jail_without_a_key_or_a_signature_stops_it_before_the_relay)
{
	struct handshake_result r;

	pair_server.ours.jails[0].has_key = false;
	r = join("81-zephyr-night-climb#0004-1061-050R-3GG2-8A1C-60T3-GFZ");
	pair_failed(&r, ERR_CONFIG, "'db' has no key");
	pair_server.ours.jails[0].has_key = true;
	pair_server.seeds = pair_laptop.seeds;
	r = join("81-zephyr-night-climb#0004-1061-050R-3GG2-8A1C-60T3-GFZ");
	pair_failed(&r, ERR_CONFIG, "'db' signs with another key");
	pair_server.seeds = NULL;
	r = join("81-zephyr-night-climb#0004-1061-050R-3GG2-8A1C-60T3-GFZ");
	pair_failed(&r, ERR_SYSTEM, "nobody signs here");
	cr_assert_eq(pair_relay.requests, 0);
}

/* A lock from a plain pairing does not count, and what is proved replaces it. */
Test(pairing_sealed, a_roster_that_nobody_proved_is_no_pairing)
{
	struct lock lock = { .mesh = "laptop" };
	struct err e = ERR_INIT;
	const char *text;

	lock_put(&lock, pair_arena,
		&(struct lock_peer){
			.name = "office", .role = "create", .roster = pair_server.ours });
	cr_assert_eq(lock_save(pair_laptop.lock, &lock, pair_arena, &e), 0, "%s", e.text);
	text = offered();
	cr_assert_eq(join(text).status, HANDSHAKE_PAIRED);
	cr_assert_eq(create(0).status, HANDSHAKE_PAIRED);
	both_paired();
}

/* --- Rendezvous --- */

static struct pass meeting_of(const char *mesh, const char *peer)
{
	static const uint8_t bytes[] = { 9, 200, 31, 77, 150, 3, 41, 90, 211, 64, 18, 137, 250, 99,
		5, 182 };
	struct pass pass = { .sealed = true };

	memcpy(pass.secret.b, bytes, sizeof(bytes));
	seal_meeting(&pass.secret, mesh, peer, pass.code);
	return pass;
}

static struct handshake_result meet(struct side *s, const char *peer, int wait_s)
{
	struct pass pass = meeting_of(s->c.mesh, peer);
	struct handshake_want want = { peer, HANDSHAKE_RENDEZVOUS, false, pass.code, &pass.secret };
	struct handshake_result result;
	struct err e = ERR_INIT;

	cr_assert_eq(
		handshake_run(&s->c, &want, 1, wait_s, pair_arena, &result, &e), 0, "%s", e.text);
	return result;
}

static void met(void)
{
	has_keys_of(&pair_laptop, "server", &pair_server);
	has_keys_of(&pair_server, "laptop", &pair_laptop);
	cr_assert_eq(pair_pendings(&pair_laptop), 0);
	cr_assert_eq(pair_pendings(&pair_server), 0);
	cr_assert_eq(pair_laptop.shown + pair_server.shown, 0, "a code was shown");
}

static void meets(struct side *s, const char *peer, enum handshake_status status)
{
	struct handshake_result r = meet(s, peer, 0);

	cr_assert_eq(r.status, status, "%s: %d %s", s->c.mesh, r.status, r.err.text);
	cr_assert_null(r.code);
}

Test(pairing_sealed, whoever_comes_first_creates_and_the_other_joins)
{
	meets(&pair_server, "laptop", HANDSHAKE_WAITING);
	meets(&pair_server, "laptop", HANDSHAKE_WAITING);
	meets(&pair_laptop, "server", HANDSHAKE_PAIRED);
	meets(&pair_server, "laptop", HANDSHAKE_PAIRED);
	met();
	cr_assert_eq(pair_relay.n, 1);
	meets(&pair_laptop, "server", HANDSHAKE_PAIRED);
	cr_assert_str_eq(locked(&pair_laptop, "server")->role, "rendezvous");
}

struct meeting {
	pthread_t thread;
	struct side *side;
	const char *peer;
	struct handshake_result result;
};

static void *meet_there(void *user)
{
	struct meeting *m = user;
	struct pass pass = meeting_of(m->side->c.mesh, m->peer);
	struct handshake_want want = { m->peer, HANDSHAKE_RENDEZVOUS, false, pass.code,
		&pass.secret };
	struct arena *own = arena_new();
	struct err e = ERR_INIT;

	if (handshake_run(&m->side->c, &want, 1, 20, own, &m->result, &e) < 0)
		m->result.status = HANDSHAKE_FAILED;
	arena_free(own);
	return NULL;
}

Test(pairing_sealed, a_race_of_both_ends_well)
{
	for (int i = 0; i < 20; i++) {
		struct meeting both[2] = { { .side = &pair_laptop, .peer = "server" },
			{ .side = &pair_server, .peer = "laptop" } };

		pair_relay.n = 0;
		unlink(pair_laptop.lock);
		unlink(pair_server.lock);
		for (int k = 0; k < 2; k++)
			pthread_create(&both[k].thread, NULL, meet_there, &both[k]);
		for (int k = 0; k < 2; k++)
			pthread_join(both[k].thread, NULL);
		cr_assert_eq(
			both[0].result.status, HANDSHAKE_PAIRED, "%s", both[0].result.err.text);
		cr_assert_eq(
			both[1].result.status, HANDSHAKE_PAIRED, "%s", both[1].result.err.text);
		met();
		cr_assert_eq(pair_relay.n, 1);
	}
}

/* A pairing that was used is at the relay for a minute yet. */
Test(pairing_sealed, a_used_meeting_is_waited_for)
{
	meets(&pair_server, "laptop", HANDSHAKE_WAITING);
	meets(&pair_laptop, "server", HANDSHAKE_PAIRED);
	unlink(pair_laptop.lock);
	meets(&pair_laptop, "server", HANDSHAKE_WAITING);
	pair_relay.pairings[0].code[0] = '\0';
	meets(&pair_laptop, "server", HANDSHAKE_WAITING);
	cr_assert_eq(pair_relay.n, 2);
}

Test(pairing_sealed, an_offer_of_its_own_that_was_forgotten_is_recognised)
{
	struct handshake_result r;

	meets(&pair_server, "laptop", HANDSHAKE_WAITING);
	unlink(pair_pending_of(&pair_server));
	r = meet(&pair_server, "laptop", 0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_null(locked(&pair_server, "laptop"));
	pair_relay.pairings[0].code[0] = '\0';
	meets(&pair_server, "laptop", HANDSHAKE_WAITING);
	meets(&pair_laptop, "server", HANDSHAKE_PAIRED);
	meets(&pair_server, "laptop", HANDSHAKE_PAIRED);
	met();
}

/* The relay kept the message of an earlier meeting, which opens and is signed, and gives it out again. */
Test(pairing_sealed, an_old_message_of_the_same_secret_is_refused)
{
	struct handshake_result r;
	const char *old;

	meets(&pair_server, "laptop", HANDSHAKE_WAITING);
	old = body_of(sealed_of(pair_relay.pairings[0].creator));
	meets(&pair_laptop, "server", HANDSHAKE_PAIRED);
	meets(&pair_server, "laptop", HANDSHAKE_PAIRED);
	/* The laptop is told of another secret and back, so that it asks again: its lock keeps the time. */
	{
		struct lock lock;
		struct err e = ERR_INIT;

		cr_assert_eq(lock_load(pair_laptop.lock, "laptop", pair_arena, &lock, &e), 0);
		lock.peers[0].code = "0000000000000000";
		cr_assert_eq(lock_save(pair_laptop.lock, &lock, pair_arena, &e), 0);
	}
	pair_relay.pairings[0].code[0] = '\0';
	meets(&pair_laptop, "server", HANDSHAKE_WAITING);
	pair_relay.answer = pair_answer_raw;
	pair_relay.raw = pair_ok_body(arena_printf(pair_arena, "{\"joined\":true,%s", old + 1));
	r = meet(&pair_laptop, "server", 0);
	pair_failed(&r, ERR_REMOTE, "does not open");
	/* In the direction that it was made for. */
	pair_relay.raw = "HTTP/1.1 409 X\r\nContent-Length: 5\r\nConnection: close\r\n\r\ntaken";
	unlink(pair_pending_of(&pair_laptop));
	meet(&pair_laptop, "server", 0);
	pair_relay.raw = pair_ok_body(old);
	r = meet(&pair_laptop, "server", 0);
	pair_failed(&r, ERR_REMOTE, "not newer than the one in the lock");
	cr_assert_eq(pair_pendings(&pair_laptop), 0, "the next apply would not begin anew");
}

Test(pairing_sealed, another_name_than_the_files_is_refused)
{
	struct handshake_result r;

	/* A side with the same secret that says it is somebody else, under the code of these two. */
	pair_server.c.mesh = "impostor";
	{
		struct pass pass = meeting_of("laptop", "server");
		struct handshake_want want = { "laptop", HANDSHAKE_RENDEZVOUS, false, pass.code,
			&pass.secret };
		struct err e = ERR_INIT;

		cr_assert_eq(handshake_run(&pair_server.c, &want, 1, 0, pair_arena, &r, &e), 0,
			"%s", e.text);
	}
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	r = meet(&pair_laptop, "server", 0);
	pair_failed(&r, ERR_REMOTE, "calls itself 'impostor'");
	cr_assert_null(locked(&pair_laptop, "server"));
}

/* --- Plain rosters are asked for --- */

static int says(void *ctx, const char *peer, const struct roster *theirs)
{
	struct side *s = ctx;

	cr_assert_str_eq(peer, "office");
	cr_assert_eq(theirs->n, 1);
	cr_assert_str_eq(theirs->jails[0].name, "db");
	s->confirmed++;
	return s->says;
}

Test(pairing_sealed, a_plain_roster_is_let_in_when_somebody_says_so)
{
	struct handshake_result r;

	pair_relay.plain = true;
	pair_laptop.c.confirm = says;
	r = pair_create(0);
	cr_assert_eq(pair_join(r.code).status, HANDSHAKE_PAIRED);
	pair_laptop.says = -1;
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_eq(pair_laptop.confirmed, 1);
	/* The relay has given it once; it is kept for the next run. */
	pair_laptop.says = 1;
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	cr_assert_eq(pair_laptop.confirmed, 2);
	cr_assert_not(locked(&pair_laptop, "office")->sealed);
	cr_assert_eq(pair_pendings(&pair_laptop), 0);
}

Test(pairing_sealed, a_plain_roster_that_is_declined_is_forgotten)
{
	struct handshake_result r;

	pair_laptop.c.confirm = says;
	r = pair_create(0);
	cr_assert_eq(pair_join(r.code).status, HANDSHAKE_PAIRED);
	r = pair_create(0);
	pair_failed(&r, ERR_REMOTE, "was not accepted, and is forgotten");
	cr_assert_eq(pair_pendings(&pair_laptop), 0);
	cr_assert_neq(access(pair_laptop.lock, F_OK), 0);
}

Test(pairing_sealed, a_sealed_roster_is_none_for_a_plain_pairing)
{
	struct handshake_result r;

	offered();
	pair_relay.answer = pair_answer_raw;
	pair_relay.raw = pair_ok_body(body_of(sealed_of(pair_relay.pairings[0].creator)));
	r = pair_join("1-zephyr");
	pair_failed(&r, ERR_REMOTE, "does not say plain: true for this pairing");
}
