/*
 * Yggdrasil's keys in their two spellings. Pure. A key file is an Ed25519 seed in PKCS#8 PEM (RFC 8410); a
 * configuration may hold the seed and the public key as 128 hexadecimal digits (yggdrasil-go 0.5,
 * src/config). Seeds are secrets: who is handed one wipes it.
 */
#ifndef JMESH_BASE_KEY_H
#define JMESH_BASE_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* SEED_LEN bytes make an Ed25519 key; KEY_PEM is the size of its file's text with the NUL. */
enum { SEED_LEN = 32, KEY_PEM = 120 };

/*
 * A key file: one PRIVATE KEY block with an Ed25519 seed in PKCS#8 and nothing else. ERR_CONFIG; no byte of
 * the text is in the sentence. The caller wipes the text too.
 */
int key_pem_parse(const char *text, size_t len, uint8_t seed[SEED_LEN], struct err *e);
void key_pem_format(const uint8_t seed[SEED_LEN], char text[KEY_PEM]);
struct pubkey key_public(const uint8_t seed[SEED_LEN]);

/* 128 hexadecimal digits: the seed and then the public key, which must belong together. */
int key_inline_parse(const char *hex, size_t len, uint8_t seed[SEED_LEN], struct err *e);

/*
 * The first run of 128 hexadecimal digits or more: its offset, *run its length; len where there is none.
 */
size_t key_find(const char *text, size_t len, size_t *run);

/* Whether the text has a run of KEY_MASKED as long as a private key: what was there did not come here. */
bool key_is_masked(const char *text, size_t len);

/* Puts KEY_MASKED over every such run. */
void key_mask(char *text, size_t len);

/*
 * A public key as `openssl pkey -pubout` prints it: one PUBLIC KEY block with an Ed25519 key (RFC 8410).
 * ERR_CONFIG when it is not.
 */
int key_public_pem_parse(const char *text, size_t len, struct pubkey *out, struct err *e);

#endif
