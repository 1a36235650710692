#include "reconciler/drivers/nft.h"

#include <string.h>

#include "reconciler/nft.h"

/* What the last read saw in a scope, less what was revoked since. */
struct seen {
	const char *scope;
	bool present;
	struct nft_state state;
};

struct nft {
	const struct port *port;
	struct nft_names names;
	struct arena *arena;
	struct seen *seen;
	size_t n_seen, cap_seen;
};

static const char *const list_table[] = { "nft", "-j", "list", "table", "inet", NFT_TABLE, NULL };
static const char *const list_tables[] = { "nft", "-j", "list", "tables", "inet", NULL };
static const char *const check[] = { "nft", "-c", "-f", "-", NULL };
static const char *const load[] = { "nft", "-f", "-", NULL };
static const char *const list_flows[] = { "conntrack", "-L", "-f", "ipv6", NULL };
static const char *const forget[] = { "conntrack", "-R", "-", NULL };

/* Deletions for one conntrack: a few milliseconds each, and a command has 30 seconds. */
enum { FORGET_CHUNK = 500 };

static const char *place_name(const char *scope)
{
	const char *place = port_place(scope);

	return place == NULL ? "the host" : place;
}

static struct seen *seen_of(struct nft *n, const char *scope)
{
	for (size_t i = 0; i < n->n_seen; i++)
		if (strcmp(n->seen[i].scope, scope) == 0)
			return &n->seen[i];
	return NULL;
}

static struct seen *seen_add(struct nft *n, const char *scope)
{
	void *v = n->seen;
	struct seen *s = arena_push(n->arena, &v, n->n_seen, &n->cap_seen, sizeof(*s));

	n->seen = v;
	n->n_seen++;
	s->scope = arena_dup(n->arena, scope);
	return s;
}

/* The same command in every scope, in one look. What could not be looked at at all did not run. */
static const struct output *look_in_all(
	struct nft *n, const char *const *argv, const struct strs *scopes, struct arena *a)
{
	struct look *v = arena_alloc(a, scopes->n, sizeof(*v));
	struct output *outs = arena_alloc(a, scopes->n, sizeof(*outs));
	struct err e;
	int rc;

	for (size_t i = 0; i < scopes->n; i++)
		v[i] = (struct look){
			.kind = LOOK_RUN,
			.cmd = { .jail = port_place(scopes->v[i]), .argv = argv },
		};
	rc = scopes->n == 0 ? 0 : n->port->ops->look(n->port->self, v, scopes->n, a, &e);
	for (size_t i = 0; i < scopes->n; i++)
		outs[i] = rc == 0 ? v[i].output
				  : (struct output){ .status = -1, .err = arena_dup(a, e.text) };
	return outs;
}

static int see(struct nft *n, const char *scope, const struct output *out, struct err *e)
{
	struct nft_state state;
	struct seen *s;

	if (nft_parse(out->out, out->out_len, &n->names, n->arena, &state, e) < 0)
		return -1;
	s = seen_add(n, scope);
	s->present = true;
	s->state = state;
	return 0;
}

/*
 * Status 1 is nft's answer to everything: that there is no such table is known only from a list of
 * tables that could be read.
 */
static void see_missing(struct nft *n, const struct strs *scopes, const struct output *first,
	struct arena *a, struct failures *failed)
{
	const struct output *outs = look_in_all(n, list_tables, scopes, a);

	for (size_t i = 0; i < scopes->n; i++) {
		struct err e = ERR_INIT;
		int there;

		if (outs[i].status != 0)
			there = port_failed("nft", &outs[i], &e);
		else
			there = nft_lists_table(outs[i].out, outs[i].out_len, &e);
		if (there > 0)
			there = port_failed("nft", &first[i], &e);
		if (there == 0) {
			seen_add(n, scopes->v[i]);
			continue;
		}
		err_wrap(&e, "firewall of %s", place_name(scopes->v[i]));
		failures_add(failed, KIND_FIREWALL, scopes->v[i], NULL, 0, &e);
	}
}

static void see_all(
	struct nft *n, const struct strs *scopes, struct arena *a, struct failures *failed)
{
	const struct output *outs = look_in_all(n, list_table, scopes, a);
	struct output *refused = arena_alloc(a, scopes->n, sizeof(*refused));
	struct strs unknown = { 0 };

	n->seen = NULL;
	n->n_seen = n->cap_seen = 0;
	for (size_t i = 0; i < scopes->n; i++) {
		struct err e = ERR_INIT;

		if (outs[i].status > 0) {
			refused[unknown.n] = outs[i];
			strs_push(a, &unknown, scopes->v[i]);
			continue;
		}
		if (outs[i].status < 0)
			port_failed("nft", &outs[i], &e);
		else if (see(n, scopes->v[i], &outs[i], &e) == 0)
			continue;
		err_wrap(&e, "firewall of %s", place_name(scopes->v[i]));
		failures_add(failed, KIND_FIREWALL, scopes->v[i], NULL, 0, &e);
	}
	if (unknown.n != 0)
		see_missing(n, &unknown, refused, a, failed);
}

static void show_addresses(struct items *out, const char *scope, const struct addrs *addrs,
	const char *value, struct arena *a)
{
	for (size_t i = 0; i < addrs->n; i++) {
		char key[sizeof("address ") + ADDR_TEXT] = "address ";

		addr_format(&addrs->v[i], key + strlen(key));
		items_add(out, KIND_FIREWALL, scope, arena_dup(a, key), value, NULL, 0);
	}
}

static void nft_read(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	struct nft *n = self;

	see_all(n, scopes, a, failed);
	for (size_t i = 0; i < n->n_seen; i++) {
		const struct seen *s = &n->seen[i];

		if (!s->present)
			continue;
		items_add(out, KIND_FIREWALL, s->scope, "rules",
			s->state.altered
				? "altered"
				: arena_printf(a, "default-deny on %s", n->names.interface),
			NULL, 0);
		show_addresses(out, s->scope, &s->state.allowed, "allow", a);
		show_addresses(out, s->scope, &s->state.ending, "flows may live on", a);
	}
}

/* One transaction, checked before it is loaded. */
static int transact(
	struct nft *n, const char *scope, const char *text, struct arena *a, struct err *e)
{
	struct output out;

	if (port_run(n->port, port_place(scope), check, text, a, &out, e) < 0 ||
		port_run(n->port, port_place(scope), load, text, a, &out, e) < 0)
		return err_wrap(e, "firewall of %s", place_name(scope));
	return 0;
}

static int forget_lines(
	struct nft *n, const char *scope, const struct strs *lines, struct arena *a, struct err *e)
{
	size_t chunks = (lines->n + FORGET_CHUNK - 1) / FORGET_CHUNK;
	struct command *cmds = arena_alloc(a, chunks, sizeof(*cmds));
	struct output *outs = arena_alloc(a, chunks, sizeof(*outs));

	for (size_t c = 0; c < chunks; c++) {
		struct text t = text_new(a);

		for (size_t i = c * FORGET_CHUNK; i < lines->n && i < (c + 1) * FORGET_CHUNK; i++)
			text_add(&t, lines->v[i]);
		cmds[c] = (struct command){ port_place(scope), forget, t.s, t.len };
	}
	if (chunks != 0 && n->port->ops->run(n->port->self, cmds, chunks, a, outs, e) < 0)
		return -1;
	for (size_t c = 0; c < chunks; c++)
		if (outs[c].status != 0)
			return port_failed("conntrack", &outs[c], e);
	return 0;
}

/*
 * Listed after the addresses left the set, so none of their flows is missed. The mark goes last: killed
 * before, the next apply sees them again.
 */
static int forget_flows(struct nft *n, const struct seen *s, const struct addrs *addrs,
	struct arena *a, struct err *e)
{
	struct strs lines = { 0 };
	struct output out;

	if (port_run(n->port, port_place(s->scope), list_flows, NULL, a, &out, e) < 0)
		goto failed;
	nft_forget(out.out, addrs, a, &lines);
	if (forget_lines(n, s->scope, &lines, a, e) < 0)
		goto failed;
	return s->present ? transact(n, s->scope, nft_revoked(&n->names, addrs, a), a, e) : 0;
failed:
	return err_wrap(e, "established flows of %s may live on", place_name(s->scope));
}

/*
 * The table anew, with what was seen allowed in it and nothing else, in one transaction. What came in
 * while other rules stood is not let on by these; the streams of allowed addresses go on.
 */
static int rebuild(
	struct nft *n, struct seen *s, const struct addrs *revoked, struct arena *a, struct err *e)
{
	struct output out;

	if (transact(n, s->scope, nft_table(&n->names, &s->state.allowed, revoked, a), a, e) < 0)
		return -1;
	s->present = true;
	s->state.altered = false;
	if (port_run(n->port, port_place(s->scope), forget, nft_forget_streams(), a, &out, e) < 0)
		return err_wrap(e, "established flows of %s may live on", place_name(s->scope));
	return revoked->n == 0 ? 0 : forget_flows(n, s, revoked, a, e);
}

static struct addrs without(const struct addrs *from, const struct addrs *these, struct arena *a)
{
	struct addrs left = { .v = arena_alloc(a, from->n, sizeof(*left.v)) };

	for (size_t i = 0; i < from->n; i++)
		if (!addrs_has(these, &from->v[i]))
			left.v[left.n++] = from->v[i];
	return left;
}

static int revoke(
	struct nft *n, struct seen *s, const struct addrs *addrs, struct arena *a, struct err *e)
{
	int rc;

	/* Whatever becomes of it: a table that is made anew later does not have them again. */
	s->state.allowed = without(&s->state.allowed, addrs, n->arena);
	if (!s->present)
		return forget_flows(n, s, addrs, a, e);
	/* Rules that are not ours may refuse the deletion, or make nothing of it. */
	if (s->state.altered)
		return rebuild(n, s, addrs, a, e);
	rc = transact(n, s->scope, nft_revoke(&n->names, addrs, a), a, e);
	if (rc == 0)
		rc = forget_flows(n, s, addrs, a, e);
	return rc;
}

static int grant(
	struct nft *n, struct seen *s, const struct addrs *addrs, struct arena *a, struct err *e)
{
	if (!s->present || s->state.altered)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"firewall of %s: its default-deny is not in place, so nothing is allowed",
			place_name(s->scope));
	return transact(n, s->scope, nft_grant(&n->names, addrs, a), a, e);
}

static int drop_table(struct nft *n, struct seen *s, struct arena *a, struct err *e)
{
	const struct addrs none = { 0 };

	s->state.allowed.n = 0;
	if (rebuild(n, s, &none, a, e) < 0 ||
		transact(n, s->scope, "delete table inet " NFT_TABLE "\n", a, e) < 0)
		return -1;
	s->present = false;
	return 0;
}

static int protect(
	struct nft *n, struct seen *s, const struct change *c, struct arena *a, struct err *e)
{
	const struct addrs none = { 0 };

	if (c->action == ACTION_REMOVE)
		return s->present ? drop_table(n, s, a, e) : 0;
	if (s->present && !s->state.altered)
		return 0;
	return rebuild(n, s, &none, a, e);
}

static int address_of(const struct change *c, struct addr *out, struct err *e)
{
	static const char prefix[] = "address ";

	if (strncmp(c->key, prefix, sizeof(prefix) - 1) != 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "not an item of a firewall: '%s'", c->key);
	return addr_parse(c->key + sizeof(prefix) - 1, NOWHERE, out, e);
}

/* The addresses of these changes that leave, or that enter. */
static struct addrs pick(const struct change *const *changes, size_t n, bool leave, struct arena *a,
	struct failures *failed)
{
	struct addrs list = { .v = arena_alloc(a, n, sizeof(*list.v)) };

	for (size_t i = 0; i < n; i++) {
		struct err e = ERR_INIT;

		if (strcmp(changes[i]->key, "rules") == 0 ||
			(changes[i]->action == ACTION_REMOVE) != leave)
			continue;
		if (address_of(changes[i], &list.v[list.n], &e) == 0)
			list.n++;
		else
			failures_add(failed, KIND_FIREWALL, changes[i]->scope, changes[i]->key,
				changes[i]->line, &e);
	}
	addrs_sort(&list);
	return list;
}

static void fail_addresses(const struct change *const *changes, size_t n, bool leave,
	struct failures *failed, const struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(changes[i]->key, "rules") != 0 &&
			(changes[i]->action == ACTION_REMOVE) == leave)
			failures_add(failed, KIND_FIREWALL, changes[i]->scope, changes[i]->key,
				changes[i]->line, e);
}

static void nft_apply(void *self, enum phase phase, const char *scope,
	const struct change *const *changes, size_t n_changes, struct arena *a,
	struct failures *failed)
{
	struct nft *n = self;
	struct seen *s = seen_of(n, scope);
	struct err e = ERR_INIT;
	struct addrs leave, enter;

	(void)phase; /* the changes say it all */
	if (s == NULL) {
		err_set(&e, ERR_SYSTEM, NOWHERE, "firewall of %s: it was not read",
			place_name(scope));
		for (size_t i = 0; i < n_changes; i++)
			failures_add(failed, KIND_FIREWALL, scope, changes[i]->key,
				changes[i]->line, &e);
		return;
	}
	leave = pick(changes, n_changes, true, a, failed);
	enter = pick(changes, n_changes, false, a, failed);
	if (leave.n != 0 && revoke(n, s, &leave, a, &e) < 0)
		fail_addresses(changes, n_changes, true, failed, &e);
	for (size_t i = 0; i < n_changes; i++)
		if (strcmp(changes[i]->key, "rules") == 0 && protect(n, s, changes[i], a, &e) < 0)
			failures_add(failed, KIND_FIREWALL, scope, "rules", changes[i]->line, &e);
	if (enter.n != 0 && grant(n, s, &enter, a, &e) < 0)
		fail_addresses(changes, n_changes, false, failed, &e);
}

/* Whoever made the interface: while it is there, the rules are all that stands before the jail. */
static int check_unused(struct nft *n, const char *scope, struct arena *a, struct err *e)
{
	const char *const argv[] = { "ip", "-o", "link", "show", NULL };
	const char *name = arena_printf(a, ": %s: ", n->names.interface);
	struct output out;

	if (port_run(n->port, port_place(scope), argv, NULL, a, &out, e) < 0)
		return err_wrap(e, "firewall of %s stays", place_name(scope));
	if (strstr(out.out, name) == NULL)
		return 0;
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"firewall of %s stays, because %s is still there: another node runs behind it",
		place_name(scope), n->names.interface);
}

static int nft_withdraw(void *self, const char *scope, struct arena *a, struct err *e)
{
	struct nft *n = self;
	struct strs one = { 0 };
	struct failures failed = { .arena = a };
	struct seen *s;

	strs_push(a, &one, scope);
	see_all(n, &one, a, &failed);
	if (failed.n != 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s", failed.v[0].text);
	s = seen_of(n, scope);
	if (!s->present)
		return 0;
	return check_unused(n, scope, a, e) < 0 ? -1 : drop_table(n, s, a, e);
}

static const struct driver_ops nft_ops = {
	.name = "nftables",
	.kind = KIND_FIREWALL,
	.read = nft_read,
	.apply = nft_apply,
	.withdraw = nft_withdraw,
};

void nft_driver(struct driver *out, const struct port *port, const char *interface, const char *set,
	struct arena *a)
{
	struct nft *n = arena_alloc(a, 1, sizeof(*n));

	n->port = port;
	n->names = (struct nft_names){ interface, set };
	n->arena = a;
	*out = (struct driver){ &nft_ops, n };
}
