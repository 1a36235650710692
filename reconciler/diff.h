/* The difference between two states, and the plan that it makes. Pure. */
#ifndef JMESH_RECONCILER_DIFF_H
#define JMESH_RECONCILER_DIFF_H

#include "reconciler/item.h"

enum action { ACTION_ADD, ACTION_REMOVE, ACTION_CHANGE, ACTION_PAIR };

/* The order of apply (DESIGN section 5). */
enum phase {
	PHASE_CLOSE, /* where everything passes, the rules: without them nothing else keeps anybody out */
	PHASE_REVOKE,
	PHASE_PROTECT,
	PHASE_IDENTITY,
	PHASE_OVERLAY,
	PHASE_PAIR,
	PHASE_GRANT,
	PHASE_NAMES,
};

struct change {
	enum action action;
	enum phase phase;
	enum item_kind kind;
	const char *scope, *key;
	const char *before, *after; /* NULL with add and with remove */
	const char *why;
	int line;
};

struct plan {
	struct change *v;
	size_t n, cap;
	struct arena *arena;
};

/*
 * What makes observed into wanted. Both are sorted (items_sort). Several observed items of one key: the
 * one with the wanted value stays, the others are removed. Of scopes in failed only
 * firewall entries that nobody wants are in the plan, to be removed. The plan is sorted by phase, then kind, scope and key; O(wanted + observed).
 */
void diff(const struct items *wanted, const struct items *observed, const struct failures *failed,
	struct plan *out);

/* Adds one change and leaves the order to plan_sort. */
void plan_add(struct plan *p, const struct change *c);
void plan_sort(struct plan *p);

const char *action_name(enum action action);

#endif
