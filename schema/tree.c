#include "schema/tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "schema/problem.h"
#include "schema/seen.h"
#include "schema/syntax.h"

struct builder {
	yaml_parser_t parser;
	struct arena *arena;
	struct problems *problems;
	struct seen anchors; /* to an index into named */
	struct node **named;
	size_t n_named, cap_named;
	struct node *open[TREE_DEPTH_MAX];
	struct entry pending[TREE_DEPTH_MAX]; /* a key that waits for its value */
	size_t depth, nodes, aliased;
	struct node *root;
};

static struct loc place(yaml_mark_t mark)
{
	return (struct loc){ (int)mark.line + 1, (int)mark.column + 1 };
}

static int fail(struct builder *b, struct loc at, const char *hint, const char *text)
{
	problem_add(b->problems, b->arena, at, hint, "%s", text);
	return -1;
}

static void attach(struct builder *b, struct node *node, struct loc at)
{
	struct node *owner;
	struct entry *slot, *pending;
	void *v;

	if (b->depth == 0) {
		b->root = node;
		return;
	}
	owner = b->open[b->depth - 1];
	pending = &b->pending[b->depth - 1];
	owner->weight += node->weight;
	if (owner->kind == NODE_MAP && pending->key == NULL) {
		pending->key = node;
		pending->key_at = at;
		return;
	}
	v = owner->entries;
	slot = arena_push(b->arena, &v, owner->n, &owner->cap, sizeof(*slot));
	owner->entries = v;
	owner->n++;
	*slot = (struct entry){ pending->key, node, pending->key_at, at };
	pending->key = NULL;
}

static void name_anchor(struct builder *b, const yaml_char_t *anchor, struct node *node)
{
	const char *name;
	void *v = b->named;
	struct node **slot;

	if (anchor == NULL)
		return;
	name = arena_dup(b->arena, (const char *)anchor);
	slot = arena_push(b->arena, &v, b->n_named, &b->cap_named, sizeof(*slot));
	*slot = node;
	b->named = v;
	*seen_at(&b->anchors, 0, name, strlen(name)) = (uint32_t)b->n_named++;
}

static struct node *node_new(struct builder *b, enum node_kind kind, const yaml_event_t *ev)
{
	struct node *n = arena_alloc(b->arena, 1, sizeof(*n));

	n->kind = kind;
	n->at = place(ev->start_mark);
	n->weight = 1;
	return n;
}

static int read_alias(struct builder *b, const yaml_event_t *ev)
{
	const char *name = arena_dup(b->arena, (const char *)ev->data.alias.anchor);
	uint32_t index = *seen_at(&b->anchors, 0, name, strlen(name));
	struct loc at = place(ev->start_mark);

	if (index == SEEN_FIRST)
		return fail(b, at, NULL,
			arena_printf(b->arena, "no anchor '&%s' stands before this alias",
				problem_quote(b->arena, name)));
	if (b->named[index]->open)
		return fail(b, at, NULL, "this alias stands inside of what it repeats");
	b->aliased += b->named[index]->weight;
	if (b->aliased > TREE_ALIASED_MAX)
		return fail(b, at, "write out what they repeat, or repeat less",
			"the aliases of this file repeat too much");
	attach(b, b->named[index], at);
	return 0;
}

/* The core types of YAML mean nothing new here; any other tag would be silently lost. */
static int check_tag(struct builder *b, const yaml_char_t *tag, struct loc at)
{
	static const char core[] = "tag:yaml.org,2002:";
	static const char *const known[] = { "str", "int", "bool", "map", "seq" };
	const char *s = (const char *)tag;

	if (s == NULL || strcmp(s, "!") == 0)
		return 0;
	if (strncmp(s, core, strlen(core)) == 0)
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (strcmp(s + strlen(core), known[i]) == 0)
				return 0;
	return fail(b, at, "leave the tag out",
		arena_printf(
			b->arena, "a tag means nothing here: '%s'", problem_quote(b->arena, s)));
}

static int read_text(struct builder *b, const yaml_event_t *ev)
{
	struct node *n = node_new(b, NODE_TEXT, ev);

	n->text = arena_dupn(b->arena, ev->data.scalar.value, ev->data.scalar.length);
	n->len = ev->data.scalar.length;
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	name_anchor(b, ev->data.scalar.anchor, n);
	attach(b, n, n->at);
	return check_tag(b, ev->data.scalar.tag, n->at);
}

static int begin(struct builder *b, const yaml_event_t *ev, enum node_kind kind)
{
	const yaml_char_t *anchor =
		kind == NODE_LIST ? ev->data.sequence_start.anchor : ev->data.mapping_start.anchor;
	const yaml_char_t *tag =
		kind == NODE_LIST ? ev->data.sequence_start.tag : ev->data.mapping_start.tag;
	struct node *n = node_new(b, kind, ev);

	if (b->depth == TREE_DEPTH_MAX)
		return fail(b, n->at, NULL, "nested too deeply: a mesh file needs 5 levels");
	n->open = true;
	name_anchor(b, anchor, n);
	b->pending[b->depth] = (struct entry){ 0 };
	b->open[b->depth++] = n;
	return check_tag(b, tag, n->at);
}

static void end(struct builder *b)
{
	struct node *n = b->open[--b->depth];

	n->open = false;
	attach(b, n, n->at);
}

/* 0: go on. 1: the end. -1: a problem. */
static int take(struct builder *b, const yaml_event_t *ev)
{
	if (++b->nodes > TREE_NODES_MAX)
		return fail(b, place(ev->start_mark), NULL, "too many values for a mesh file");
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->root != NULL)
			return fail(b, place(ev->start_mark),
				"put the other into a file of its own",
				"a second document starts here: a mesh file is one");
		return 0;
	case YAML_ALIAS_EVENT:
		return read_alias(b, ev);
	case YAML_SCALAR_EVENT:
		return read_text(b, ev);
	case YAML_SEQUENCE_START_EVENT:
		return begin(b, ev, NODE_LIST);
	case YAML_MAPPING_START_EVENT:
		return begin(b, ev, NODE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		end(b);
		return 0;
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

const struct node *tree_read(
	const char *text, size_t len, struct arena *a, struct problems *problems)
{
	struct builder *b = arena_alloc(a, 1, sizeof(*b));
	int rc = 0;

	b->arena = a;
	b->problems = problems;
	b->anchors = seen_new(a, 0);
	if (!yaml_parser_initialize(&b->parser))
		abort();
	yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b->parser, (const unsigned char *)text, len);
	while (rc == 0) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&b->parser, &ev)) {
			syntax_problem(&b->parser, text, len, a, problems);
			rc = -1;
			break;
		}
		rc = take(b, &ev);
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&b->parser);
	if (rc < 0)
		return NULL;
	if (b->root == NULL || (b->root->kind == NODE_TEXT && b->root->len == 0)) {
		fail(b, (struct loc){ 1, 1 },
			"the least that a mesh file says is 'version: 1' and 'name: ...'",
			"the file is empty");
		return NULL;
	}
	return b->root;
}

/* Goes one part of the path down; NULL where there is no such part. */
static const struct entry *step(const struct node *from, const char **path)
{
	size_t len;

	if (**path == '[') {
		char *rest;
		size_t i = strtoul(*path + 1, &rest, 10);

		*path = rest + 1;
		return from->kind == NODE_LIST && i < from->n ? &from->entries[i] : NULL;
	}
	if (**path == '.')
		++*path;
	len = strcspn(*path, ".[");
	for (size_t i = 0; from->kind == NODE_MAP && i < from->n; i++) {
		const struct node *key = from->entries[i].key;

		if (key->kind == NODE_TEXT && key->len == len &&
			memcmp(key->text, *path, len) == 0) {
			*path += len;
			return &from->entries[i];
		}
	}
	return NULL;
}

struct loc tree_place(const struct node *root, const char *path)
{
	struct loc at = root->at;

	while (*path != '\0') {
		const struct entry *e = step(root, &path);

		if (e == NULL)
			return at;
		/* What an alias repeats is wrong where it is repeated. */
		if (e->at.line != e->value->at.line || e->at.col != e->value->at.col)
			return e->at;
		at = e->key != NULL && e->value->kind != NODE_TEXT ? e->key_at : e->at;
		root = e->value;
	}
	return at;
}

bool tree_has(const struct node *root, const char *path)
{
	while (*path != '\0') {
		const struct entry *e = step(root, &path);

		if (e == NULL)
			return false;
		root = e->value;
	}
	return true;
}
