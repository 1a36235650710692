#include "base/sh.h"

#include <string.h>

/*
 * Between single quotes every byte but the single quote is itself (POSIX, Shell Command Language 2.2.2).
 * Nothing is left without quotes, so that no word can become a reserved word, an assignment or an alias.
 */
void sh_quote(struct text *out, const char *word)
{
	text_add(out, "'");
	for (;;) {
		size_t n = strcspn(word, "'");

		text_addn(out, word, n);
		word += n;
		if (*word == '\0')
			break;
		text_add(out, "'\\''");
		word++;
	}
	text_add(out, "'");
}

void sh_quote_all(struct text *out, const char *const *argv)
{
	for (size_t i = 0; argv[i] != NULL; i++) {
		if (i != 0)
			text_add(out, " ");
		sh_quote(out, argv[i]);
	}
}
