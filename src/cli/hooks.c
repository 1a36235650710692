#include "cli/hooks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/host.h"
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

/* --code before the file; of the file one of code, code_env and code_file. */
static int hook_code(
	void *ctx, const struct mesh_peer *peer, struct arena *a, const char **code, struct err *e)
{
	struct host *h = ctx;
	size_t len = strlen(peer->name);
	struct loc at = { peer->line, 1 };
	const char *source = "code_file";

	for (size_t i = 0; i < h->options->code.n; i++) {
		const char *given = h->options->code.v[i];
		const char *equals = strchr(given, '=');

		if ((size_t)(equals - given) == len &&
			strcmp(name_fold(a, arena_dupn(a, given, len)), peer->name) == 0) {
			*code = equals + 1;
			return 0;
		}
	}
	*code = peer->code;
	if (peer->code_env != NULL) {
		source = "code_env";
		*code = getenv(peer->code_env);
		if (*code == NULL || **code == '\0')
			return err_set(e, ERR_CONFIG, at, "the environment has no %s (code_env)",
				peer->code_env);
	} else if (peer->code_file != NULL) {
		struct input file;

		if (input_read(peer->code_file, a, &file, e) < 0)
			return err_wrap(e, "code_file");
		*code = arena_dupn(a, file.text, strcspn(file.text, "\r\n"));
	}
	if (*code != NULL && !code_is_valid(*code))
		return err_set(e, ERR_CONFIG, at,
			"%s holds no pairing code (1 to 64 of A-Z a-z 0-9 -)", source);
	return 0;
}

static void clear_line(const struct host *h)
{
	if (h->options->terminal_err)
		fputs("\r\033[K", stderr);
}

static void on_code(void *ctx, const char *peer, const char *code, bool resumed)
{
	struct host *h = ctx;

	if (strs_has(&h->shown, code))
		return;
	strs_push(h->run.a, &h->shown, arena_dup(h->run.a, code));
	clear_line(h);
	fprintf(stderr, "%s: the pairing code is %s%s\n", peer, code,
		resumed ? " (still waiting from an earlier run)" : "");
	fprintf(stderr, "  there, with pair: join for peer %s: jmesh apply --code %s=%s\n",
		h->mesh.name, h->mesh.name, code);
}

static bool on_tick(void *ctx, size_t waiting, int seconds_left)
{
	static const char spin[] = "|/-\\";
	static unsigned turn;
	struct host *h = ctx;

	if (h->options->terminal_err)
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

static int hook_pair(void *ctx, const struct run_need *needs, size_t n, const struct roster *ours,
	const struct roster *reserved, bool wait, struct arena *a, struct run_paired *out,
	struct failures *failed, struct err *e)
{
	struct host *h = ctx;
	struct handshake_conf conf = {
		.mesh = h->mesh.name,
		.relay_url = h->mesh.relay.url,
		.ca_file = h->mesh.relay.ca_file,
		.state_dir = h->state_dir,
		.lock_path = h->lock_path,
		.ours = ours,
		.reserved = reserved,
		.ctx = h,
		.on_code = on_code,
		.on_tick = on_tick,
	};
	struct handshake_want *wants = arena_alloc(a, n, sizeof(*wants));
	struct handshake_result *results = arena_alloc(a, n, sizeof(*results));
	const struct run_need **asked = arena_alloc(a, n, sizeof(*asked));
	size_t m = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		const struct mesh_peer *peer = needs[i].peer;
		struct err none;

		if (peer->pair == PAIR_JOIN && needs[i].code == NULL) {
			err_set(&none, ERR_CONFIG, NOWHERE,
				"no code to join with; give --code %s=CODE, or code: in the mesh "
				"file",
				peer->name);
			failures_add(failed, KIND_PAIRING, peer->name, NULL, peer->line, &none);
			continue;
		}
		asked[m] = &needs[i];
		wants[m++] = (struct handshake_want){
			.peer = peer->name,
			.role = peer->pair == PAIR_JOIN ? HANDSHAKE_JOIN : HANDSHAKE_CREATE,
			.code = peer->pair == PAIR_JOIN ? needs[i].code : NULL,
		};
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
		.code = hook_code,
		.interrupted = hook_interrupted,
	};
}
