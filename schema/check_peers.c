/* Peers: what goes with what, and the rosters that are written down. */
#include <sodium/utils.h>
#include <string.h>

#include "base/code.h"
#include "schema/checker.h"
#include "schema/problem.h"

/* Of all written rosters; the tree of a file with more would be too large (TREE_NODES_MAX). */
enum { JAILS_MAX = 200000 };

/* Where a roster's jail is, as one number. */
enum { STRIDE = ROSTER_JAILS_MAX + 1 };

static const char *const pair_words[] = {
	[RAW_PAIR_UNSET] = "",
	[RAW_NONE] = "none",
	[RAW_CREATE] = "create",
	[RAW_JOIN] = "join",
	[RAW_RENDEZVOUS] = "rendezvous",
};

static void check_name(struct checker *c, const char *name, size_t i)
{
	uint32_t *first;

	c->mesh->peers[i].name = name = checker_fold(c, name);
	if (strcmp(name, "local") == 0)
		checker_wrong(c, checker_path(c, "peers[%zu].name", i), "choose another name",
			"'local' is no name for a peer: it stands for this instance's own jails");
	first = seen_at(&c->seen, SEEN_PEER, name, strlen(name));
	if (*first != SEEN_FIRST) {
		int line = checker_line(c, checker_path(c, "peers[%u].name", *first));

		checker_wrong(c, checker_path(c, "peers[%zu].name", i), NULL,
			"duplicate peer '%s', first on line %d", name, line);
		return;
	}
	*first = (uint32_t)i;
}

static void check_pair(struct checker *c, const struct raw_peer *raw, size_t i)
{
	struct mesh_peer *peer = &c->mesh->peers[i];

	peer->pair = raw->pair == RAW_CREATE  ? PAIR_CREATE
		: raw->pair == RAW_JOIN       ? PAIR_JOIN
		: raw->pair == RAW_RENDEZVOUS ? PAIR_RENDEZVOUS
					      : PAIR_NONE;
	if (peer->pair != PAIR_NONE && raw->n_jails != 0)
		checker_wrong(c, checker_path(c, "peers[%zu].pair", i), "remove one of the two",
			"'pair: %s' and 'jails' together: a roster that is written down needs no "
			"pairing",
			pair_words[raw->pair]);
	if (raw->pair != RAW_PAIR_UNSET || raw->n_jails != 0)
		return;
	/* What is there but bad has been told already. */
	if (c->tree != NULL &&
		(tree_has(c->tree, checker_path(c, "peers[%zu].pair", i)) ||
			tree_has(c->tree, checker_path(c, "peers[%zu].jails", i)) ||
			tree_has(c->tree, checker_path(c, "peers[%zu].<<", i)) ||
			!tree_has(c->tree, checker_path(c, "peers[%zu].name", i))))
		return;
	checker_wrong(c, checker_path(c, "peers[%zu]", i),
		"add 'pair: create', 'pair: join' or 'pair: rendezvous', or the peer's roster as "
		"'jails:'",
		"the peer has neither 'pair' nor 'jails'");
}

static void check_codes(struct checker *c, const struct raw_peer *raw, size_t i)
{
	const struct {
		const char *key, *value;
		bool (*rule)(const char *, struct fault *);
		const char **out;
	} codes[] = {
		{ "code", raw->code, value_code, &c->mesh->peers[i].code },
		{ "code_env", raw->code_env, value_variable, &c->mesh->peers[i].code_env },
		{ "code_file", raw->code_file, value_path, &c->mesh->peers[i].code_file },
	};
	const char *first = NULL;

	for (size_t k = 0; k < sizeof(codes) / sizeof(*codes); k++) {
		const char *key = codes[k].key;

		if (codes[k].value == NULL)
			continue;
		if (checker_holds(c, codes[k].value, codes[k].rule,
			    checker_path(c, "peers[%zu].%s", i, key)))
			*codes[k].out = codes[k].value;
		if (raw->pair == RAW_NONE || raw->pair == RAW_CREATE ||
			raw->pair == RAW_RENDEZVOUS ||
			(raw->pair == RAW_PAIR_UNSET && raw->n_jails != 0))
			checker_wrong(c, checker_path(c, "peers[%zu].%s", i, key),
				raw->pair == RAW_CREATE ? "who creates gets a code to pass on"
							: NULL,
				"'%s' goes only with 'pair: join'", key);
		else if (first != NULL)
			checker_wrong(c, checker_path(c, "peers[%zu].%s", i, key),
				"keep one of them", "'%s' and '%s' together: a peer has one code",
				first, key);
		first = first == NULL ? key : first;
	}
}

/* What a sealed pairing needs is the secret, and a plain one knows of none. */
static void check_pass(struct checker *c, size_t i)
{
	const struct mesh_peer *peer = &c->mesh->peers[i];
	struct pass pass;
	struct err e;

	if (peer->pair != PAIR_JOIN || peer->code == NULL || pass_parse(peer->code, &pass, &e) < 0)
		return;
	sodium_memzero(&pass.secret, sizeof(pass.secret));
	if (pass.sealed && peer->plain)
		checker_wrong(c, checker_path(c, "peers[%zu].code", i),
			"remove 'plain', or what is behind the '#' if the other side runs Jailrun",
			"a code with a secret and 'plain: true' together");
	else if (!pass.sealed && !peer->plain)
		checker_wrong(c, checker_path(c, "peers[%zu].code", i),
			"copy it whole, with what is behind the '#'; 'plain: true' pairs with "
			"Jailrun, which has no secrets",
			"this code has no secret");
}

static void check_plain(struct checker *c, const struct raw_peer *raw, size_t i)
{
	if (raw->plain != RAW_TRUE || raw->pair == RAW_CREATE || raw->pair == RAW_JOIN ||
		(raw->pair == RAW_PAIR_UNSET && raw->n_jails == 0))
		return;
	checker_wrong(c, checker_path(c, "peers[%zu].plain", i),
		raw->pair == RAW_RENDEZVOUS ? "a rendezvous is always sealed" : NULL,
		"'plain' goes only with 'pair: create' and 'pair: join'");
}

static void check_secrets(struct checker *c, const struct raw_peer *raw, size_t i)
{
	struct mesh_peer *peer = &c->mesh->peers[i];
	const struct {
		const char *key, *value;
		bool (*rule)(const char *, struct fault *);
		const char **out;
	} secrets[] = {
		{ "secret_env", raw->secret_env, value_variable, &peer->secret_env },
		{ "secret_file", raw->secret_file, value_path, &peer->secret_file },
	};

	for (size_t k = 0; k < sizeof(secrets) / sizeof(*secrets); k++) {
		if (secrets[k].value == NULL)
			continue;
		if (checker_holds(c, secrets[k].value, secrets[k].rule,
			    checker_path(c, "peers[%zu].%s", i, secrets[k].key)))
			*secrets[k].out = secrets[k].value;
		if (raw->pair != RAW_RENDEZVOUS &&
			(raw->pair != RAW_PAIR_UNSET || raw->n_jails != 0))
			checker_wrong(c, checker_path(c, "peers[%zu].%s", i, secrets[k].key), NULL,
				"'%s' goes only with 'pair: rendezvous'", secrets[k].key);
	}
	if (raw->pair != RAW_RENDEZVOUS)
		return;
	if (raw->secret_env != NULL && raw->secret_file != NULL)
		checker_wrong(c, checker_path(c, "peers[%zu].secret_file", i), "keep one of them",
			"'secret_env' and 'secret_file' together: a peer has one secret");
	else if (raw->secret_env == NULL && raw->secret_file == NULL)
		checker_wrong(c, checker_path(c, "peers[%zu].pair", i),
			"add 'secret_file' or 'secret_env'; jmesh secret makes a secret for both "
			"sides",
			"'pair: rendezvous' needs a secret");
	if (peer->name != NULL && c->mesh->name != NULL && strcmp(peer->name, c->mesh->name) == 0)
		checker_wrong(c, checker_path(c, "peers[%zu].name", i),
			"name the peer as its own mesh file does",
			"'pair: rendezvous' with a peer of this instance's own name");
}

/* The jail of that name before number j, or j: small rosters are quicker searched than hashed. */
static size_t find_name(struct checker *c, const char *name, size_t i, size_t j)
{
	enum { SMALL = 16 };
	const struct roster *roster = &c->mesh->peers[i].roster;
	uint32_t *first;

	if (roster->n <= SMALL) {
		for (size_t k = 0; k < j; k++)
			if (roster->jails[k].name != NULL &&
				strcmp(roster->jails[k].name, name) == 0)
				return k;
		return j;
	}
	first = seen_at(&c->seen, (uint32_t)(SEEN_ROSTER + i), name, strlen(name));
	if (*first == SEEN_FIRST)
		*first = (uint32_t)j;
	return *first;
}

static void check_jail_name(struct checker *c, const char *name, size_t i, size_t j)
{
	size_t first;
	int line;

	name = checker_fold(c, name);
	first = find_name(c, name, i, j);
	c->mesh->peers[i].roster.jails[j].name = name;
	if (first == j)
		return;
	line = checker_line(c, checker_path(c, "peers[%zu].jails[%zu].name", i, first));
	checker_wrong(c, checker_path(c, "peers[%zu].jails[%zu].name", i, j), NULL,
		"duplicate jail '%s' of this peer, first on line %d", name, line);
}

static bool check_jail_address(struct checker *c, const char *text, size_t i, size_t j)
{
	struct roster_jail *jail = &c->mesh->peers[i].roster.jails[j];
	struct err e;
	uint32_t *first;

	if (text == NULL || addr_parse(text, NOWHERE, &jail->addr, &e) < 0 ||
		!addr_is_node(&jail->addr)) {
		checker_holds(c, text, value_node,
			checker_path(c, "peers[%zu].jails[%zu].address", i, j));
		return false;
	}
	first = seen_at(&c->seen, SEEN_NODE, jail->addr.b, sizeof(jail->addr.b));
	if (*first != SEEN_FIRST) {
		size_t p = *first / STRIDE, k = *first % STRIDE;
		const char *peer = c->mesh->peers[p].name;
		const char *name = c->mesh->peers[p].roster.jails[k].name;
		int line = checker_line(c, checker_path(c, "peers[%zu].jails[%zu].address", p, k));

		checker_wrong(c, checker_path(c, "peers[%zu].jails[%zu].address", i, j),
			"every jail has an address of its own",
			"duplicate address %s, first of '%s/%s' on line %d", text,
			peer == NULL ? "?" : peer, name == NULL ? "?" : name, line);
		return true;
	}
	*first = (uint32_t)(i * STRIDE + j);
	return true;
}

/* Both are good by themselves; the address follows from the key. */
static void check_key(struct checker *c, const char *hex, size_t i, size_t j, bool has_address)
{
	struct roster_jail *jail = &c->mesh->peers[i].roster.jails[j];
	char text[ADDR_TEXT];
	struct addr derived;

	jail->has_key = pubkey_parse(hex, &jail->key);
	derived = addr_of_key(&jail->key);
	if (!has_address || addr_cmp(&derived, &jail->addr) == 0)
		return;
	addr_format(&derived, text);
	checker_wrong(c, checker_path(c, "peers[%zu].jails[%zu].public_key", i, j),
		"one of the two is mistyped", "this key gives the address %s, not the one above",
		text);
}

static void check_roster(struct checker *c, const struct raw_peer *raw, size_t i)
{
	struct roster *roster = &c->mesh->peers[i].roster;

	c->mesh->peers[i].has_roster = raw->n_jails != 0;
	roster->jails = arena_alloc(c->arena, raw->n_jails, sizeof(*roster->jails));
	roster->n = raw->n_jails;
	for (size_t j = 0; j < raw->n_jails && !checker_stopped(c); j++) {
		const struct raw_roster_jail *jail = &raw->jails[j];
		bool has_address;

		roster->jails[j].line =
			checker_line(c, checker_path(c, "peers[%zu].jails[%zu]", i, j));
		if (checker_holds(c, jail->name, value_label,
			    checker_path(c, "peers[%zu].jails[%zu].name", i, j)))
			check_jail_name(c, jail->name, i, j);
		has_address = check_jail_address(c, jail->address, i, j);
		if (checker_holds(c, jail->public_key, value_key,
			    checker_path(c, "peers[%zu].jails[%zu].public_key", i, j)))
			check_key(c, jail->public_key, i, j, has_address);
	}
}

void check_peers(struct checker *c, const struct raw_mesh *raw)
{
	size_t jails = 0;

	c->mesh->n_peers = raw->n_peers;
	c->mesh->peers = arena_alloc(c->arena, raw->n_peers, sizeof(*c->mesh->peers));
	for (size_t i = 0; i < raw->n_peers && !checker_stopped(c); i++) {
		const struct raw_peer *peer = &raw->peers[i];

		c->mesh->peers[i].line = checker_line(c, checker_path(c, "peers[%zu]", i));
		c->mesh->peers[i].plain = peer->plain == RAW_TRUE;
		if (checker_holds(
			    c, peer->name, value_label, checker_path(c, "peers[%zu].name", i)))
			check_name(c, peer->name, i);
		check_pair(c, peer, i);
		check_codes(c, peer, i);
		check_pass(c, i);
		check_plain(c, peer, i);
		check_secrets(c, peer, i);
		check_roster(c, peer, i);
		jails += peer->n_jails;
	}
	if (jails > JAILS_MAX)
		checker_wrong(c, "peers", NULL, "%zu jails are written down, and %d are the most",
			jails, JAILS_MAX);
}
