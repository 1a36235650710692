#include "platform/netns_key.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/hjson.h"
#include "base/key.h"
#include "os/file.h"
#include "platform/netns_node.h"

enum { KEY_BYTES_MAX = 4096, CONF_BYTES_MAX = 1024 * 1024 };

static int check_file(const char *path, mode_t mode, uid_t uid, struct err *e)
{
	if (uid != 0 && uid != geteuid())
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the key file %s belongs to user %lu: chown root %s if it is to be trusted",
			path, (unsigned long)uid, path);
	if ((mode & 077) != 0)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the key file %s is open to others (mode %04o): chmod 600 %s", path,
			(unsigned)(mode & 07777), path);
	return 0;
}

/* 0: read. 1: there is no key file. */
static int in_file(const char *path, struct arena *a, uint8_t seed[SEED_LEN], struct err *e)
{
	const char *text;
	size_t len;
	mode_t mode = 0;
	uid_t uid = 0;
	int rc = file_stat(path, &mode, &uid, e);

	if (rc != 0)
		return rc;
	if (check_file(path, mode, uid, e) < 0)
		return -1;
	rc = file_read(path, KEY_BYTES_MAX, a, &text, &len, e);
	if (rc != 0)
		return rc;
	rc = key_pem_parse(text, len, seed, e);
	if (rc < 0)
		err_wrap(e,
			"the key file %s is wrong (restore it from a backup, or move it away to "
			"give the node a new identity)",
			path);
	sodium_memzero((char *)text, len);
	return rc;
}

/* 0: the configuration holds a key. 1: it does not. *parsed: it is a configuration at all. */
static int in_conf(
	const char *path, struct arena *a, uint8_t seed[SEED_LEN], bool *parsed, struct err *e)
{
	const struct hjson_member *m;
	const char *text, *digits;
	size_t len, n;
	struct hjson h;
	int rc = file_read(path, CONF_BYTES_MAX, a, &text, &len, e);

	*parsed = rc == 1;
	if (rc != 0)
		return rc;
	rc = hjson_parse(text, len, a, &h, e);
	if (rc < 0) {
		err_wrap(e, "%s cannot be read as a configuration (mend it or move it away)", path);
		goto out;
	}
	*parsed = true;
	m = hjson_find(&h, "PrivateKey");
	digits = m == NULL ? NULL : hjson_plain(&h, m, &n);
	if (digits == NULL || n == 0)
		rc = 1;
	else if (key_inline_parse(digits, n, seed, e) < 0)
		rc = err_wrap(e, "%s", path);
out:
	sodium_memzero((char *)text, len);
	return rc;
}

/* The node's seed, which the caller wipes whatever came of it. 0, 1 and -1 as LOOK_KEY. */
static int identity(const char *state_dir, const char *node, struct arena *a,
	uint8_t seed[SEED_LEN], bool *filed, struct err *e)
{
	struct node_paths paths;
	uint8_t own[SEED_LEN];
	bool parsed;
	int rc;

	netns_node_paths(state_dir, node, a, &paths);
	rc = in_file(paths.key, a, seed, e);
	if (rc < 0)
		return -1;
	*filed = rc == 0;
	rc = in_conf(paths.conf, a, own, &parsed, e);
	/* Whoever reads the configuration says what is wrong with it; the identity is known. */
	if (*filed && (rc == 1 || !parsed))
		rc = 0;
	else if (rc == 0 && !*filed)
		memcpy(seed, own, sizeof(own));
	else if (rc == 0 && sodium_memcmp(own, seed, sizeof(own)) != 0)
		rc = err_set(e, ERR_CONFIG, NOWHERE,
			"the node has two identities: %s and the PrivateKey in %s are different "
			"keys; remove the one that is not to be",
			paths.key, paths.conf);
	sodium_memzero(own, sizeof(own));
	return rc;
}

int netns_key_look(const char *state_dir, const char *node, struct arena *a, struct key_seen *out,
	struct err *e)
{
	uint8_t seed[SEED_LEN];
	int rc = identity(state_dir, node, a, seed, &out->in_file, e);

	if (rc == 0)
		out->key = key_public(seed);
	sodium_memzero(seed, sizeof(seed));
	return rc;
}

static const char *sign(const uint8_t seed[SEED_LEN], const char *line, struct arena *a)
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES], public[crypto_sign_PUBLICKEYBYTES];
	uint8_t signature[SIGNATURE_LEN];
	char *hex = arena_alloc(a, SIGNATURE_HEX, 1);

	_Static_assert((int)SIGNATURE_LEN == (int)crypto_sign_BYTES, "the size");
	crypto_sign_seed_keypair(public, secret, seed);
	crypto_sign_detached(signature, NULL, (const uint8_t *)line, strlen(line), secret);
	sodium_memzero(secret, sizeof(secret));
	return sodium_bin2hex(hex, SIGNATURE_HEX, signature, sizeof(signature));
}

int netns_key_sign(const char *state_dir, const char *node, const char *line, struct arena *a,
	const char **hex, struct err *e)
{
	uint8_t seed[SEED_LEN];
	bool filed;
	int rc = identity(state_dir, node, a, seed, &filed, e);

	if (rc == 0)
		*hex = sign(seed, line, a);
	sodium_memzero(seed, sizeof(seed));
	return rc;
}

/* The key that the configuration holds is the node's identity; without one it gets a new one. */
static int seed_for(const char *conf, struct arena *a, uint8_t seed[SEED_LEN], struct err *e)
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	struct pubkey key;
	bool parsed;
	int rc = in_conf(conf, a, seed, &parsed, e);

	if (rc != 1)
		return rc;
	if (sodium_init() < 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "libsodium does not start");
	crypto_sign_keypair(key.b, secret);
	crypto_sign_ed25519_sk_to_seed(seed, secret);
	sodium_memzero(secret, sizeof(secret));
	return 0;
}

int netns_key_make(const char *state_dir, const char *node, struct err *e)
{
	struct arena *a = arena_new();
	struct node_paths paths;
	uint8_t seed[SEED_LEN];
	char pem[KEY_PEM];
	int rc = -1;

	netns_node_paths(state_dir, node, a, &paths);
	if (seed_for(paths.conf, a, seed, e) < 0 || file_mkdirs(paths.dir, 0700, e) < 0)
		goto out;
	key_pem_format(seed, pem);
	/* That it was there already is fine: another apply was quicker, and its key stays. */
	if (file_create(paths.key, pem, KEY_PEM - 1, 0600, e) < 0)
		goto out;
	rc = 0;
out:
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(pem, sizeof(pem));
	arena_free(a);
	return rc;
}
