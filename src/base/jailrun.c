#include "base/jailrun.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cjson/cJSON.h>
#include <sodium/crypto_hash_sha256.h>
#include <sodium/utils.h>

#include "base/json.h"
#include "base/json_span.h"
#include "base/text.h"

void jailrun_system_name(const char *name, char out[JAILRUN_SYSTEM_NAME])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)name, strlen(name));
	out[0] = 'j';
	sodium_bin2hex(out + 1, JAILRUN_SYSTEM_NAME - 1, hash, 6);
}

static bool is_ipv4(const char *text)
{
	unsigned char bytes[4];
	char again[INET_ADDRSTRLEN];

	return inet_pton(AF_INET, text, bytes) == 1 &&
		inet_ntop(AF_INET, bytes, again, sizeof(again)) != NULL && strcmp(text, again) == 0;
}

/* The spelling counts: cJSON has doubles alone, to which 1.0 and 1 are the same. */
static int check_version(
	const cJSON *root, const char *text, size_t len, struct arena *a, struct err *e)
{
	const struct cJSON *version;
	struct spans parts = span_parts(span_value(text, len), a);
	const cJSON *item;
	size_t i = 0;

	if (json_member(root, "version", ERR_CONFIG, &version, e) < 0)
		return -1;
	if (version == NULL)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"it tells no version; this jmesh knows version 1 of Jailrun's state");
	cJSON_ArrayForEach(item, root)
	{
		if (item == version && i < parts.n && !span_is(parts.v[i], "1"))
			return err_set(e, ERR_CONFIG, NOWHERE,
				"it has version %.*s; this jmesh knows version 1 of Jailrun's "
				"state",
				(int)(parts.v[i].len < 40 ? parts.v[i].len : 40), parts.v[i].at);
		i++;
	}
	return 0;
}

static int read_port(const cJSON *root, int *port, struct err *e)
{
	const struct cJSON *item;

	*port = JAILRUN_SSH_PORT;
	if (json_member(root, "ssh_port", ERR_CONFIG, &item, e) < 0)
		return -1;
	if (item == NULL || cJSON_IsNull(item))
		return 0;
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1 && item->valuedouble <= 65535) ||
		item->valuedouble != (double)item->valueint)
		return err_set(e, ERR_CONFIG, NOWHERE, "'ssh_port' is no port number");
	*port = item->valueint;
	return 0;
}

static int read_jail(const cJSON *item, struct arena *a, struct jailrun_jail *out, struct err *e)
{
	const char *name = item->string;
	const struct cJSON *inner, *ip;
	char system_name[JAILRUN_SYSTEM_NAME];

	if (!name_is_label(name))
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the name is not a DNS label (1 to 63 of letters, digits, '-' and '_')");
	if (json_member(item, "name", ERR_CONFIG, &inner, e) < 0 ||
		json_member(item, "ip", ERR_CONFIG, &ip, e) < 0)
		return -1;
	if (inner != NULL && (!cJSON_IsString(inner) || strcmp(inner->valuestring, name) != 0))
		return err_set(e, ERR_CONFIG, NOWHERE, "its entry has another name");
	jailrun_system_name(name, system_name);
	*out = (struct jailrun_jail){ name_fold(a, name), arena_dup(a, system_name), NULL };
	if (ip == NULL || cJSON_IsNull(ip))
		return 0;
	if (!cJSON_IsString(ip) || !is_ipv4(ip->valuestring))
		return err_set(e, ERR_CONFIG, NOWHERE, "'ip' is no IPv4 address");
	out->address = arena_dup(a, ip->valuestring);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
		((const struct jailrun_jail *)a)->name, ((const struct jailrun_jail *)b)->name);
}

static int read_jails(const cJSON *root, struct arena *a, struct jailrun_state *out, struct err *e)
{
	const struct cJSON *jails;
	const cJSON *item;

	if (json_member(root, "jails", ERR_CONFIG, &jails, e) < 0)
		return -1;
	if (jails == NULL || cJSON_IsNull(jails))
		return 0;
	if (!cJSON_IsObject(jails))
		return err_set(e, ERR_CONFIG, NOWHERE, "'jails' is not an object");
	out->jails = arena_alloc(a, (size_t)cJSON_GetArraySize(jails), sizeof(*out->jails));
	cJSON_ArrayForEach(item, jails)
	{
		if (read_jail(item, a, &out->jails[out->n_jails], e) < 0)
			return err_wrap(e, "jail '%s'", item->string);
		out->n_jails++;
	}
	if (out->n_jails > 1)
		qsort(out->jails, out->n_jails, sizeof(*out->jails), by_name);
	for (size_t i = 1; i < out->n_jails; i++)
		if (by_name(&out->jails[i - 1], &out->jails[i]) == 0)
			return err_set(e, ERR_CONFIG, NOWHERE, "the jail '%s' comes twice",
				out->jails[i].name);
	return 0;
}

static int read_peer(const cJSON *item, struct arena *a, struct jailrun_peer *out, struct err *e)
{
	const struct cJSON *jails;
	const char *alias;

	if (json_string(item, "alias", ERR_CONFIG, &alias, e) < 0)
		return -1;
	out->alias = arena_dup(a, alias);
	if (!name_is_label(alias))
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the alias is not a DNS label (1 to 63 of letters, digits, '-' and '_')");
	out->alias = name_fold(a, alias);
	if (strcmp(out->alias, "local") == 0)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the alias 'local' is the name of this machine's own jails");
	if (json_member(item, "jails", ERR_CONFIG, &jails, e) < 0)
		return -1;
	if (jails == NULL || (cJSON_IsArray(jails) && jails->child == NULL))
		return 0;
	if (roster_of_json(jails, a, &out->roster, e) < 0) {
		e->code = ERR_CONFIG;
		return -1;
	}
	return 0;
}

static void fail(struct jailrun_peer *peer, const struct err *e)
{
	peer->failed = true;
	peer->err = *e;
	peer->roster = (struct roster){ 0 };
}

static int by_alias(const void *a, const void *b)
{
	const struct jailrun_peer *const *l = a, *const *r = b;

	return strcmp((*l)->alias, (*r)->alias);
}

static void fail_twins(struct jailrun_state *s, struct arena *a)
{
	struct jailrun_peer **sorted = arena_alloc(a, s->n_peers, sizeof(struct jailrun_peer *));
	struct err e;

	for (size_t i = 0; i < s->n_peers; i++)
		sorted[i] = &s->peers[i];
	if (s->n_peers > 1)
		qsort(sorted, s->n_peers, sizeof(struct jailrun_peer *), by_alias);
	for (size_t i = 1; i < s->n_peers; i++) {
		if (by_alias(&sorted[i - 1], &sorted[i]) != 0)
			continue;
		err_set(&e, ERR_CONFIG, NOWHERE, "peer '%s' of Jailrun's state comes twice",
			sorted[i]->alias);
		fail(sorted[i - 1], &e);
		fail(sorted[i], &e);
	}
}

static int read_peers(const cJSON *root, struct arena *a, struct jailrun_state *out, struct err *e)
{
	const struct cJSON *peers;
	const cJSON *item;

	if (json_member(root, "peers", ERR_CONFIG, &peers, e) < 0)
		return -1;
	if (peers == NULL || cJSON_IsNull(peers))
		return 0;
	if (!cJSON_IsArray(peers))
		return err_set(e, ERR_CONFIG, NOWHERE, "'peers' is not an array");
	out->peers = arena_alloc(a, (size_t)cJSON_GetArraySize(peers), sizeof(*out->peers));
	cJSON_ArrayForEach(item, peers)
	{
		struct jailrun_peer *peer = &out->peers[out->n_peers++];
		struct err why = ERR_INIT;

		peer->alias = arena_printf(a, "(entry %zu)", out->n_peers);
		if (read_peer(item, a, peer, &why) < 0) {
			err_wrap(&why, "peer '%s' of Jailrun's state", peer->alias);
			fail(peer, &why);
		}
	}
	fail_twins(out, a);
	return 0;
}

int jailrun_parse(
	const char *text, size_t len, struct arena *a, struct jailrun_state *out, struct err *e)
{
	struct cJSON *root;
	int rc = -1;

	*out = (struct jailrun_state){ 0 };
	if (json_parse(text, len, JAILRUN_BYTES_MAX, ERR_CONFIG, &root, e) < 0)
		return -1;
	if (!cJSON_IsObject(root))
		err_set(e, ERR_CONFIG, NOWHERE, "not an object");
	else if (check_version(root, text, len, a, e) == 0 &&
		read_port(root, &out->ssh_port, e) == 0 && read_jails(root, a, out, e) == 0)
		rc = read_peers(root, a, out, e);
	cJSON_Delete(root);
	return rc;
}

const struct jailrun_peer *jailrun_find(const struct jailrun_state *s, const char *alias)
{
	for (size_t i = 0; i < s->n_peers; i++)
		if (strcmp(s->peers[i].alias, alias) == 0)
			return &s->peers[i];
	return NULL;
}
