#include "base/roster.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <sodium/crypto_generichash.h>
#include <sodium/utils.h>

#include "base/json.h"
#include "base/text.h"

/* The two forms: what a relay sends, and what the lock keeps. */
struct form {
	const char *address;
	bool with_key;
	enum err_code code;
};

static const struct form relay_form = { "ygg_address", false, ERR_REMOTE };
static const struct form lock_form = { "address", true, ERR_CONFIG };

static int key_of_json(
	const struct cJSON *item, const struct form *form, struct roster_jail *jail, struct err *e)
{
	const struct cJSON *text;
	struct addr derived;

	if (json_member(item, "public_key", form->code, &text, e) < 0)
		return -1;
	if (text == NULL)
		return 0;
	if (!cJSON_IsString(text) || !pubkey_parse(text->valuestring, &jail->key))
		return err_set(e, form->code, NOWHERE, "'public_key' is not 64 hexadecimal digits");
	derived = addr_of_key(&jail->key);
	if (addr_cmp(&derived, &jail->addr) != 0)
		return err_set(
			e, form->code, NOWHERE, "the address does not come from the public key");
	jail->has_key = true;
	return 0;
}

static int jail_of_json(const struct cJSON *item, const struct form *form, struct arena *a,
	struct roster_jail *jail, struct err *e)
{
	const char *name, *address;

	if (json_string(item, "name", form->code, &name, e) < 0 ||
		json_string(item, form->address, form->code, &address, e) < 0)
		return -1;
	if (!name_is_label(name))
		return err_set(e, form->code, NOWHERE,
			"the name '%s' is not a DNS label (1 to 63 of letters, digits, '-' and "
			"'_')",
			name);
	jail->name = name_fold(a, name);
	if (!addr_read_canonical(address, &jail->addr))
		return err_set(e, form->code, NOWHERE,
			"'%s' is not an IPv6 address in its canonical spelling", address);
	if (!addr_is_node(&jail->addr))
		return err_set(e, form->code, NOWHERE,
			"'%s' is not the address of a node (outside 200::/8)", address);
	return form->with_key ? key_of_json(item, form, jail, e) : 0;
}

static int by_name(const void *a, const void *b)
{
	const struct roster_jail *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static int by_name_at(const void *a, const void *b)
{
	const struct roster_jail *const *left = a, *const *right = b;

	return by_name(*left, *right);
}

static int by_addr_at(const void *a, const void *b)
{
	const struct roster_jail *const *left = a, *const *right = b;

	return addr_cmp(&(*left)->addr, &(*right)->addr);
}

static const struct roster_jail **sorted(
	const struct roster *r, struct arena *a, int (*order)(const void *, const void *))
{
	const struct roster_jail **v = arena_alloc(a, r->n, sizeof(*v));
	bool is_sorted = true;

	for (size_t i = 0; i < r->n; i++) {
		v[i] = &r->jails[i];
		is_sorted = is_sorted && (i == 0 || order(&v[i - 1], &v[i]) <= 0);
	}
	if (!is_sorted)
		qsort(v, r->n, sizeof(*v), order);
	return v;
}

int roster_unique(const struct roster *r, struct arena *a, enum err_code code, struct err *e)
{
	const struct roster_jail **v = sorted(r, a, by_name_at);
	char text[ADDR_TEXT];

	for (size_t i = 1; i < r->n; i++)
		if (by_name_at(&v[i - 1], &v[i]) == 0)
			return err_set(e, code, NOWHERE, "the name '%s' comes twice", v[i]->name);
	v = sorted(r, a, by_addr_at);
	for (size_t i = 1; i < r->n; i++)
		if (by_addr_at(&v[i - 1], &v[i]) == 0) {
			addr_format(&v[i]->addr, text);
			return err_set(e, code, NOWHERE, "'%s' and '%s' both have the address %s",
				v[i - 1]->name, v[i]->name, text);
		}
	return 0;
}

static int of_json(const struct cJSON *jails, const struct form *form, struct arena *a,
	struct roster *out, struct err *e)
{
	const cJSON *item;
	size_t n = 0;

	*out = (struct roster){ NULL, 0 };
	if (!cJSON_IsArray(jails))
		return err_set(e, form->code, NOWHERE, "'jails' is not an array");
	cJSON_ArrayForEach(item, jails) n++;
	if (n == 0)
		return err_set(e, form->code, NOWHERE, "it has no jails");
	if (n > ROSTER_JAILS_MAX)
		return err_set(e, form->code, NOWHERE, "it has %zu jails, more than the %d allowed",
			n, ROSTER_JAILS_MAX);
	struct roster r = { arena_alloc(a, n, sizeof(*r.jails)), 0 };

	cJSON_ArrayForEach(item, jails)
	{
		if (jail_of_json(item, form, a, &r.jails[r.n], e) < 0)
			return err_wrap(e, "jail %zu", r.n + 1);
		r.n++;
	}
	if (roster_unique(&r, a, form->code, e) < 0)
		return -1;
	*out = r;
	return 0;
}

int roster_of_json(const struct cJSON *jails, struct arena *a, struct roster *out, struct err *e)
{
	return of_json(jails, &relay_form, a, out, e);
}

int roster_of_lock(const struct cJSON *jails, struct arena *a, struct roster *out, struct err *e)
{
	return of_json(jails, &lock_form, a, out, e);
}

/* What is left of a text to read. */
struct rest {
	const char *at, *end;
};

/* Steps over a word, and over a blank or a newline behind it. false: it is not next, and nothing is stepped over. */
static bool pass(struct rest *r, const char *word, size_t len)
{
	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
		return false;
	r->at += len;
	if (r->at < r->end && (*r->at == ' ' || *r->at == '\n'))
		r->at++;
	return true;
}

#define PASS(r, literal) pass(r, literal, sizeof(literal) - 1)

/* Steps over what is in quotes. NULL: nothing is, or a NUL is in it. An escape is for those who read it to refuse. */
static const char *quoted(struct rest *r, struct arena *a)
{
	const char *quote, *text;
	size_t len;

	if (r->at == r->end || *r->at != '"')
		return NULL;
	r->at++;
	quote = memchr(r->at, '"', (size_t)(r->end - r->at));
	if (quote == NULL)
		return NULL;
	len = (size_t)(quote - r->at);
	text = arena_dupn(a, r->at, len);
	r->at = quote + 1;
	return strlen(text) == len ? text : NULL;
}

static bool read_jail(struct rest *r, struct arena *a, struct roster_jail *jail)
{
	const char *name, *address;

	if (!PASS(r, "{") || !PASS(r, "\"name\":") || (name = quoted(r, a)) == NULL ||
		!PASS(r, ",") || !PASS(r, "\"ygg_address\":") || (address = quoted(r, a)) == NULL ||
		!PASS(r, "}"))
		return false;
	jail->name = name;
	return name_is_label(name) && name_is_folded(name) &&
		addr_read_canonical(address, &jail->addr) && addr_is_node(&jail->addr);
}

bool roster_read_usual(const char *json, size_t len, struct arena *a, struct roster *out)
{
	struct rest rest = { json, json + len };
	struct roster r = { NULL, 0 };
	struct err e = ERR_INIT;
	void *jails = NULL;
	size_t cap = 0;

	if (!PASS(&rest, "{") || !PASS(&rest, "\"jails\":") || !PASS(&rest, "["))
		return false;
	do {
		struct roster_jail *jail = arena_push(a, &jails, r.n, &cap, sizeof(*jail));

		if (r.n++ == ROSTER_JAILS_MAX || !read_jail(&rest, a, jail))
			return false;
	} while (PASS(&rest, ","));
	r.jails = jails;
	if (!PASS(&rest, "]") || !PASS(&rest, "}") || rest.at != rest.end ||
		roster_unique(&r, a, ERR_REMOTE, &e) < 0)
		return false;
	*out = r;
	return true;
}

int roster_parse(const char *json, size_t len, struct arena *a, struct roster *out, struct err *e)
{
	struct arena *scratch = arena_new();
	const struct cJSON *root, *jails;
	int rc = -1;

	*out = (struct roster){ NULL, 0 };
	if (json_parse_in(scratch, json, len, ROSTER_BYTES_MAX, ERR_REMOTE, &root, e) < 0)
		goto out;
	if (json_member(root, "jails", ERR_REMOTE, &jails, e) < 0)
		goto out;
	if (jails == NULL) {
		err_set(e, ERR_REMOTE, NOWHERE, "the key 'jails' is missing");
		goto out;
	}
	rc = roster_of_json(jails, a, out, e);
out:
	arena_free(scratch);
	return rc < 0 ? err_wrap(e, "roster refused") : 0;
}

static char *put(char *at, const char *text, size_t len)
{
	memcpy(at, text, len);
	return at + len;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

/* Names are labels and addresses hexadecimal: neither needs a JSON escape. */
const char *roster_format(const struct roster *r, struct arena *a)
{
	enum { WORDS = 32 }; /* around a jail's name and address, and around all of them */
	size_t size = WORDS + r->n * (ADDR_TEXT + WORDS);
	char *text, *at;

	for (size_t i = 0; i < r->n; i++)
		size += strlen(r->jails[i].name);
	text = arena_bytes(a, size);
	at = PUT(text, "{\"jails\":[");
	for (size_t i = 0; i < r->n; i++) {
		const struct roster_jail *jail = &r->jails[i];

		if (i > 0)
			*at++ = ',';
		at = PUT(at, "{\"name\":\"");
		at = put(at, jail->name, strlen(jail->name));
		at = PUT(at, "\",\"ygg_address\":\"");
		at += addr_format(&jail->addr, at);
		at = PUT(at, "\"}");
	}
	at = PUT(at, "]}");
	*at = '\0';
	return text;
}

int roster_disjoint(
	const struct roster *r, const struct roster *others, const char *whose, struct err *e)
{
	for (size_t i = 0; i < r->n; i++)
		for (size_t j = 0; j < others->n; j++)
			if (addr_cmp(&r->jails[i].addr, &others->jails[j].addr) == 0)
				return err_set(e, ERR_REMOTE, NOWHERE,
					"'%s' has the address of %s '%s'", r->jails[i].name, whose,
					others->jails[j].name);
	return 0;
}

void roster_sort(struct roster *r)
{
	if (r->n > 1)
		qsort(r->jails, r->n, sizeof(*r->jails), by_name);
}

const char *roster_digest(const struct roster *r, struct arena *a)
{
	const struct roster_jail **v = sorted(r, a, by_name_at);
	unsigned char hash[crypto_generichash_BYTES_MIN];
	struct text t = text_new(a);
	char address[ADDR_TEXT];
	char *hex = arena_alloc(a, 17, 1);

	for (size_t i = 0; i < r->n; i++) {
		addr_format(&v[i]->addr, address);
		text_addf(&t, "%s %s\n", v[i]->name, address);
	}
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)t.s, t.len, NULL, 0);
	return sodium_bin2hex(hex, 17, hash, 8);
}
