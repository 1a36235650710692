#include "base/seal.h"

#include <sodium.h>
#include <string.h>

#include "base/text.h"

#define KEY_CONTEXT "jmesh sealed pairing 1\n"
#define SIGNED_CONTEXT "jmesh pairing 1 "
#define MEETING_CONTEXT "jmesh rendezvous 1\n"

enum { FORMAT = 1, HASH = 32, NAME_MAX_BYTES = 63, KEY_BYTES = sizeof(struct pubkey) };

static const char *role_name(enum seal_role role)
{
	return role == SEAL_CREATE ? "create" : "join";
}

static void keyed_hash(const struct secret *s, const struct text *t, uint8_t out[HASH])
{
	crypto_generichash(out, HASH, (const uint8_t *)t->s, t->len, s->b, sizeof(s->b));
}

static void key_of(const struct seal_frame *f, struct arena *a, uint8_t key[HASH])
{
	struct text t = text_new(a);

	text_addf(&t, KEY_CONTEXT "%s\n%s\n", role_name(f->role), f->code);
	keyed_hash(f->secret, &t, key);
}

void seal_statement(
	const struct seal_frame *f, const struct seal_message *m, char text[SEAL_STATEMENT])
{
	struct arena *a = arena_new();
	struct text t = text_new(a);
	uint8_t hash[HASH];
	size_t len = strlen(SIGNED_CONTEXT);

	text_addf(&t, "%s\n%s\n%s\n%llu\n", role_name(f->role), f->code, m->name,
		(unsigned long long)m->made);
	for (size_t i = 0; i < m->roster.n; i++) {
		char key[KEY_HEX];

		pubkey_format(&m->roster.jails[i].key, key);
		text_addf(&t, "%s %s\n", m->roster.jails[i].name, key);
	}
	keyed_hash(f->secret, &t, hash);
	memcpy(text, SIGNED_CONTEXT, len);
	sodium_bin2hex(text + len, SEAL_STATEMENT - len, hash, sizeof(hash));
	arena_free(a);
}

static void put_number(struct text *t, uint64_t n, int bytes)
{
	for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
		text_addn(t, &(uint8_t){ (uint8_t)(n >> shift) }, 1);
}

static void put_name(struct text *t, const char *name)
{
	size_t len = strlen(name);

	put_number(t, len, 1);
	text_addn(t, name, len);
}

static struct text plain_of(const struct seal_message *m, struct arena *a)
{
	struct text t = text_new(a);

	put_number(&t, FORMAT, 1);
	put_number(&t, m->made, 8);
	put_name(&t, m->name);
	put_number(&t, m->roster.n, 2);
	for (size_t i = 0; i < m->roster.n; i++) {
		put_name(&t, m->roster.jails[i].name);
		text_addn(&t, m->roster.jails[i].key.b, KEY_BYTES);
		text_addn(&t, m->signatures[i], SEAL_SIGNATURE);
	}
	return t;
}

const char *seal_close(const struct seal_frame *f, const struct seal_message *m,
	const uint8_t nonce[SEAL_NONCE], struct arena *a)
{
	struct text plain = plain_of(m, a);
	size_t len = SEAL_NONCE + plain.len + crypto_aead_xchacha20poly1305_ietf_ABYTES;
	size_t room = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
	uint8_t *bytes = arena_alloc(a, len, 1), key[HASH];
	char *text = arena_alloc(a, room, 1);

	key_of(f, a, key);
	memcpy(bytes, nonce, SEAL_NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + SEAL_NONCE, NULL,
		(const uint8_t *)plain.s, plain.len, NULL, 0, NULL, nonce, key);
	sodium_memzero(key, sizeof(key));
	return sodium_bin2base64(text, room, bytes, len, sodium_base64_VARIANT_ORIGINAL);
}

static int decrypt(const struct seal_frame *f, const char *sealed, size_t len, struct arena *a,
	uint8_t **plain, size_t *plain_len, struct err *e)
{
	size_t room = len > SEAL_TEXT_MAX ? 0 : len / 4 * 3 + 3, n;
	uint8_t *bytes = arena_alloc(a, room + 1, 1), key[HASH];
	unsigned long long opened;
	const char *end;
	int rc;

	if (len > SEAL_TEXT_MAX)
		return err_set(e, ERR_REMOTE, NOWHERE, "it is too large for a sealed roster");
	if (sodium_base642bin(bytes, room, sealed, len, NULL, &n, &end,
		    sodium_base64_VARIANT_ORIGINAL) != 0 ||
		end != sealed + len || n < SEAL_NONCE + crypto_aead_xchacha20poly1305_ietf_ABYTES)
		return err_set(e, ERR_REMOTE, NOWHERE, "it is no sealed roster");
	*plain = arena_alloc(a, n, 1);
	key_of(f, a, key);
	rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
		*plain, &opened, NULL, bytes + SEAL_NONCE, n - SEAL_NONCE, NULL, 0, bytes, key);
	sodium_memzero(key, sizeof(key));
	if (rc != 0)
		return err_set(e, ERR_REMOTE, NOWHERE,
			"it does not open with the secret of this pairing: the other side has "
			"another "
			"secret, or somebody between has changed it");
	*plain_len = (size_t)opened;
	return 0;
}

/* What is left of a message that is read; ok is false from the first byte on that was missing. */
struct reader {
	const uint8_t *at, *end;
	bool ok;
};

static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *at = r->at;

	if (!r->ok || (size_t)(r->end - r->at) < n) {
		r->ok = false;
		return NULL;
	}
	r->at += n;
	return at;
}

static uint64_t take_number(struct reader *r, size_t bytes)
{
	const uint8_t *at = take(r, bytes);
	uint64_t n = 0;

	for (size_t i = 0; at != NULL && i < bytes; i++)
		n = n << 8 | at[i];
	return n;
}

/* A label in lower case; NULL: it is none, or there is none. */
static const char *take_name(struct reader *r, struct arena *a)
{
	size_t len = (size_t)take_number(r, 1);
	const uint8_t *at = len > NAME_MAX_BYTES ? NULL : take(r, len);
	const char *name;

	if (at == NULL || memchr(at, '\0', len) != NULL)
		return NULL;
	name = arena_dupn(a, (const char *)at, len);
	return name_is_label(name) && name_is_folded(name) ? name : NULL;
}

static int take_jail(
	struct reader *r, struct seal_message *m, size_t i, struct arena *a, struct err *e)
{
	struct roster_jail *jail = &m->roster.jails[i];
	const uint8_t *key, *signature;

	*jail = (struct roster_jail){ .name = take_name(r, a), .has_key = true };
	key = take(r, KEY_BYTES);
	signature = take(r, SEAL_SIGNATURE);
	if (jail->name == NULL || signature == NULL)
		return err_set(e, ERR_REMOTE, NOWHERE,
			"jail %zu of it has no name that is one, or is cut short", i + 1);
	memcpy(jail->key.b, key, KEY_BYTES);
	memcpy(m->signatures[i], signature, SEAL_SIGNATURE);
	jail->addr = addr_of_key(&jail->key);
	return 0;
}

static int read_plain(
	const uint8_t *plain, size_t len, struct arena *a, struct seal_message *m, struct err *e)
{
	struct reader r = { plain, plain + len, true };
	uint64_t format = take_number(&r, 1);
	size_t n;

	if (r.ok && format != FORMAT)
		return err_set(e, ERR_REMOTE, NOWHERE,
			"it is of a format, %u, that this jmesh does not know", (unsigned)format);
	m->made = take_number(&r, 8);
	m->name = take_name(&r, a);
	n = (size_t)take_number(&r, 2);
	if (!r.ok || m->name == NULL)
		return err_set(e, ERR_REMOTE, NOWHERE, "it does not say who sent it");
	if (n == 0 || n > ROSTER_JAILS_MAX)
		return err_set(e, ERR_REMOTE, NOWHERE, "it has %zu jails; 1 to %d may be in it", n,
			ROSTER_JAILS_MAX);
	m->roster.jails = arena_alloc(a, n, sizeof(*m->roster.jails));
	m->signatures = arena_alloc(a, n, sizeof(*m->signatures));
	for (size_t i = 0; i < n; i++)
		if (take_jail(&r, m, i, a, e) < 0)
			return -1;
	m->roster.n = n;
	if (r.at != r.end)
		return err_set(e, ERR_REMOTE, NOWHERE, "there is more behind its last jail");
	return roster_unique(&m->roster, a, ERR_REMOTE, e);
}

static int check_signatures(const struct seal_frame *f, const struct seal_message *m, struct err *e)
{
	char statement[SEAL_STATEMENT], address[ADDR_TEXT];

	seal_statement(f, m, statement);
	for (size_t i = 0; i < m->roster.n; i++) {
		const struct roster_jail *jail = &m->roster.jails[i];

		if (crypto_sign_verify_detached(m->signatures[i], (const uint8_t *)statement,
			    SEAL_STATEMENT - 1, jail->key.b) == 0)
			continue;
		addr_format(&jail->addr, address);
		return err_set(e, ERR_REMOTE, NOWHERE,
			"its jail '%s' does not prove that it holds the address %s", jail->name,
			address);
	}
	return 0;
}

int seal_open(const struct seal_frame *f, const char *sealed, size_t len, struct arena *a,
	struct seal_message *out, struct err *e)
{
	struct seal_message m = { 0 };
	uint8_t *plain = NULL;
	size_t plain_len = 0;

	*out = m;
	if (decrypt(f, sealed, len, a, &plain, &plain_len, e) < 0 ||
		read_plain(plain, plain_len, a, &m, e) < 0 || check_signatures(f, &m, e) < 0)
		return err_wrap(e, "sealed roster refused");
	*out = m;
	return 0;
}

/* 64 bits for each draw: what is left of a fair choice is below 1 in 2^50. */
void seal_meeting(const struct secret *s, const char *one, const char *other, char code[CODE_TEXT])
{
	bool first = strcmp(one, other) < 0;
	struct arena *a = arena_new();
	struct text t = text_new(a);
	uint32_t draws[CODE_DRAWS];
	uint8_t hash[HASH];

	text_addf(&t, MEETING_CONTEXT "%s\n%s\n", first ? one : other, first ? other : one);
	keyed_hash(s, &t, hash);
	for (size_t i = 0; i < CODE_DRAWS; i++) {
		struct reader r = { hash + 8 * i, hash + 8 * i + 8, true };

		draws[i] = (uint32_t)(take_number(&r, 8) % (i == 0 ? CODE_NUMBERS : code_words_n));
	}
	code_format(draws, code);
	arena_free(a);
}
