#include "base/key.h"

#include <string.h>

#include <sodium.h>

#include "base/port.h"
#include "base/text.h"

#define BEGIN(label) "-----BEGIN " label "-----"
#define END(label) "-----END " label "-----"

enum { PREFIX_MAX = 16 };

/* A block of PEM whose DER is a prefix and the 32 bytes of a key. */
struct form {
	const char *begin, *end;
	uint8_t prefix[PREFIX_MAX];
	size_t prefix_len;
	const char *what;
};

/* PrivateKeyInfo, version 0, algorithm 1.3.101.112, an octet string in an octet string. */
static const struct form private_form = {
	.begin = BEGIN("PRIVATE KEY"),
	.end = END("PRIVATE KEY"),
	.prefix = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04,
		0x22, 0x04, 0x20 },
	.prefix_len = 16,
	.what = "an Ed25519 key in PKCS#8",
};

/* SubjectPublicKeyInfo, algorithm 1.3.101.112, a bit string without unused bits. */
static const struct form public_form = {
	.begin = BEGIN("PUBLIC KEY"),
	.end = END("PUBLIC KEY"),
	.prefix = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 },
	.prefix_len = 12,
	.what = "an Ed25519 public key",
};

enum { DER_MAX = PREFIX_MAX + SEED_LEN, DER_BASE64 = DER_MAX / 3 * 4 };

_Static_assert((int)SEED_LEN == (int)KEY_LEN, "both forms hold as many bytes");

static bool starts_with(const char *s, size_t len, const char *prefix)
{
	return len >= strlen(prefix) && memcmp(s, prefix, strlen(prefix)) == 0;
}

static bool starts_line(const char *s, size_t len, const char *line)
{
	size_t n = strlen(line);

	return starts_with(s, len, line) &&
		(starts_with(s + n, len - n, "\n") || starts_with(s + n, len - n, "\r\n"));
}

static int form_parse(
	const struct form *form, const char *text, size_t len, uint8_t key[SEED_LEN], struct err *e)
{
	const char *s = text, *rest;
	uint8_t der[DER_MAX];
	size_t got = 0;
	int rc = -1;

	if (!starts_line(s, len, form->begin)) {
		err_set(e, ERR_CONFIG, NOWHERE, "it does not begin with '%s'", form->begin);
		goto out;
	}
	s += strlen(form->begin);
	len -= strlen(form->begin);
	if (sodium_base642bin(der, sizeof(der), s, len, "\r\n", &got, &rest,
		    sodium_base64_VARIANT_ORIGINAL) != 0 ||
		got != form->prefix_len + SEED_LEN ||
		memcmp(der, form->prefix, form->prefix_len) != 0) {
		err_set(e, ERR_CONFIG, NOWHERE, "it is not %s", form->what);
		goto out;
	}
	len -= (size_t)(rest - s);
	if (!starts_with(rest, len, form->end) || rest[-1] != '\n') {
		err_set(e, ERR_CONFIG, NOWHERE, "'%s' is not where it belongs", form->end);
		goto out;
	}
	for (size_t i = strlen(form->end); i < len; i++) {
		if (rest[i] != '\n' && rest[i] != '\r') {
			err_set(e, ERR_CONFIG, NOWHERE, "there is something behind the key");
			goto out;
		}
	}
	memcpy(key, der + form->prefix_len, SEED_LEN);
	rc = 0;
out:
	sodium_memzero(der, sizeof(der));
	return rc;
}

int key_pem_parse(const char *text, size_t len, uint8_t seed[SEED_LEN], struct err *e)
{
	return form_parse(&private_form, text, len, seed, e);
}

int key_public_pem_parse(const char *text, size_t len, struct pubkey *out, struct err *e)
{
	return form_parse(&public_form, text, len, out->b, e);
}

/* Copied by hand: stdio may keep what it formats. */
static char *put(char *at, const char *s)
{
	size_t len = strlen(s);

	memcpy(at, s, len + 1);
	return at + len;
}

void key_pem_format(const uint8_t seed[SEED_LEN], char text[KEY_PEM])
{
	uint8_t der[DER_MAX];
	char base64[DER_BASE64 + 1], *at;

	_Static_assert(KEY_PEM ==
			sizeof(BEGIN("PRIVATE KEY") "\n" END("PRIVATE KEY") "\n") + DER_BASE64 + 1,
		"the size");
	memcpy(der, private_form.prefix, PREFIX_MAX);
	memcpy(der + PREFIX_MAX, seed, SEED_LEN);
	sodium_bin2base64(base64, sizeof(base64), der, sizeof(der), sodium_base64_VARIANT_ORIGINAL);
	at = put(text, BEGIN("PRIVATE KEY") "\n");
	at = put(at, base64);
	put(at, "\n" END("PRIVATE KEY") "\n");
	sodium_memzero(der, sizeof(der));
	sodium_memzero(base64, sizeof(base64));
}

struct pubkey key_public(const uint8_t seed[SEED_LEN])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	struct pubkey key;

	crypto_sign_seed_keypair(key.b, secret, seed);
	sodium_memzero(secret, sizeof(secret));
	return key;
}

int key_inline_parse(const char *hex, size_t len, uint8_t seed[SEED_LEN], struct err *e)
{
	uint8_t both[SEED_LEN + KEY_LEN];
	struct pubkey key;
	size_t got = 0;
	int rc = -1;

	if (len != KEY_HEX_PRIVATE ||
		sodium_hex2bin(both, sizeof(both), hex, len, NULL, &got, NULL) != 0 ||
		got != sizeof(both)) {
		err_set(e, ERR_CONFIG, NOWHERE, "PrivateKey is not 128 hexadecimal digits");
		goto out;
	}
	key = key_public(both);
	if (memcmp(key.b, both + SEED_LEN, KEY_LEN) != 0) {
		err_set(e, ERR_CONFIG, NOWHERE, "PrivateKey's two halves do not belong together");
		goto out;
	}
	memcpy(seed, both, SEED_LEN);
	rc = 0;
out:
	sodium_memzero(both, sizeof(both));
	return rc;
}

bool key_is_masked(const char *text, size_t len)
{
	size_t run = 0;

	for (size_t i = 0; i < len && run < KEY_HEX_PRIVATE; i++)
		run = text[i] == KEY_MASKED ? run + 1 : 0;
	return run == KEY_HEX_PRIVATE;
}

size_t key_find(const char *text, size_t len, size_t *run)
{
	for (size_t at = 0, n; at < len; at += n + 1) {
		n = 0;
		while (at + n < len && hex_digit(text[at + n]) >= 0)
			n++;
		if (n >= KEY_HEX_PRIVATE) {
			*run = n;
			return at;
		}
	}
	*run = 0;
	return len;
}

void key_mask(char *text, size_t len)
{
	size_t at = 0, run;

	for (;;) {
		at += key_find(text + at, len - at, &run);
		if (run == 0)
			return;
		memset(text + at, KEY_MASKED, run);
		at += run;
	}
}
