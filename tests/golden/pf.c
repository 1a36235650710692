/*
 * pf NAME: the commands, in their order, that bring a FreeBSD host with the pf of NAME.live to the firewall
 * of NAME.yaml, and the files that they write. Lines of NAME.live; PLACE is a jail or "host":
 *
 *   PLACE enabled             PLACE boot                    PLACE rule TEXT      PLACE anchored TEXT
 *   PLACE entry TABLE ENTRY   PLACE state FROM TO           PLACE file PATH      and its lines behind "| "
 *   PLACE skip INTERFACE      PLACE translation TEXT
 */
#include <stdio.h>
#include <string.h>

#include "reconciler/drivers/pf.h"
#include "reconciler/pf.h"
#include "reconciler/want.h"
#include "schema/mesh.h"
#include "tests/unit/pf_port.h"

static const char *slurp(struct arena *a, const char *name, const char *suffix, size_t *len)
{
	FILE *f = fopen(arena_printf(a, "%s%s", name, suffix), "r");
	struct text t = text_new(a);
	char buffer[4096];
	size_t n;

	while (f != NULL && (n = fread(buffer, 1, sizeof(buffer), f)) > 0)
		text_addn(&t, buffer, n);
	if (f != NULL)
		fclose(f);
	*len = t.len;
	return t.s;
}

static char *word(char **line)
{
	char *start = *line, *end = start + strcspn(start, " ");

	*line = *end == '\0' ? end : end + 1;
	*end = '\0';
	return start;
}

static int read_live(char *text, struct pf_port *pf, struct arena *a)
{
	const char *place = NULL, *path = NULL;
	struct text file = text_new(a);
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		const char *verb;

		if (line[0] == '|') {
			text_addf(&file, "%s\n", line + 1 + (line[1] == ' '));
			pf_port_file(pf, place, path, arena_dup(a, file.s));
			continue;
		}
		place = word(&line);
		place = strcmp(place, "host") == 0 ? NULL : place;
		verb = word(&line);
		if (strcmp(verb, "enabled") == 0) {
			pf_port_enable(pf, place, true);
		} else if (strcmp(verb, "boot") == 0) {
			pf_port_boot(pf, place);
		} else if (strcmp(verb, "rule") == 0) {
			pf_port_rule(pf, place, "", line);
		} else if (strcmp(verb, "anchored") == 0) {
			pf_port_rule(pf, place, PF_ANCHOR, line);
		} else if (strcmp(verb, "skip") == 0) {
			pf_port_skip(pf, place, line);
		} else if (strcmp(verb, "translation") == 0) {
			pf_port_translation(pf, place, line);
		} else if (strcmp(verb, "entry") == 0) {
			const char *table = word(&line);

			pf_port_entry(pf, place, "", table, line);
		} else if (strcmp(verb, "state") == 0) {
			const char *from = word(&line);

			pf_port_state(pf, place, from, line);
		} else if (strcmp(verb, "file") == 0) {
			path = line;
			file = text_new(a);
		} else {
			fprintf(stderr, "no such line: %s\n", verb);
			return -1;
		}
	}
	return 0;
}

static void keep_firewall(struct items *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].kind == KIND_FIREWALL)
			list->v[kept++] = list->v[i];
	list->n = kept;
}

/* Reads, plans and applies; the plan's size. */
static size_t converge(const struct driver *d, const struct items *wanted,
	const struct strs *scopes, struct arena *a)
{
	struct items observed = { .arena = a };
	struct failures failed = { .arena = a };
	struct plan plan = { .arena = a };

	d->ops->read(d->self, scopes, a, &observed, &failed);
	items_sort(&observed);
	diff(wanted, &observed, &failed, &plan);
	for (size_t i = 0, n; i < plan.n; i += n) {
		const struct change **group = arena_alloc(a, plan.n, sizeof(*group));

		for (n = 0; i + n < plan.n && plan.v[i + n].phase == plan.v[i].phase &&
			strcmp(plan.v[i + n].scope, plan.v[i].scope) == 0;
			n++)
			group[n] = &plan.v[i + n];
		d->ops->apply(d->self, plan.v[i].phase, plan.v[i].scope, group, n, a, &failed);
	}
	for (size_t i = 0; i < failed.n; i++)
		printf("error: %s\n", failed.v[i].text);
	return plan.n;
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct pf_port *pf = pf_port_new(a);
	struct port port = pf_port_port(pf);
	struct mesh mesh;
	struct problems problems = { 0 };
	const struct lock lock = { 0 };
	struct grants grants;
	struct items wanted = { .arena = a };
	struct strs scopes = { 0 };
	struct want_host host = { .traits = { .saves_firewall = true } };
	struct want_node *nodes;
	struct driver driver;
	struct err e = ERR_INIT;
	size_t len;
	const char *text;
	int rc = 2;

	if (argc != 2)
		goto out;
	text = slurp(a, argv[1], ".yaml", &len);
	if (mesh_load(text, len, true, a, &mesh, &problems) < 0 ||
		want_grants(&mesh, &lock, a, &grants, &e) < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], problems.n == 0 ? e.text : problems.v[0].text);
		goto out;
	}
	if (read_live(arena_dup(a, slurp(a, argv[1], ".live", &len)), pf, a) < 0)
		goto out;
	nodes = arena_alloc(a, mesh.n_jails + 1, sizeof(*nodes));
	for (size_t i = 0; i <= mesh.n_jails; i++) {
		nodes[i].name = i == 0 ? HOST_NODE : mesh.jails[i - 1].name;
		strs_push(a, &scopes, nodes[i].name);
	}
	host.nodes = nodes;
	host.n = mesh.n_jails + 1;
	want_build(&mesh, &lock, &grants, &host, a, &wanted);
	keep_firewall(&wanted);
	pf_driver(&driver, &port, mesh.yggdrasil.interface, mesh.firewall.table,
		mesh.firewall.manage == MANAGE_ANCHOR            ? PF_MANAGE_ANCHOR
			: mesh.firewall.manage == MANAGE_RULESET ? PF_MANAGE_RULESET
								 : PF_MANAGE_AUTO,
		a);
	converge(&driver, &wanted, &scopes, a);
	fputs(pf_port_log(pf), stdout);
	if (converge(&driver, &wanted, &scopes, a) != 0)
		puts("a second apply has something to do");
	rc = 0;
out:
	arena_free(a);
	return rc;
}
