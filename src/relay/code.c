#include "relay/code.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *word(void)
{
	return code_words[randombytes_uniform((uint32_t)code_words_n)];
}

void code_make(char code[CODE_TEXT])
{
	const char *first = word(), *second = word(), *third = word();
	unsigned number = CODE_NUMBER_MIN + randombytes_uniform(CODE_NUMBERS);
	int n;

	memset(code, 0, CODE_TEXT);
	n = snprintf(code, CODE_TEXT, "%u-%s-%s-%s", number, first, second, third);
	if (n < 0 || n >= CODE_TEXT)
		abort(); /* a word in the list is too long */
}

bool code_read(const char *text, size_t len, char code[CODE_TEXT])
{
	if (len < 1 || len >= CODE_TEXT)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	memset(code, 0, CODE_TEXT);
	memcpy(code, text, len);
	return true;
}
