#include "cli/hooks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/host.h"
#include "cli/pass.h"
#include "os/clock.h"
#include "pairing/handshake.h"

enum { LOCK_WAIT_S = 60 };

static int hook_load_lock(void *ctx, struct arena *a, struct lock *out, struct err *e)
{
	struct host *h = ctx;

	return lock_load(h->lock_path, h->mesh.name, a, out, e) < 0 ? -1 : 0;
}

static int hook_save_lock(void *ctx, const struct lock *lock, struct arena *a, struct err *e)
{
	struct host *h = ctx;

	return lock_save(h->lock_path, lock, a, e);
}

static void tell_wait(void *ctx, long pid)
{
	const struct host *h = ctx;

	if (pid > 0)
		fprintf(stderr,
			"jmesh: waiting for another jmesh (pid %ld) that is at work on %s\n", pid,
			h->state_dir);
	else
		fprintf(stderr, "jmesh: waiting for another jmesh that is at work on %s\n",
			h->state_dir);
}

/*
 * Others may have been at work while the lock was not ours. Going on with what was read before would
 * grant again what they revoked, and forget the pairings that they began.
 */
static int is_current(struct host *h, struct err *e)
{
	struct arena *a = arena_new();
	struct input now;
	int rc = 0;

	/* Standard input and pipes are read once. */
	if (h->input.again &&
		(input_read(h->options->file, a, &now, e) < 0 || now.len != h->input.len ||
			memcmp(now.text, h->input.text, now.len) != 0))
		rc = err_set(e, ERR_CONFIG, NOWHERE,
			"%s changed while this jmesh waited; run it again to go on with what the "
			"file says now",
			h->input.name);
	arena_free(a);
	return rc;
}

static int hook_take(void *ctx, struct err *e)
{
	struct host *h = ctx;
	struct statelock before = h->statelock;

	if (statelock_take(&h->statelock, h->state_dir, LOCK_WAIT_S, tell_wait, h, e) < 0 ||
		is_current(h, e) < 0)
		return -1;
	if (h->locked && !h->tears_down && h->statelock.marked != before.marked)
		return err_set(e, ERR_BUSY, NOWHERE,
			"a teardown came while this jmesh waited; run apply again to bring back "
			"what it took away");
	h->locked = true;
	return h->tears_down ? statelock_mark(&h->statelock, e) : 0;
}

static void hook_drop(void *ctx)
{
	struct host *h = ctx;

	statelock_drop(&h->statelock);
}

static bool hook_interrupted(void *ctx)
{
	(void)ctx;
	return host_signal() != 0;
}

static void clear_line(const struct host *h)
{
	if (h->options->terminal_err)
		fputs("\r\033[K", stderr);
}

/* One round of handshakes. */
struct pairing {
	struct host *host;
	const struct roster *ours;
};

static int on_sign(void *ctx, const char *line, struct arena *a,
	uint8_t (*signatures)[SEAL_SIGNATURE], struct err *e)
{
	const struct pairing *p = ctx;
	const char **nodes = arena_alloc(a, p->ours->n, sizeof(*nodes));

	for (size_t i = 0; i < p->ours->n; i++)
		nodes[i] = p->ours->jails[i].name;
	return port_sign(&p->host->port, nodes, p->ours->n, line, a, signatures, e);
}

/* Whether the line that is typed is "yes"; -1: none came. */
static int ask_yes(void)
{
	char line[16];

	if (fgets(line, sizeof(line), stdin) == NULL || host_signal() != 0)
		return -1;
	return strcmp(line, "yes\n") == 0 || strcmp(line, "y\n") == 0;
}

static int on_confirm(void *ctx, const char *peer, const struct roster *theirs)
{
	struct host *h = ((struct pairing *)ctx)->host;

	clear_line(h);
	fprintf(stderr,
		"%s: this roster is UNAUTHENTICATED (plain: true); compare it with the other "
		"side's:\n",
		peer);
	for (size_t i = 0; i < theirs->n; i++) {
		char address[ADDR_TEXT];

		addr_format(&theirs->jails[i].addr, address);
		fprintf(stderr, "  %-20s %s\n", theirs->jails[i].name, address);
	}
	fprintf(stderr, "let these addresses in? [yes/no] ");
	fflush(stderr);
	return ask_yes();
}

static void on_code(void *ctx, const char *peer, const char *code, bool resumed)
{
	struct host *h = ((struct pairing *)ctx)->host;

	if (strs_has(&h->shown, code))
		return;
	strs_push(h->run.a, &h->shown, arena_dup(h->run.a, code));
	clear_line(h);
	fprintf(stderr, "%s: the pairing code is %s%s\n", peer, code,
		resumed ? " (still waiting from an earlier run)" : "");
	fprintf(stderr, "  there, with pair: join for peer %s: jmesh apply --code '%s=%s'\n",
		h->mesh.name, h->mesh.name, code);
}

static bool on_tick(void *ctx, size_t waiting, int seconds_left)
{
	static const char spin[] = "|/-\\";
	static unsigned turn;
	struct host *h = ((struct pairing *)ctx)->host;

	/* None is left where only answers to farewells are on their way. */
	if (waiting == 0)
		clear_line(h);
	else if (h->options->terminal_err)
		fprintf(stderr,
			"\r\033[K%c waiting for %zu pairing%s, %d:%02d left (Ctrl-C: later)",
			spin[turn++ % 4], waiting, waiting == 1 ? "" : "s", seconds_left / 60,
			seconds_left % 60);
	return host_signal() != 0;
}

/* Rounded up: who asks to wait for 2 seconds does not wait for 1.2. */
static int seconds_left(struct host *h, bool wait)
{
	int64_t now = clock_ms();

	if (h->deadline == 0)
		h->deadline = now + (int64_t)h->options->wait * 1000;
	return !wait || now >= h->deadline ? 0 : (int)((h->deadline - now + 999) / 1000);
}

static void settle(const struct run_need *need, const struct handshake_result *result,
	struct arena *a, struct run_paired *out, struct failures *failed)
{
	struct run_pending *waiting;

	switch (result->status) {
	case HANDSHAKE_PAIRED:
		strs_push(a, &out->paired, need->peer->name);
		break;
	case HANDSHAKE_FAILED:
		failures_add(failed, KIND_PAIRING, need->peer->name, NULL, need->peer->line,
			&result->err);
		break;
	case HANDSHAKE_WAITING:
		waiting = &out->waiting[out->n_waiting++];
		waiting->peer = need->peer->name;
		waiting->code = arena_dup(a, result->code);
		break;
	}
}

/* What keeps a peer from being asked at all. */
static int check_need(const struct host *h, const struct run_need *need, struct err *e)
{
	const struct mesh_peer *peer = need->peer;
	const struct options *o = h->options;

	if (peer->pair == PAIR_JOIN && need->pass == NULL)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"no code to join with; give --code '%s=CODE', or code: in the mesh file",
			peer->name);
	if (peer->plain && !o->yes && !(o->terminal_in && o->terminal_err))
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the pairing is unauthenticated (plain: true), and there is no terminal to "
			"show its roster on: give --yes to let in whatever addresses the relay "
			"hands out");
	return 0;
}

static struct handshake_want want_of(const struct run_need *need)
{
	static const enum handshake_role roles[] = { [PAIR_CREATE] = HANDSHAKE_CREATE,
		[PAIR_JOIN] = HANDSHAKE_JOIN,
		[PAIR_RENDEZVOUS] = HANDSHAKE_RENDEZVOUS };

	return (struct handshake_want){
		.peer = need->peer->name,
		.role = roles[need->peer->pair],
		.plain = need->peer->plain,
		.code = need->pass != NULL ? need->pass->code : NULL,
		.secret = need->pass != NULL && need->pass->sealed ? &need->pass->secret : NULL,
	};
}

static int hook_pair(void *ctx, const struct run_need *needs, size_t n, const struct roster *ours,
	const struct roster *reserved, bool wait, struct arena *a, struct run_paired *out,
	struct failures *failed, struct err *e)
{
	struct host *h = ctx;
	struct pairing pairing = { h, ours };
	struct handshake_conf conf = {
		.mesh = h->mesh.name,
		.relay_url = h->mesh.relay.url,
		.ca_file = h->mesh.relay.ca_file,
		.state_dir = h->state_dir,
		.lock_path = h->lock_path,
		.ours = ours,
		.reserved = reserved,
		.ctx = &pairing,
		.sign = on_sign,
		.confirm = h->options->yes ? NULL : on_confirm,
		.on_code = on_code,
		.on_tick = on_tick,
	};
	struct handshake_want *wants = arena_alloc(a, n, sizeof(*wants));
	struct handshake_result *results = arena_alloc(a, n, sizeof(*results));
	const struct run_need **asked = arena_alloc(a, n, sizeof(*asked));
	size_t m = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		struct err why;

		if (check_need(h, &needs[i], &why) < 0) {
			failures_add(failed, KIND_PAIRING, needs[i].peer->name, NULL,
				needs[i].peer->line, &why);
			continue;
		}
		asked[m] = &needs[i];
		wants[m++] = want_of(&needs[i]);
	}
	if (m > 0)
		rc = handshake_run(&conf, wants, m, seconds_left(h, wait), a, results, e);
	clear_line(h);
	if (rc < 0 && host_signal() == 0)
		return -1;
	out->waiting = arena_alloc(a, m, sizeof(*out->waiting));
	for (size_t i = 0; i < m; i++)
		settle(asked[i], &results[i], a, out, failed);
	return 0;
}

void hooks_fill(struct host *h)
{
	h->hooks = (struct run_hooks){
		.ctx = h,
		.load_lock = hook_load_lock,
		.save_lock = hook_save_lock,
		.take = hook_take,
		.drop = hook_drop,
		.pair = hook_pair,
		.pass = pass_find,
		.interrupted = hook_interrupted,
	};
}
