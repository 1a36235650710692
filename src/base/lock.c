#include "base/lock.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <sodium/crypto_generichash.h>
#include <sodium/utils.h>

#include "base/json.h"
#include "base/text.h"

enum { DIGEST_LEN = 16 };

static bool is_digest(const char *s)
{
	return strlen(s) == DIGEST_LEN && strspn(s, "0123456789abcdef") == DIGEST_LEN;
}

static bool is_role(const char *s)
{
	return strcmp(s, "create") == 0 || strcmp(s, "join") == 0 || strcmp(s, "rendezvous") == 0;
}

static bool is_peer_name(const char *s)
{
	return name_is_label(s) && strcmp(s, "local") != 0 &&
		strpbrk(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL;
}

/* A key that is not known is a slip of whoever edited the file; rewriting it would lose the key. */
static int only_keys(const struct cJSON *object, const char *const *keys, struct err *e)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, object)
	{
		size_t i = 0;

		while (keys[i] != NULL && strcmp(keys[i], item->string) != 0)
			i++;
		if (keys[i] == NULL)
			return err_set(e, ERR_CONFIG, NOWHERE, "unknown key '%s'", item->string);
	}
	return 0;
}

/* A string that may be missing, in the form that ok accepts. */
static int optional(const struct cJSON *object, const char *key, bool (*ok)(const char *),
	struct arena *a, const char **out, struct err *e)
{
	const struct cJSON *item;
	const char *text;

	*out = NULL;
	if (json_member(object, key, ERR_CONFIG, &item, e) < 0)
		return -1;
	if (item == NULL)
		return 0;
	if (json_string(object, key, ERR_CONFIG, &text, e) < 0)
		return -1;
	if (!ok(text))
		return err_set(e, ERR_CONFIG, NOWHERE, "'%s' is not a valid '%s'", text, key);
	*out = arena_dup(a, text);
	return 0;
}

/* 2^53: every whole number up to there has a double of its own. */
static int whole_number(const struct cJSON *object, const char *key, int64_t *out, struct err *e)
{
	const struct cJSON *item;

	if (json_member(object, key, ERR_CONFIG, &item, e) < 0)
		return -1;
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) ||
		item->valuedouble > 9007199254740992.0 ||
		(double)(int64_t)item->valuedouble != item->valuedouble)
		return err_set(e, ERR_CONFIG, NOWHERE, "'%s' is not a whole number", key);
	*out = (int64_t)item->valuedouble;
	return 0;
}

/* Who the peer proved to be; all of it is missing where nothing was proved. */
static int proof_of_json(
	const struct cJSON *item, struct arena *a, struct lock_peer *peer, struct err *e)
{
	const struct cJSON *sealed;

	if (json_member(item, "sealed", ERR_CONFIG, &sealed, e) < 0 ||
		optional(item, "instance", is_peer_name, a, &peer->instance, e) < 0)
		return -1;
	if (sealed != NULL && !cJSON_IsBool(sealed))
		return err_set(e, ERR_CONFIG, NOWHERE, "'sealed' is neither true nor false");
	peer->sealed = cJSON_IsTrue(sealed);
	if (peer->sealed != (peer->instance != NULL))
		return err_set(e, ERR_CONFIG, NOWHERE,
			"'sealed' and 'instance' go together: a sealed roster says whose it is");
	return peer->sealed ? whole_number(item, "made", &peer->made, e) : 0;
}

static int peer_of_json(
	const struct cJSON *item, struct arena *a, struct lock_peer *peer, struct err *e)
{
	static const char *const keys[] = { "name", "role", "code", "told", "paired_at", "sealed",
		"instance", "made", "jails", NULL };
	const struct cJSON *jails;
	const char *name;

	if (json_string(item, "name", ERR_CONFIG, &name, e) < 0)
		return -1;
	if (!is_peer_name(name))
		return err_set(e, ERR_CONFIG, NOWHERE, "'%s' is not a name for a peer", name);
	peer->name = arena_dup(a, name);
	if (only_keys(item, keys, e) < 0 ||
		optional(item, "role", is_role, a, &peer->role, e) < 0 ||
		optional(item, "code", is_digest, a, &peer->code, e) < 0 ||
		optional(item, "told", is_digest, a, &peer->told, e) < 0 ||
		whole_number(item, "paired_at", &peer->paired_at, e) < 0 ||
		proof_of_json(item, a, peer, e) < 0 ||
		json_member(item, "jails", ERR_CONFIG, &jails, e) < 0 ||
		roster_of_lock(jails, a, &peer->roster, e) < 0)
		return err_wrap(e, "peer '%s'", name);
	return 0;
}

/* Whose jail has which address, to be sorted. */
struct claim {
	const struct lock_peer *peer;
	const struct roster_jail *jail;
};

static int by_claimed(const void *a, const void *b)
{
	const struct claim *left = a, *right = b;

	return addr_cmp(&left->jail->addr, &right->jail->addr);
}

static int by_name(const void *a, const void *b)
{
	const struct lock_peer *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static int no_duplicates(const struct lock *l, struct arena *a, struct err *e)
{
	struct claim *claims;
	size_t total = 0, n = 0;

	for (size_t i = 1; i < l->n; i++)
		if (by_name(&l->peers[i - 1], &l->peers[i]) == 0)
			return err_set(e, ERR_CONFIG, NOWHERE, "the peer '%s' comes twice",
				l->peers[i].name);
	for (size_t i = 0; i < l->n; i++)
		total += l->peers[i].roster.n;
	if (total == 0)
		return 0;
	claims = arena_alloc(a, total, sizeof(*claims));
	for (size_t i = 0; i < l->n; i++)
		for (size_t j = 0; j < l->peers[i].roster.n; j++)
			claims[n++] = (struct claim){ &l->peers[i], &l->peers[i].roster.jails[j] };
	qsort(claims, n, sizeof(*claims), by_claimed);
	for (size_t i = 1; i < n; i++)
		if (by_claimed(&claims[i - 1], &claims[i]) == 0) {
			char text[ADDR_TEXT];

			addr_format(&claims[i].jail->addr, text);
			return err_set(e, ERR_CONFIG, NOWHERE,
				"the address %s belongs to '%s' of peer '%s' and to '%s' of peer "
				"'%s'",
				text, claims[i - 1].jail->name, claims[i - 1].peer->name,
				claims[i].jail->name, claims[i].peer->name);
		}
	return 0;
}

static int peers_of_json(const struct cJSON *peers, struct arena *a, struct lock *l, struct err *e)
{
	const cJSON *item;
	size_t n = 0;

	if (!cJSON_IsArray(peers))
		return err_set(e, ERR_CONFIG, NOWHERE, "'peers' is not an array");
	cJSON_ArrayForEach(item, peers) n++;
	if (n > LOCK_PEERS_MAX)
		return err_set(e, ERR_CONFIG, NOWHERE, "it has %zu peers, more than the %d allowed",
			n, LOCK_PEERS_MAX);
	if (n == 0)
		return 0;
	l->peers = arena_alloc(a, n, sizeof(*l->peers));
	l->cap = n;
	cJSON_ArrayForEach(item, peers)
	{
		if (peer_of_json(item, a, &l->peers[l->n], e) < 0)
			return -1;
		l->n++;
	}
	qsort(l->peers, l->n, sizeof(*l->peers), by_name);
	return no_duplicates(l, a, e);
}

static int of_json(const struct cJSON *root, struct arena *a, struct lock *l, struct err *e)
{
	static const char *const keys[] = { "format", "mesh", "peers", NULL };
	const struct cJSON *peers;
	const char *mesh;
	int64_t format;

	if (whole_number(root, "format", &format, e) < 0)
		return -1;
	if (format != 1)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"its format is %lld, and this jmesh knows only 1", (long long)format);
	if (only_keys(root, keys, e) < 0 || json_string(root, "mesh", ERR_CONFIG, &mesh, e) < 0 ||
		json_member(root, "peers", ERR_CONFIG, &peers, e) < 0)
		return -1;
	if (!name_is_label(mesh))
		return err_set(e, ERR_CONFIG, NOWHERE, "'%s' is not a name for an instance", mesh);
	l->mesh = name_fold(a, mesh);
	return peers_of_json(peers, a, l, e);
}

int lock_parse(const char *json, size_t len, struct arena *a, struct lock *out, struct err *e)
{
	struct lock l = { 0 };
	struct cJSON *root;
	int rc;

	*out = l;
	if (json_parse(json, len, LOCK_BYTES_MAX, ERR_CONFIG, &root, e) < 0)
		return -1;
	rc = of_json(root, a, &l, e);
	cJSON_Delete(root);
	if (rc == 0)
		*out = l;
	return rc;
}

/* Names are labels, the rest hexadecimal or our own words: nothing needs a JSON escape. */
static void format_jails(struct text *t, const struct roster *roster)
{
	struct roster r = { arena_alloc(t->arena, roster->n, sizeof(*r.jails)), roster->n };

	if (r.n != 0)
		memcpy(r.jails, roster->jails, r.n * sizeof(*r.jails));
	roster_sort(&r);
	text_add(t, "      \"jails\": [");
	for (size_t i = 0; i < r.n; i++) {
		const struct roster_jail *jail = &r.jails[i];
		char address[ADDR_TEXT], key[KEY_HEX];

		addr_format(&jail->addr, address);
		text_addf(t, "%s\n        { \"name\": \"%s\", \"address\": \"%s\"",
			i == 0 ? "" : ",", jail->name, address);
		if (jail->has_key) {
			pubkey_format(&jail->key, key);
			text_addf(t, ", \"public_key\": \"%s\"", key);
		}
		text_add(t, " }");
	}
	text_add(t, "\n      ]\n");
}

static void format_peer(struct text *t, const struct lock_peer *peer)
{
	text_addf(t, "    {\n      \"name\": \"%s\",\n", peer->name);
	if (peer->role != NULL)
		text_addf(t, "      \"role\": \"%s\",\n", peer->role);
	if (peer->code != NULL)
		text_addf(t, "      \"code\": \"%s\",\n", peer->code);
	if (peer->told != NULL)
		text_addf(t, "      \"told\": \"%s\",\n", peer->told);
	text_addf(t, "      \"paired_at\": %lld,\n", (long long)peer->paired_at);
	if (peer->sealed)
		text_addf(t,
			"      \"sealed\": true,\n      \"instance\": \"%s\",\n"
			"      \"made\": %lld,\n",
			peer->instance, (long long)peer->made);
	format_jails(t, &peer->roster);
	text_add(t, "    }");
}

const char *lock_format(const struct lock *l, struct arena *a)
{
	struct lock_peer *peers = arena_alloc(a, l->n, sizeof(*peers));
	struct text t = text_new(a);

	if (l->n != 0) {
		memcpy(peers, l->peers, l->n * sizeof(*peers));
		qsort(peers, l->n, sizeof(*peers), by_name);
	}
	text_addf(&t, "{\n  \"format\": 1,\n  \"mesh\": \"%s\",\n  \"peers\": [", l->mesh);
	for (size_t i = 0; i < l->n; i++) {
		text_add(&t, i == 0 ? "\n" : ",\n");
		format_peer(&t, &peers[i]);
	}
	text_add(&t, l->n == 0 ? "]\n}\n" : "\n  ]\n}\n");
	return t.s;
}

const struct lock_peer *lock_find(const struct lock *l, const char *peer)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->peers[i].name, peer) == 0)
			return &l->peers[i];
	return NULL;
}

void lock_put(struct lock *l, struct arena *a, const struct lock_peer *peer)
{
	void *v = l->peers;
	struct lock_peer copy = *peer; /* it may stand in the array that grows */
	struct lock_peer *slot;

	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->peers[i].name, copy.name) == 0) {
			l->peers[i] = copy;
			return;
		}
	slot = arena_push(a, &v, l->n, &l->cap, sizeof(*slot));
	*slot = copy;
	l->peers = v;
	l->n++;
}

void lock_drop(struct lock *l, const char *peer)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->peers[i].name, peer) == 0) {
			l->n--;
			memmove(&l->peers[i], &l->peers[i + 1], (l->n - i) * sizeof(*l->peers));
			return;
		}
}

const char *code_digest(const char *code, struct arena *a)
{
	unsigned char hash[crypto_generichash_BYTES_MIN];
	char *hex = arena_alloc(a, DIGEST_LEN + 1, 1);

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)code, strlen(code), NULL, 0);
	return sodium_bin2hex(hex, DIGEST_LEN + 1, hash, DIGEST_LEN / 2);
}
