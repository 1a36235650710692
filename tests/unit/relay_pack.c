#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "relay/pack.h"

/* Packs and unpacks; the packed size. */
static size_t round_trip(const char *text)
{
	struct packed *p = pack(text), *q = pack(text);
	size_t len = strlen(text), size = packed_size(p);
	char *back = malloc(len + 2);

	cr_assert_eq(packed_text_len(p), len);
	back[len + 1] = '#';
	unpack(p, back);
	cr_assert_str_eq(back, text);
	cr_assert_eq(back[len + 1], '#');
	cr_assert(packed_same(p, q));
	free(back);
	free(p);
	free(q);
	return size;
}

static char *roster(unsigned jails, unsigned seed)
{
	char *text = malloc(64 + jails * 128), *p = text + sprintf(text, "{\"jails\":[");

	for (unsigned i = 0; i < jails; i++) {
		struct addr a = { .b = { 2, (uint8_t)seed } };
		char address[ADDR_TEXT];

		for (unsigned j = 2; j < 16; j++) {
			seed = seed * 1103515245 + 12345;
			a.b[j] = (seed >> 28) < 6 ? 0 : (uint8_t)(seed >> 16);
		}
		addr_format(&a, address);
		p += sprintf(p, "%s{\"name\":\"jail-%u\",\"ygg_address\":\"%s\"}",
			i == 0 ? "" : ",", i, address);
	}
	strcpy(p, "]}");
	return text;
}

Test(relay_pack, a_roster_takes_less_than_half_and_comes_back)
{
	for (unsigned seed = 0; seed < 200; seed++)
		for (unsigned jails = 1; jails < 30; jails += 3) {
			char *text = roster(jails, seed);

			cr_assert_lt(round_trip(text), strlen(text) / 2 + 8, "%s", text);
			free(text);
		}
}

Test(relay_pack, any_other_text_comes_back_too)
{
	static const char *const texts[] = {
		"",
		"x",
		"\"",
		"{",
		"\"},{\"name\":\"",
		"\",\"ygg_address\":\"",
		"\",\"ygg_address\":\"::1\"",
		"\",\"ygg_address\":\"::1",
		"\",\"ygg_address\":\"0::1\"",
		"\",\"ygg_address\":\"::FFFF\"",
		"\",\"ygg_address\":\"200::1/64\"",
		"\",\"ygg_address\":\"::ffff:1.2.3.4\"",
		"\",\"ygg_address\":\"\",\"ygg_address\":\"200::1\",\"ygg_address\":\"\"",
		"\",\"ygg_address\":\"200:1111:1111:1111:1111:1111:1111:1111111111111111111111\"",
		"{\"jails\":[],\"sealed\":\"AAAA\"}",
		"caf\xc3\xa9 \x80\x81\x82\x83\x84\x85\x86\x87\xff",
	};
	char every[256];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		round_trip(texts[i]);
	for (int c = 1; c < 256; c++)
		every[c - 1] = (char)c;
	every[255] = '\0';
	round_trip(every);
}

Test(relay_pack, texts_that_differ_are_not_the_same)
{
	char *text = roster(3, 7);
	struct packed *p = pack(text);

	for (size_t i = 0; text[i] != '\0'; i++) {
		struct packed *q;
		char was = text[i];

		text[i] = was == '1' ? '2' : '1';
		q = pack(text);
		cr_assert_not(packed_same(p, q), "%s", text);
		text[i] = was;
		free(q);
	}
	free(text);
	free(p);
}
