#include "pairing/store.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <sodium/utils.h>

#include "base/json.h"
#include "os/file.h"
#include "os/statelock.h"
#include "pairing/reply.h"

enum { PENDING_BYTES_MAX = 64 * 1024 * 1024, WAIT_S = 60 };

/* What it says matters: without it every peer would have to be paired again. */
static int unreadable(const char *path, struct err *e)
{
	struct err why = *e;

	return err_set(e, why.code, why.at,
		"%s: %s; restore it (it belongs in git beside the mesh file), or remove it and "
		"pair again",
		path, why.text);
}

int lock_load(const char *path, const char *mesh, struct arena *a, struct lock *out, struct err *e)
{
	const char *text;
	size_t len;
	int rc;

	*out = (struct lock){ .mesh = mesh };
	rc = file_read(path, LOCK_BYTES_MAX, a, &text, &len, e);
	if (rc != 0)
		return rc;
	if (lock_parse(text, len, a, out, e) < 0)
		return unreadable(path, e);
	if (strcmp(out->mesh, mesh) != 0)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"%s belongs to the instance '%s', and this is '%s'; give another one with "
			"--lock",
			path, out->mesh, mesh);
	return 0;
}

int lock_save(const char *path, const struct lock *l, struct arena *a, struct err *e)
{
	const char *text = lock_format(l, a);

	return file_replace(path, text, strlen(text), 0644, e);
}

const char *role_name(enum handshake_role role)
{
	return role == HANDSHAKE_CREATE ? "create" : role == HANDSHAKE_JOIN ? "join" : "rendezvous";
}

static const char *pending_path(const char *state_dir, struct arena *a)
{
	return arena_printf(a, "%s/pending.json", state_dir);
}

/* A copy of a string that may be missing. */
static int optional(
	const struct cJSON *item, const char *key, struct arena *a, const char **out, struct err *e)
{
	const struct cJSON *found;
	const char *text;

	*out = NULL;
	if (json_member(item, key, ERR_CONFIG, &found, e) < 0)
		return -1;
	if (found == NULL)
		return 0;
	if (json_string(item, key, ERR_CONFIG, &text, e) < 0)
		return -1;
	*out = arena_dup(a, text);
	return 0;
}

static int role_of_json(
	const struct cJSON *item, struct arena *a, struct record *rec, struct err *e)
{
	const char *role, *as;

	if (json_string(item, "role", ERR_CONFIG, &role, e) < 0 ||
		optional(item, "as", a, &as, e) < 0)
		return -1;
	rec->role = strcmp(role, "join") == 0     ? HANDSHAKE_JOIN
		: strcmp(role, "rendezvous") == 0 ? HANDSHAKE_RENDEZVOUS
						  : HANDSHAKE_CREATE;
	if (strcmp(role, role_name(rec->role)) != 0)
		return err_set(e, ERR_CONFIG, NOWHERE, "unknown role '%s'", role);
	as = rec->role != HANDSHAKE_RENDEZVOUS ? role : as;
	rec->as = as != NULL && strcmp(as, "join") == 0 ? SEAL_JOIN : SEAL_CREATE;
	return as != NULL ? 0 : err_set(e, ERR_CONFIG, NOWHERE, "a rendezvous lacks a key");
}

static int seal_of_json(
	const struct cJSON *item, struct arena *a, struct record *rec, struct err *e)
{
	const struct cJSON *sealed;
	const char *secret;
	int rc;

	if (json_member(item, "sealed", ERR_CONFIG, &sealed, e) < 0 ||
		optional(item, "secret", a, &secret, e) < 0)
		return -1;
	rec->sealed = cJSON_IsTrue(sealed);
	if ((secret != NULL) != (rec->sealed && rec->role == HANDSHAKE_CREATE))
		return err_set(e, ERR_CONFIG, NOWHERE, "its secret is missing, or is one too many");
	if (secret == NULL)
		return 0;
	rc = secret_parse(secret, strlen(secret), &rec->secret, e);
	sodium_memzero((char *)secret, strlen(secret));
	return rc;
}

static int record_of_json(
	const struct cJSON *item, struct arena *a, struct record *rec, struct err *e)
{
	const struct cJSON *created;

	if (optional(item, "peer", a, &rec->peer, e) < 0 ||
		optional(item, "relay", a, &rec->relay, e) < 0 ||
		optional(item, "code", a, &rec->code, e) < 0 ||
		optional(item, "token", a, &rec->token, e) < 0 ||
		optional(item, "key", a, &rec->key, e) < 0 ||
		optional(item, "sent", a, &rec->sent, e) < 0 ||
		optional(item, "told", a, &rec->told, e) < 0 ||
		optional(item, "got", a, &rec->got, e) < 0 || role_of_json(item, a, rec, e) < 0 ||
		seal_of_json(item, a, rec, e) < 0 ||
		json_member(item, "created_at", ERR_CONFIG, &created, e) < 0)
		return -1;
	if (!cJSON_IsNumber(created) || !(created->valuedouble >= 0) ||
		created->valuedouble > 9007199254740992.0)
		return err_set(e, ERR_CONFIG, NOWHERE, "'created_at' is not a time");
	rec->created_at = (int64_t)created->valuedouble;
	if (rec->peer == NULL || rec->relay == NULL || rec->told == NULL || rec->code == NULL)
		return err_set(e, ERR_CONFIG, NOWHERE, "a pairing lacks a key");
	if (!code_is_valid(rec->code))
		return err_set(e, ERR_CONFIG, NOWHERE, "'%s' is not a code", rec->code);
	if ((rec->as == SEAL_JOIN || rec->sealed) && (rec->key == NULL || rec->sent == NULL))
		return err_set(e, ERR_CONFIG, NOWHERE, "a pairing lacks a key");
	/* Both go into headers. */
	if ((rec->token != NULL && !reply_is_token(rec->token)) ||
		(rec->key != NULL && !reply_is_token(rec->key)))
		return err_set(e, ERR_CONFIG, NOWHERE, "its token or key is none");
	return 0;
}

static int of_json(const struct cJSON *root, struct arena *a, struct records *out, struct err *e)
{
	const struct cJSON *format, *list;
	const cJSON *item;

	if (json_member(root, "format", ERR_CONFIG, &format, e) < 0 ||
		json_member(root, "pairings", ERR_CONFIG, &list, e) < 0)
		return -1;
	if (!cJSON_IsNumber(format) || format->valuedouble != 1 || !cJSON_IsArray(list))
		return err_set(e, ERR_CONFIG, NOWHERE, "its format is not known");
	cJSON_ArrayForEach(item, list)
	{
		struct record rec = { 0 };

		if (record_of_json(item, a, &rec, e) < 0)
			return -1;
		if (records_find(out, rec.peer) != NULL)
			return err_set(
				e, ERR_CONFIG, NOWHERE, "the peer '%s' comes twice", rec.peer);
		records_put(out, a, &rec);
	}
	return 0;
}

int records_load(const char *state_dir, struct arena *a, struct records *out, struct err *e)
{
	const char *path = pending_path(state_dir, a);
	struct cJSON *root = NULL;
	const char *text;
	size_t len;
	int rc;

	*out = (struct records){ 0 };
	rc = file_read(path, PENDING_BYTES_MAX, a, &text, &len, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = json_parse(text, len, PENDING_BYTES_MAX, ERR_CONFIG, &root, e);
	if (rc == 0)
		rc = of_json(root, a, out, e);
	cJSON_Delete(root);
	if (rc < 0)
		return err_wrap(e, "%s (remove it to forget the pairings that wait in it)", path);
	return 0;
}

/* cJSON returns NULL when memory is out, and so does whatever it is handed then. */
static cJSON *must(cJSON *item)
{
	if (item == NULL)
		abort();
	return item;
}

static void put_string(cJSON *object, const char *key, const char *value)
{
	if (value != NULL)
		must(cJSON_AddStringToObject(object, key, value));
}

static void put_seal(cJSON *item, const struct record *rec)
{
	char secret[SECRET_TEXT];

	if (!rec->sealed)
		return;
	must(cJSON_AddTrueToObject(item, "sealed"));
	if (rec->role != HANDSHAKE_CREATE)
		return;
	secret_format(&rec->secret, secret);
	put_string(item, "secret", secret);
	sodium_memzero(secret, sizeof(secret));
}

int records_save(const char *state_dir, const struct records *r, struct arena *a, struct err *e)
{
	cJSON *root = must(cJSON_CreateObject()), *list;
	char *text;
	int rc;

	must(cJSON_AddNumberToObject(root, "format", 1));
	list = must(cJSON_AddArrayToObject(root, "pairings"));
	for (size_t i = 0; i < r->n; i++) {
		const struct record *rec = &r->v[i];
		cJSON *item = must(cJSON_CreateObject());

		cJSON_AddItemToArray(list, item);
		put_string(item, "peer", rec->peer);
		put_string(item, "role", role_name(rec->role));
		if (rec->role == HANDSHAKE_RENDEZVOUS)
			put_string(item, "as", rec->as == SEAL_JOIN ? "join" : "create");
		put_string(item, "relay", rec->relay);
		put_string(item, "code", rec->code);
		put_seal(item, rec);
		put_string(item, "token", rec->token);
		put_string(item, "key", rec->key);
		put_string(item, "sent", rec->sent);
		put_string(item, "told", rec->told);
		put_string(item, "got", rec->got);
		must(cJSON_AddNumberToObject(item, "created_at", (double)rec->created_at));
	}
	text = cJSON_Print(root);
	if (text == NULL)
		abort();
	cJSON_Delete(root);
	rc = file_replace(pending_path(state_dir, a), text, strlen(text), 0600, e);
	cJSON_free(text);
	return rc;
}

struct record *records_find(const struct records *r, const char *peer)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->v[i].peer, peer) == 0)
			return &r->v[i];
	return NULL;
}

void records_put(struct records *r, struct arena *a, const struct record *rec)
{
	struct record *slot = records_find(r, rec->peer);
	void *v = r->v;

	if (slot == NULL) {
		slot = arena_push(a, &v, r->n, &r->cap, sizeof(*slot));
		r->v = v;
		r->n++;
	}
	*slot = *rec;
}

void records_drop(struct records *r, const char *peer)
{
	struct record *slot = records_find(r, peer);

	if (slot == NULL)
		return;
	r->n--;
	memmove(slot, slot + 1, (size_t)(r->v + r->n - slot) * sizeof(*slot));
}

static bool is_equal(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool record_is_same(const struct record *a, const struct record *b)
{
	return a != NULL && b != NULL && is_equal(a->code, b->code) &&
		is_equal(a->relay, b->relay) && is_equal(a->key, b->key);
}

static const char *shown_of(const struct record *rec, struct arena *a)
{
	char text[PASS_TEXT];

	if (rec->role == HANDSHAKE_RENDEZVOUS)
		return NULL;
	if (!rec->sealed || rec->role != HANDSHAKE_CREATE)
		return rec->code;
	pass_format(rec->code, &rec->secret, text);
	return arena_dup(a, text);
}

int pending_list(
	const char *state_dir, struct arena *a, struct pending **out, size_t *n, struct err *e)
{
	struct records r;

	*out = NULL;
	*n = 0;
	if (records_load(state_dir, a, &r, e) < 0)
		return -1;
	*out = arena_alloc(a, r.n, sizeof(**out));
	for (size_t i = 0; i < r.n; i++)
		(*out)[i] = (struct pending){ r.v[i].peer, r.v[i].role, r.v[i].code,
			shown_of(&r.v[i], a), r.v[i].created_at };
	*n = r.n;
	return 0;
}

/* Drops the records of other peers than those in keep; whether there were any. */
static bool prune(struct records *r, const struct strs *keep)
{
	size_t n = 0, was = r->n;

	for (size_t i = 0; i < was; i++)
		if (keep != NULL && strs_has(keep, r->v[i].peer))
			r->v[n++] = r->v[i];
	r->n = n;
	return n != was;
}

int pending_prune(const char *state_dir, const struct strs *keep, struct err *e)
{
	struct statelock held = STATELOCK_INIT;
	struct arena *a = arena_new();
	struct records r;
	int rc = -1;

	/* Mostly there is nothing to forget, and then nobody has to wait. */
	if (records_load(state_dir, a, &r, e) < 0)
		goto out;
	rc = 0;
	if (!prune(&r, keep))
		goto out;
	rc = statelock_take(&held, state_dir, WAIT_S, NULL, NULL, e);
	if (rc < 0)
		goto out;
	rc = records_load(state_dir, a, &r, e);
	if (rc == 0 && prune(&r, keep))
		rc = records_save(state_dir, &r, a, e);
	statelock_drop(&held);
out:
	arena_free(a);
	return rc;
}
