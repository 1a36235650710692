#include "reconciler/item.h"

#include <stdlib.h>
#include <string.h>

const char *item_kind_name(enum item_kind kind)
{
	static const char *const names[] = {
		[KIND_IDENTITY] = "identity",
		[KIND_OVERLAY] = "overlay",
		[KIND_FIREWALL] = "firewall",
		[KIND_DNS] = "dns",
		[KIND_PAIRING] = "pairing",
	};

	return names[kind];
}

bool item_is_address(const char *key)
{
	return strncmp(key, "address ", strlen("address ")) == 0 ||
		strncmp(key, "saved address ", strlen("saved address ")) == 0;
}

bool item_is_record(const char *key)
{
	return strncmp(key, "recorded ", strlen("recorded ")) == 0;
}

void items_add(struct items *list, enum item_kind kind, const char *scope, const char *key,
	const char *value, const char *why, int line)
{
	void *v = list->v;
	struct item *item = arena_push(list->arena, &v, list->n, &list->cap, sizeof(*item));

	*item = (struct item){ kind, scope, key, value, why, line };
	list->v = v;
	list->n++;
}

int item_cmp(const struct item *a, const struct item *b)
{
	int order;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	/* Lists share their scopes' text more often than not. */
	order = a->scope == b->scope ? 0 : strcmp(a->scope, b->scope);
	return order != 0 ? order : strcmp(a->key, b->key);
}

static int by_item_and_value(const void *a, const void *b)
{
	const struct item *left = a, *right = b;
	int order = item_cmp(left, right);

	return order != 0 ? order : strcmp(left->value, right->value);
}

void items_sort(struct items *list)
{
	if (list->n > 1)
		qsort(list->v, list->n, sizeof(*list->v), by_item_and_value);
}

const struct item *items_find(const struct items *list, const struct item *key)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (item_cmp(&list->v[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < list->n && item_cmp(&list->v[low], key) == 0 ? &list->v[low] : NULL;
}

void failures_add(struct failures *list, enum item_kind kind, const char *scope, const char *key,
	int line, const struct err *e)
{
	void *v = list->v;
	struct failure *f = arena_push(list->arena, &v, list->n, &list->cap, sizeof(*f));

	*f = (struct failure){ kind, scope, key, line, arena_dup(list->arena, e->text) };
	list->v = v;
	list->n++;
}

const struct failure *failures_find(
	const struct failures *list, enum item_kind kind, const char *scope)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].kind == kind && strcmp(list->v[i].scope, scope) == 0)
			return &list->v[i];
	return NULL;
}

bool failures_tell(const struct failures *list, size_t first, enum item_kind kind,
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
