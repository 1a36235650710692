#include "reconciler/diff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const char *action_name(enum action action)
{
	static const char *const names[] = {
		[ACTION_ADD] = "add",
		[ACTION_REMOVE] = "remove",
		[ACTION_CHANGE] = "change",
		[ACTION_PAIR] = "pair",
	};

	return names[action];
}

/*
 * What takes something away comes first and what lets something in comes last, so that no instant
 * allows more than the file and the lock do.
 */
static enum phase phase_of(const struct change *c)
{
	const char *key = c->key;
	enum action action = c->action;

	switch (c->kind) {
	case KIND_IDENTITY:
		return PHASE_IDENTITY;
	case KIND_OVERLAY:
		return PHASE_OVERLAY;
	case KIND_FIREWALL:
		if (strcmp(key, "rules") == 0 && c->before != NULL &&
			strcmp(c->before, "fail-open") == 0)
			return PHASE_CLOSE;
		if (!item_is_address(key))
			return PHASE_PROTECT;
		return action == ACTION_REMOVE ? PHASE_REVOKE : PHASE_GRANT;
	case KIND_DNS:
		return action == ACTION_REMOVE ? PHASE_REVOKE : PHASE_NAMES;
	case KIND_PAIRING:
		if (item_is_record(key) && action != ACTION_REMOVE)
			return PHASE_NAMES;
		break;
	}
	/*
	 * A roster is forgotten when what it allowed is gone, and before a pairing: the peer may come
	 * back under another name, and its addresses must be nobody else's then.
	 */
	return action == ACTION_PAIR ? PHASE_PAIR : PHASE_REVOKE;
}

void plan_add(struct plan *p, const struct change *c)
{
	void *v = p->v;
	struct change *slot = arena_push(p->arena, &v, p->n, &p->cap, sizeof(*slot));

	*slot = *c;
	slot->phase = phase_of(c);
	p->v = v;
	p->n++;
}

static int text_cmp(const char *a, const char *b)
{
	return a == b ? 0 : a == NULL ? -1 : b == NULL ? 1 : strcmp(a, b);
}

static int by_phase(const void *a, const void *b)
{
	const struct change *l = a, *r = b;
	int order;

	if (l->phase != r->phase)
		return l->phase < r->phase ? -1 : 1;
	if (l->kind != r->kind)
		return l->kind < r->kind ? -1 : 1;
	if ((order = strcmp(l->scope, r->scope)) != 0 || (order = strcmp(l->key, r->key)) != 0)
		return order;
	/* Of one key, what goes comes first. */
	return (order = text_cmp(l->after, r->after)) != 0 ? order : text_cmp(l->before, r->before);
}

void plan_sort(struct plan *p)
{
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), by_phase);
}

static void add(struct plan *out, const struct item *wanted, const struct item *observed)
{
	const struct item *item = wanted != NULL ? wanted : observed;
	struct change c = {
		.action = wanted == NULL   ? ACTION_REMOVE
			: observed == NULL ? ACTION_ADD
					   : ACTION_CHANGE,
		.kind = item->kind,
		.scope = item->scope,
		.key = item->key,
		.before = observed == NULL ? NULL : observed->value,
		.after = wanted == NULL ? NULL : wanted->value,
		.why = item->why,
		.line = item->line,
	};

	plan_add(out, &c);
}

/* One key: what is observed may hold several values of it, what is wanted one. */
static void merge_key(
	const struct item *wanted, const struct item *observed, size_t n, struct plan *out)
{
	const struct item *same = NULL, *taken = NULL;

	for (size_t i = 0; i < n && wanted != NULL && same == NULL; i++)
		if (strcmp(observed[i].value, wanted->value) == 0)
			same = &observed[i];
	if (wanted != NULL && same == NULL) {
		taken = n > 0 ? &observed[0] : NULL;
		add(out, wanted, taken);
	}
	for (size_t i = 0; i < n; i++)
		if (&observed[i] != same && &observed[i] != taken)
			add(out, NULL, &observed[i]);
}

static bool is_failed(const struct failures *failed, const struct item *item)
{
	return failed->n != 0 && failures_find(failed, item->kind, item->scope) != NULL;
}

void diff(const struct items *wanted, const struct items *observed, const struct failures *failed,
	struct plan *out)
{
	size_t w = 0, o = 0;

	while (w < wanted->n || o < observed->n) {
		const struct item *want = w < wanted->n ? &wanted->v[w] : NULL;
		const struct item *seen = o < observed->n ? &observed->v[o] : NULL;
		int order = want == NULL ? 1 : seen == NULL ? -1 : item_cmp(want, seen);
		size_t n = 0;

		if (order >= 0)
			while (o + n < observed->n && item_cmp(seen, &observed->v[o + n]) == 0)
				n++;
		if (!is_failed(failed, order <= 0 ? want : seen))
			merge_key(order <= 0 ? want : NULL, seen, n, out);
		else if (order > 0 && seen->kind == KIND_FIREWALL)
			merge_key(NULL, seen, n, out);
		w += order <= 0;
		o += n;
	}
	plan_sort(out);
}
