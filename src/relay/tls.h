/*
 * The certificate that the relay shows, and its key. Both can be exchanged while it serves: GnuTLS asks for
 * them at each handshake. There is one pair in a process, because GnuTLS does not say for whom it asks.
 */
#ifndef JMESH_RELAY_TLS_H
#define JMESH_RELAY_TLS_H

#include <gnutls/abstract.h>

#include "base/err.h"

/*
 * Reads both PEM files (the certificate may have its chain behind it) and shows them from now on. Where
 * they cannot be read or do not belong together, that is an error and the former pair stays.
 */
int tls_load(const char *cert_file, const char *key_file, struct err *e);

/* Forgets and wipes the pair; harmless where there is none. */
void tls_unload(void);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK2; -1 where no pair is loaded. */
int tls_show(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
	gnutls_pcert_st **certs, unsigned *n, gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp,
	gnutls_privkey_t *key, unsigned *flags);

#endif
