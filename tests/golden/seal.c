/*
 * The test vectors of schema/sealed-pairing.md: what fixed secrets, keys, times and nonces come out as.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/key.h"
#include "base/seal.h"

static const char *const jails[] = { "web", "db" };

static void print_hex(const char *name, const uint8_t *bytes, size_t len)
{
	printf("%s ", name);
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
}

/* Jail i of a side has the seed that is 32 times one byte. */
static void add_jail(struct seal_message *m, uint8_t seed[2][SEED_LEN], uint8_t first, size_t i)
{
	struct roster_jail *jail = &m->roster.jails[i];
	char address[ADDR_TEXT], key[KEY_HEX];

	memset(seed[i], first + (int)i, SEED_LEN);
	*jail = (struct roster_jail){ .name = jails[i], .has_key = true };
	jail->key = key_public(seed[i]);
	jail->addr = addr_of_key(&jail->key);
	addr_format(&jail->addr, address);
	pubkey_format(&jail->key, key);
	printf("jail %s\n", jail->name);
	print_hex("seed", seed[i], SEED_LEN);
	printf("key %s\naddress %s\n", key, address);
}

static void print_message(
	const struct seal_frame *f, const char *name, uint64_t made, uint8_t first, struct arena *a)
{
	struct roster_jail list[2];
	uint8_t seed[2][SEED_LEN], signatures[2][SEAL_SIGNATURE], nonce[SEAL_NONCE];
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];
	struct seal_message m = { name, made, { list, 2 }, signatures };
	char statement[SEAL_STATEMENT];

	printf("\nrole %s\nname %s\nmade %llu\n", f->role == SEAL_CREATE ? "create" : "join", name,
		(unsigned long long)made);
	for (size_t i = 0; i < 2; i++)
		add_jail(&m, seed, first, i);
	seal_statement(f, &m, statement);
	printf("statement %s\n", statement);
	for (size_t i = 0; i < 2; i++) {
		crypto_sign_seed_keypair(public_key, secret_key, seed[i]);
		crypto_sign_detached(signatures[i], NULL, (const uint8_t *)statement,
			SEAL_STATEMENT - 1, secret_key);
		print_hex("signature", signatures[i], SEAL_SIGNATURE);
	}
	for (size_t i = 0; i < SEAL_NONCE; i++)
		nonce[i] = (uint8_t)(0x40 + first + i);
	print_hex("nonce", nonce, SEAL_NONCE);
	printf("sealed %s\n", seal_close(f, &m, nonce, a));
}

int main(void)
{
	struct arena *a = arena_new();
	struct secret secret;
	char text[SECRET_TEXT], code[CODE_TEXT];

	if (sodium_init() < 0)
		return 1;
	for (size_t i = 0; i < SECRET_LEN; i++)
		secret.b[i] = (uint8_t)i;
	secret_format(&secret, text);
	print_hex("secret", secret.b, SECRET_LEN);
	printf("written %s\ncode 81-zephyr-night-climb\n", text);
	seal_meeting(&secret, "office", "laptop", code);
	printf("meeting %s\n", code);
	print_message(&(struct seal_frame){ SEAL_CREATE, "81-zephyr-night-climb", &secret },
		"laptop", 1767225600000, 1, a);
	print_message(&(struct seal_frame){ SEAL_JOIN, "81-zephyr-night-climb", &secret }, "office",
		1767225601234, 0x21, a);
	arena_free(a);
	return 0;
}
