#include <stdlib.h>
#include <string.h>

#include "reconciler/want.h"
#include "reconciler/yggdrasil.h"

/* Whose address this was, for the sentence about one that goes. */
struct owner {
	struct addr addr;
	const char *peer, *jail;
};

static int by_address(const void *a, const void *b)
{
	return addr_cmp(&((const struct owner *)a)->addr, &((const struct owner *)b)->addr);
}

static const struct owner *owners_of(const struct lock *lock, struct arena *a, size_t *n)
{
	struct owner *v;
	size_t total = 0;

	for (size_t i = 0; i < lock->n; i++)
		total += lock->peers[i].roster.n;
	v = arena_alloc(a, total, sizeof(*v));
	*n = 0;
	for (size_t i = 0; i < lock->n; i++) {
		const struct lock_peer *p = &lock->peers[i];

		for (size_t j = 0; j < p->roster.n; j++)
			v[(*n)++] = (struct owner){ p->roster.jails[j].addr, p->name,
				p->roster.jails[j].name };
	}
	if (*n > 1)
		qsort(v, *n, sizeof(*v), by_address);
	return v;
}

static bool in_file(const struct mesh *mesh, const char *peer)
{
	for (size_t i = 0; i < mesh->n_peers; i++)
		if (strcmp(mesh->peers[i].name, peer) == 0)
			return true;
	return false;
}

static const char *why_it_goes(const struct change *c, const struct mesh *mesh,
	const struct owner *owners, size_t n, struct arena *a)
{
	const char *text = c->kind == KIND_FIREWALL ? c->key : c->before;
	struct owner key = { 0 };
	const struct owner *owner;
	struct err ignored;

	if (c->kind == KIND_FIREWALL && item_is_address(text))
		text = strrchr(text, ' ') + 1;
	if (text == NULL || addr_parse(text, NOWHERE, &key.addr, &ignored) < 0)
		return "not in the mesh file";
	owner = n == 0 ? NULL : bsearch(&key, owners, n, sizeof(*owners), by_address);
	if (owner == NULL)
		return "not in the mesh file or the lock";
	if (in_file(mesh, owner->peer))
		return arena_printf(a, "was %s/%s", owner->peer, owner->jail);
	return arena_printf(a, "was %s/%s; peer '%s' is no longer in the mesh file", owner->peer,
		owner->jail, owner->peer);
}

/* Whether the node whose overlay changes begin at first is started, or started anew, by one of them. */
static bool starts(const struct plan *p, size_t first)
{
	const char *scope = p->v[first].scope;

	for (size_t i = first; i < p->n; i++) {
		const struct change *c = &p->v[i];

		if (c->kind != KIND_OVERLAY || strcmp(c->scope, scope) != 0)
			break;
		if (c->action != ACTION_REMOVE && strcmp(c->key, "node") == 0)
			return true;
	}
	return false;
}

/* Of what is no roster's; NULL: its key says it all. */
static const char *why_it_comes(const struct change *c)
{
	bool boot = strcmp(c->key, "boot") == 0;

	if (c->kind == KIND_OVERLAY && boot)
		return "is not started at boot";
	if (c->kind == KIND_PAIRING && item_is_record(c->key))
		return c->action == ACTION_CHANGE ? "has another address there" : NULL;
	if (c->kind != KIND_FIREWALL)
		return NULL;
	if (boot)
		return "is off after a reboot";
	if (c->action != ACTION_CHANGE)
		return NULL;
	if (strcmp(c->before, "fail-open") == 0)
		return "fail-open: it is off, or has no rules, or skips the interface: everything "
		       "passes";
	if (strcmp(c->key, "saved rules") == 0)
		return "the rules in the file are others";
	return item_is_address(c->key) ? NULL : "the rules in place are others";
}

static bool is_live(const char *key)
{
	return strncmp(key, "live ", 5) == 0 || strncmp(key, "peer ", 5) == 0;
}

void plan_explain(struct plan *p, const struct mesh *mesh, const struct lock *lock, struct arena *a)
{
	size_t n, kept = 0;
	const struct owner *owners = owners_of(lock, a, &n);
	const char *scope = NULL;
	bool starting = false;

	for (size_t i = 0; i < p->n; i++) {
		struct change *c = &p->v[i];

		if (c->kind == KIND_OVERLAY && (scope == NULL || strcmp(scope, c->scope) != 0)) {
			scope = c->scope;
			starting = starts(p, i);
		}
		/* A node that starts reads all of that from its file. */
		if (c->kind == KIND_OVERLAY && starting && is_live(c->key))
			continue;
		if (c->kind == KIND_OVERLAY && c->why == NULL &&
			yggdrasil_change_restarts(c->key, c->before, c->after))
			c->why = "restarts the node";
		if (c->action == ACTION_REMOVE && c->why == NULL &&
			(c->kind == KIND_FIREWALL || c->kind == KIND_DNS))
			c->why = why_it_goes(c, mesh, owners, n, a);
		if (c->action != ACTION_REMOVE && c->why == NULL)
			c->why = why_it_comes(c);
		if (c->action == ACTION_REMOVE && c->kind == KIND_PAIRING && item_is_record(c->key))
			c->why = why_it_goes(c, mesh, owners, n, a);
		else if (c->action == ACTION_REMOVE && c->kind == KIND_PAIRING)
			c->why = in_file(mesh, c->scope) ? "its roster is written in the mesh file"
							 : "no longer in the mesh file";
		p->v[kept++] = *c;
	}
	p->n = kept;
}
