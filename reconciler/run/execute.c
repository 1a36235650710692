#include <string.h>

#include "reconciler/run/run.h"

static struct driver *driver_of(struct run *r, enum item_kind kind)
{
	switch (kind) {
	case KIND_IDENTITY:
		return &r->identity;
	case KIND_OVERLAY:
		return &r->overlay;
	case KIND_FIREWALL:
		return &r->firewall;
	case KIND_DNS:
		return &r->dns;
	case KIND_PAIRING:
		break;
	}
	return NULL;
}

/*
 * Why nothing may be done for a node now: without its firewall in place it gets no key, is not started and
 * nobody is let in, and without its key it is nobody.
 */
static const char *blocked(const struct view *v, const struct report *out, const struct change *c)
{
	bool overlay = c->phase == PHASE_OVERLAY;
	const char *const at_boot[] = { "saved rules", "boot" };

	if (c->kind == KIND_FIREWALL && c->phase <= PHASE_PROTECT && strs_has(&v->stuck, c->scope))
		return "left as it is, because the node runs on another interface";
	if (!overlay && c->phase != PHASE_IDENTITY && c->phase != PHASE_GRANT)
		return NULL;
	if (failures_find(&v->failed, KIND_FIREWALL, c->scope) != NULL ||
		failures_tell(&out->failed, 0, KIND_FIREWALL, c->scope, "rules"))
		return "left as it is, because its firewall is not in place";
	for (size_t i = 0; overlay && i < 2; i++)
		if (failures_tell(&out->failed, 0, KIND_FIREWALL, c->scope, at_boot[i]))
			return "left as it is, because its firewall would not be in place after a "
			       "reboot";
	if (overlay &&
		(failures_find(&v->failed, KIND_IDENTITY, c->scope) != NULL ||
			failures_find(&out->failed, KIND_IDENTITY, c->scope) != NULL))
		return "left as it is, because its key is not in order";
	return NULL;
}

/* The lock file is ours to change like everything else that a plan names. */
static void forget_rosters(struct run *r, struct view *v, const struct change *const *group,
	size_t n, struct failures *failed)
{
	struct err e;

	for (size_t i = 0; i < n; i++)
		lock_drop(&v->lock, group[i]->scope);
	if (r->hooks->save_lock(r->hooks->ctx, &v->lock, r->a, &e) < 0)
		for (size_t i = 0; i < n; i++)
			failures_add(failed, KIND_PAIRING, group[i]->scope, group[i]->key,
				group[i]->line, &e);
}

static bool plans(const struct plan *p, enum item_kind kind, const char *scope, const char *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].kind == kind && p->v[i].action == ACTION_CHANGE &&
			strcmp(p->v[i].scope, scope) == 0 && strcmp(p->v[i].key, key) == 0)
			return true;
	return false;
}

static bool goes(const struct plan *p, const char *node)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].kind == KIND_OVERLAY && p->v[i].action == ACTION_REMOVE &&
			strcmp(p->v[i].scope, node) == 0 && strcmp(p->v[i].key, "node") == 0)
			return true;
	return false;
}

/* Whether the node runs on another interface than the rules to come are about, or perhaps so. */
static bool is_elsewhere(const struct run *r, const struct view *v, const char *node)
{
	struct item key = { .kind = KIND_OVERLAY, .scope = node, .key = "live interface" };
	const struct item *item = items_find(&v->observed, &key);

	if (item != NULL)
		return strcmp(item->value, r->mesh->yggdrasil.interface) != 0;
	return plans(&v->plan, KIND_OVERLAY, node, "node") &&
		plans(&v->plan, KIND_FIREWALL, node, "rules");
}

/*
 * Rules are about one interface, so while a node runs on another one they stop nobody. It ends before
 * any of them is replaced; the overlay's phase starts it anew. That of a jail which the file names no
 * more ends anyway, so nobody asks where it runs.
 */
static void stop_elsewhere(struct run *r, struct view *v, struct report *out)
{
	if (r->port->ops->traits.foreign_nodes)
		return;
	for (size_t i = 0; v->plan.n != 0 && i < v->nodes.n + v->strays.n; i++) {
		bool stray = i >= v->nodes.n;
		const char *node = stray ? v->strays.v[i - v->nodes.n] : v->nodes.v[i];
		struct err e;

		if (stray ? !goes(&v->plan, node) : !is_elsewhere(r, v, node))
			continue;
		if (r->port->ops->node_stop(r->port->self, node, &e) == 0) {
			out->changed = true;
			continue;
		}
		err_wrap(&e, "its rules stay as they are");
		strs_push(r->a, &v->stuck, node);
		failures_add(&out->failed, KIND_FIREWALL, node, "rules", 0, &e);
	}
}

/* The change that puts rules where none stood, or none that keep anybody out; NULL: it is not among these. */
static const struct change *closing(const struct change *const *group, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (group[i]->kind == KIND_FIREWALL && strcmp(group[i]->key, "rules") == 0 &&
			(group[i]->phase == PHASE_CLOSE || group[i]->action == ACTION_ADD))
			return group[i];
	return NULL;
}

/* Nothing stands between the node and strangers, and nothing can be put there. */
static void stop_unprotected(struct run *r, const struct change *rules, struct report *out)
{
	struct err e;

	if (r->port->ops->traits.foreign_nodes)
		return;

	if (r->port->ops->node_stop(r->port->self, rules->scope, &e) == 0) {
		out->changed = true;
		return;
	}
	err_wrap(&e, "it may run without a firewall");
	failures_add(&out->failed, KIND_OVERLAY, rules->scope, "node", rules->line, &e);
}

/* One phase of one scope (of several scopes where it is the lock's). */
static void carry_out(struct run *r, struct view *v, const struct change *const *group, size_t n,
	struct report *out)
{
	const struct change *first = group[0];
	const char *why_not = blocked(v, out, first);
	struct driver *driver = item_is_record(first->key) && first->kind == KIND_PAIRING
		? &r->registry
		: driver_of(r, first->kind);
	const struct change *rules = closing(group, n);
	size_t told_before = out->failed.n;
	struct err e;

	if (why_not != NULL) {
		err_set(&e, ERR_SYSTEM, NOWHERE, "%s", why_not);
		failures_add(&out->failed, first->kind, first->scope, NULL, first->line, &e);
		return;
	}
	if (driver == NULL)
		forget_rosters(r, v, group, n, &out->failed);
	else
		driver->ops->apply(
			driver->self, first->phase, first->scope, group, n, r->a, &out->failed);
	for (size_t i = 0; i < n; i++) {
		if (failures_tell(&out->failed, told_before, group[i]->kind, group[i]->scope,
			    group[i]->key))
			continue;
		plan_add(&out->done, group[i]);
		out->changed = true;
	}
	if (rules != NULL && failures_tell(&out->failed, 0, KIND_FIREWALL, rules->scope, "rules"))
		stop_unprotected(r, rules, out);
}

static bool same_group(const struct change *a, const struct change *b)
{
	if (a->phase != b->phase || a->kind != b->kind)
		return false;
	if (a->kind == KIND_PAIRING && item_is_record(a->key) != item_is_record(b->key))
		return false;
	return (a->kind == KIND_PAIRING && !item_is_record(a->key)) ||
		strcmp(a->scope, b->scope) == 0;
}

int run_execute(struct run *r, struct view *v, enum phase last, struct report *out, struct err *e)
{
	const struct plan *p = &v->plan;
	const struct change **group = arena_alloc(r->a, p->n, sizeof(*group));

	stop_elsewhere(r, v, out);
	for (size_t i = 0, n; i < p->n && p->v[i].phase <= last; i += n) {
		n = 0;
		while (i + n < p->n && same_group(&p->v[i], &p->v[i + n])) {
			group[n] = &p->v[i + n];
			n++;
		}
		if (p->v[i].phase == PHASE_PAIR)
			continue;
		if (r->hooks->interrupted(r->hooks->ctx)) {
			out->interrupted = true;
			return 0;
		}
		carry_out(r, v, group, n, out);
		if (r->port->ops->reached != NULL && r->port->ops->reached(r->port->self, e) < 0)
			return -1;
	}
	return 0;
}
