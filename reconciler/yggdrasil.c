#include "reconciler/yggdrasil.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <cjson/cJSON.h>

/* Three numbers with dots between, and whatever a packager put behind them. */
static bool version_parse(const char *s, unsigned v[3])
{
	for (int i = 0; i < 3; i++) {
		size_t n = strspn(s, "0123456789");

		if (n == 0 || n > 6)
			return false;
		v[i] = (unsigned)strtoul(s, NULL, 10);
		s += n;
		if (i < 2 && *s++ != '.')
			return false;
	}
	return *s == '\0' || strchr("-+~", *s) != NULL;
}

int yggdrasil_version_check(const char *version, struct err *e)
{
	unsigned has[3], least[3];

	version_parse(YGGDRASIL_OLDEST, least);
	if (!version_parse(version, has))
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"yggdrasil says that its version is '%s': jmesh needs " YGGDRASIL_OLDEST
			" or newer",
			version);
	for (int i = 0; i < 3; i++) {
		if (has[i] > least[i])
			return 0;
		if (has[i] < least[i])
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"yggdrasil %s is too old: jmesh needs " YGGDRASIL_OLDEST
				" or newer",
				version);
	}
	return 0;
}

const char *yggdrasil_version_find(const char *output, struct arena *a)
{
	static const char label[] = "Build version: ";
	const char *at = strstr(output, label);

	if (at == NULL)
		return NULL;
	at += strlen(label);
	return arena_dupn(a, at, strcspn(at, "\r\n"));
}

/* addr is without brackets. NULL: not a literal address, or one that listeners are not matched by. */
static const char *socket_key(const char *host, const char *port, struct arena *a)
{
	char text[INET6_ADDRSTRLEN];
	unsigned long number;
	struct in6_addr six;
	struct in_addr four;

	if (strspn(port, "0123456789") != strlen(port) || strlen(port) < 1 || strlen(port) > 5)
		return NULL;
	number = strtoul(port, NULL, 10);
	if (number == 0 || number > 65535)
		return NULL;
	if (*host == '\0' || strcmp(host, "0.0.0.0") == 0)
		host = "::";
	if (inet_pton(AF_INET, host, &four) == 1)
		return arena_printf(a, "tcp %s:%lu", host, number);
	if (inet_pton(AF_INET6, host, &six) != 1 || IN6_IS_ADDR_LINKLOCAL(&six))
		return NULL;
	if (IN6_IS_ADDR_V4MAPPED(&six)) {
		memcpy(&four, six.s6_addr + 12, sizeof(four));
		inet_ntop(AF_INET, &four, text, sizeof(text));
		return socket_key(text, port, a);
	}
	inet_ntop(AF_INET6, &six, text, sizeof(text));
	return arena_printf(a, "tcp [%s]:%lu", text, number);
}

const char *yggdrasil_socket_key(const char *socket, struct arena *a)
{
	const char *colon = strrchr(socket, ':');
	size_t len;

	if (colon == NULL)
		return NULL;
	len = (size_t)(colon - socket);
	if (len >= 2 && socket[0] == '[' && socket[len - 1] == ']')
		return socket_key(arena_dupn(a, socket + 1, len - 2), colon + 1, a);
	return socket_key(arena_dupn(a, socket, len), colon + 1, a);
}

const char *yggdrasil_listen_key(const char *uri, struct arena *a)
{
	static const char *const schemes[] = { "tcp://", "tls://", "ws://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		const char *host = uri + strlen(schemes[i]);

		if (strncasecmp(uri, schemes[i], strlen(schemes[i])) == 0)
			return yggdrasil_socket_key(arena_dupn(a, host, strcspn(host, "/?#")), a);
	}
	return NULL;
}

const char *yggdrasil_peer_key(const char *uri, struct arena *a)
{
	size_t scheme = strcspn(uri, ":"), path = strcspn(uri, "?#"), fragment = strcspn(uri, "#");
	struct text t = text_new(a);

	text_addn(&t, uri, path);
	text_add(&t, uri + fragment);
	for (size_t i = 0; i < scheme && i < t.len; i++)
		if (t.s[i] >= 'A' && t.s[i] <= 'Z')
			t.s[i] = (char)(t.s[i] - 'A' + 'a');
	return t.s;
}

bool yggdrasil_restarts(const char *key)
{
	return strncmp(key, "live ", strlen("live ")) == 0;
}

bool yggdrasil_change_restarts(const char *key, const char *before, const char *after)
{
	struct arena *a;
	struct strs was, is;
	bool restarts = false;

	if (before == NULL || after == NULL)
		return yggdrasil_restarts(key);
	if (strcmp(key, "node") == 0)
		return true;
	if (strcmp(key, "conf Listen") != 0)
		return yggdrasil_restarts(key);
	a = arena_new();
	was = yggdrasil_uris(before, a);
	is = yggdrasil_uris(after, a);
	for (size_t i = 0; i < was.n; i++)
		for (size_t j = 0; j < is.n; j++)
			if (strcmp(was.v[i], is.v[j]) != 0 &&
				strcmp(yggdrasil_peer_key(was.v[i], a),
					yggdrasil_peer_key(is.v[j], a)) == 0)
				restarts = true;
	arena_free(a);
	return restarts;
}

struct strs yggdrasil_uris(const char *json, struct arena *a)
{
	cJSON *array = json == NULL ? NULL : cJSON_Parse(json);
	struct strs out = { 0 };
	const cJSON *one;

	if (cJSON_IsArray(array)) {
		cJSON_ArrayForEach(one, array)
		{
			if (cJSON_IsString(one))
				strs_push(a, &out, arena_dup(a, one->valuestring));
		}
	}
	cJSON_Delete(array);
	return out;
}

const char *yggdrasil_request(const char *request, const char *uri, struct arena *a)
{
	cJSON *root = cJSON_CreateObject(), *arguments;
	char *json;
	const char *copy;

	cJSON_AddStringToObject(root, "request", request);
	if (uri != NULL) {
		arguments = cJSON_AddObjectToObject(root, "arguments");
		cJSON_AddStringToObject(arguments, "uri", uri);
	}
	json = cJSON_PrintUnformatted(root);
	if (json == NULL)
		abort();
	copy = arena_dup(a, json);
	cJSON_free(json);
	cJSON_Delete(root);
	return copy;
}

static const char *string_of(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* The answer's "response", inside *root, which the caller deletes. */
static const cJSON *response(const char *reply, const char *request, cJSON **root, struct err *e)
{
	const char *status, *error;

	*root = cJSON_Parse(reply);
	status = string_of(*root, "status");
	if (status == NULL) {
		err_set(e, ERR_SYSTEM, NOWHERE, "the admin socket's answer to %s is no answer",
			request);
		return NULL;
	}
	if (strcmp(status, "success") != 0) {
		error = string_of(*root, "error");
		err_set(e, ERR_SYSTEM, NOWHERE, "the node refuses %s: %s", request,
			error == NULL ? "it does not say why" : error);
		return NULL;
	}
	return cJSON_GetObjectItemCaseSensitive(*root, "response");
}

static int strange(const char *request, struct err *e)
{
	if (e->code != ERR_NONE)
		return -1;
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"the admin socket's answer to %s lacks what it should hold", request);
}

int yggdrasil_self_parse(
	const char *reply, struct arena *a, struct yggdrasil_self *out, struct err *e)
{
	const char *key, *address, *version;
	cJSON *root;
	const cJSON *self;
	int rc = -1;

	*e = ERR_INIT;
	self = response(reply, "getself", &root, e);
	key = string_of(self, "key");
	address = string_of(self, "address");
	version = string_of(self, "build_version");
	if (key == NULL || address == NULL || version == NULL || !pubkey_parse(key, &out->key) ||
		inet_pton(AF_INET6, address, out->addr.b) != 1) {
		strange("getself", e);
		goto out;
	}
	out->version = arena_dup(a, version);
	rc = 0;
out:
	cJSON_Delete(root);
	return rc;
}

/*
 * One peering; false: it is none of ours to tell of. While a connection comes or goes, the daemon lists
 * it without the name that it was dialled by, or as up without an address.
 */
static bool peering(const cJSON *from, struct arena *a, struct yggdrasil_peering *out)
{
	const char *uri = string_of(from, "remote"), *address = string_of(from, "address");
	const char *error = string_of(from, "last_error");

	out->inbound = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(from, "inbound"));
	out->up = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(from, "up")) && address != NULL &&
		inet_pton(AF_INET6, address, out->addr.b) == 1;
	out->uri = uri == NULL ? "" : arena_dup(a, uri);
	out->error = out->up || error == NULL || *error == '\0' ? NULL : arena_dup(a, error);
	return uri != NULL || out->inbound;
}

int yggdrasil_peers_parse(const char *reply, struct arena *a, struct yggdrasil_peering **out,
	size_t *n, struct err *e)
{
	cJSON *root;
	const cJSON *peers, *one;
	int rc = -1;

	*n = 0;
	*e = ERR_INIT;
	peers = cJSON_GetObjectItemCaseSensitive(response(reply, "getpeers", &root, e), "peers");
	if (!cJSON_IsArray(peers)) {
		strange("getpeers", e);
		goto out;
	}
	*out = arena_alloc(a, (size_t)cJSON_GetArraySize(peers), sizeof(**out));
	cJSON_ArrayForEach(one, peers)
	{
		if (peering(one, a, &(*out)[*n]))
			(*n)++;
	}
	rc = 0;
out:
	cJSON_Delete(root);
	return rc;
}

int yggdrasil_tun_parse(const char *reply, struct arena *a, const char **out, struct err *e)
{
	cJSON *root;
	const cJSON *tun;
	const char *name;
	int rc = -1;

	*e = ERR_INIT;
	tun = response(reply, "gettun", &root, e);
	name = string_of(tun, "name");
	if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(tun, "enabled")))
		name = "none";
	if (name == NULL) {
		strange("gettun", e);
		goto out;
	}
	*out = arena_dup(a, name);
	rc = 0;
out:
	cJSON_Delete(root);
	return rc;
}

int yggdrasil_multicast_parse(const char *reply, struct arena *a, const char **out, struct err *e)
{
	struct text t = text_new(a);
	cJSON *root;
	const cJSON *list, *one;
	int rc = -1;

	*e = ERR_INIT;
	list = cJSON_GetObjectItemCaseSensitive(
		response(reply, "getmulticastinterfaces", &root, e), "multicast_interfaces");
	if (!cJSON_IsArray(list)) {
		strange("getmulticastinterfaces", e);
		goto out;
	}
	text_add(&t, cJSON_GetArraySize(list) == 0 ? "off" : "on");
	cJSON_ArrayForEach(one, list)
	{
		const char *name = string_of(one, "name");

		text_addf(&t, " %s", name == NULL ? "?" : name);
	}
	*out = t.s;
	rc = 0;
out:
	cJSON_Delete(root);
	return rc;
}

int yggdrasil_done_parse(const char *reply, struct err *e)
{
	cJSON *root = cJSON_Parse(reply);
	const char *error = string_of(root, "error");
	bool done = error != NULL &&
		(strcmp(error, "peer is already configured") == 0 ||
			strcmp(error, "peer is not configured") == 0);
	int rc;

	cJSON_Delete(root);
	if (done)
		return 0;
	*e = ERR_INIT;
	rc = response(reply, "the peering", &root, e) == NULL ? strange("the peering", e) : 0;
	cJSON_Delete(root);
	return rc;
}
