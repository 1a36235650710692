/*
 * Addresses of the overlay.
 *
 * A Yggdrasil node's address follows from its Ed25519 public key: invert the key's bits, count the
 * leading ones (n), drop them and the zero behind them; the address is 0x02, n, and the next 14 bytes
 * (yggdrasil-go, src/address/address.go, AddrForKey). So 200::/8 holds the nodes, and 300::/8 the
 * networks routed behind them.
 */
#ifndef JMESH_BASE_ADDR_H
#define JMESH_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { ADDR_TEXT = 46, KEY_LEN = 32, KEY_HEX = 2 * KEY_LEN + 1 };

struct addr {
	uint8_t b[16];
};

struct addrs {
	struct addr *v;
	size_t n;
};

struct pubkey {
	uint8_t b[KEY_LEN];
};

/* One IPv6 host address in any spelling, without a prefix length or zone. ERR_CONFIG at `at`. */
int addr_parse(const char *text, struct loc at, struct addr *out, struct err *e);

/* The one spelling of RFC 5952; its length. */
size_t addr_format(const struct addr *a, char text[ADDR_TEXT]);

/* Whether text is that one spelling; the second tells the address as well. */
bool addr_is_canonical(const char *text);
bool addr_read_canonical(const char *text, struct addr *out);

/* Whether it is in 200::/8. */
bool addr_is_node(const struct addr *a);

int addr_cmp(const struct addr *a, const struct addr *b);

/* In place; what comes twice stays once. */
void addrs_sort(struct addrs *list);
bool addrs_has(const struct addrs *sorted, const struct addr *one);

struct addr addr_of_key(const struct pubkey *key);

/* Exactly 64 hexadecimal digits of either case; false otherwise. */
bool pubkey_parse(const char *hex, struct pubkey *out);
void pubkey_format(const struct pubkey *key, char hex[KEY_HEX]); /* lower case */

#endif
