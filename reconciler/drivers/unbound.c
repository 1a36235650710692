#include "reconciler/drivers/unbound.h"

#include <string.h>

#include "reconciler/drivers/unbound_self.h"
#include "reconciler/unbound_block.h"

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

bool unbound_is_theirs(const struct unbound *u, const struct dns_record *r)
{
	return u->conf->block && unbound_block_is_theirs(r, u->conf->zone);
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
	if (unbound_is_theirs(u, &r))
		return err_set(e, ERR_CONFIG, NOWHERE, "%s %s is Jailrun's own", r.name, r.type);
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

int unbound_look(struct unbound *u, size_t first, size_t last, struct arena *a, struct err *e)
{
	static const char *const lists[] = {
		[SEEN_ZONES] = "list_local_zones",
		[SEEN_DATA] = "list_local_data",
	};
	const char *const files[] = {
		[SEEN_INCLUDE] = u->conf->include,
		[SEEN_CONFIG] = u->conf->config,
	};

	for (size_t i = first; i <= last; i++) {
		const char **argv;

		if (i < SEEN_ZONES) {
			u->seen[i] = (struct look){
				.kind = LOOK_FILE, .path = files[i], .max = FILE_MAX
			};
			continue;
		}
		argv = arena_alloc(a, 5, sizeof(*argv));
		argv[0] = u->conf->control;
		argv[1] = "-c";
		argv[2] = u->conf->config;
		argv[3] = lists[i];
		u->seen[i] = (struct look){ .kind = LOOK_RUN, .cmd = { .argv = argv } };
	}
	return u->port->ops->look(u->port->self, &u->seen[first], last - first + 1, a, e);
}

static void show_records(
	const struct unbound *u, const struct unbound_scope *s, struct arena *a, struct items *out)
{
	for (size_t i = 0; i < s->zone.found.n; i++) {
		const struct dns_record *r = &s->zone.found.v[i];

		if (!unbound_is_theirs(u, r))
			items_add(out, KIND_DNS, s->name,
				arena_printf(a, "%s %s", r->name, r->type), r->data, NULL, 0);
	}
}

static void show(
	const struct unbound *u, const struct unbound_scope *s, struct arena *a, struct items *out)
{
	if (s->zone.type != NULL)
		items_add(out, KIND_DNS, s->name, "zone", s->zone.type, NULL, 0);
	for (size_t i = 0; i < s->zone.nested.n; i++) {
		const char *nested = s->zone.nested.v[i];
		struct dns_record name = { arena_dupn(a, nested, strcspn(nested, " ")), "", "" };

		if (!unbound_is_theirs(u, &name))
			items_add(out, KIND_DNS, s->name, "zone", nested, NULL, 0);
	}
	show_records(u, s, a, out);
}

/* What the include file tells and nothing wants. */
static void read_old(
	struct unbound *u, bool wanted, struct arena *a, struct items *out, struct failures *failed)
{
	const struct look *file = &u->seen[SEEN_INCLUDE];
	struct unbound_old *old = &u->old;
	struct local_zone live = { 0 }, saved = { 0 };
	struct err e = file->err;

	/* Where names are wanted, what is wrong with the file is told with them. */
	if (file->rc < 0 && !wanted)
		failures_add(failed, KIND_DNS, u->saved.name, NULL, 0, &e);
	if (file->rc != 0 || file->len == 0 || !unbound_file_is_ours(file->text, file->len))
		return;
	old->zone = unbound_file_zone(file->text, file->len, u->arena);
	if (!wanted) {
		const char *zone = old->zone == NULL ? u->conf->zone : old->zone;
		bool whole = unbound_parse_file(file->text, file->len, zone, a, &saved);

		old->saved = arena_printf(u->arena, "saved %s", zone);
		items_add(out, KIND_DNS, old->saved, "file", whole ? "as generated" : "altered",
			NULL, 0);
	}
	/* One beneath ours is read with ours. */
	if (old->zone == NULL || (wanted && dns_name_in_zone(old->zone, u->conf->zone)))
		return;
	old->live = arena_printf(u->arena, "live %s", old->zone);
	old->lives = true;
	if ((!wanted && unbound_look(u, SEEN_ZONES, SEEN_DATA, a, &e) < 0) ||
		unbound_live_parse(u, old->zone, &live, &e) < 0) {
		err_wrap(&e, "%s still tells of the zone", u->conf->include);
		failures_add(failed, KIND_DNS, old->live, NULL, 0, &e);
		return;
	}
	old->lives = live.type != NULL;
	if (old->lives)
		items_add(out, KIND_DNS, old->live, "zone", live.type, NULL, 0);
}

/* The names of a block that nothing wants, and those of them that unbound answers with. */
static void read_unwanted_block(
	struct unbound *u, struct arena *a, struct items *out, struct failures *failed)
{
	const char *file = NULL;
	struct err e = ERR_INIT;
	size_t shown;

	if (u->seen[SEEN_INCLUDE].rc > 0)
		return;
	if (unbound_file_parse(u, &file, &e) < 0) {
		failures_add(failed, KIND_DNS, u->saved.name, NULL, 0, &e);
		return;
	}
	u->saved.read = true;
	show_records(u, &u->saved, a, out);
	if (strcmp(file, "altered") == 0)
		items_add(out, KIND_DNS, u->saved.name, "file", file, NULL, 0);
	if (u->saved.zone.found.n == 0)
		return;
	/* What is saved tells which names there were: it goes last. */
	u->old.zone = u->conf->zone;
	u->old.lives = true;
	if (unbound_look(u, SEEN_ZONES, SEEN_DATA, a, &e) < 0 ||
		unbound_live_parse(u, u->conf->zone, &u->live.zone, &e) < 0) {
		failures_add(failed, KIND_DNS, u->live.name, NULL, 0, &e);
		return;
	}
	u->live.read = true;
	shown = out->n;
	show_records(u, &u->live, a, out);
	u->old.lives = out->n != shown;
}

/* The zone of a scope is Jailrun's, and so is what to do where it is missing. */
static int check_zone(
	const struct unbound *u, const struct unbound_scope *s, const char *where, struct err *e)
{
	if (!u->conf->block || (s->zone.type != NULL && strcmp(s->zone.type, "static") == 0))
		return 0;
	return err_set(e, ERR_CONFIG, NOWHERE,
		"%s has no static zone %s, which Jailrun makes: run jrun up, or give dns.zone the "
		"name of Jailrun's zone",
		where, u->conf->zone);
}

static int read_scope(struct unbound *u, struct unbound_scope *s, const char **file, struct err *e)
{
	bool is_live = s == &u->live;

	if (!is_live)
		return unbound_file_parse(u, file, e) < 0 ? -1
							  : check_zone(u, s, u->conf->include, e);
	return unbound_live_parse(u, u->conf->zone, &s->zone, e) < 0
		? -1
		: check_zone(u, s, "unbound", e);
}

static void unbound_read(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	struct unbound *u = self;
	struct err e = ERR_INIT;
	bool wanted = scopes->n != 0;

	u->old = (struct unbound_old){ 0 };
	u->live = (struct unbound_scope){ .name = u->live.name };
	u->saved = (struct unbound_scope){ .name = u->saved.name };
	if (unbound_look(u, 0, wanted ? SEEN - 1 : SEEN_INCLUDE, a, &e) < 0) {
		for (size_t i = 0; i < scopes->n; i++)
			failures_add(failed, KIND_DNS, scopes->v[i], NULL, 0, &e);
		if (!wanted)
			failures_add(failed, KIND_DNS, u->saved.name, NULL, 0, &e);
		return;
	}
	if (!u->conf->block)
		read_old(u, wanted, a, out, failed);
	else if (!wanted)
		read_unwanted_block(u, a, out, failed);
	for (size_t i = 0; i < scopes->n; i++) {
		bool is_live = strcmp(scopes->v[i], u->live.name) == 0;
		struct unbound_scope *s = is_live ? &u->live : &u->saved;
		const char *file = NULL;

		if (read_scope(u, s, &file, &e) < 0) {
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
		show(u, s, a, out);
	}
}

int unbound_check_old(const struct unbound *u, struct err *e)
{
	if (!u->old.lives)
		return 0;
	if (u->conf->block)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"%s stays as it was, because its names are not known to be gone from "
			"unbound; is it running?",
			u->conf->include);
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"%s stays as it was, because its zone %s is not known to be gone from unbound; "
		"remove the file if unbound runs here no more",
		u->conf->include, u->old.zone);
}

static int old_apply(struct unbound *u, const char *scope, struct arena *a, struct err *e)
{
	if (u->old.saved != NULL && strcmp(scope, u->old.saved) == 0)
		return unbound_check_old(u, e) < 0
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
		size_t before = failed->n;

		unbound_live_apply(u, changes, n, a, failed);
		if (u->conf->block && failed->n == before)
			u->old.lives = false;
	} else {
		unbound_file_apply(u, changes, n, a, failed);
	}
}

static int unbound_withdraw(void *self, const char *scope, struct arena *a, struct err *e)
{
	struct unbound *u = self;

	if (strcmp(scope, u->live.name) == 0)
		return unbound_live_withdraw(u, a, e);
	return unbound_file_withdraw(u, a, e);
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
