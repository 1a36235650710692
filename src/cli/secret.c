#include <stdio.h>

#include <sodium.h>

#include "cli/cli.h"
#include "os/dice.h"

int cmd_secret(const struct options *o, struct arena *a)
{
	char text[SECRET_TEXT];
	struct secret secret;
	struct err e;

	(void)a;
	if (sodium_init() < 0) {
		err_set(&e, ERR_SYSTEM, NOWHERE, "libsodium does not start");
		return complain(o, &e);
	}
	dice_secret(&secret);
	secret_format(&secret, text);
	puts(text);
	sodium_memzero(&secret, sizeof(secret));
	sodium_memzero(text, sizeof(text));
	return EXIT_OK;
}
