/*
 * plan NAME: what the pure core makes of NAME.yaml, NAME.lock (may be missing) and NAME.live, as text.
 *
 * NAME.live has an item a line, "KIND | SCOPE | KEY | VALUE"; "in sync" stands for everything that is
 * wanted, and "- KIND | SCOPE | KEY" takes one of those away. "host WORD ..." has the traits of the host. "failed KIND | SCOPE" makes a scope unreadable.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/render.h"
#include "reconciler/want.h"
#include "schema/mesh.h"

static const char *slurp(struct arena *a, const char *name, const char *suffix, size_t *len)
{
	const char *path = arena_printf(a, "%s%s", name, suffix);
	FILE *f = fopen(path, "r");
	struct text t = text_new(a);
	char buffer[4096];
	size_t n;

	*len = 0;
	if (f == NULL)
		return NULL;
	while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0)
		text_addn(&t, buffer, n);
	fclose(f);
	*len = t.len;
	return t.s;
}

static enum item_kind kind_of(const char *name)
{
	for (enum item_kind k = KIND_IDENTITY; k <= KIND_PAIRING; k++)
		if (strcmp(item_kind_name(k), name) == 0)
			return k;
	fprintf(stderr, "no such kind: %s\n", name);
	exit(1);
}

/* The next field of a line, its ends trimmed. */
static const char *field(char **line)
{
	char *start = *line, *end = strchr(start, '|');

	*line = end == NULL ? start + strlen(start) : end + 1;
	if (end == NULL)
		end = *line;
	while (*start == ' ')
		start++;
	while (end > start && end[-1] == ' ')
		end--;
	*end = '\0';
	return start;
}

static void take_away(struct items *list, enum item_kind kind, const char *scope, const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].kind != kind || strcmp(list->v[i].scope, scope) != 0 ||
			strcmp(list->v[i].key, key) != 0)
			list->v[kept++] = list->v[i];
	if (kept == list->n) {
		fprintf(stderr, "nothing to take away: %s | %s\n", scope, key);
		exit(1);
	}
	list->n = kept;
}

static void read_live(
	char *text, const struct items *wanted, struct items *observed, struct failures *failed)
{
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		bool minus = strncmp(line, "- ", 2) == 0, fails = strncmp(line, "failed ", 7) == 0;
		const char *kind, *scope, *key;
		struct err e = { .text = "could not be read" };

		if (line[0] == '#' || strncmp(line, "host ", 5) == 0)
			continue;
		if (strcmp(line, "in sync") == 0) {
			/* What the lock holds comes from the lock. */
			for (size_t i = 0; i < wanted->n; i++)
				if (wanted->v[i].kind != KIND_PAIRING ||
					item_is_record(wanted->v[i].key))
					items_add(observed, wanted->v[i].kind, wanted->v[i].scope,
						wanted->v[i].key, wanted->v[i].value, NULL, 0);
			continue;
		}
		line += minus ? 2 : fails ? 7 : 0;
		kind = field(&line);
		scope = field(&line);
		key = field(&line);
		if (fails)
			failures_add(failed, kind_of(kind), scope, NULL, 0, &e);
		else if (minus)
			take_away(observed, kind_of(kind), scope, key);
		else
			items_add(observed, kind_of(kind), scope, key, field(&line), NULL, 0);
	}
}

/* "host WORD ..." says what is always so there. */
static void read_host(const char *text, struct want_host *out)
{
	const char *host = strncmp(text, "host ", 5) == 0 ? text : strstr(text, "\nhost ");
	size_t len = host == NULL ? 0 : strcspn(host + 1, "\n");
	const struct {
		const char *word;
		bool *flag;
	} flags[] = {
		{ "saves_firewall", &out->traits.saves_firewall },
		{ "boots_nodes", &out->traits.boots_nodes },
		{ "foreign_nodes", &out->traits.foreign_nodes },
		{ "registry", &out->registry },
	};

	for (size_t i = 0; len != 0 && i < sizeof(flags) / sizeof(flags[0]); i++) {
		const char *found = strstr(host, flags[i].word);

		*flags[i].flag = found != NULL && found < host + 1 + len;
	}
}

static void nodes_of(const struct mesh *mesh, struct arena *a, struct want_node *nodes)
{
	for (size_t i = 0; i <= mesh->n_jails; i++) {
		const char *name = i == 0 ? HOST_NODE : mesh->jails[i - 1].name;
		const char *dir = arena_printf(a, "/var/lib/jmesh/nodes/%s", name);

		nodes[i] = (struct want_node){
			.name = name,
			.paths = { dir, arena_printf(a, "%s/key.pem", dir),
				arena_printf(a, "%s/yggdrasil.conf", dir),
				arena_printf(a, "%s/yggdrasil.sock", dir) },
			.line = i == 0 ? 0 : mesh->jails[i - 1].line,
		};
	}
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct mesh mesh;
	struct problems problems = { 0 };
	struct lock lock = { 0 };
	struct grants grants;
	struct items wanted = { .arena = a }, observed = { .arena = a };
	struct failures failed = { .arena = a };
	struct plan plan = { .arena = a };
	struct want_node *nodes;
	struct want_host host = { 0 };
	struct err e;
	struct counts n;
	size_t len;
	const char *text;

	if (argc != 2 || (text = slurp(a, argv[1], ".yaml", &len)) == NULL)
		return 2;
	if (mesh_load(text, len, true, a, &mesh, &problems) < 0) {
		fprintf(stderr, "%s.yaml:%d: %s\n", argv[1], problems.v[0].at.line,
			problems.v[0].text);
		return 2;
	}
	text = slurp(a, argv[1], ".lock", &len);
	if (text != NULL && lock_parse(text, len, a, &lock, &e) < 0) {
		printf("error: %s\n", e.text);
		goto out;
	}
	if (want_grants(&mesh, &lock, a, &grants, &e) < 0) {
		printf("error: line %d: %s\n", e.at.line, e.text);
		goto out;
	}
	nodes = arena_alloc(a, mesh.n_jails + 1, sizeof(*nodes));
	nodes_of(&mesh, a, nodes);
	host.nodes = nodes;
	host.n = mesh.n_jails + 1;
	text = slurp(a, argv[1], ".live", &len);
	text = text == NULL ? "" : text;
	read_host(text, &host);
	want_build(&mesh, &lock, &grants, &host, a, &wanted);
	read_live(arena_dup(a, text), &wanted, &observed, &failed);
	want_lock_items(&lock, &observed);
	items_sort(&observed);
	diff(&wanted, &observed, &failed, &plan);
	plan_explain(&plan, &mesh, &lock, a);

	render_plan(
		&(struct render){ stdout, false, mesh.name, argv[1], "/etc/unbound/jmesh.conf", a },
		&plan);
	n = render_count(&plan);
	printf("%s%s\n", plan.n == 0 ? "" : "\n", render_counts(a, &n, false));
out:
	arena_free(a);
	return 0;
}
