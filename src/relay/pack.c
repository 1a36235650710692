#include "relay/pack.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/err.h"

/*
 * The bytes of the text, and in place of some what is no ASCII: PHRASE and the next ones are the phrases below,
 * ADDRESS is the first of them with an address behind it that is spelt as addr_format spells it, whose 16
 * bytes follow, and ESCAPE stands before a byte of the text that is no ASCII itself.
 */
enum { ESCAPE = 0x80, PHRASE, ADDRESS_KEY = 0 };

struct phrase {
	const char *text;
	size_t len;
};

#define P(text) { text, sizeof(text) - 1 }

static const struct phrase phrases[] = {
	[ADDRESS_KEY] = P("\",\"ygg_address\":\""),
	P("\"},{\"name\":\""),
	P("{\"jails\":[{\"name\":\""),
	P("\"}]}"),
	P("{\"jails\":[],\"sealed\":\""),
};

enum { PHRASES = sizeof(phrases) / sizeof(phrases[0]), ADDRESS = PHRASE + PHRASES };

struct packed {
	uint32_t n, text_len;
	uint8_t bytes[];
};

/* The phrase at text, or PHRASES. */
static unsigned phrase_at(const char *text)
{
	unsigned i = 0;

	if (*text != '"' && *text != '{')
		return PHRASES;
	while (i < PHRASES && strncmp(text, phrases[i].text, phrases[i].len) != 0)
		i++;
	return i;
}

/* The length of the address at text as addr_format writes it, up to a quote; 0: there is none. */
static size_t address_at(const char *text, struct addr *out)
{
	char copy[ADDR_TEXT];
	size_t len = strcspn(text, "\"");

	if (len >= sizeof(copy))
		return 0;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return addr_read_canonical(copy, out) ? len : 0;
}

/* out has two bytes for each of the text's; the number of those that are used. */
static size_t pack_into(const char *text, uint8_t *out)
{
	uint8_t *p = out;

	while (*text != '\0') {
		unsigned phrase = phrase_at(text);
		struct addr addr;
		size_t len;

		if (phrase == PHRASES) {
			if ((uint8_t)*text >= ESCAPE)
				*p++ = ESCAPE;
			*p++ = (uint8_t)*text++;
			continue;
		}
		text += phrases[phrase].len;
		len = phrase == ADDRESS_KEY ? address_at(text, &addr) : 0;
		*p++ = (uint8_t)(len != 0 ? (unsigned)ADDRESS : PHRASE + phrase);
		if (len != 0) {
			memcpy(p, addr.b, sizeof(addr.b));
			p += sizeof(addr.b);
			text += len;
		}
	}
	return (size_t)(p - out);
}

struct packed *pack(const char *text)
{
	size_t len = strlen(text);
	struct packed *p = malloc(sizeof(*p) + 2 * len), *fit;

	if (p == NULL)
		return NULL;
	p->text_len = (uint32_t)len;
	p->n = (uint32_t)pack_into(text, p->bytes);
	fit = malloc(packed_size(p));
	if (fit != NULL)
		memcpy(fit, p, packed_size(p));
	free(p);
	return fit;
}

size_t packed_size(const struct packed *p)
{
	return sizeof(*p) + p->n;
}

size_t packed_text_len(const struct packed *p)
{
	return p->text_len;
}

static char *put(char *out, const struct phrase *phrase)
{
	memcpy(out, phrase->text, phrase->len);
	return out + phrase->len;
}

void unpack(const struct packed *p, char *out)
{
	for (size_t i = 0; i < p->n; i++) {
		uint8_t byte = p->bytes[i];

		if (byte < ESCAPE) {
			*out++ = (char)byte;
		} else if (byte == ESCAPE) {
			*out++ = (char)p->bytes[++i];
		} else if (byte < ADDRESS) {
			out = put(out, &phrases[byte - PHRASE]);
		} else {
			char text[ADDR_TEXT];
			struct addr addr;

			memcpy(addr.b, p->bytes + i + 1, sizeof(addr.b));
			i += sizeof(addr.b);
			addr_format(&addr, text);
			out = put(put(out, &phrases[ADDRESS_KEY]),
				&(struct phrase){ text, strlen(text) });
		}
	}
	*out = '\0';
}

bool packed_same(const struct packed *a, const struct packed *b)
{
	return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}
