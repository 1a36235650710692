#include <cjson/cJSON.h>
#include <string.h>
#include <time.h>

#include "cli/host.h"
#include "cli/render.h"
#include "pairing/handshake.h"

/* One node as status tells of it. */
struct node_line {
	const char *name;
	const struct identity *id; /* NULL: it has no key */
	bool running, guarded;
	const struct yggdrasil_status *ygg;
	struct strs allows; /* addresses */
};

struct status {
	struct host *h;
	struct arena *a;
	struct view v;
	struct node_line *nodes;
	struct pending *pending;
	size_t n_pending;
	struct failures failed;
};

static void look_at_node(struct status *s, struct node_line *line, const char *name,
	const struct yggdrasil_status *ygg)
{
	static const char prefix[] = "address ";

	line->name = name;
	for (size_t i = 0; i < s->v.n_ours; i++)
		if (strcmp(s->v.ours[i].node, name) == 0)
			line->id = &s->v.ours[i];
	line->ygg = ygg;
	line->running = ygg->rc == 0;
	if (ygg->rc < 0 && failures_find(&s->failed, KIND_OVERLAY, name) == NULL)
		failures_add(&s->failed, KIND_OVERLAY, name, NULL, 0, &ygg->err);
	for (size_t i = 0; i < s->v.observed.n; i++) {
		const struct item *item = &s->v.observed.v[i];

		if (item->kind != KIND_FIREWALL || strcmp(item->scope, name) != 0)
			continue;
		if (strncmp(item->key, prefix, strlen(prefix)) == 0 &&
			strcmp(item->value, "allow") == 0)
			strs_push(s->a, &line->allows, item->key + strlen(prefix));
		else if (strcmp(item->key, "rules") == 0 &&
			strncmp(item->value, "default-deny", strlen("default-deny")) == 0)
			line->guarded = true;
	}
}

/* "office/postgres" for an address, by what the file and the lock want. */
static const char *owner_of(const struct status *s, const char *node, const char *address)
{
	for (size_t i = 0; i < s->v.wanted.n; i++) {
		const struct item *item = &s->v.wanted.v[i];

		if (item->kind == KIND_FIREWALL && item->why != NULL &&
			strncmp(item->key, "address ", 8) == 0 && strcmp(item->scope, node) == 0 &&
			strcmp(item->key + 8, address) == 0)
			return item->why;
	}
	return NULL;
}

static const char *code_of(const struct status *s, const char *peer)
{
	for (size_t i = 0; i < s->n_pending; i++)
		if (strcmp(s->pending[i].peer, peer) == 0)
			return s->pending[i].shown;
	return NULL;
}

/* How far a peer's roster is to be believed: "sealed", "unauthenticated", "written"; NULL: there is none. */
static const char *trust_of(const struct mesh_peer *peer, const struct lock_peer *locked)
{
	if (peer->has_roster)
		return "written";
	if (locked == NULL)
		return NULL;
	return locked->sealed ? "sealed" : "unauthenticated";
}

static bool is_pending(const struct status *s, const char *peer)
{
	for (size_t i = 0; i < s->n_pending; i++)
		if (strcmp(s->pending[i].peer, peer) == 0)
			return true;
	return false;
}

static const char *state_of(
	const struct status *s, const struct mesh_peer *peer, const struct lock_peer *locked)
{
	if (peer->has_roster)
		return "written";
	if (is_pending(s, peer->name))
		return "waiting";
	return locked != NULL ? "paired" : "unpaired";
}

static const struct roster *roster_of(const struct mesh_peer *peer, const struct lock_peer *locked)
{
	return peer->has_roster ? &peer->roster : locked != NULL ? &locked->roster : NULL;
}

static cJSON *node_json(const struct status *s, const struct node_line *n)
{
	cJSON *one = cJSON_CreateObject(), *list;
	char address[ADDR_TEXT], key[KEY_HEX];

	cJSON_AddStringToObject(one, "name", strcmp(n->name, HOST_NODE) == 0 ? "host" : n->name);
	if (n->id != NULL) {
		addr_format(&n->id->addr, address);
		pubkey_format(&n->id->key, key);
	}
	render_json_text(one, "address", n->id == NULL ? NULL : address, s->a);
	render_json_text(one, "public_key", n->id == NULL ? NULL : key, s->a);
	cJSON_AddBoolToObject(one, "running", n->running);
	render_json_text(one, "version", n->running ? n->ygg->version : NULL, s->a);
	list = cJSON_AddArrayToObject(one, "peerings");
	for (size_t i = 0; i < n->ygg->n; i++) {
		const struct yggdrasil_peering *p = &n->ygg->peerings[i];
		cJSON *peering = cJSON_CreateObject();

		render_json_text(peering, "uri", p->uri, s->a);
		cJSON_AddBoolToObject(peering, "up", p->up);
		cJSON_AddBoolToObject(peering, "inbound", p->inbound);
		render_json_text(peering, "error", p->error, s->a);
		cJSON_AddItemToArray(list, peering);
	}
	cJSON_AddBoolToObject(one, "default_deny", n->guarded);
	list = cJSON_AddArrayToObject(one, "allows");
	for (size_t i = 0; i < n->allows.n; i++) {
		cJSON *allow = cJSON_CreateObject();

		cJSON_AddStringToObject(allow, "address", n->allows.v[i]);
		render_json_text(allow, "jail", owner_of(s, n->name, n->allows.v[i]), s->a);
		cJSON_AddItemToArray(list, allow);
	}
	return one;
}

static cJSON *peer_json(const struct status *s, const struct mesh_peer *peer)
{
	const struct lock_peer *locked = lock_find(&s->v.lock, peer->name);
	const struct roster *roster = roster_of(peer, locked);
	cJSON *one = cJSON_CreateObject(), *list;

	cJSON_AddStringToObject(one, "name", peer->name);
	cJSON_AddStringToObject(one, "state", state_of(s, peer, locked));
	render_json_text(one, "trust", trust_of(peer, locked), s->a);
	render_json_text(one, "instance",
		locked != NULL && !peer->has_roster ? locked->instance : NULL, s->a);
	render_json_text(one, "code", code_of(s, peer->name), s->a);
	if (locked != NULL && !peer->has_roster)
		cJSON_AddNumberToObject(one, "paired_at", (double)locked->paired_at);
	else
		cJSON_AddNullToObject(one, "paired_at");
	list = cJSON_AddArrayToObject(one, "jails");
	for (size_t i = 0; roster != NULL && i < roster->n; i++) {
		cJSON *jail = cJSON_CreateObject();
		char address[ADDR_TEXT];

		addr_format(&roster->jails[i].addr, address);
		cJSON_AddStringToObject(jail, "name", roster->jails[i].name);
		cJSON_AddStringToObject(jail, "address", address);
		cJSON_AddItemToArray(list, jail);
	}
	return one;
}

static void print_json(const struct status *s)
{
	cJSON *top = cJSON_CreateObject(), *list;
	char *text;

	cJSON_AddNumberToObject(top, "format", 1);
	cJSON_AddStringToObject(top, "mesh", s->h->mesh.name);
	cJSON_AddStringToObject(top, "platform", s->h->port.ops->name);
	list = cJSON_AddArrayToObject(top, "nodes");
	for (size_t i = 0; i < s->v.nodes.n; i++)
		cJSON_AddItemToArray(list, node_json(s, &s->nodes[i]));
	list = cJSON_AddArrayToObject(top, "peers");
	for (size_t i = 0; i < s->h->mesh.n_peers; i++)
		cJSON_AddItemToArray(list, peer_json(s, &s->h->mesh.peers[i]));
	list = cJSON_AddArrayToObject(top, "failed");
	for (size_t i = 0; i < s->failed.n; i++) {
		const char *error = s->failed.v[i].text;

		cJSON_AddItemToArray(
			list, cJSON_CreateString(text_safe(s->a, error, strlen(error), false)));
	}
	text = cJSON_PrintUnformatted(top);
	puts(text);
	cJSON_free(text);
	cJSON_Delete(top);
}

static void print_node(const struct status *s, const struct node_line *n)
{
	bool host = strcmp(n->name, HOST_NODE) == 0;
	bool left = host && !s->h->mesh.yggdrasil.protect_host;
	char address[ADDR_TEXT] = "no key yet";

	if (n->id != NULL)
		addr_format(&n->id->addr, address);
	printf("%s%s  %s\n", host ? "host" : "jail ", host ? "" : n->name, address);
	if (n->running)
		printf("  yggdrasil  running, %s\n",
			text_safe(s->a, n->ygg->version, strlen(n->ygg->version), false));
	else
		puts("  yggdrasil  not running");
	for (size_t i = 0; i < n->ygg->n; i++) {
		const struct yggdrasil_peering *p = &n->ygg->peerings[i];

		printf("  peering    %s %s%s%s%s\n", p->up ? "up  " : "down",
			text_safe(s->a, p->uri, strlen(p->uri), false),
			p->inbound ? " (inbound)" : "", p->error == NULL ? "" : ": ",
			p->error == NULL ? "" : text_safe(s->a, p->error, strlen(p->error), false));
	}
	printf("  firewall   %s\n",
		n->guarded     ? "default-deny"
			: left ? "not jmesh's: yggdrasil.protect_host is false"
			       : "NOT in place");
	for (size_t i = 0; i < n->allows.n; i++) {
		const char *owner = owner_of(s, n->name, n->allows.v[i]);

		printf("  allows     %s  %s\n", n->allows.v[i],
			owner == NULL ? "not in the mesh file" : owner);
	}
}

static void print_peer(const struct status *s, const struct mesh_peer *peer)
{
	const struct lock_peer *locked = lock_find(&s->v.lock, peer->name);
	const struct roster *roster = roster_of(peer, locked);
	const char *code = code_of(s, peer->name);
	char when[32] = "";

	printf("peer %s  %s", peer->name, state_of(s, peer, locked));
	if (locked != NULL && !peer->has_roster) {
		time_t at = (time_t)locked->paired_at;
		struct tm tm;

		if (localtime_r(&at, &tm) != NULL &&
			strftime(when, sizeof(when), " since %Y-%m-%d %H:%M", &tm) > 0)
			fputs(when, stdout);
	}
	if (locked != NULL && !peer->has_roster && locked->sealed)
		printf(", sealed, calls itself %s", locked->instance);
	else if (locked != NULL && !peer->has_roster)
		fputs(", UNAUTHENTICATED", stdout);
	printf("%s%s\n", code == NULL ? "" : ", code ", code == NULL ? "" : code);
	for (size_t i = 0; roster != NULL && i < roster->n; i++) {
		char address[ADDR_TEXT];

		addr_format(&roster->jails[i].addr, address);
		printf("  %s.%s.%s  %s\n", roster->jails[i].name, peer->name, s->h->mesh.dns.zone,
			address);
	}
}

static void print_text(const struct status *s)
{
	struct render errors = { stderr, s->h->options->colour_err, s->h->mesh.name,
		s->h->input.name, s->h->dns_include, s->a };

	for (size_t i = 0; i < s->v.nodes.n; i++)
		print_node(s, &s->nodes[i]);
	for (size_t i = 0; i < s->h->mesh.n_peers; i++)
		print_peer(s, &s->h->mesh.peers[i]);
	out_flush();
	render_failures(&errors, &s->failed);
	errors.to = stdout;
	render_notices(&errors, &s->v.notices);
}

int cmd_status(const struct options *o, struct arena *a)
{
	struct host h;
	struct status s = { .h = &h, .a = a };
	const struct yggdrasil_status *ygg;
	struct err e;
	int status = EXIT_ERROR;

	if (host_open(&h, o, a) < 0)
		goto out;
	h.pairs_not = true;
	if (run_look(&h.run, &s.v, &e) < 0 ||
		pending_list(h.state_dir, a, &s.pending, &s.n_pending, &e) < 0) {
		host_complain(&h, &e);
		goto out;
	}
	s.failed = s.v.failed;
	s.nodes = arena_alloc(a, s.v.nodes.n, sizeof(*s.nodes));
	ygg = yggdrasil_statuses(h.run.yggdrasil, &s.v.nodes, a);
	for (size_t i = 0; i < s.v.nodes.n; i++)
		look_at_node(&s, &s.nodes[i], s.v.nodes.v[i], &ygg[i]);
	if (o->json)
		print_json(&s);
	else
		print_text(&s);
	status = s.failed.n == 0 ? EXIT_OK : EXIT_ERROR;
out:
	host_close(&h);
	return status;
}
