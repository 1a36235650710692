/* The commands and their options, in one table: usage, completion and the man pages follow it. */
#ifndef JMESH_CLI_WORDS_H
#define JMESH_CLI_WORDS_H

#include "cli/cli.h"

enum option_type { OPTION_SET, OPTION_UNSET, OPTION_TEXT, OPTION_LIST, OPTION_NUMBER, OPTION_SIZE };

struct option_words {
	const char *name, *value; /* "--wait", "SECONDS"; NULL: it takes none */
	const char *help;
	unsigned commands; /* bits of enum command_bit */
	enum option_type type;
	size_t field;        /* offset in struct options */
	long low, high;      /* of OPTION_NUMBER, and of OPTION_SIZE in bytes */
	const char *refusal; /* said of a value that does not fit; %s is the value */
};

struct command_words {
	const char *name;
	unsigned bit;
	int (*run)(const struct options *o, struct arena *a);
	const char *help;   /* a line */
	const char *detail; /* what --help adds, with the exit status */
	bool takes_file;
};

const struct command_words *words_command(const char *name);
const struct option_words *words_option(
	const struct command_words *c, const char *name, size_t len);
void words_help(FILE *to);
void words_help_command(FILE *to, const struct command_words *c);

/* A bash completion script. */
void words_completion(FILE *to);

#endif
