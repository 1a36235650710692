/*
 * A sealed roster of somebody who has the secret: the input is what is in the box, and is closed as
 * schema/sealed-pairing.md says. Whatever it is, it is refused with a sentence, since nobody signed it; and the same
 * bytes as a sealed text are refused, too.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/seal.h"

#define CODE "81-zephyr-night-climb"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_refuse(const char *sealed, size_t len, struct arena *a)
{
	static const struct secret secret = { { 1 } };
	const struct seal_frame frame = { SEAL_CREATE, CODE, &secret };
	struct seal_message out;
	struct err e = ERR_INIT;

	if (seal_open(&frame, sealed, len, a, &out, &e) == 0 || e.text[0] == '\0')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char context[] = "jmesh sealed pairing 1\ncreate\n" CODE "\n";
	static const uint8_t secret[SECRET_LEN] = { 1 };
	struct arena *a = arena_new();
	size_t len = SEAL_NONCE + size + crypto_aead_xchacha20poly1305_ietf_ABYTES;
	size_t room = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
	uint8_t *bytes = arena_alloc(a, len, 1), key[32];
	char *text = arena_alloc(a, room, 1);

	crypto_generichash(key, sizeof(key), (const uint8_t *)context, strlen(context), secret,
		sizeof(secret));
	memset(bytes, 0, SEAL_NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		bytes + SEAL_NONCE, NULL, data, size, NULL, 0, NULL, bytes, key);
	sodium_bin2base64(text, room, bytes, len, sodium_base64_VARIANT_ORIGINAL);
	must_refuse(text, strlen(text), a);
	must_refuse((const char *)data, size, a);
	arena_free(a);
	return 0;
}
