/*
 * What a user pastes as a code: it is refused with a sentence, or it is a pass that comes out of its own text
 * again, however it was spelled. No digit of a secret is in a sentence.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_secret(const char *text, size_t len)
{
	struct secret one, again;
	char said[SECRET_TEXT];
	struct err e = ERR_INIT;

	if (secret_parse(text, len, &one, &e) < 0) {
		if (e.text[0] == '\0')
			abort();
		return;
	}
	secret_format(&one, said);
	if (secret_parse(said, strlen(said), &again, &e) < 0 ||
		memcmp(one.b, again.b, sizeof(one.b)) != 0)
		abort();
	secret_is_weak(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	const char *text = arena_dupn(a, data, size);
	struct pass pass, again;
	char said[PASS_TEXT], code[CODE_TEXT];
	struct err e = ERR_INIT;

	check_secret(text, size);
	if (code_read(text, size, code) && !code_is_valid(text))
		abort();
	if (pass_parse(text, &pass, &e) == 0) {
		if (!code_is_valid(pass.code))
			abort();
		snprintf(said, sizeof(said), "%s", pass.code);
		if (pass.sealed)
			pass_format(pass.code, &pass.secret, said);
		if (pass_parse(said, &again, &e) < 0 || strcmp(pass.code, again.code) != 0 ||
			pass.sealed != again.sealed ||
			(pass.sealed && memcmp(pass.secret.b, again.secret.b, SECRET_LEN) != 0))
			abort();
	} else if (e.text[0] == '\0') {
		abort();
	}
	arena_free(a);
	return 0;
}
