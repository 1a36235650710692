#include "base/addr.h"

#include <arpa/inet.h>
#include <string.h>

int addr_parse(const char *text, struct loc at, struct addr *out, struct err *e)
{
	if (inet_pton(AF_INET6, text, out->b) != 1)
		return err_set(e, ERR_CONFIG, at, "not an IPv6 address: '%s'", text);
	return 0;
}

void addr_format(const struct addr *a, char text[ADDR_TEXT])
{
	inet_ntop(AF_INET6, a->b, text, ADDR_TEXT);
}

bool addr_is_canonical(const char *text)
{
	char again[ADDR_TEXT];
	struct addr a;

	if (inet_pton(AF_INET6, text, a.b) != 1)
		return false;
	addr_format(&a, again);
	return strcmp(text, again) == 0;
}

bool addr_is_node(const struct addr *a)
{
	return a->b[0] == 0x02;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

struct addr addr_of_key(const struct pubkey *key)
{
	struct addr a = { .b = { 0x02 } };
	unsigned ones = 0;

	while (ones < KEY_LEN * 8 && ((key->b[ones / 8] >> (7 - ones % 8)) & 1) == 0)
		ones++;
	a.b[1] = (uint8_t)ones;
	for (unsigned i = 0; i < 14 * 8; i++) {
		unsigned from = ones + 1 + i;
		unsigned bit =
			from < KEY_LEN * 8 ? ~(unsigned)key->b[from / 8] >> (7 - from % 8) & 1 : 0;

		a.b[2 + i / 8] |= (uint8_t)(bit << (7 - i % 8));
	}
	return a;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool pubkey_parse(const char *hex, struct pubkey *out)
{
	if (strlen(hex) != 2 * KEY_LEN)
		return false;
	for (unsigned i = 0; i < KEY_LEN; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out->b[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void pubkey_format(const struct pubkey *key, char hex[KEY_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < KEY_LEN; i++) {
		hex[2 * i] = digits[key->b[i] >> 4];
		hex[2 * i + 1] = digits[key->b[i] & 15];
	}
	hex[2 * KEY_LEN] = '\0';
}
