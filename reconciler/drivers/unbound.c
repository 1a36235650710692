#include "reconciler/drivers/unbound.h"

#include <string.h>

#include "reconciler/drivers/unbound_self.h"

enum { FILE_MAX = 64 * 1024 * 1024 };

static bool is_record_key(const char *key)
{
	return strchr(key, ' ') != NULL;
}

void unbound_fail(
	const struct change *const *changes, size_t n, struct failures *failed, const struct err *e)
{
	for (size_t i = 0; i < n; i++)
		failures_add(
			failed, KIND_DNS, changes[i]->scope, changes[i]->key, changes[i]->line, e);
}

static void edits_add(struct edits *list, struct arena *a, const struct change *c, const char *name)
{
	void *v = list->v;
	struct edit *edit = arena_push(a, &v, list->n, &list->cap, sizeof(*edit));

	*edit = (struct edit){ c, name };
	list->v = v;
	list->n++;
}

/* The record that a key and a value of the plan stand for. */
static struct dns_record record_of(const char *key, const char *value, struct arena *a)
{
	const char *space = strchr(key, ' ');

	return (struct dns_record){ arena_dupn(a, key, (size_t)(space - key)),
		arena_dup(a, space + 1), arena_dup(a, value) };
}

/* 0: *out is the record of one side of a change, or nothing where value is NULL. */
static int take(struct unbound *u, const struct unbound_scope *s, const char *key,
	const char *value, struct dns_records *out, struct err *e)
{
	struct dns_record r;

	if (value == NULL)
		return 0;
	r = record_of(key, value, u->arena);
	/* A foreign record may be anything, but then unbound itself named it. */
	if (!dns_records_has(&s->zone.found, &r) && dns_record_check(&r, u->conf->zone, e) < 0)
		return -1;
	dns_records_add(out, u->arena, &r);
	return 0;
}

void unbound_edit(struct unbound *u, struct unbound_scope *s, const struct change *const *changes,
	size_t n, struct edits *removed, struct edits *added, struct failures *failed)
{
	struct dns_records old = { 0 }, new = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct change *c = changes[i];
		struct err e = ERR_INIT;
		size_t n_old = old.n;

		if (!is_record_key(c->key))
			continue;
		if (take(u, s, c->key, c->before, &old, &e) < 0 ||
			take(u, s, c->key, c->after, &new, &e) < 0) {
			old.n = n_old;
			unbound_fail(&c, 1, failed, &e);
			continue;
		}
		if (c->before != NULL)
			edits_add(removed, u->arena, c, old.v[old.n - 1].name);
		if (c->after != NULL)
			edits_add(added, u->arena, c, new.v[new.n - 1].name);
	}
	dns_records_sort(&old);
	dns_records_drop(&s->zone.found, &old);
	for (size_t i = 0; i < new.n; i++)
		dns_records_add(&s->zone.found, u->arena, &new.v[i]);
	dns_records_sort(&s->zone.found);
}

static void show(const struct unbound_scope *s, struct arena *a, struct items *out)
{
	if (s->zone.type != NULL)
		items_add(out, KIND_DNS, s->name, "zone", s->zone.type, NULL, 0);
	for (size_t i = 0; i < s->zone.nested.n; i++)
		items_add(out, KIND_DNS, s->name, "zone", s->zone.nested.v[i], NULL, 0);
	for (size_t i = 0; i < s->zone.found.n; i++) {
		const struct dns_record *r = &s->zone.found.v[i];

		items_add(out, KIND_DNS, s->name, arena_printf(a, "%s %s", r->name, r->type),
			r->data, NULL, 0);
	}
}

/* Only the plain case is told: no include anywhere. Files within files are unbound's to follow. */
static int check_included(struct unbound *u, struct arena *a, struct err *e)
{
	const char *text;
	size_t len;

	if (port_read(u->port, NULL, u->conf->config, FILE_MAX, a, &text, &len, e) != 0)
		return 0;
	if (!unbound_includes_nothing(text, len))
		return 0;
	return err_set(e, ERR_CONFIG, NOWHERE,
		"%s does not include %s, so a restarted unbound forgets every name; add to it: "
		"include: \"%s\"",
		u->conf->config, u->conf->include, u->conf->include);
}

/* 0: the include file, which is ours; 1: there is none. Whoever wrote another keeps it. */
static int include_read(
	struct unbound *u, struct arena *a, const char **text, size_t *len, struct err *e)
{
	const char *path = u->conf->include;
	int rc = port_read(u->port, NULL, path, FILE_MAX, a, text, len, e);

	if (rc != 0 || unbound_file_is_ours(*text, *len))
		return rc;
	return err_set(e, ERR_CONFIG, NOWHERE,
		"%s was not written by jmesh, to judge by its first line, and is left alone: name "
		"another file in dns.include, or move it away",
		path);
}

/* 0 with *value: what the item "file" says, or NULL when there is none. */
static int saved_read(struct unbound *u, struct arena *a, const char **value, struct err *e)
{
	const char *text;
	size_t len;
	int rc = include_read(u, u->arena, &text, &len, e);

	*value = NULL;
	if (rc < 0)
		return -1;
	if (rc > 0)
		return 0;
	*value = unbound_parse_file(text, len, u->conf->zone, u->arena, &u->saved.zone)
		? "as generated"
		: "altered";
	return check_included(u, a, e);
}

/* What the include file tells and nothing wants. */
static void read_old(
	struct unbound *u, bool wanted, struct arena *a, struct items *out, struct failures *failed)
{
	struct unbound_old *old = &u->old;
	struct local_zone live = { 0 }, saved = { 0 };
	struct err e = ERR_INIT;
	const char *text;
	size_t len;
	int rc = port_read(u->port, NULL, u->conf->include, FILE_MAX, a, &text, &len, &e);

	*old = (struct unbound_old){ 0 };
	/* Where names are wanted, what is wrong with the file is told with them. */
	if (rc < 0 && !wanted)
		failures_add(failed, KIND_DNS, u->saved.name, NULL, 0, &e);
	if (rc != 0 || len == 0 || !unbound_file_is_ours(text, len))
		return;
	old->zone = unbound_file_zone(text, len, u->arena);
	if (!wanted) {
		const char *zone = old->zone == NULL ? u->conf->zone : old->zone;
		bool whole = unbound_parse_file(text, len, zone, a, &saved);

		old->saved = arena_printf(u->arena, "saved %s", zone);
		items_add(out, KIND_DNS, old->saved, "file", whole ? "as generated" : "altered",
			NULL, 0);
	}
	/* One beneath ours is read with ours. */
	if (old->zone == NULL || (wanted && dns_name_in_zone(old->zone, u->conf->zone)))
		return;
	old->live = arena_printf(u->arena, "live %s", old->zone);
	old->lives = true;
	if (unbound_live_read(u, old->zone, &live, a, &e) < 0) {
		err_wrap(&e, "%s still tells of the zone", u->conf->include);
		failures_add(failed, KIND_DNS, old->live, NULL, 0, &e);
		return;
	}
	old->lives = live.type != NULL;
	if (old->lives)
		items_add(out, KIND_DNS, old->live, "zone", live.type, NULL, 0);
}

/* The file is what is known of the old zone: it goes last. */
static int check_old(const struct unbound *u, struct err *e)
{
	if (!u->old.lives)
		return 0;
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"%s stays as it was, because its zone %s is not known to be gone from unbound; "
		"remove the file if unbound runs here no more",
		u->conf->include, u->old.zone);
}

static int old_apply(struct unbound *u, const char *scope, struct arena *a, struct err *e)
{
	if (u->old.saved != NULL && strcmp(scope, u->old.saved) == 0)
		return check_old(u, e) < 0
			? -1
			: u->port->ops->remove(u->port->self, NULL, u->conf->include, e);
	if (unbound_live_drop(u, u->old.zone, a, e) < 0)
		return -1;
	u->old.lives = false;
	return 0;
}

static bool is_old(const struct unbound_old *old, const char *scope)
{
	return (old->live != NULL && strcmp(scope, old->live) == 0) ||
		(old->saved != NULL && strcmp(scope, old->saved) == 0);
}

static void unbound_read(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	struct unbound *u = self;

	read_old(u, scopes->n != 0, a, out, failed);
	for (size_t i = 0; i < scopes->n; i++) {
		bool is_live = strcmp(scopes->v[i], u->live.name) == 0;
		struct unbound_scope *s = is_live ? &u->live : &u->saved;
		const char *file = NULL;
		struct err e = ERR_INIT;

		*s = (struct unbound_scope){ .name = s->name };
		if ((is_live ? unbound_live_read(u, u->conf->zone, &s->zone, a, &e)
			     : saved_read(u, a, &file, &e)) < 0) {
			failures_add(failed, KIND_DNS, scopes->v[i], NULL, 0, &e);
			continue;
		}
		s->read = true;
		/* Names of ours that are in the old zone go with it. */
		if (is_live && s->zone.type == NULL && u->old.lives &&
			dns_name_in_zone(u->conf->zone, u->old.zone))
			s->zone.found.n = 0;
		if (file != NULL)
			items_add(out, KIND_DNS, s->name, "file", file, NULL, 0);
		show(s, a, out);
	}
}

/* Checked under another name, one that no "*.conf" takes in, before it replaces the old one. */
static int save(struct unbound *u, struct arena *a, struct err *e)
{
	const char *candidate = arena_printf(a, "%s.jmesh-new", u->conf->include);
	const char *const argv[] = { "unbound-checkconf", candidate, NULL };
	const char *text = unbound_file(u->conf->zone, &u->saved.zone.found, a);
	const struct port_ops *ops = u->port->ops;
	struct err ignored = ERR_INIT;
	struct output out;
	int rc;

	if (check_old(u, e) < 0)
		return -1;
	if (ops->replace(u->port->self, NULL, candidate, text, strlen(text), 0644, e) < 0)
		return err_wrap(
			e, "the names are not saved (is unbound installed, and 'include' right?)");
	rc = port_run(u->port, NULL, argv, NULL, a, &out, e);
	if (rc == 0)
		rc = ops->replace(
			u->port->self, NULL, u->conf->include, text, strlen(text), 0644, e);
	else
		err_wrap(e, "%s stays as it was", u->conf->include);
	ops->remove(u->port->self, NULL, candidate, &ignored);
	return rc;
}

static void saved_apply(struct unbound *u, const struct change *const *changes, size_t n,
	struct arena *a, struct failures *failed)
{
	struct edits removed = { 0 }, added = { 0 };
	struct err e = ERR_INIT;

	unbound_edit(u, &u->saved, changes, n, &removed, &added, failed);
	/* A record that is refused leaves the rest in force. */
	if (save(u, a, &e) < 0)
		unbound_fail(changes, n, failed, &e);
}

static void unbound_apply(void *self, enum phase phase, const char *scope,
	const struct change *const *changes, size_t n, struct arena *a, struct failures *failed)
{
	struct unbound *u = self;
	bool is_live = strcmp(scope, u->live.name) == 0;
	struct err e = ERR_INIT;

	(void)phase; /* the changes say it all */
	if (is_old(&u->old, scope)) {
		if (old_apply(u, scope, a, &e) < 0)
			unbound_fail(changes, n, failed, &e);
	} else if (!(is_live ? &u->live : &u->saved)->read) {
		err_set(&e, ERR_SYSTEM, NOWHERE, "names of %s: they were not read", scope);
		unbound_fail(changes, n, failed, &e);
	} else if (is_live) {
		unbound_live_apply(u, changes, n, a, failed);
	} else {
		saved_apply(u, changes, n, a, failed);
	}
}

static int unbound_withdraw(void *self, const char *scope, struct arena *a, struct err *e)
{
	struct unbound *u = self;
	const char *text;
	size_t len;
	int rc;

	if (strcmp(scope, u->live.name) == 0)
		return unbound_live_withdraw(u, a, e);
	rc = check_old(u, e) < 0 ? -1 : include_read(u, a, &text, &len, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return u->port->ops->remove(u->port->self, NULL, u->conf->include, e);
}

static const struct driver_ops unbound_ops = {
	.name = "unbound",
	.kind = KIND_DNS,
	.read = unbound_read,
	.apply = unbound_apply,
	.withdraw = unbound_withdraw,
};

void unbound_driver(struct driver *out, const struct port *port, const struct unbound_conf *conf,
	struct arena *a)
{
	struct unbound *u = arena_alloc(a, 1, sizeof(*u));

	u->port = port;
	u->conf = conf;
	u->arena = a;
	u->live.name = arena_printf(a, "live %s", conf->zone);
	u->saved.name = arena_printf(a, "saved %s", conf->zone);
	*out = (struct driver){ &unbound_ops, u };
}
