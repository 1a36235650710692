#include "relay/tls.h"

#include <pthread.h>
#include <sodium.h>
#include <stdint.h>

#include "base/arena.h"
#include "os/file.h"

enum { PEM_MAX = 256 * 1024, CHAIN_MAX = 16 };

/* As the files have them. They are decoded at each handshake, so that no session leans on a former pair. */
struct pair {
	struct arena *a;
	gnutls_datum_t cert, key;
};

static struct pair shown;
static pthread_mutex_t shown_lock = PTHREAD_MUTEX_INITIALIZER;

static void pair_free(struct pair *p)
{
	if (p->a == NULL)
		return;
	if (p->key.data != NULL)
		sodium_memzero(p->key.data, p->key.size);
	arena_free(p->a);
	*p = (struct pair){ 0 };
}

static int pem_read(const char *file, struct arena *a, gnutls_datum_t *out, struct err *e)
{
	const char *text;
	size_t len;
	int rc = file_read(file, PEM_MAX, a, &text, &len, e);

	if (rc > 0)
		return err_set(e, ERR_CONFIG, NOWHERE, "there is no file %s", file);
	if (rc < 0)
		return -1;
	out->data = (unsigned char *)(uintptr_t)text;
	out->size = (unsigned)len;
	return 0;
}

/* What is put out is GnuTLS's to free (GNUTLS_CERT_RETR_DEINIT_ALL). Below 0: GnuTLS's error. */
static int decode(const struct pair *p, gnutls_pcert_st **certs, unsigned *n, gnutls_privkey_t *key)
{
	int rc;

	*n = CHAIN_MAX;
	*certs = gnutls_calloc(CHAIN_MAX, sizeof(**certs));
	if (*certs == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	rc = gnutls_pcert_list_import_x509_raw(*certs, n, &p->cert, GNUTLS_X509_FMT_PEM,
		GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
	if (rc < 0)
		goto no_certs;
	rc = gnutls_privkey_init(key);
	if (rc < 0)
		goto no_key;
	rc = gnutls_privkey_import_x509_raw(*key, &p->key, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc == 0)
		return 0;
	gnutls_privkey_deinit(*key);
no_key:
	for (unsigned i = 0; i < *n; i++)
		gnutls_pcert_deinit(&(*certs)[i]);
no_certs:
	gnutls_free(*certs);
	*certs = NULL;
	return rc;
}

static void discard(gnutls_pcert_st *certs, unsigned n, gnutls_privkey_t key)
{
	for (unsigned i = 0; i < n; i++)
		gnutls_pcert_deinit(&certs[i]);
	gnutls_free(certs);
	gnutls_privkey_deinit(key);
}

/* Whether both can be decoded and GnuTLS finds that they belong together. */
static int check(const struct pair *p)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_privkey_t key;
	gnutls_pcert_st *certs;
	unsigned n;
	int rc = decode(p, &certs, &n, &key);

	if (rc < 0)
		return rc;
	discard(certs, n, key);
	rc = gnutls_certificate_allocate_credentials(&credentials);
	if (rc < 0)
		return rc;
	rc = gnutls_certificate_set_x509_key_mem(
		credentials, &p->cert, &p->key, GNUTLS_X509_FMT_PEM);
	gnutls_certificate_free_credentials(credentials);
	return rc;
}

static void show(struct pair *next)
{
	struct pair former;

	pthread_mutex_lock(&shown_lock);
	former = shown;
	shown = *next;
	pthread_mutex_unlock(&shown_lock);
	*next = (struct pair){ 0 };
	pair_free(&former);
}

int tls_load(const char *cert_file, const char *key_file, struct err *e)
{
	struct pair p = { .a = arena_new() };
	int rc = -1, why;

	if (pem_read(cert_file, p.a, &p.cert, e) < 0 || pem_read(key_file, p.a, &p.key, e) < 0)
		goto out;
	why = check(&p);
	if (why == GNUTLS_E_DECRYPTION_FAILED) {
		err_set(e, ERR_CONFIG, NOWHERE,
			"the key %s is encrypted, and nobody is here to ask for its passphrase: "
			"give one "
			"that needs none",
			key_file);
		goto out;
	}
	if (why < 0) {
		err_set(e, ERR_CONFIG, NOWHERE, "the certificate %s and the key %s: %s", cert_file,
			key_file, gnutls_strerror(why));
		goto out;
	}
	show(&p);
	rc = 0;
out:
	pair_free(&p);
	return rc;
}

void tls_unload(void)
{
	struct pair none = { 0 };

	show(&none);
}

int tls_show(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
	gnutls_pcert_st **certs, unsigned *n, gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp,
	gnutls_privkey_t *key, unsigned *flags)
{
	int rc = GNUTLS_E_INTERNAL_ERROR;

	(void)session;
	(void)info;
	pthread_mutex_lock(&shown_lock);
	if (shown.a != NULL)
		rc = decode(&shown, certs, n, key);
	pthread_mutex_unlock(&shown_lock);
	if (rc < 0)
		return -1;
	*ocsp = NULL;
	*n_ocsp = 0;
	*flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return 0;
}
