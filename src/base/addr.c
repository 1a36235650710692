#include "base/addr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"

int addr_parse(const char *text, struct loc at, struct addr *out, struct err *e)
{
	if (inet_pton(AF_INET6, text, out->b) != 1)
		return err_set(e, ERR_CONFIG, at, "not an IPv6 address: '%s'", text);
	return 0;
}

/* The longest run of two or more zero groups, the first of equals; its length is 0 when there is none. */
static unsigned zero_run(const struct addr *a, unsigned *start)
{
	unsigned best = 0, run = 0;

	*start = 8;
	for (unsigned i = 0; i < 8; i++) {
		run = a->b[2 * i] == 0 && a->b[2 * i + 1] == 0 ? run + 1 : 0;
		if (run > 1 && run > best) {
			best = run;
			*start = i + 1 - run;
		}
	}
	return best;
}

/*
 * Of the addresses of a large mesh tens of thousands are printed to compare them, and the C library's
 * inet_ntop takes a printf for each group. What could hold an IPv4 address is left to it all the same.
 */
size_t addr_format(const struct addr *a, char text[ADDR_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	unsigned start, zeros = zero_run(a, &start);
	char *p = text;

	if (start == 0 && zeros > 4) {
		inet_ntop(AF_INET6, a->b, text, ADDR_TEXT);
		return strlen(text);
	}
	for (unsigned i = 0; i < 8; i++) {
		unsigned group = (unsigned)a->b[2 * i] << 8 | a->b[2 * i + 1];
		int shift = group > 0xfff ? 12 : group > 0xff ? 8 : group > 0xf ? 4 : 0;

		if (i == start) {
			*p++ = ':';
			i += zeros - 1;
			if (i == 7)
				*p++ = ':';
			continue;
		}
		if (i > 0)
			*p++ = ':';
		for (; shift >= 0; shift -= 4)
			*p++ = digits[group >> shift & 15];
	}
	*p = '\0';
	return (size_t)(p - text);
}

/* Of '0' to '9' and 'a' to 'f' one more than they are worth; 0 of all others. */
/* clang-format off */
static const uint8_t worth[256] = {
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8,
	['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};
/* clang-format on */

/* What comes behind 1 to 4 lower-case digits without a zero in front of them; NULL: they are not there. */
static const char *read_group(const char *text, uint8_t out[2])
{
	unsigned group = 0;
	size_t n = 0;

	for (; n < 4; n++) {
		const unsigned digit = worth[(unsigned char)text[n]];

		if (digit == 0)
			break;
		group = group << 4 | (digit - 1);
	}
	if (n == 0 || (n > 1 && *text == '0'))
		return NULL;
	out[0] = (uint8_t)(group >> 8);
	out[1] = (uint8_t)group;
	return text + n;
}

static bool read_by_library(const char *text, struct addr *out)
{
	char again[ADDR_TEXT];

	if (inet_pton(AF_INET6, text, out->b) != 1)
		return false;
	addr_format(out, again);
	return strcmp(text, again) == 0;
}

/* As addr_format: of a roster each address passes here, and inet_pton with a comparison takes thrice the time. */
bool addr_read_canonical(const char *text, struct addr *out)
{
	unsigned n = 0, gap = 8, start; /* groups, and the first one behind the "::" */
	const char *p = text;

	if (*text == ':')
		return read_by_library(text, out);
	*out = (struct addr){ 0 };
	for (;;) {
		p = read_group(p, &out->b[2 * n]);
		if (p == NULL)
			return false;
		n++;
		if (*p == '\0')
			break;
		if (n == 8 || *p++ != ':')
			return false;
		if (*p != ':')
			continue;
		if (gap != 8)
			return false;
		gap = n;
		if (*++p == '\0')
			break;
	}
	if (gap != 8) {
		memmove(&out->b[2 * (8 - n + gap)], &out->b[2 * gap], 2 * (n - gap));
		memset(&out->b[2 * gap], 0, 2 * (8 - n));
	}
	return zero_run(out, &start) == 8 - n && start == gap;
}

bool addr_is_canonical(const char *text)
{
	struct addr a;

	return addr_read_canonical(text, &a);
}

bool addr_is_node(const struct addr *a)
{
	return a->b[0] == 0x02;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

static int by_addr(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

void addrs_sort(struct addrs *list)
{
	size_t kept = 0;

	if (list->n < 2)
		return;
	qsort(list->v, list->n, sizeof(*list->v), by_addr);
	for (size_t i = 0; i < list->n; i++)
		if (kept == 0 || addr_cmp(&list->v[kept - 1], &list->v[i]) != 0)
			list->v[kept++] = list->v[i];
	list->n = kept;
}

bool addrs_has(const struct addrs *sorted, const struct addr *one)
{
	return sorted->n != 0 &&
		bsearch(one, sorted->v, sorted->n, sizeof(*sorted->v), by_addr) != NULL;
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
