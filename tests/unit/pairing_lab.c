#include "tests/unit/pairing_lab.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <sodium.h>

#include "pairing/store.h"

struct arena *pair_arena;
struct rogue pair_relay;
struct side pair_laptop, pair_server;
static char dir[64];

bool pair_in_file(const char *path, const char *needle)
{
	char text[65536] = "";
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return false;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return strstr(text, needle) != NULL;
}

const char *pair_pending_of(const struct side *s)
{
	return arena_printf(pair_arena, "%s/pending.json", s->c.state_dir);
}

static void on_code(void *ctx, const char *peer, const char *code, bool resumed)
{
	struct side *s = ctx;

	s->shown++;
	s->resumed = resumed;
	snprintf(s->code, sizeof(s->code), "%s", code);
	if (!pair_in_file(pair_pending_of(s), code) || !pair_in_file(pair_pending_of(s), peer))
		s->unrecorded = true;
}

static bool on_tick(void *ctx, size_t waiting, int seconds_left)
{
	struct side *s = ctx;

	(void)waiting;
	(void)seconds_left;
	s->ticks++;
	return s->stop;
}

static int sign(void *ctx, const char *line, struct arena *a, uint8_t (*signatures)[SEAL_SIGNATURE],
	struct err *e)
{
	const struct side *s = ctx;

	(void)a;
	if (s->seeds == NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE, "nobody signs here");
	for (size_t i = 0; i < s->ours.n; i++) {
		uint8_t key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];

		crypto_sign_seed_keypair(key, secret, s->seeds[i]);
		crypto_sign_detached(
			signatures[i], NULL, (const uint8_t *)line, strlen(line), secret);
	}
	return 0;
}

void pair_side_keys(struct side *s)
{
	uint8_t(*seeds)[32] = arena_alloc(pair_arena, s->ours.n, sizeof(*seeds));

	for (size_t i = 0; i < s->ours.n; i++) {
		struct roster_jail *jail = &s->ours.jails[i];
		uint8_t secret[crypto_sign_SECRETKEYBYTES];

		randombytes_buf(seeds[i], sizeof(seeds[i]));
		crypto_sign_seed_keypair(jail->key.b, secret, seeds[i]);
		jail->has_key = true;
		jail->addr = addr_of_key(&jail->key);
	}
	s->seeds = seeds;
}

void pair_side_init(struct side *s, const char *name, const char *roster)
{
	struct err e = ERR_INIT;

	memset(s, 0, sizeof(*s));
	cr_assert_eq(
		roster_parse(roster, strlen(roster), pair_arena, &s->ours, &e), 0, "%s", e.text);
	snprintf(s->lock, sizeof(s->lock), "%s/%s.lock", dir, name);
	s->c = (struct handshake_conf){
		.mesh = name,
		.relay_url = pair_relay.url,
		.state_dir = arena_printf(pair_arena, "%s/%s", dir, name),
		.lock_path = s->lock,
		.ours = &s->ours,
		.ctx = s,
		.on_code = on_code,
		.on_tick = on_tick,
		.sign = sign,
	};
	mkdir(s->c.state_dir, 0700);
}

void pair_setup(void)
{
	pair_arena = arena_new();
	snprintf(dir, sizeof(dir), "/tmp/jmesh-pairing-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	rogue_start(&pair_relay);
	pair_side_init(&pair_laptop, "laptop", PAIR_OURS);
	pair_side_init(&pair_server, "server", PAIR_THEIRS);
}

void pair_teardown(void)
{
	char *command = arena_printf(pair_arena, "rm -rf %s", dir);

	rogue_stop(&pair_relay);
	cr_assert_eq(system(command), 0);
	arena_free(pair_arena);
}

struct handshake_result pair_run(
	struct side *s, enum handshake_role role, const char *code, int wait_s)
{
	struct handshake_want want = {
		.peer = role == HANDSHAKE_CREATE ? "office" : "home",
		.role = role,
		.plain = true,
		.code = code,
	};
	struct handshake_result result;
	struct err e = ERR_INIT;

	cr_assert_eq(
		handshake_run(&s->c, &want, 1, wait_s, pair_arena, &result, &e), 0, "%s", e.text);
	return result;
}

struct handshake_result pair_create(int wait_s)
{
	return pair_run(&pair_laptop, HANDSHAKE_CREATE, NULL, wait_s);
}

struct handshake_result pair_join(const char *code)
{
	return pair_run(&pair_server, HANDSHAKE_JOIN, code, 0);
}

void pair_has_roster(const struct side *s, const char *peer, const char *roster)
{
	const struct lock_peer *found;
	struct err e = ERR_INIT;
	struct lock lock;

	cr_assert_eq(lock_load(s->lock, s->c.mesh, pair_arena, &lock, &e), 0, "%s", e.text);
	found = lock_find(&lock, peer);
	cr_assert_not_null(found);
	cr_assert_str_eq(roster_format(&found->roster, pair_arena), roster);
	cr_assert_str_eq(found->told, roster_digest(&s->ours, pair_arena));
}

size_t pair_pendings(const struct side *s)
{
	struct err e = ERR_INIT;
	struct pending *list;
	size_t n;

	cr_assert_eq(pending_list(s->c.state_dir, pair_arena, &list, &n, &e), 0, "%s", e.text);
	return n;
}

void pair_failed(const struct handshake_result *r, enum err_code code, const char *says)
{
	cr_expect_eq(r->status, HANDSHAKE_FAILED, "status %d", r->status);
	cr_expect_eq(r->err.code, code, "%d %s", r->err.code, r->err.text);
	cr_expect(strstr(r->err.text, says) != NULL, "'%s' is not in '%s'", says, r->err.text);
}

bool pair_answer_raw(struct rogue *r, const char *request, char *out, size_t size)
{
	(void)request;
	snprintf(out, size, "%s", r->raw);
	return true;
}

const char *pair_ok_body(const char *body)
{
	return arena_printf(pair_arena,
		"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		strlen(body), body);
}

void pair_add_third(struct side *s)
{
	static struct roster_jail jails[] = {
		{ .name = "third", .addr = { .b = { 2, [15] = 0x66 } } },
		{ .name = "runner", .addr = { .b = { 2, [15] = 0x77 } } },
	};
	static const struct roster reserved = { &jails[1], 1 };
	struct lock lock = { .mesh = s->c.mesh };
	struct err e = ERR_INIT;

	lock_put(&lock, pair_arena, &(struct lock_peer){ .name = "third", .roster = { jails, 1 } });
	cr_assert_eq(lock_save(s->lock, &lock, pair_arena, &e), 0, "%s", e.text);
	s->c.reserved = &reserved;
}
