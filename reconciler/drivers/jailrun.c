#include "reconciler/drivers/jailrun.h"

#include <string.h>

#define RECORDED "recorded "

static void show(const struct jailrun_peer *peer, struct arena *a, struct items *out)
{
	for (size_t i = 0; i < peer->roster.n; i++) {
		char address[ADDR_TEXT];

		addr_format(&peer->roster.jails[i].addr, address);
		items_add(out, KIND_PAIRING, peer->alias,
			arena_printf(a, RECORDED "%s", peer->roster.jails[i].name),
			arena_dup(a, address), NULL, 0);
	}
}

static void registry_read(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	const struct jailrun_registry *r = self;
	struct jailrun_state state = { 0 };
	struct err e = ERR_INIT;
	const char *text;
	size_t len;
	int rc = r->store->load(r->store->self, a, &text, &len, &e);

	if (rc == 0 && (rc = jailrun_parse(text, len, a, &state, &e)) < 0)
		err_wrap(&e, "%s", r->store->path);
	/* Nothing is known of any peer then, so nothing must be planned for one. */
	for (size_t i = 0; rc < 0 && i < scopes->n; i++)
		failures_add(failed, KIND_PAIRING, scopes->v[i], NULL, 0, &e);
	if (rc < 0 && scopes->n == 0)
		failures_add(failed, KIND_PAIRING, "jailrun", NULL, 0, &e);
	for (size_t i = 0; i < state.n_peers; i++) {
		const struct jailrun_peer *peer = &state.peers[i];

		if (!peer->failed)
			show(peer, a, out);
		else if (failures_find(failed, KIND_PAIRING, peer->alias) == NULL)
			failures_add(failed, KIND_PAIRING, peer->alias, NULL, 0, &peer->err);
	}
}

static int change_text(void *ctx, const char *text, size_t len, struct arena *a, const char **out,
	size_t *out_len, struct err *e)
{
	const struct jailrun_edit *edit = ctx;

	return jailrun_edit(text, len, edit, a, out, out_len, e);
}

static void fail(const struct change *c, struct failures *failed, const struct err *e)
{
	failures_add(failed, KIND_PAIRING, c->scope, c->key, c->line, e);
}

/* What a change of the plan comes to; the text of a plan is trusted no further than any other. */
static int take(const struct change *c, struct arena *a, struct jailrun_change *out, struct err *e)
{
	const char *jail = c->key + strlen(RECORDED);

	if (strncmp(c->key, RECORDED, strlen(RECORDED)) != 0 || !name_is_label(jail))
		return err_set(e, ERR_CONFIG, NOWHERE, "not a jail to record: '%s'", c->key);
	*out = (struct jailrun_change){ .jail = name_fold(a, jail), .gone = c->after == NULL };
	if (c->after == NULL)
		return 0;
	if (addr_parse(c->after, NOWHERE, &out->addr, e) < 0)
		return -1;
	if (!addr_is_node(&out->addr))
		return err_set(e, ERR_CONFIG, NOWHERE, "not the address of a node: '%s'", c->after);
	return 0;
}

static void registry_apply(void *self, enum phase phase, const char *scope,
	const struct change *const *changes, size_t n, struct arena *a, struct failures *failed)
{
	const struct jailrun_registry *r = self;
	struct jailrun_change *list = arena_alloc(a, n, sizeof(*list));
	const struct change **taken = arena_alloc(a, n, sizeof(*taken));
	struct jailrun_edit edit = { .alias = scope, .changes = list, .paired_at = r->now };
	struct err e = ERR_INIT;

	(void)phase; /* the changes say it all */
	edit.joined = strs_has(&r->joined, scope);
	for (size_t i = 0; i < n; i++) {
		if (!name_is_label(scope))
			err_set(&e, ERR_CONFIG, NOWHERE, "not the name of a peer: '%s'", scope);
		else if (take(changes[i], a, &list[edit.n], &e) == 0) {
			taken[edit.n++] = changes[i];
			continue;
		}
		fail(changes[i], failed, &e);
	}
	if (edit.n == 0 || r->store->update(r->store->self, change_text, &edit, a, &e) == 0)
		return;
	for (size_t i = 0; i < edit.n; i++)
		fail(taken[i], failed, &e);
}

static int drop_peer(void *ctx, const char *text, size_t len, struct arena *a, const char **out,
	size_t *out_len, struct err *e)
{
	struct jailrun_edit *edit = ctx;
	struct jailrun_change *list;
	struct jailrun_state state;
	const struct jailrun_peer *peer;

	if (jailrun_parse(text, len, a, &state, e) < 0)
		return -1;
	peer = jailrun_find(&state, edit->alias);
	edit->n = peer == NULL ? 0 : peer->roster.n;
	edit->changes = list = arena_alloc(a, edit->n, sizeof(*list));
	for (size_t i = 0; i < edit->n; i++)
		list[i] =
			(struct jailrun_change){ .jail = peer->roster.jails[i].name, .gone = true };
	return jailrun_edit(text, len, edit, a, out, out_len, e);
}

static int registry_withdraw(void *self, const char *scope, struct arena *a, struct err *e)
{
	const struct jailrun_registry *r = self;
	struct jailrun_edit edit = { .alias = scope };

	return r->store->update(r->store->self, drop_peer, &edit, a, e);
}

static const struct driver_ops registry_ops = {
	.name = "jailrun",
	.kind = KIND_PAIRING,
	.read = registry_read,
	.apply = registry_apply,
	.withdraw = registry_withdraw,
};

void jailrun_driver(struct driver *out, const struct jailrun_registry *conf, struct arena *a)
{
	struct jailrun_registry *r = arena_alloc(a, 1, sizeof(*r));

	*r = *conf;
	*out = (struct driver){ &registry_ops, r };
}
