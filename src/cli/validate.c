/* jmesh validate: reads and checks the mesh file, touches nothing. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/cli.h"
#include "reconciler/pf.h"

static cJSON *json_text(struct arena *a, const char *s)
{
	return s == NULL ? cJSON_CreateNull()
			 : cJSON_CreateString(text_safe(a, s, strlen(s), false));
}

/* {"format":1,"file":…,"valid":…,"errors":[{"line":…,"column":…,"message":…,"hint":…}],"notices":[…]} */
static void print_json(struct arena *a, const char *file, const struct problem *problems, size_t n,
	const char *notice)
{
	cJSON *top = cJSON_CreateObject(), *errors, *notices;
	char *printed;

	cJSON_AddNumberToObject(top, "format", 1);
	cJSON_AddItemToObject(top, "file", json_text(a, file));
	cJSON_AddBoolToObject(top, "valid", n == 0);
	errors = cJSON_AddArrayToObject(top, "errors");
	for (size_t i = 0; i < n; i++) {
		cJSON *error = cJSON_CreateObject();

		cJSON_AddNumberToObject(error, "line", problems[i].at.line);
		cJSON_AddNumberToObject(error, "column", problems[i].at.col);
		cJSON_AddItemToObject(error, "message", json_text(a, problems[i].text));
		cJSON_AddItemToObject(error, "hint", json_text(a, problems[i].hint));
		cJSON_AddItemToArray(errors, error);
	}
	notices = cJSON_AddArrayToObject(top, "notices");
	if (notice != NULL)
		cJSON_AddItemToArray(notices, json_text(a, notice));
	printed = cJSON_PrintUnformatted(top);
	if (printed == NULL)
		abort();
	puts(printed);
	free(printed);
	cJSON_Delete(top);
}

/* What is needed of the host and cannot be seen from here; NULL: nothing. */
static const char *notice_of(const struct mesh *mesh)
{
	if (mesh->firewall.manage != MANAGE_ANCHOR)
		return NULL;
	return "firewall.manage is anchor, so " PF_CONF
	       " of each jail needs these two lines, before any "
	       "rule that lets somebody in for good: " PF_LINE_ANCHOR " and " PF_LINE_LOAD;
}

static const char *counted(struct arena *a, size_t n, const char *what)
{
	return arena_printf(a, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

int cmd_validate(const struct options *o, struct arena *a)
{
	struct err e = ERR_INIT;
	struct problems problems;
	struct input in;
	struct mesh mesh;
	const char *notice;

	if (input_read(o->file, a, &in, &e) < 0) {
		struct problem unread = { NOWHERE, e.text, NULL };

		if (o->json) {
			print_json(a, in.name, &unread, 1, NULL);
			return EXIT_ERROR;
		}
		return complain(o, &e);
	}
	if (mesh_load(in.text, in.len, false, a, &mesh, &problems) < 0) {
		if (o->json)
			print_json(a, in.name, problems.v, problems.n, NULL);
		else
			input_complain(stderr, o->colour_err, &in, problems.v, problems.n);
		return EXIT_ERROR;
	}
	notice = notice_of(&mesh);
	if (o->json) {
		print_json(a, in.name, NULL, 0, notice);
		return EXIT_OK;
	}
	printf("%s: ok: %s, %s\n", text_safe(a, in.name, strlen(in.name), false),
		mesh.has_jails ? counted(a, mesh.n_jails, "jail") : "every running jail",
		counted(a, mesh.n_peers, "peer"));
	if (notice != NULL)
		printf("notice: %s\n", notice);
	return EXIT_OK;
}
