#include <cjson/cJSON.h>
#include <string.h>

#include "cli/host.h"

static void print_json(const struct roster *r)
{
	cJSON *list = cJSON_CreateArray();
	char *text;

	for (size_t i = 0; i < r->n; i++) {
		cJSON *one = cJSON_CreateObject();
		char address[ADDR_TEXT], key[KEY_HEX];

		addr_format(&r->jails[i].addr, address);
		pubkey_format(&r->jails[i].key, key);
		cJSON_AddStringToObject(one, "name", r->jails[i].name);
		cJSON_AddStringToObject(one, "address", address);
		cJSON_AddStringToObject(one, "public_key", key);
		cJSON_AddItemToArray(list, one);
	}
	text = cJSON_PrintUnformatted(list);
	puts(text);
	cJSON_free(text);
	cJSON_Delete(list);
}

/* Indented as it stands under a peer of the mesh file. */
static void print_yaml(const struct roster *r)
{
	for (size_t i = 0; i < r->n; i++) {
		char address[ADDR_TEXT], key[KEY_HEX];

		addr_format(&r->jails[i].addr, address);
		pubkey_format(&r->jails[i].key, key);
		printf("      - name: \"%s\"\n        address: \"%s\"\n        public_key: "
		       "\"%s\"\n",
			r->jails[i].name, address, key);
	}
}

int cmd_roster(const struct options *o, struct arena *a)
{
	struct host h;
	struct view v;
	struct identified *known;
	struct roster roster;
	struct err e;
	int status = EXIT_OK;

	if (host_open(&h, o, a) < 0) {
		host_close(&h);
		return EXIT_ERROR;
	}
	if (run_look(&h.run, &v, &e) < 0) {
		status = host_complain(&h, &e);
		goto out;
	}
	roster = run_roster(&h.run, &v);
	if (o->json)
		print_json(&roster);
	else
		print_yaml(&roster);
	out_flush();
	known = yggdrasil_identities(h.run.yggdrasil, &v.nodes, a);
	for (size_t i = 0; i < v.nodes.n; i++) {
		const char *node = v.nodes.v[i];
		const struct failure *failed;

		if (strcmp(node, HOST_NODE) == 0)
			continue;
		if (known[i].rc == 1)
			err_set(&known[i].err, ERR_SYSTEM, NOWHERE,
				"jail '%s' has no key yet; run jmesh apply first", node);
		failed = failures_find(&v.failed, KIND_IDENTITY, node);
		if (known[i].rc == 0 && failed != NULL)
			known[i].rc =
				err_set(&known[i].err, ERR_CONFIG, NOWHERE, "%s", failed->text);
		if (known[i].rc != 0)
			status = host_complain(&h, &known[i].err);
	}
out:
	host_close(&h);
	return status;
}
