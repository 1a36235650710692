#include "reconciler/want.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/yggdrasil.h"

#define SAVED "saved "
#define ADDRESS "address "

static int by_address(const void *a, const void *b)
{
	const struct grant *left = a, *right = b;

	return addr_cmp(&left->jail->addr, &right->jail->addr);
}

static const struct roster *roster_of(const struct mesh_peer *peer, const struct lock *lock)
{
	const struct lock_peer *locked;

	if (peer->has_roster)
		return &peer->roster;
	locked = lock_find(lock, peer->name);
	return locked == NULL ? NULL : &locked->roster;
}

int want_grants(const struct mesh *mesh, const struct lock *lock, struct arena *a,
	struct grants *out, struct err *e)
{
	size_t total = 0;

	*out = (struct grants){ 0 };
	for (size_t i = 0; i < mesh->n_peers; i++) {
		const struct roster *r = roster_of(&mesh->peers[i], lock);

		total += r == NULL ? 0 : r->n;
	}
	out->v = arena_alloc(a, total, sizeof(*out->v));
	for (size_t i = 0; i < mesh->n_peers; i++) {
		const struct mesh_peer *peer = &mesh->peers[i];
		const struct roster *r = roster_of(peer, lock);

		for (size_t j = 0; r != NULL && j < r->n; j++) {
			const struct roster_jail *jail = &r->jails[j];
			const char *saved;
			char text[ADDR_TEXT];

			addr_format(&jail->addr, text);
			saved = arena_printf(a, SAVED ADDRESS "%s", text);
			out->v[out->n++] = (struct grant){
				.peer = peer->name,
				.jail = jail,
				.key = saved + strlen(SAVED),
				.saved_key = saved,
				.who = arena_printf(a, "%s/%s", peer->name, jail->name),
				.line = jail->line != 0 ? jail->line : peer->line,
			};
		}
	}
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), by_address);
	for (size_t i = 1; i < out->n; i++) {
		const struct grant *one = &out->v[i - 1], *two = &out->v[i];
		char text[ADDR_TEXT];

		if (by_address(one, two) != 0)
			continue;
		addr_format(&two->jail->addr, text);
		return err_set(e, ERR_CONFIG, (struct loc){ two->line, 1 },
			"%s/%s and %s/%s both claim the address %s", one->peer, one->jail->name,
			two->peer, two->jail->name, text);
	}
	return 0;
}

const struct grant *want_grant_of(const struct grants *grants, const struct addr *addr)
{
	struct roster_jail jail = { .addr = *addr };
	struct grant key = { .jail = &jail };

	return grants->n == 0 ? NULL
			      : bsearch(&key, grants->v, grants->n, sizeof(*grants->v), by_address);
}

static const char *json_list(const char *const *v, size_t n, struct arena *a)
{
	cJSON *list = cJSON_CreateArray();
	const char *text;
	char *printed;

	for (size_t i = 0; i < n; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(v[i]));
	printed = cJSON_PrintUnformatted(list);
	text = arena_dup(a, printed);
	cJSON_free(printed);
	cJSON_Delete(list);
	return text;
}

static const char *json_text(const char *s, struct arena *a)
{
	cJSON *item = cJSON_CreateString(s);
	char *printed = cJSON_PrintUnformatted(item);
	const char *text = arena_dup(a, printed);

	cJSON_free(printed);
	cJSON_Delete(item);
	return text;
}

/* The bootstrap node listens and goes out; a jail's node peers with the bootstrap node alone. */
static void want_overlay(const struct mesh *mesh, const struct port_traits *traits,
	const struct want_node *node, struct arena *a, struct items *out)
{
	bool host = strcmp(node->name, HOST_NODE) == 0;
	int line = mesh->yggdrasil.line;
	const char *const *peers = host ? mesh->yggdrasil.peers.v : &mesh->yggdrasil.listen;
	size_t n_peers = host ? mesh->yggdrasil.peers.n : 1;
	const char *admin = arena_printf(a, "unix://%s", node->paths.socket);
	const char *listen = mesh->yggdrasil.listen, *socket = yggdrasil_listen_key(listen, a);
	const struct {
		const char *key, *value;
	} settings[] = {
		{ "conf PrivateKeyPath", json_text(node->paths.key, a) },
		{ "conf Listen", json_list(&listen, host ? 1 : 0, a) },
		{ "conf Peers", json_list(peers, n_peers, a) },
		{ "conf AdminListen", json_text(admin, a) },
		{ "conf IfName", json_text(mesh->yggdrasil.interface, a) },
		{ "conf MulticastInterfaces", "[]" },
		{ "node", "running" },
		{ "live interface", mesh->yggdrasil.interface },
		{ "live multicast", "off" },
	};

	items_add(out, KIND_IDENTITY, node->name, "key", "present", NULL, node->line);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		items_add(out, KIND_OVERLAY, node->name, settings[i].key, settings[i].value, NULL,
			line);
	if (traits->boots_nodes)
		items_add(out, KIND_OVERLAY, node->name, "boot", "enabled", NULL, line);
	if (host && socket != NULL)
		items_add(out, KIND_OVERLAY, node->name, arena_printf(a, "live listen %s", socket),
			"listening", NULL, line);
	for (size_t i = 0; i < n_peers; i++)
		items_add(out, KIND_OVERLAY, node->name,
			arena_printf(a, "peer %s", yggdrasil_peer_key(peers[i], a)), "configured",
			NULL, line);
}

static void want_firewall(const struct mesh *mesh, const struct grants *grants, bool saves,
	const struct want_node *node, struct arena *a, struct items *out)
{
	const char *closed = arena_printf(a, "default-deny on %s", mesh->yggdrasil.interface);
	bool host = strcmp(node->name, HOST_NODE) == 0;
	int line = mesh->firewall.line;

	if (host && !mesh->yggdrasil.protect_host)
		return;
	items_add(out, KIND_FIREWALL, node->name, "rules", closed, NULL, line);
	if (saves) {
		items_add(out, KIND_FIREWALL, node->name, "saved rules", closed, NULL, line);
		items_add(out, KIND_FIREWALL, node->name, "boot", "enabled", NULL, line);
	}
	/* Peers' jails reach jails, never the host. */
	for (size_t i = 0; !host && i < grants->n; i++) {
		const struct grant *g = &grants->v[i];

		items_add(out, KIND_FIREWALL, node->name, g->key, "allow", g->who, g->line);
		if (saves)
			items_add(out, KIND_FIREWALL, node->name, g->saved_key, "allow", g->who,
				g->line);
	}
}

static void want_names(const struct mesh *mesh, const struct grants *grants, bool our_own,
	const char *scope, struct arena *a, struct items *out)
{
	items_add(out, KIND_DNS, scope, "zone", "static", NULL, mesh->dns.line);
	for (size_t i = 0; our_own && i < mesh->n_jails; i++) {
		const struct mesh_jail *jail = &mesh->jails[i];

		if (jail->address == NULL)
			continue;
		items_add(out, KIND_DNS, scope,
			arena_printf(a, "%s.local.%s A", jail->name, mesh->dns.zone), jail->address,
			arena_printf(a, "our own %s", jail->name), jail->line);
	}
	for (size_t i = 0; i < grants->n; i++) {
		const struct grant *g = &grants->v[i];
		const char *name =
			arena_printf(a, "%s.%s.%s AAAA", g->jail->name, g->peer, mesh->dns.zone);

		items_add(out, KIND_DNS, scope, name, g->key + strlen(ADDRESS), g->who, g->line);
	}
}

void want_build(const struct mesh *mesh, const struct lock *lock, const struct grants *grants,
	const struct want_host *host, struct arena *a, struct items *out)
{
	/* Who has the nodes also tells the names of their jails. */
	bool ours = !host->traits.foreign_nodes;

	for (size_t i = 0; i < host->n; i++) {
		if (ours)
			want_overlay(mesh, &host->traits, &host->nodes[i], a, out);
		want_firewall(mesh, grants, host->traits.saves_firewall, &host->nodes[i], a, out);
	}
	for (size_t i = 0; host->registry && i < grants->n; i++) {
		const struct grant *g = &grants->v[i];

		items_add(out, KIND_PAIRING, g->peer, arena_printf(a, "recorded %s", g->jail->name),
			g->key + strlen(ADDRESS), NULL, g->line);
	}
	if (mesh->dns.server == DNS_UNBOUND) {
		const char *saved = arena_printf(a, "saved %s", mesh->dns.zone);

		want_names(mesh, grants, ours, arena_printf(a, "live %s", mesh->dns.zone), a, out);
		want_names(mesh, grants, ours, saved, a, out);
		items_add(out, KIND_DNS, saved, "file", "as generated", NULL, mesh->dns.line);
	}
	/* A roster is kept for as long as the file asks for a pairing with that peer. */
	for (size_t i = 0; i < mesh->n_peers; i++) {
		const struct mesh_peer *peer = &mesh->peers[i];
		const struct lock_peer *locked = lock_find(lock, peer->name);

		if (locked != NULL && !peer->has_roster)
			items_add(out, KIND_PAIRING, peer->name, "roster",
				arena_printf(a, "%zu jails", locked->roster.n), NULL, peer->line);
	}
	items_sort(out);
}

void want_lock_items(const struct lock *lock, struct items *out)
{
	for (size_t i = 0; i < lock->n; i++)
		items_add(out, KIND_PAIRING, lock->peers[i].name, "roster",
			arena_printf(out->arena, "%zu jails", lock->peers[i].roster.n), NULL, 0);
}

bool want_pairing(const struct mesh_peer *peer, const struct lock *lock, const char *code,
	struct arena *a, const char **why)
{
	const struct lock_peer *locked = lock_find(lock, peer->name);

	if (peer->has_roster || peer->pair == PAIR_NONE)
		return false;
	if (locked == NULL) {
		*why = "the lock has no roster of it";
		return true;
	}
	if (!peer->plain && !locked->sealed) {
		*why = "its roster came unauthenticated, and the file does not say plain: true";
		return true;
	}
	if (peer->pair != PAIR_CREATE && code != NULL &&
		(locked->code == NULL || strcmp(locked->code, code_digest(code, a)) != 0)) {
		*why = peer->pair == PAIR_JOIN ? "its code has changed" : "its secret has changed";
		return true;
	}
	return false;
}

const char *want_pair_word(const struct mesh_peer *peer)
{
	switch (peer->pair) {
	case PAIR_CREATE:
		return peer->plain ? "create, unauthenticated" : "create";
	case PAIR_JOIN:
		return peer->plain ? "join, unauthenticated" : "join";
	case PAIR_RENDEZVOUS:
		return "rendezvous";
	case PAIR_NONE:
		break;
	}
	return "none";
}
