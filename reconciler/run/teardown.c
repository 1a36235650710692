#include <string.h>

#include "reconciler/run/run.h"

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
	if (run_execute(r, &v, PHASE_OVERLAY, out, e) < 0)
		return -1;
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
