#include "cli/render.h"

#include <stdlib.h>
#include <string.h>

static const char *safe(const struct render *r, const char *s)
{
	return text_safe(r->a, s, strlen(s), false);
}

struct counts render_count(const struct plan *p)
{
	struct counts c = { 0 };

	for (size_t i = 0; i < p->n; i++)
		switch (p->v[i].action) {
		case ACTION_ADD:
			c.add++;
			break;
		case ACTION_REMOVE:
			c.remove++;
			break;
		case ACTION_CHANGE:
			c.change++;
			break;
		case ACTION_PAIR:
			c.pair++;
			break;
		}
	return c;
}

const char *render_counts(struct arena *a, const struct counts *c, bool done)
{
	const struct {
		size_t n;
		const char *todo, *done;
	} parts[] = {
		{ c->add, "to add", "added" },
		{ c->change, "to change", "changed" },
		{ c->remove, "to remove", "removed" },
		{ c->pair, "to pair", "paired" },
	};
	struct text t = text_new(a);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].n != 0)
			text_addf(&t, "%s%zu %s", t.len == 0 ? "" : ", ", parts[i].n,
				done ? parts[i].done : parts[i].todo);
	return t.len == 0 ? "nothing" : t.s;
}

/* The order of the groups: the host, its jails, the resolver live and saved, the pairings. */
static int rank(const struct change *c)
{
	if (c->kind == KIND_PAIRING)
		return 4;
	if (c->kind == KIND_DNS)
		return strncmp(c->scope, "live ", 5) == 0 ? 2 : 3;
	return strcmp(c->scope, HOST_NODE) == 0 ? 0 : 1;
}

static int by_place(const void *a, const void *b)
{
	const struct change *l = *(const struct change *const *)a,
			    *r = *(const struct change *const *)b;
	int order = rank(l) - rank(r);

	if (order != 0 || (order = strcmp(l->scope, r->scope)) != 0)
		return order;
	if (l->phase != r->phase)
		return l->phase < r->phase ? -1 : 1;
	/* The plan's order; both point into one array. */
	return l < r ? -1 : l > r;
}

static const char *place(const struct render *r, const struct change *c)
{
	const char *zone = strchr(c->scope, ' ');

	switch (rank(c)) {
	case 0:
		return "host";
	case 1:
		return arena_printf(r->a, "jail %s", safe(r, c->scope));
	case 2:
		return arena_printf(r->a, "names in %s, live in unbound", zone + 1);
	case 3:
		return arena_printf(
			r->a, "names in %s, saved in %s", zone + 1, safe(r, r->dns_include));
	default:
		return arena_printf(r->a, "peer %s", safe(r, c->scope));
	}
}

static bool begins(const char *s, const char *prefix, const char **rest)
{
	size_t len = strlen(prefix);
	bool found = strncmp(s, prefix, len) == 0;

	*rest = found ? s + len : s;
	return found;
}

/* how: of want_pair_word. */
static const char *pairing(struct arena *a, const char *how)
{
	const size_t verb = strcspn(how, ",");

	if (strcmp(how, "rendezvous") == 0)
		return "pair by rendezvous";
	return arena_printf(a, "%.*s a pairing%s", (int)verb, how, how + verb);
}

/* What a change is, in a few words; *values says whether its values tell more. */
static const char *subject(const struct render *r, const struct change *c, bool *values)
{
	const char *rest;

	*values = c->action == ACTION_CHANGE;
	switch (c->kind) {
	case KIND_IDENTITY:
		return "key of its own";
	case KIND_FIREWALL:
		*values = false;
		if (strcmp(c->key, "rules") == 0)
			return c->after != NULL ? c->after : "default-deny";
		if (strcmp(c->key, "saved rules") == 0)
			return arena_printf(r->a, "%s, in its file",
				c->after != NULL ? c->after : "default-deny");
		if (strcmp(c->key, "boot") == 0)
			return "enabled at boot";
		if (begins(c->key, "saved address ", &rest))
			return arena_printf(r->a, "allow %s, in its file", rest);
		if (!begins(c->key, "address ", &rest))
			return c->key;
		if (c->after == NULL && c->before != NULL && strcmp(c->before, "allow") != 0)
			return arena_printf(r->a, "flows of %s, which was revoked", rest);
		return arena_printf(r->a, "allow %s", rest);
	case KIND_DNS:
		*values = true;
		if (strcmp(c->key, "file") == 0)
			return "file";
		return strcmp(c->key, "zone") == 0 ? "zone" : c->key;
	case KIND_PAIRING:
		if (c->action == ACTION_PAIR)
			return pairing(r->a, c->after);
		*values = begins(c->key, "recorded ", &rest);
		if (*values)
			return arena_printf(r->a, "%s, in Jailrun's own record", rest);
		return arena_printf(
			r->a, "forget its roster (%s)", c->before == NULL ? "" : c->before);
	case KIND_OVERLAY:
		break;
	}
	if (strcmp(c->key, "node") == 0)
		return "yggdrasil running";
	if (strcmp(c->key, "boot") == 0)
		return "yggdrasil started at boot";
	if (begins(c->key, "peer ", &rest))
		return arena_printf(r->a, "peering with %s", rest);
	if (begins(c->key, "live listen ", &rest))
		return arena_printf(r->a, "listening on %s", rest);
	*values = true;
	if (begins(c->key, "conf ", &rest))
		return arena_printf(r->a, "yggdrasil.conf %s", rest);
	begins(c->key, "live ", &rest);
	return arena_printf(r->a, "running %s", rest);
}

static const char *values_of(const struct render *r, const struct change *c)
{
	if (c->before != NULL && c->after != NULL)
		return arena_printf(r->a, "  %s -> %s", safe(r, c->before), safe(r, c->after));
	return arena_printf(r->a, "  %s", safe(r, c->after != NULL ? c->after : c->before));
}

static void print_change(const struct render *r, const struct change *c)
{
	static const struct {
		const char *mark, *colour;
	} marks[] = {
		[ACTION_ADD] = { "+", "\033[32m" },
		[ACTION_REMOVE] = { "-", "\033[31m" },
		[ACTION_CHANGE] = { "~", "\033[33m" },
		[ACTION_PAIR] = { ">", "\033[36m" },
	};
	bool values;
	const char *what = subject(r, c, &values);

	fprintf(r->to, "  %s%s%s %-8s  %s%s", r->colour ? marks[c->action].colour : "",
		marks[c->action].mark, r->colour ? "\033[0m" : "", item_kind_name(c->kind),
		safe(r, what), values ? values_of(r, c) : "");
	if (c->why != NULL)
		fprintf(r->to, "  (%s)", safe(r, c->why));
	fputc('\n', r->to);
}

void render_plan(const struct render *r, const struct plan *p)
{
	const struct change **sorted = arena_alloc(r->a, p->n, sizeof(*sorted));

	for (size_t i = 0; i < p->n; i++)
		sorted[i] = &p->v[i];
	if (p->n > 1)
		qsort(sorted, p->n, sizeof(*sorted), by_place);
	for (size_t i = 0; i < p->n; i++) {
		const struct change *c = sorted[i];

		if (i == 0 || rank(c) != rank(sorted[i - 1]) ||
			strcmp(c->scope, sorted[i - 1]->scope) != 0)
			fprintf(r->to, "%s%s\n", i == 0 ? "" : "\n", place(r, c));
		print_change(r, c);
	}
}

/* How many failures from i on are one: the same reason for one thing after another. */
static size_t alike(const struct failures *f, size_t i)
{
	const struct failure *one = &f->v[i];
	size_t n = 1;

	while (i + n < f->n && f->v[i + n].kind == one->kind &&
		strcmp(f->v[i + n].scope, one->scope) == 0 &&
		strcmp(f->v[i + n].text, one->text) == 0)
		n++;
	return n;
}

/* The text without the place that stands before it: "firewall of jail web: ..." of web is "firewall: ...". */
static const char *without_place(const struct render *r, const struct failure *f)
{
	const char *host[] = { " of the host", NULL };
	const char *jail[] = { arena_printf(r->a, " of jail %s", f->scope),
		arena_printf(r->a, " of %s", f->scope), NULL };

	for (const char **p = strcmp(f->scope, HOST_NODE) == 0 ? host : jail; *p != NULL; p++) {
		const char *at = strstr(f->text, *p), *end = at == NULL ? NULL : at + strlen(*p);

		if (at != NULL && (*end == ':' || *end == ' ' || *end == '\0') &&
			at < f->text + strcspn(f->text, ":"))
			return arena_printf(r->a, "%.*s%s", (int)(at - f->text), f->text, end);
	}
	return f->text;
}

void render_failures(const struct render *r, const struct failures *f)
{
	for (size_t i = 0, n; i < f->n; i += n) {
		const struct failure *one = &f->v[i];
		struct change c = { .kind = one->kind, .scope = one->scope };

		n = alike(f, i);

		if (one->line != 0)
			fprintf(r->to, "%s:%d: ", safe(r, r->file), one->line);
		else
			fputs("jmesh: ", r->to);
		fprintf(r->to, "%serror:%s %s: ", r->colour ? "\033[1;31m" : "",
			r->colour ? "\033[0m" : "", place(r, &c));
		if (one->key != NULL && strcmp(one->key, "jail") != 0)
			fprintf(r->to, "%s", safe(r, one->key));
		if (n > 1)
			fprintf(r->to, " and %zu more", n - 1);
		if (n > 1 || (one->key != NULL && strcmp(one->key, "jail") != 0))
			fputs(": ", r->to);
		fprintf(r->to, "%s\n", safe(r, without_place(r, one)));
	}
}

void render_notices(const struct render *r, const struct strs *notices)
{
	for (size_t i = 0; i < notices->n; i++)
		fprintf(r->to, "%snotice:%s %s\n", r->colour ? "\033[1;33m" : "",
			r->colour ? "\033[0m" : "", safe(r, notices->v[i]));
}
