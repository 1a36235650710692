/*
 * A YAML document as a tree that knows the place of every node: the pass that is made when there is
 * something to complain about or lines are wanted. Bounded: 64 levels, TREE_NODES_MAX nodes, and
 * aliases may repeat at most TREE_ALIASED_MAX nodes in all.
 */
#ifndef JMESH_SCHEMA_TREE_H
#define JMESH_SCHEMA_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "schema/mesh.h"

enum { TREE_DEPTH_MAX = 64, TREE_NODES_MAX = 2000000, TREE_ALIASED_MAX = 100000 };

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

/* An entry of a list (no key) or of a mapping. An alias shares the value but has its own place. */
struct entry {
	const struct node *key, *value;
	struct loc key_at, at;
};

struct node {
	enum node_kind kind;
	bool plain; /* a text without quotes */
	bool open;  /* being read: an alias to it would be endless */
	struct loc at;
	const char
		*text; /* ends in a NUL that len does not count, and may have more of them inside */
	size_t len;
	struct entry *entries;
	size_t n, cap;
	size_t weight; /* nodes in it, itself included, aliases followed */
};

/* NULL where the text is no YAML, or not one document: a problem says so. Lives in the arena. */
const struct node *tree_read(
	const char *text, size_t len, struct arena *a, struct problems *problems);

/*
 * The place of a path like "peers[3].jails[2].address": of the value where it is a text, of the key
 * where it is a list or a mapping, of the alias where it is repeated by one. Where a part is missing, the
 * place of the last that is there.
 */
struct loc tree_place(const struct node *root, const char *path);

/* Whether every part of the path is there. */
bool tree_has(const struct node *root, const char *path);

#endif
