#include "os/dice.h"

#include <sodium.h>

void dice_code(char code[CODE_TEXT])
{
	uint32_t draws[CODE_DRAWS] = { randombytes_uniform(CODE_NUMBERS) };

	for (int i = 1; i < CODE_DRAWS; i++)
		draws[i] = randombytes_uniform((uint32_t)code_words_n);
	code_format(draws, code);
}

void dice_secret(struct secret *out)
{
	do
		randombytes_buf(out->b, sizeof(out->b));
	while (secret_is_weak(out));
}
