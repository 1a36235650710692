/* jmesh validate: reads and checks the mesh file, touches nothing. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/cli.h"

static cJSON *json_text(struct arena *a, const char *s)
{
	return s == NULL ? cJSON_CreateNull()
			 : cJSON_CreateString(text_safe(a, s, strlen(s), false));
}

/* {"format":1,"file":…,"valid":…,"errors":[{"line":…,"column":…,"message":…,"hint":…}]} */
static void print_json(struct arena *a, const char *file, const struct problem *problems, size_t n)
{
	cJSON *top = cJSON_CreateObject(), *errors;
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
	printed = cJSON_PrintUnformatted(top);
	if (printed == NULL)
		abort();
	puts(printed);
	free(printed);
	cJSON_Delete(top);
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

	if (input_read(o->file, a, &in, &e) < 0) {
		struct problem unread = { NOWHERE, e.text, NULL };

		if (o->json) {
			print_json(a, in.name, &unread, 1);
			return EXIT_ERROR;
		}
		return complain(o, &e);
	}
	if (mesh_load(in.text, in.len, false, a, &mesh, &problems) < 0) {
		if (o->json)
			print_json(a, in.name, problems.v, problems.n);
		else
			input_complain(stderr, o->colour_err, &in, problems.v, problems.n);
		return EXIT_ERROR;
	}
	if (o->json)
		print_json(a, in.name, NULL, 0);
	else
		printf("%s: ok: %s, %s\n", text_safe(a, in.name, strlen(in.name), false),
			mesh.has_jails ? counted(a, mesh.n_jails, "jail") : "every running jail",
			counted(a, mesh.n_peers, "peer"));
	return EXIT_OK;
}
