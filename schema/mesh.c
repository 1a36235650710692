#include "schema/mesh.h"

#include <stdint.h>
#include <string.h>

#include "schema/check.h"
#include "schema/lines.h"
#include "schema/problem.h"
#include "schema/shape.h"
#include "schema/table.h"
#include "schema/tree.h"

/*
 * libcyaml's allocations, in an arena. It lengthens a list by one entry at a time, so a block grows by
 * doubling; its size stands before it.
 */
static void *arena_realloc(void *ctx, void *ptr, size_t size)
{
	enum { HEAD = sizeof(size_t) }; /* and the alignment of all that libcyaml allocates */
	unsigned char *block;
	size_t had = 0, cap;

	if (size == 0)
		return NULL;
	if (ptr != NULL) {
		memcpy(&had, (unsigned char *)ptr - HEAD, sizeof(had));
		if (size <= had)
			return ptr;
	}
	cap = ptr == NULL ? size : (size > had * 2 ? size : had * 2);
	block = arena_alloc(ctx, HEAD + cap, 1);
	memcpy(block, &cap, sizeof(cap));
	if (ptr != NULL)
		memcpy(block + HEAD, ptr, had);
	return block + HEAD;
}

static const struct raw_mesh *load(const char *text, size_t len, struct arena *a, const char **why)
{
	const cyaml_config_t config = {
		.mem_fn = arena_realloc,
		.mem_ctx = a,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	cyaml_data_t *raw = NULL;
	cyaml_err_t rc =
		cyaml_load_data((const uint8_t *)text, len, &config, &mesh_table, &raw, NULL);

	*why = rc != CYAML_OK ? cyaml_strerror(rc) : "nothing in it";
	return rc == CYAML_OK ? raw : NULL;
}

static bool is_ascii(const char *text, size_t len)
{
	uint64_t any = 0;

	for (; len >= sizeof(any); text += sizeof(any), len -= sizeof(any)) {
		uint64_t word;

		memcpy(&word, text, sizeof(word));
		any |= word;
	}
	for (; len > 0; text++, len--)
		any |= (unsigned char)*text;
	return (any & 0x8080808080808080U) == 0;
}

/*
 * Whether libcyaml alone sees all of the text: one document, a block mapping that begins in column 1,
 * ASCII, no anchors, aliases, tags or escapes (of which only the tree knows what they stand for).
 */
static bool is_ordinary(const char *text, size_t len)
{
	static const char odd[] = "&*!\\\r";
	const char *end = text + len, *next;
	bool begun = false;

	for (size_t i = 0; i < strlen(odd); i++)
		if (memchr(text, odd[i], len) != NULL)
			return false;
	if (!is_ascii(text, len))
		return false;
	for (const char *p = text; p < end; p = next) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		next = nl == NULL ? end : nl + 1;
		/* "---", "..." and "%YAML 1.2"; in column 1 nothing else begins so here. */
		if (*p == '-' || *p == '.' || *p == '%')
			return false;
		if (begun || *p == '#' || *p == '\n')
			continue;
		if (*p < 'a' || *p > 'z')
			return false;
		begun = true;
	}
	return begun;
}

/* The way without positions. False: not sure that all is well. */
static bool load_fast(const char *text, size_t len, struct arena *a, struct mesh *out)
{
	const struct raw_mesh *raw;
	const char *why;

	if (!is_ordinary(text, len))
		return false;
	raw = load(text, len, a, &why);
	/* libcyaml does not tell "peers: []" from no peers. */
	if (raw == NULL || (raw->yggdrasil.n_peers == 0 && memchr(text, '[', len) != NULL))
		return false;
	return check_mesh(raw, NULL, a, out, NULL);
}

/* A version that is a number, but not ours: the rest of the file is nothing to complain about. */
static bool is_other_version(const struct node *root, struct arena *a, struct problems *problems)
{
	const struct entry *e = NULL;

	for (size_t i = 0; root->kind == NODE_MAP && i < root->n && e == NULL; i++)
		if (root->entries[i].key->kind == NODE_TEXT &&
			strcmp(root->entries[i].key->text, "version") == 0)
			e = &root->entries[i];
	if (e == NULL || e->value->kind != NODE_TEXT || e->value->len == 0 ||
		strspn(e->value->text, "0123456789") != e->value->len ||
		strcmp(e->value->text, "1") == 0)
		return false;
	problem_add(problems, a, e->at, "write 'version: 1', or use a jmesh that knows this one",
		"version %s of the mesh file is not known: this jmesh reads version 1",
		problem_quote(a, e->value->text));
	return true;
}

static void load_placed(
	const char *text, size_t len, struct arena *a, struct mesh *out, struct problems *problems)
{
	const struct node *root = tree_read(text, len, a, problems);
	const struct raw_mesh *raw;
	const char *good, *why;

	if (root == NULL || is_other_version(root, a, problems))
		return;
	good = shape_check(root, &mesh_table, a, problems);
	if (good == NULL)
		return;
	raw = load(good, strlen(good), a, &why);
	if (raw == NULL)
		problem_add(problems, a, root->at, NULL, "the file cannot be loaded: %s", why);
	else if (!check_mesh(raw, root, a, out, problems) && problems->n == 0)
		problem_add(problems, a, root->at, NULL, "the file cannot be loaded");
}

int mesh_load(const char *text, size_t len, bool with_lines, struct arena *a, struct mesh *out,
	struct problems *problems)
{
	static const char bom[] = "\xef\xbb\xbf";
	const char *nul;

	*problems = (struct problems){ 0 };
	memset(out, 0, sizeof(*out));
	if (len > MESH_BYTES_MAX) {
		problem_add(problems, a, (struct loc){ 1, 1 }, NULL,
			"the file is larger than %d MiB: no mesh file is",
			MESH_BYTES_MAX / 1024 / 1024);
		return -1;
	}
	if (len >= 3 && memcmp(text, bom, 3) == 0) {
		text += 3;
		len -= 3;
	}
	nul = len == 0 ? NULL : memchr(text, '\0', len);
	if (nul != NULL) {
		problem_add(problems, a, line_place(text, len, (size_t)(nul - text)),
			"save the file as UTF-8", "a NUL byte: the file is no text");
		return -1;
	}
	if (!with_lines && load_fast(text, len, a, out))
		return 0;
	load_placed(text, len, a, out, problems);
	problems_sort(problems);
	return problems->n == 0 ? 0 : -1;
}
