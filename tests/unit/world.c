#include "tests/unit/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/key.h"

static const char *const phases[] = {
	[PHASE_CLOSE] = "close",
	[PHASE_REVOKE] = "revoke",
	[PHASE_PROTECT] = "protect",
	[PHASE_IDENTITY] = "identity",
	[PHASE_OVERLAY] = "overlay",
	[PHASE_PAIR] = "pair",
	[PHASE_GRANT] = "grant",
	[PHASE_NAMES] = "names",
};

static bool is(const char *what, enum item_kind kind, const char *scope, const char *key)
{
	char text[256];

	snprintf(text, sizeof(text), "%s %s%s%s", item_kind_name(kind), scope,
		key == NULL ? "" : " ", key == NULL ? "" : key);
	return what != NULL && strcmp(what, text) == 0;
}

static void read_items(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	struct world_driver *d = self;
	struct err e = { .text = "could not be read" };

	(void)a;
	for (size_t i = 0; i < scopes->n; i++) {
		if (is(d->world->unreadable, d->kind, scopes->v[i], NULL)) {
			failures_add(failed, d->kind, scopes->v[i], NULL, 0, &e);
			if (d->world->unreadable_once)
				d->world->unreadable = NULL;
			continue;
		}
		for (size_t j = 0; j < d->world->live.n; j++) {
			const struct item *item = &d->world->live.v[j];

			if (item->kind == d->kind && strcmp(item->scope, scopes->v[i]) == 0)
				items_add(out, item->kind, item->scope, item->key, item->value,
					NULL, 0);
		}
	}
}

static void drop_item(struct items *list, const struct change *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].kind != c->kind || strcmp(list->v[i].scope, c->scope) != 0 ||
			strcmp(list->v[i].key, c->key) != 0 ||
			strcmp(list->v[i].value, c->before) != 0)
			list->v[kept++] = list->v[i];
	list->n = kept;
}

static void make_key(struct world *w, const char *node)
{
	uint8_t seed[SEED_LEN] = { 0 };
	char pem[KEY_PEM];

	memcpy(seed, node, strlen(node));
	key_pem_format(seed, pem);
	ygg_port_file(w->files, arena_printf(w->a, "/%s/yggdrasil.key", node), 0600,
		arena_dup(w->a, pem));
}

/* A node that starts has read its configuration: what is wanted of it live is there. */
static void start(struct world *w, const char *node)
{
	struct view v;
	struct err e;

	cr_assert_eq(run_look(&w->run, &v, &e), 0, "%s", e.text);
	for (size_t i = 0; i < v.wanted.n; i++) {
		const struct item *item = &v.wanted.v[i];

		if (item->kind == KIND_OVERLAY && strcmp(item->scope, node) == 0 &&
			(strncmp(item->key, "live ", 5) == 0 ||
				strncmp(item->key, "peer ", 5) == 0))
			items_add(
				&w->live, item->kind, item->scope, item->key, item->value, NULL, 0);
	}
}

static int withdraw_nothing(void *self, const char *scope, struct arena *a, struct err *e)
{
	struct world_driver *d = self;

	(void)a, (void)e;
	text_addf(&d->world->log, "withdraw %s %s\n", item_kind_name(d->kind), scope);
	return 0;
}

static void apply_items(void *self, enum phase phase, const char *scope,
	const struct change *const *changes, size_t n, struct arena *a, struct failures *failed)
{
	struct world_driver *d = self;
	struct world *w = d->world;
	struct err e = { .text = "it failed" };

	(void)a;
	cr_assert(w->held, "nothing changes without the state lock");
	for (size_t i = 0; i < n; i++) {
		const struct change *c = changes[i];

		text_addf(&w->log, "%s %s %s %s %s\n", phases[phase], item_kind_name(d->kind),
			scope, action_name(c->action), c->key);
		if (is(w->failing, c->kind, c->scope, c->key)) {
			failures_add(failed, c->kind, c->scope, c->key, c->line, &e);
			continue;
		}
		if (is(w->idle, c->kind, c->scope, c->key))
			continue;
		if (c->before != NULL)
			drop_item(&w->live, c);
		if (c->after != NULL)
			items_add(&w->live, c->kind, c->scope, c->key, c->after, NULL, 0);
		if (c->kind == KIND_IDENTITY && c->after != NULL)
			make_key(w, scope);
		if (c->kind == KIND_OVERLAY && strcmp(c->key, "node") == 0 && c->after != NULL)
			start(w, scope);
	}
}

static const struct driver_ops driver_ops[] = {
	{ .name = "identity",
		.kind = KIND_IDENTITY,
		.read = read_items,
		.apply = apply_items,
		.withdraw = withdraw_nothing },
	{ .name = "overlay",
		.kind = KIND_OVERLAY,
		.read = read_items,
		.apply = apply_items,
		.withdraw = withdraw_nothing },
	{ .name = "firewall",
		.kind = KIND_FIREWALL,
		.read = read_items,
		.apply = apply_items,
		.withdraw = withdraw_nothing },
	{ .name = "dns",
		.kind = KIND_DNS,
		.read = read_items,
		.apply = apply_items,
		.withdraw = withdraw_nothing },
};

/* Whatever peers it is asked for, it tells of all. */
static void read_registry(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	struct world_driver *d = self;
	struct err e = { .text = "could not be read" };

	(void)a;
	for (size_t i = 0; i < scopes->n; i++)
		if (is(d->world->unreadable, KIND_PAIRING, scopes->v[i], NULL))
			failures_add(failed, KIND_PAIRING, scopes->v[i], NULL, 0, &e);
	for (size_t j = 0; j < d->world->live.n; j++) {
		const struct item *item = &d->world->live.v[j];

		if (item->kind == KIND_PAIRING &&
			!is(d->world->unreadable, KIND_PAIRING, item->scope, NULL))
			items_add(out, item->kind, item->scope, item->key, item->value, NULL, 0);
	}
}

static const struct driver_ops registry_ops = {
	.name = "registry",
	.kind = KIND_PAIRING,
	.read = read_registry,
	.apply = apply_items,
};

/* The one world of a test, for the port's functions, whose self is the port in memory. */
static struct world *world;

static int jails(
	void *self, struct arena *a, struct strs *running, struct strs *known, struct err *e)
{
	(void)self, (void)a, (void)e;
	*running = world->running;
	*known = world->known;
	return 0;
}

static int node_stop(void *self, const char *node, struct err *e)
{
	(void)self, (void)e;
	text_addf(&world->log, "stop %s\n", node);
	return 0;
}

static int load_lock(void *ctx, struct arena *a, struct lock *out, struct err *e)
{
	struct world *w = ctx;
	const char *text = lock_format(&w->lock, a);

	return lock_parse(text, strlen(text), a, out, e);
}

static int save_lock(void *ctx, const struct lock *lock, struct arena *a, struct err *e)
{
	struct world *w = ctx;
	const char *text = lock_format(lock, a);

	text_add(&w->log, "save lock\n");
	return lock_parse(text, strlen(text), w->a, &w->lock, e);
}

static int take(void *ctx, struct err *e)
{
	struct world *w = ctx;

	(void)e;
	cr_assert_not(w->held);
	w->held = true;
	return 0;
}

static void drop(void *ctx)
{
	struct world *w = ctx;

	w->held = false;
}

static int pair(void *ctx, const struct run_need *needs, size_t n, const struct roster *ours,
	const struct roster *reserved, bool wait, struct arena *a, struct run_paired *out,
	struct failures *failed, struct err *e)
{
	struct world *w = ctx;

	(void)reserved, (void)failed, (void)e;
	cr_assert_not(w->held, "a relay is never polled with the state lock held");
	out->waiting = arena_alloc(a, n, sizeof(*out->waiting));
	for (size_t i = 0; i < n; i++) {
		const char *peer = needs[i].peer->name;

		text_addf(&w->log, "pair %s, telling %zu%s\n", peer, ours->n,
			wait ? ", waiting" : "");
		if (w->obtained == NULL) {
			out->waiting[out->n_waiting++] = (struct run_pending){ peer, "81-a-b-c" };
			continue;
		}
		lock_put(&w->lock, w->a,
			&(struct lock_peer){
				.name = peer,
				.role = "create",
				.told = roster_digest(ours, w->a),
				.paired_at = 1,
				.sealed = true,
				.instance = "office",
				.roster = *w->obtained,
			});
		strs_push(a, &out->paired, peer);
	}
	return 0;
}

static int pass(void *ctx, const struct mesh_peer *peer, struct arena *a, const struct pass **out,
	struct err *e)
{
	struct pass *found = arena_alloc(a, 1, sizeof(*found));

	(void)ctx;
	*out = peer->code == NULL ? NULL : found;
	return peer->code == NULL ? 0 : pass_parse(peer->code, found, e);
}

static bool interrupted(void *ctx)
{
	(void)ctx;
	return false;
}

struct world *world_new(struct arena *a, const char *mesh)
{
	struct world *w = arena_alloc(a, 1, sizeof(*w));
	struct problems problems = { 0 };
	struct driver *drivers[] = { &w->run.identity, &w->run.overlay, &w->run.firewall,
		&w->run.dns };

	cr_assert_eq(mesh_load(mesh, strlen(mesh), true, a, &w->mesh, &problems), 0, "%s",
		problems.n == 0 ? "" : problems.v[0].text);
	w->a = a;
	w->lock.mesh = w->mesh.name;
	w->live.arena = a;
	w->log = text_new(a);
	w->files = ygg_port_new(a);
	w->port_ops = *w->files->port.ops;
	w->port_ops.jails = jails;
	w->port_ops.node_stop = node_stop;
	w->port = (struct port){ &w->port_ops, w->files->port.self };
	for (size_t i = 0; i < w->mesh.n_jails; i++)
		strs_push(a, &w->running, w->mesh.jails[i].name);
	w->hooks =
		(struct run_hooks){ w, load_lock, save_lock, take, drop, pair, pass, interrupted };
	w->run = (struct run){ .mesh = &w->mesh, .port = &w->port, .a = a, .hooks = &w->hooks };
	w->run.yggdrasil = yggdrasil_new(&w->port, a);
	for (size_t i = 0; i < 4; i++) {
		w->drivers[i] = (struct world_driver){ w, driver_ops[i].kind };
		*drivers[i] = (struct driver){ &driver_ops[i], &w->drivers[i] };
	}
	w->registry = (struct world_driver){ w, KIND_PAIRING };
	world = w;
	return w;
}

const char *world_apply(struct world *w, enum run_pair how, struct report *out)
{
	struct err e = ERR_INIT;

	w->log = text_new(w->a);
	cr_assert_eq(run_apply(&w->run, how, out, &e), 0, "%s", e.text);
	cr_assert_not(w->held);
	return w->log.s;
}

const char *world_address(struct world *w, const char *node)
{
	const char *names[] = { node };
	struct strs nodes = { .v = names, .n = 1 };
	const struct identified *known = yggdrasil_identities(w->run.yggdrasil, &nodes, w->a);
	char text[ADDR_TEXT];

	cr_assert_eq(known->rc, 0);
	addr_format(&known->id.addr, text);
	return arena_dup(w->a, text);
}

void world_register(struct world *w)
{
	w->run.registry = (struct driver){ &registry_ops, &w->registry };
}

const char *world_teardown(struct world *w, const char *only, struct report *out)
{
	struct err e = ERR_INIT;

	w->log = text_new(w->a);
	cr_assert_eq(run_teardown(&w->run, only, out, &e), 0, "%s", e.text);
	cr_assert_not(w->held);
	return w->log.s;
}
