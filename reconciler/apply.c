#include <string.h>

#include "reconciler/run.h"

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

static bool told_since(const struct failures *list, size_t first, enum item_kind kind,
	const char *scope, const char *key)
{
	for (size_t i = first; i < list->n; i++) {
		const struct failure *f = &list->v[i];

		if (f->kind == kind && strcmp(f->scope, scope) == 0 &&
			(f->key == NULL || key == NULL || strcmp(f->key, key) == 0))
			return true;
	}
	return false;
}

static bool told(
	const struct failures *list, enum item_kind kind, const char *scope, const char *key)
{
	return told_since(list, 0, kind, scope, key);
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
		told(&out->failed, KIND_FIREWALL, c->scope, "rules"))
		return "left as it is, because its firewall is not in place";
	for (size_t i = 0; overlay && i < 2; i++)
		if (told(&out->failed, KIND_FIREWALL, c->scope, at_boot[i]))
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
	err_wrap(&e, "it runs without a firewall");
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
		if (told_since(&out->failed, told_before, group[i]->kind, group[i]->scope,
			    group[i]->key))
			continue;
		plan_add(&out->done, group[i]);
		out->changed = true;
	}
	if (rules != NULL && told(&out->failed, KIND_FIREWALL, rules->scope, "rules"))
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

/* Carries out the phases up to last, in the plan's order. */
static void execute(struct run *r, struct view *v, enum phase last, struct report *out)
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
			return;
		}
		carry_out(r, v, group, n, out);
	}
}

/* Our roster as it is to be told; half of one would make a peer shut the other half out. */
static int roster_to_tell(
	struct run *r, struct view *v, struct roster *out, struct roster *reserved, struct err *e)
{
	const struct identified *known = yggdrasil_identities(r->yggdrasil, &v->nodes, r->a);
	const struct mesh *mesh = r->mesh;
	size_t total = v->n_ours;

	for (size_t i = 0; i < v->nodes.n; i++) {
		v->ours[i] = known[i].id;
		if (known[i].rc == 0 && failures_find(&v->failed, KIND_IDENTITY, v->nodes.v[i]))
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"not paired, because the key of '%s' is not in order",
				v->nodes.v[i]);
		if (known[i].rc < 0)
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"not paired, because the key of '%s' cannot be looked at: %s",
				v->nodes.v[i], known[i].err.text);
		if (known[i].rc != 0)
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"not paired, because jail '%s' has no key and the roster would be "
				"incomplete",
				v->nodes.v[i]);
	}
	v->n_ours = v->nodes.n;
	for (size_t i = 0; i < mesh->n_jails; i++) {
		const struct failure *f =
			failures_find(&v->failed, KIND_OVERLAY, mesh->jails[i].name);

		if (f != NULL && (f->key == NULL || strcmp(f->key, "jail") != 0))
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"not paired, because of jail '%s': %s", mesh->jails[i].name,
				f->text);
		if (f != NULL)
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"not paired, because jail '%s' does not run and the roster would "
				"be incomplete",
				mesh->jails[i].name);
	}
	*out = run_roster(r, v);
	if (out->n == 0)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"not paired, because no jail runs here and there is nothing to tell");

	for (size_t i = 0; i < mesh->n_peers; i++)
		total += mesh->peers[i].has_roster ? mesh->peers[i].roster.n : 0;
	reserved->jails = arena_alloc(r->a, total + v->n_ours, sizeof(*reserved->jails));
	reserved->n = 0;
	for (size_t i = 0; i < v->n_ours; i++)
		reserved->jails[reserved->n++] =
			(struct roster_jail){ .name = v->ours[i].node, .addr = v->ours[i].addr };
	for (size_t i = 0; i < mesh->n_peers; i++)
		for (size_t j = 0; mesh->peers[i].has_roster && j < mesh->peers[i].roster.n; j++)
			reserved->jails[reserved->n++] = mesh->peers[i].roster.jails[j];
	return 0;
}

/*
 * One round of handshakes, the state lock let go meanwhile. -1: none could run. The peers that it
 * concerns are known to have failed then.
 */
static int pair_round(struct run *r, struct view *v, bool wait, struct run_paired *paired,
	struct report *out, struct err *e)
{
	struct roster ours, reserved;
	struct err why;

	*paired = (struct run_paired){ 0 };
	if (roster_to_tell(r, v, &ours, &reserved, &why) < 0) {
		for (size_t i = 0; i < v->n_needs; i++)
			failures_add(&out->failed, KIND_PAIRING, v->needs[i].peer->name, NULL,
				v->needs[i].peer->line, &why);
		return 0;
	}
	r->hooks->drop(r->hooks->ctx);
	if (r->hooks->pair(r->hooks->ctx, v->needs, v->n_needs, &ours, &reserved, wait, r->a,
		    paired, &out->failed, e) < 0)
		return -1;
	if (r->hooks->interrupted(r->hooks->ctx))
		out->interrupted = true;
	out->waiting = paired->waiting;
	out->n_waiting = paired->n_waiting;
	if (paired->paired.n > 0)
		out->changed = true;
	for (size_t i = 0; i < v->plan.n; i++)
		if (v->plan.v[i].phase == PHASE_PAIR &&
			strs_has(&paired->paired, v->plan.v[i].scope))
			plan_add(&out->done, &v->plan.v[i]);
	return r->hooks->take(r->hooks->ctx, e);
}

/* A peer whose handshake has failed is not asked again in this run. */
static void drop_failed_needs(struct view *v, const struct report *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->n_needs; i++)
		if (failures_find(&out->failed, KIND_PAIRING, v->needs[i].peer->name) == NULL)
			v->needs[kept++] = v->needs[i];
	v->n_needs = kept;
}

/* Without handshakes a peer that needs one waits. */
static void leave_waiting(struct run *r, struct view *v, struct report *out)
{
	drop_failed_needs(v, out);
	out->waiting = arena_alloc(r->a, v->n_needs, sizeof(*out->waiting));
	out->n_waiting = v->n_needs;
	for (size_t i = 0; i < v->n_needs; i++)
		out->waiting[i].peer = v->needs[i].peer->name;
}

/*
 * Looks anew. What could not be read until now is added to unread: where something was left undone for it,
 * it is the reason.
 */
static int look_again(struct run *r, struct view *v, struct failures *unread, struct err *e)
{
	for (size_t i = 0; i < v->failed.n; i++) {
		const struct failure *f = &v->failed.v[i];
		struct err why;

		if (failures_find(unread, f->kind, f->scope) != NULL)
			continue;
		err_set(&why, ERR_SYSTEM, NOWHERE, "%s", f->text);
		failures_add(unread, f->kind, f->scope, f->key, f->line, &why);
	}
	return run_look(r, v, e);
}

static bool left_undone(const struct view *v, const struct report *out, const struct failure *f)
{
	if (failures_find(&out->failed, f->kind, f->scope) != NULL)
		return false;
	for (size_t i = 0; i < out->failed.n; i++)
		if (strcmp(out->failed.v[i].scope, f->scope) == 0)
			return true;
	for (size_t i = 0; i < v->plan.n; i++)
		if (v->plan.v[i].phase != PHASE_PAIR && v->plan.v[i].kind == f->kind &&
			strcmp(v->plan.v[i].scope, f->scope) == 0)
			return true;
	return false;
}

/* What still differs after everything was done is an error of its own. */
static void verify(const struct view *v, const struct failures *unread, struct report *out)
{
	for (size_t i = 0; i < unread->n; i++) {
		const struct failure *f = &unread->v[i];
		struct err e;

		if (!left_undone(v, out, f))
			continue;
		err_set(&e, ERR_SYSTEM, NOWHERE, "%s", f->text);
		failures_add(&out->failed, f->kind, f->scope, f->key, f->line, &e);
	}
	for (size_t i = 0; i < v->failed.n; i++) {
		const struct failure *f = &v->failed.v[i];
		struct err e;

		err_set(&e, ERR_SYSTEM, NOWHERE, "%s", f->text);
		if (failures_find(&out->failed, f->kind, f->scope) == NULL)
			failures_add(&out->failed, f->kind, f->scope, f->key, f->line, &e);
	}
	for (size_t i = 0; i < v->plan.n; i++) {
		const struct change *c = &v->plan.v[i];
		struct err e;

		if (c->phase == PHASE_PAIR || told(&out->failed, c->kind, c->scope, c->key))
			continue;
		err_set(&e, ERR_SYSTEM, NOWHERE,
			"still differs after apply: it is %s and should be %s",
			c->before == NULL ? "missing" : c->before,
			c->after == NULL ? "gone" : c->after);
		failures_add(&out->failed, c->kind, c->scope, c->key, c->line, &e);
	}
}

static int apply_locked(struct run *r, enum run_pair pair, struct report *out, struct err *e)
{
	struct run_paired paired = { 0 };
	struct failures unread = { .arena = r->a };
	struct view v;
	bool pairing;

	if (run_look(r, &v, e) < 0)
		return -1;
	pairing = pair != RUN_PAIR_NOT && v.n_needs > 0;
	execute(r, &v, pairing ? PHASE_OVERLAY : PHASE_NAMES, out);
	/* First every peer is asked once, so that whoever is known is let in before any waiting. */
	for (bool wait = false; pairing && !out->interrupted; wait = true) {
		if (pair_round(r, &v, wait, &paired, out, e) < 0 ||
			look_again(r, &v, &unread, e) < 0)
			return -1;
		execute(r, &v, PHASE_NAMES, out);
		drop_failed_needs(&v, out);
		pairing = pair == RUN_PAIR_WAIT && v.n_needs > 0 && paired.n_waiting > 0 &&
			!(wait && paired.paired.n == 0);
	}
	if (out->changed && !out->interrupted && look_again(r, &v, &unread, e) < 0)
		return -1;
	if (!out->interrupted)
		verify(&v, &unread, out);
	if (pair == RUN_PAIR_NOT)
		leave_waiting(r, &v, out);
	out->notices = v.notices;
	return 0;
}

int run_apply(struct run *r, enum run_pair pair, struct report *out, struct err *e)
{
	int rc;

	*out = (struct report){ .done.arena = r->a, .failed.arena = r->a };
	if (r->hooks->take(r->hooks->ctx, e) < 0)
		return -1;
	rc = apply_locked(r, pair, out, e);
	r->hooks->drop(r->hooks->ctx);
	return rc;
}

static bool belongs_to(const struct item *item, const char *peer)
{
	const char *dot = strchr(item->key, '.');
	size_t len = strlen(peer);

	if (item->kind == KIND_PAIRING)
		return strcmp(item->scope, peer) == 0;
	if (item->kind == KIND_DNS)
		return dot != NULL && strncmp(dot + 1, peer, len) == 0 && dot[1 + len] == '.';
	return item->why != NULL && strncmp(item->why, peer, len) == 0 && item->why[len] == '/';
}

/* What a teardown takes away, of all that was observed. */
static void plan_teardown(const struct mesh *mesh, struct view *v, const char *only)
{
	struct strs peers = { 0 };

	for (size_t i = 0; i < mesh->n_peers; i++)
		strs_push(v->plan.arena, &peers, mesh->peers[i].name);
	v->plan.n = 0;
	for (size_t i = 0, w = 0; i < v->observed.n; i++) {
		struct item item = v->observed.v[i];
		bool address = item.kind == KIND_FIREWALL && item_is_address(item.key);
		bool record = item.kind == KIND_PAIRING && item_is_record(item.key);
		bool name = item.kind == KIND_DNS && strchr(item.key, ' ') != NULL;
		bool node = item.kind == KIND_OVERLAY && strcmp(item.key, "node") == 0;
		bool old_zone = false;

		/* Who an address belongs to stands in what is wanted. */
		while (w < v->wanted.n && item_cmp(&v->wanted.v[w], &item) < 0)
			w++;
		if (w < v->wanted.n && item_cmp(&v->wanted.v[w], &item) == 0) {
			item.why = v->wanted.v[w].why;
			item.line = v->wanted.v[w].line;
		} else {
			/* What is wanted of zone and file is withdrawn as a whole. */
			old_zone = item.kind == KIND_DNS && !name;
		}
		/* Peers that the file does not name are another program's. */
		if (record && !strs_has(&peers, item.scope))
			continue;
		if (!address && !name && !record && !((node || old_zone) && only == NULL))
			continue;
		if (only != NULL && !belongs_to(&item, only))
			continue;
		plan_add(&v->plan,
			&(struct change){
				.action = ACTION_REMOVE,
				.kind = item.kind,
				.scope = item.scope,
				.key = item.key,
				.before = item.value,
				.why = item.why,
				.line = item.line,
			});
	}
	plan_sort(&v->plan);
}

static void withdraw(struct run *r, struct driver *d, const char *scope, struct report *out)
{
	struct err e;

	if (d->ops->withdraw(d->self, scope, r->a, &e) < 0 &&
		failures_find(&out->failed, d->ops->kind, scope) == NULL)
		failures_add(&out->failed, d->ops->kind, scope, NULL, 0, &e);
}

static int teardown_locked(struct run *r, const char *only, struct report *out, struct err *e)
{
	bool saves = r->port->ops->traits.saves_firewall;
	struct view v;

	if (run_look(r, &v, e) < 0)
		return -1;
	plan_teardown(r->mesh, &v, only);
	execute(r, &v, PHASE_OVERLAY, out);
	for (size_t i = 0; i < v.failed.n; i++) {
		struct err failed;

		/* In a jail that does not run nothing is open, once its node is gone too. */
		if (v.failed.v[i].key != NULL && strcmp(v.failed.v[i].key, "jail") == 0 &&
			(only != NULL || r->port->ops->traits.foreign_nodes ||
				r->port->ops->node_stop(
					r->port->self, v.failed.v[i].scope, &failed) == 0))
			continue;
		err_set(&failed, ERR_SYSTEM, NOWHERE, "%s", v.failed.v[i].text);
		failures_add(&out->failed, v.failed.v[i].kind, v.failed.v[i].scope,
			v.failed.v[i].key, v.failed.v[i].line, &failed);
	}
	if (only != NULL || out->interrupted)
		return 0;
	/* The rules go last: a node that could not be stopped keeps them. */
	for (size_t i = 0; i < v.nodes.n; i++)
		if (failures_find(&out->failed, KIND_OVERLAY, v.nodes.v[i]) == NULL &&
			(!saves || strcmp(v.nodes.v[i], HOST_NODE) != 0 ||
				r->mesh->yggdrasil.protect_host))
			withdraw(r, &r->firewall, v.nodes.v[i], out);
	if (saves)
		strs_push(r->a, &out->notices,
			arena_printf(r->a,
				"the rules stay and let nobody in on %s, because nodes may come up "
				"again at the next boot",
				r->mesh->yggdrasil.interface));
	if (r->mesh->dns.server != DNS_NONE) {
		withdraw(r, &r->dns, arena_printf(r->a, "live %s", r->mesh->dns.zone), out);
		withdraw(r, &r->dns, arena_printf(r->a, "saved %s", r->mesh->dns.zone), out);
	}
	return 0;
}

int run_teardown(struct run *r, const char *only, struct report *out, struct err *e)
{
	int rc;

	*out = (struct report){ .done.arena = r->a, .failed.arena = r->a };
	if (r->hooks->take(r->hooks->ctx, e) < 0)
		return -1;
	rc = teardown_locked(r, only, out, e);
	r->hooks->drop(r->hooks->ctx);
	return rc;
}
