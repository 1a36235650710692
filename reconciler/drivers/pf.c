#include "reconciler/drivers/pf.h"
#include "base/text.h"

#include <string.h>

#include "reconciler/drivers/pf_self.h"

#define LIVE "address "
#define SAVED "saved address "

static void show_table(struct items *out, const struct pf_seen *s, const struct pf_table *table,
	const struct pf_table *but, const char *value, struct arena *a)
{
	for (size_t i = 0; i < table->addrs.n; i++) {
		char key[sizeof(LIVE) + ADDR_TEXT] = LIVE;

		if (but != NULL && addrs_has(&but->addrs, &table->addrs.v[i]))
			continue;
		addr_format(&table->addrs.v[i], key + strlen(key));
		items_add(out, KIND_FIREWALL, s->scope, arena_dup(a, key), value, NULL, 0);
	}
	for (size_t i = 0; i < table->others.n; i++)
		if (but == NULL || !strs_has(&but->others, table->others.v[i]))
			items_add(out, KIND_FIREWALL, s->scope,
				arena_printf(a, LIVE "%s", table->others.v[i]), value, NULL, 0);
}

static void show_saved(
	struct items *out, const struct pf_seen *s, const char *closed, struct arena *a)
{
	if (s->saved.owner == PF_FILE_EMPTY)
		return;
	items_add(out, KIND_FIREWALL, s->scope, "saved rules",
		s->saved.altered ? "altered" : closed, NULL, 0);
	for (size_t i = 0; i < s->saved.allowed.n; i++) {
		char key[sizeof(SAVED) + ADDR_TEXT] = SAVED;

		addr_format(&s->saved.allowed.v[i], key + strlen(key));
		items_add(out, KIND_FIREWALL, s->scope, arena_dup(a, key), "allow", NULL, 0);
	}
}

static const char *rules_of(const struct pf_seen *s, const char *closed)
{
	if (!s->enabled || s->rules == PF_RULES_NONE || s->skipped)
		return "fail-open";
	return s->rules == PF_RULES_OURS && !s->translated ? closed : "altered";
}

static void pf_read(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	struct pf *p = self;
	const char *closed = arena_printf(a, "default-deny on %s", p->interface);

	pf_look(p, scopes, a, failed);
	for (size_t i = 0; i < p->n_seen; i++) {
		const struct pf_seen *s = &p->seen[i];

		if (!s->barred)
			items_add(out, KIND_FIREWALL, s->scope, "rules", rules_of(s, closed), NULL,
				0);
		show_table(out, s, &s->allowed, NULL, "allow", a);
		show_table(out, s, &s->ending, &s->allowed, "flows may live on", a);
		if (s->barred)
			continue;
		show_saved(out, s, closed, a);
		if (s->boot)
			items_add(out, KIND_FIREWALL, s->scope, "boot", "enabled", NULL, 0);
	}
}

static void fail(struct failures *failed, const struct change *c, const struct err *e)
{
	failures_add(failed, KIND_FIREWALL, c->scope, c->key, c->line, e);
}

static void fail_addresses(const struct change *const *changes, size_t n, const char *prefix,
	struct failures *failed, const struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (text_begins(changes[i]->key, prefix))
			fail(failed, changes[i], e);
}

/* The addresses of these changes; no text of a plan goes further than here unread. */
static struct pf_leaving pick(const struct change *const *changes, size_t n, const char *prefix,
	struct arena *a, struct failures *failed)
{
	struct pf_leaving list = { .addrs.v = arena_alloc(a, n, sizeof(*list.addrs.v)) };

	for (size_t i = 0; i < n; i++) {
		const char *text = changes[i]->key + strlen(prefix);
		struct err e = ERR_INIT;

		if (!text_begins(changes[i]->key, prefix))
			continue;
		if (changes[i]->action == ACTION_REMOVE && pf_entry_check(text))
			strs_push(a, &list.others, text);
		else if (addr_parse(text, NOWHERE, &list.addrs.v[list.addrs.n], &e) == 0)
			list.addrs.n++;
		else
			fail(failed, changes[i], &e);
	}
	addrs_sort(&list.addrs);
	strs_sort(&list.others);
	return list;
}

static void revoke(struct pf *p, struct pf_seen *s, const struct change *const *changes, size_t n,
	struct arena *a, struct failures *failed)
{
	struct pf_leaving live = pick(changes, n, LIVE, a, failed);
	struct pf_leaving saved = pick(changes, n, SAVED, a, failed);
	struct addrs left = { .v = arena_alloc(a, s->saved.allowed.n, sizeof(*left.v)) };
	struct err e = ERR_INIT;

	if (live.addrs.n + live.others.n != 0 && pf_revoke(p, s, &live, a, &e) < 0)
		fail_addresses(changes, n, LIVE, failed, &e);
	if (saved.addrs.n == 0)
		return;
	for (size_t i = 0; i < s->saved.allowed.n; i++)
		if (!addrs_has(&saved.addrs, &s->saved.allowed.v[i]))
			left.v[left.n++] = s->saved.allowed.v[i];
	if (pf_save(p, s, &left, a, &e) < 0)
		fail_addresses(changes, n, SAVED, failed, &e);
}

static void grant(struct pf *p, struct pf_seen *s, const struct change *const *changes, size_t n,
	struct arena *a, struct failures *failed)
{
	struct pf_leaving live = pick(changes, n, LIVE, a, failed);
	struct pf_leaving saved = pick(changes, n, SAVED, a, failed);
	struct addrs all = { .v = arena_alloc(
				     a, s->saved.allowed.n + saved.addrs.n, sizeof(*all.v)) };
	struct err e = ERR_INIT;

	if (live.addrs.n != 0 && pf_grant(p, s, &live.addrs, a, &e) < 0)
		fail_addresses(changes, n, LIVE, failed, &e);
	if (saved.addrs.n == 0)
		return;
	for (size_t i = 0; i < s->saved.allowed.n; i++)
		all.v[all.n++] = s->saved.allowed.v[i];
	for (size_t i = 0; i < saved.addrs.n; i++)
		all.v[all.n++] = saved.addrs.v[i];
	addrs_sort(&all);
	if (pf_save(p, s, &all, a, &e) < 0)
		fail_addresses(changes, n, SAVED, failed, &e);
}

static int protect_one(
	struct pf *p, struct pf_seen *s, const struct change *c, struct arena *a, struct err *e)
{
	if (c->action == ACTION_REMOVE)
		return err_set(e, ERR_SYSTEM, NOWHERE, "'%s' is never taken away", c->key);
	if (strcmp(c->key, "rules") == 0)
		return pf_protect(p, s, a, e);
	if (strcmp(c->key, "saved rules") == 0)
		return pf_save(p, s, &s->saved.allowed, a, e);
	if (strcmp(c->key, "boot") == 0)
		return pf_boot(p, s, a, e);
	return err_set(e, ERR_SYSTEM, NOWHERE, "not an item of a firewall: '%s'", c->key);
}

/* What is live first, and nothing comes up at boot before there is a file to come up with. */
static void protect(struct pf *p, struct pf_seen *s, const struct change *const *changes, size_t n,
	struct arena *a, struct failures *failed)
{
	for (int boot = 0; boot < 2; boot++)
		for (size_t i = 0; i < n; i++) {
			struct err e = ERR_INIT;

			if ((strcmp(changes[i]->key, "boot") == 0) == (boot == 1) &&
				protect_one(p, s, changes[i], a, &e) < 0)
				fail(failed, changes[i], &e);
		}
}

static void pf_apply(void *self, enum phase phase, const char *scope,
	const struct change *const *changes, size_t n, struct arena *a, struct failures *failed)
{
	struct pf *p = self;
	struct pf_seen *s = pf_seen_of(p, scope);
	struct err e = ERR_INIT;

	if (s == NULL) {
		err_set(&e, ERR_SYSTEM, NOWHERE, "firewall of %s: it was not read",
			pf_place(scope, a));
		for (size_t i = 0; i < n; i++)
			fail(failed, changes[i], &e);
		return;
	}
	if (phase == PHASE_REVOKE)
		revoke(p, s, changes, n, a, failed);
	else if (phase == PHASE_GRANT)
		grant(p, s, changes, n, a, failed);
	else
		protect(p, s, changes, n, a, failed);
}

static int pf_withdraw(void *self, const char *scope, struct arena *a, struct err *e)
{
	struct pf *p = self;
	struct strs one = { 0 };
	struct failures failed = { .arena = a };
	const struct addrs none = { 0 };
	struct pf_leaving all = { 0 };
	struct pf_seen *s;

	strs_push(a, &one, scope);
	pf_look(p, &one, a, &failed);
	if ((s = pf_seen_of(p, scope)) == NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s", failed.v[0].text);
	all.addrs.v = arena_alloc(a, s->allowed.addrs.n + s->ending.addrs.n, sizeof(*all.addrs.v));
	for (int i = 0; i < 2; i++) {
		const struct pf_table *table = i == 0 ? &s->allowed : &s->ending;

		for (size_t j = 0; j < table->addrs.n; j++)
			all.addrs.v[all.addrs.n++] = table->addrs.v[j];
		for (size_t j = 0; j < table->others.n; j++)
			strs_push(a, &all.others, table->others.v[j]);
	}
	addrs_sort(&all.addrs);
	if (all.addrs.n + all.others.n != 0 && pf_revoke(p, s, &all, a, e) < 0)
		return -1;
	if (s->barred)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s", failed.v[0].text);
	return s->saved.allowed.n == 0 ? 0 : pf_save(p, s, &none, a, e);
}

static const struct driver_ops pf_ops = {
	.name = "pf",
	.kind = KIND_FIREWALL,
	.read = pf_read,
	.apply = pf_apply,
	.withdraw = pf_withdraw,
};

void pf_driver(struct driver *out, const struct port *port, const char *interface,
	const char *table, enum pf_manage manage, struct arena *a)
{
	struct pf *p = arena_alloc(a, 1, sizeof(*p));

	*p = (struct pf){
		.port = port, .interface = interface, .table = table, .manage = manage, .arena = a
	};
	*out = (struct driver){ &pf_ops, p };
}
