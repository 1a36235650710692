#include "reconciler/run/run.h"

#include <string.h>

static bool is_host(const char *node)
{
	return strcmp(node, HOST_NODE) == 0;
}

static int line_of_jail(const struct mesh *mesh, const char *name)
{
	for (size_t i = 0; i < mesh->n_jails; i++)
		if (strcmp(mesh->jails[i].name, name) == 0)
			return mesh->jails[i].line;
	return 0;
}

/* Sorts jails into those that can run, those that the file names in vain, and those it names no more. */
static int find_nodes(struct run *r, struct view *v, struct strs *running, struct err *e)
{
	struct strs known = { 0 };

	if (r->port->ops->jails(r->port->self, r->a, running, &known, e) < 0)
		return -1;
	strs_push(r->a, &v->nodes, HOST_NODE);
	for (size_t i = 0; !r->mesh->has_jails && i < running->n; i++)
		strs_push(r->a, &v->nodes, running->v[i]);
	for (size_t i = 0; i < r->mesh->n_jails; i++) {
		const struct mesh_jail *jail = &r->mesh->jails[i];
		struct err stopped;

		if (strs_has(running, jail->name)) {
			strs_push(r->a, &v->nodes, jail->name);
			continue;
		}
		err_set(&stopped, ERR_SYSTEM, NOWHERE, "jail '%s' does not run on this host",
			jail->name);
		failures_add(&v->failed, KIND_OVERLAY, jail->name, "jail", jail->line, &stopped);
	}
	for (size_t i = 0; i < known.n; i++) {
		struct err gone;

		if (strs_has(&v->nodes, known.v[i]) ||
			failures_find(&v->failed, KIND_OVERLAY, known.v[i]) != NULL)
			continue;
		if (r->mesh->has_jails || running->n != 0) {
			strs_push(r->a, &v->strays, known.v[i]);
			continue;
		}
		/* An empty answer never means to take everything away. */
		err_set(&gone, ERR_SYSTEM, NOWHERE,
			"no jail runs on this host at all, and '%s' once did; start the jails, "
			"or run jmesh teardown",
			known.v[i]);
		failures_add(&v->failed, KIND_OVERLAY, known.v[i], "jail", 0, &gone);
	}
	return 0;
}

/*
 * Of a jail that the file names no more only what lets somebody in is ours to take away, and nothing at all of
 * nodes that are another program's.
 */
static void forget_kept(const struct run *r, const struct strs *strays, struct items *observed)
{
	bool foreign = r->port->ops->traits.foreign_nodes;

	size_t kept = 0;

	for (size_t i = 0; i < observed->n; i++) {
		const struct item *item = &observed->v[i];
		bool goes = (item->kind == KIND_OVERLAY && strcmp(item->key, "node") == 0) ||
			(item->kind == KIND_FIREWALL && item_is_address(item->key));

		if (foreign && (item->kind == KIND_IDENTITY || item->kind == KIND_OVERLAY))
			continue;
		if (goes || item->kind == KIND_DNS || item->kind == KIND_PAIRING ||
			!strs_has(strays, item->scope))
			observed->v[kept++] = *item;
	}
	observed->n = kept;
}

/* Where the firewall has files nothing is taken away from a host that is not to be protected any more: it
 * would be open at once. */
static bool has_firewall(const struct run *r, const char *node)
{
	return !is_host(node) || r->mesh->yggdrasil.protect_host ||
		!r->port->ops->traits.saves_firewall;
}

/* What cannot be read of it is left alone peer by peer, and the others are kept in step. */
static void observe_registry(struct run *r, struct view *v)
{
	struct strs peers = { 0 };

	if (r->registry.ops == NULL)
		return;
	for (size_t i = 0; i < r->mesh->n_peers; i++)
		strs_push(r->a, &peers, r->mesh->peers[i].name);
	r->registry.ops->read(r->registry.self, &peers, r->a, &v->observed, &v->failed);
}

static void observe(struct run *r, struct view *v, const struct strs *running)
{
	struct strs overlay = { 0 }, firewall = { 0 }, dns = { 0 };

	for (size_t i = 0; i < v->nodes.n; i++) {
		strs_push(r->a, &overlay, v->nodes.v[i]);
		if (has_firewall(r, v->nodes.v[i]))
			strs_push(r->a, &firewall, v->nodes.v[i]);
	}
	for (size_t i = 0; i < v->strays.n; i++) {
		strs_push(r->a, &overlay, v->strays.v[i]);
		if (strs_has(running, v->strays.v[i]))
			strs_push(r->a, &firewall, v->strays.v[i]);
	}
	r->identity.ops->read(r->identity.self, &v->nodes, r->a, &v->observed, &v->failed);
	if (!r->port->ops->traits.foreign_nodes)
		r->overlay.ops->read(r->overlay.self, &overlay, r->a, &v->observed, &v->failed);
	r->firewall.ops->read(r->firewall.self, &firewall, r->a, &v->observed, &v->failed);
	if (r->mesh->dns.server != DNS_NONE) {
		strs_push(r->a, &dns, arena_printf(r->a, "live %s", r->mesh->dns.zone));
		strs_push(r->a, &dns, arena_printf(r->a, "saved %s", r->mesh->dns.zone));
	}
	/* Where no names are wanted there may still be some that once were. */
	r->dns.ops->read(r->dns.self, &dns, r->a, &v->observed, &v->failed);
	want_lock_items(&v->lock, &v->observed);
	forget_kept(r, &v->strays, &v->observed);
	items_sort(&v->observed);
}

/* Who our nodes are. A key that cannot be read is a failure that the identity driver has told. */
static void find_ours(struct run *r, struct view *v)
{
	const struct identified *known = yggdrasil_identities(r->yggdrasil, &v->nodes, r->a);

	v->ours = arena_alloc(r->a, v->nodes.n, sizeof(*v->ours));
	v->n_ours = 0;
	for (size_t i = 0; i < v->nodes.n; i++)
		if (known[i].rc == 0)
			v->ours[v->n_ours++] = known[i].id;
}

/* A jail says itself what key it has: the doubt is its own, and stops nothing for anybody else. */
static void check_grants(const struct run *r, struct view *v, const struct grants *grants)
{
	for (size_t i = 0; i < v->n_ours; i++) {
		const struct grant *g = want_grant_of(grants, &v->ours[i].addr);
		const char *node = v->ours[i].node;
		struct err e;

		if (g == NULL)
			continue;
		err_set(&e, ERR_CONFIG, (struct loc){ g->line, 1 },
			"%s/%s claims the address of our own %s", g->peer, g->jail->name,
			is_host(node) ? "host" : node);
		failures_add(&v->failed, KIND_IDENTITY, node, NULL, g->line, &e);
		strs_push(r->a, &v->claimed, g->key + strlen("address "));
	}
}

/* Whose address it is nobody knows, so it is let in nowhere where it is not yet. */
static void leave_claimed(struct view *v)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->plan.n; i++) {
		const struct change *c = &v->plan.v[i];
		const char *space = strrchr(c->key, ' ');

		if (c->after != NULL &&
			(strs_has(&v->claimed, c->after) ||
				(c->kind == KIND_FIREWALL && space != NULL &&
					strs_has(&v->claimed, space + 1))))
			continue;
		v->plan.v[kept++] = *c;
	}
	v->plan.n = kept;
}

static void find_needs(struct run *r, struct view *v)
{
	v->needs = arena_alloc(r->a, r->mesh->n_peers, sizeof(*v->needs));
	for (size_t i = 0; i < r->mesh->n_peers; i++) {
		const struct mesh_peer *peer = &r->mesh->peers[i];
		const struct pass *pass = NULL;
		const char *why = NULL;
		struct err e;

		if (peer->has_roster || peer->pair == PAIR_NONE)
			continue;
		if (r->hooks->pass(r->hooks->ctx, peer, r->a, &pass, &e) < 0) {
			/* The roster is there: where its code came from may be gone. */
			if (lock_find(&v->lock, peer->name) != NULL)
				continue;
			failures_add(&v->failed, KIND_PAIRING, peer->name, NULL, peer->line, &e);
			continue;
		}
		if (!want_pairing(peer, &v->lock, pass == NULL ? NULL : pass->code, r->a, &why))
			continue;
		v->needs[v->n_needs++] = (struct run_need){ peer, pass, why };
		plan_add(&v->plan,
			&(struct change){
				.action = ACTION_PAIR,
				.kind = KIND_PAIRING,
				.scope = peer->name,
				.key = "roster",
				.after = want_pair_word(peer),
				.why = why,
				.line = peer->line,
			});
	}
}

/* What the file asks for, and what is in force from an earlier one. */
static void notice_trust(struct run *r, struct view *v, const struct mesh_peer *peer)
{
	const struct lock_peer *locked = lock_find(&v->lock, peer->name);

	if (peer->plain)
		strs_push(r->a, &v->notices,
			arena_printf(r->a,
				"the pairing with peer '%s' is UNAUTHENTICATED (plain: true): "
				"whoever runs the relay, or guesses the code first, chooses whose "
				"addresses are let in",
				peer->name));
	else if (!peer->has_roster && locked != NULL && !locked->sealed)
		strs_push(r->a, &v->notices,
			arena_printf(r->a,
				"the roster of peer '%s' came UNAUTHENTICATED, and its addresses "
				"are let in until it has paired anew or is forgotten (jmesh "
				"teardown --peer %s --forget)",
				peer->name, peer->name));
}

static void find_notices(struct run *r, struct view *v)
{
	struct roster ours = run_roster(r, v);
	const char *digest = roster_digest(&ours, r->a);

	for (size_t i = 0; i < r->mesh->n_peers; i++)
		notice_trust(r, v, &r->mesh->peers[i]);
	/* With a jail or a key missing it is not known who we are. */
	if (v->n_ours != v->nodes.n || v->failed.n != 0)
		return;
	for (size_t i = 0; i < r->mesh->n_peers; i++) {
		const struct mesh_peer *peer = &r->mesh->peers[i];
		const struct lock_peer *locked = lock_find(&v->lock, peer->name);

		if (peer->has_roster || locked == NULL || locked->told == NULL ||
			strcmp(locked->told, digest) == 0)
			continue;
		strs_push(r->a, &v->notices,
			arena_printf(r->a,
				"our jails have changed since peer '%s' was told of them; to tell "
				"it, "
				"run jmesh teardown --peer %s --forget and pair again",
				peer->name, peer->name));
	}
}

struct roster run_roster(const struct run *r, const struct view *v)
{
	struct roster ours = { .jails = arena_alloc(r->a, v->n_ours, sizeof(*ours.jails)) };

	for (size_t i = 0; i < v->n_ours; i++)
		if (!is_host(v->ours[i].node) &&
			failures_find(&v->failed, KIND_IDENTITY, v->ours[i].node) == NULL)
			ours.jails[ours.n++] = (struct roster_jail){
				.name = v->ours[i].node,
				.addr = v->ours[i].addr,
				.has_key = true,
				.key = v->ours[i].key,
			};
	roster_sort(&ours);
	return ours;
}

int run_look(struct run *r, struct view *v, struct err *e)
{
	struct strs running = { 0 };
	struct want_host host = { .traits = r->port->ops->traits };
	struct grants grants;
	struct want_node *nodes;

	*v = (struct view){ 0 };
	v->wanted.arena = v->observed.arena = v->failed.arena = v->plan.arena = r->a;
	if (r->hooks->load_lock(r->hooks->ctx, r->a, &v->lock, e) < 0 ||
		want_grants(r->mesh, &v->lock, r->a, &grants, e) < 0 ||
		find_nodes(r, v, &running, e) < 0)
		return -1;
	host.registry = r->registry.ops != NULL;
	observe_registry(r, v);
	observe(r, v, &running);
	find_ours(r, v);
	check_grants(r, v, &grants);
	nodes = arena_alloc(r->a, v->nodes.n, sizeof(*nodes));
	for (size_t i = 0; i < v->nodes.n; i++) {
		nodes[i].name = v->nodes.v[i];
		nodes[i].line = line_of_jail(r->mesh, nodes[i].name);
		r->port->ops->node_paths(r->port->self, nodes[i].name, r->a, &nodes[i].paths);
	}
	host.nodes = nodes;
	host.n = v->nodes.n;
	want_build(r->mesh, &v->lock, &grants, &host, r->a, &v->wanted);
	find_needs(r, v);
	diff(&v->wanted, &v->observed, &v->failed, &v->plan);
	leave_claimed(v);
	plan_explain(&v->plan, r->mesh, &v->lock, r->a);
	find_notices(r, v);
	return 0;
}
