#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/host.h"
#include "cli/words.h"

/* Why standard output did not take everything; 0: it did so far. */
static int out_errno;

void out_flush(void)
{
	if ((fflush(stdout) != 0 || ferror(stdout)) && out_errno == 0)
		out_errno = errno != 0 ? errno : EIO;
}

int complain(const struct options *o, const struct err *e)
{
	struct arena *a = arena_new();

	out_flush();
	fprintf(stderr, "jmesh: %serror:%s %s\n", o->colour_err ? "\033[1;31m" : "",
		o->colour_err ? "\033[0m" : "", text_safe(a, e->text, strlen(e->text), true));
	arena_free(a);
	return EXIT_ERROR;
}

static int misused(
	const struct options *o, const struct command_words *c, const char *fmt, const char *word)
{
	struct err e;

	err_set(&e, ERR_USAGE, NOWHERE, fmt, word);
	complain(o, &e);
	if (c != NULL)
		fprintf(stderr, "try: jmesh %s --help\n", c->name);
	else
		fputs("try: jmesh --help\n", stderr);
	return EXIT_ERROR;
}

/* A whole number from low to high; false: it is none. */
static bool number(const char *text, long low, long high, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *out >= low && *out <= high;
}

/* Bytes, or so many K, M or G of them, from low to high; false: it is none. */
static bool size(const char *text, long low, long high, long *out)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	if (errno != 0 || end == text || *out < 0)
		return false;
	unit = *end != '\0' ? strchr(units, *end) : NULL;
	for (const char *u = units; unit != NULL && u <= unit; u++) {
		if (*out > LONG_MAX / 1024)
			return false;
		*out *= 1024;
	}
	return end[unit != NULL] == '\0' && *out >= low && *out <= high;
}

static bool set_option(
	struct options *o, const struct option_words *w, const char *value, struct arena *a)
{
	char *field = (char *)o + w->field;
	long n = 0;

	switch (w->type) {
	case OPTION_SET:
		*(bool *)(void *)field = true;
		return true;
	case OPTION_UNSET:
		*(bool *)(void *)field = false;
		return true;
	case OPTION_TEXT:
		*(const char **)(void *)field = value;
		return *value != '\0';
	case OPTION_LIST:
		strs_push(a, (struct strs *)(void *)field, value);
		return true;
	case OPTION_NUMBER:
		if (!number(value, w->low, w->high, &n))
			return false;
		*(int *)(void *)field = (int)n;
		return true;
	case OPTION_SIZE:
		if (!size(value, w->low, w->high, &n))
			return false;
		*(size_t *)(void *)field = (size_t)n;
		return true;
	}
	return false;
}

/* Options may stand before and behind FILE, as --name VALUE or --name=VALUE. -1: go on; else the exit status. */
static int parse(
	int argc, char **argv, const struct command_words *c, struct options *o, struct arena *a)
{
	bool options_end = false, have_file = false;

	for (int i = 2; i < argc; i++) {
		const char *word = argv[i], *equals = strchr(word, '=');
		size_t len = equals == NULL ? strlen(word) : (size_t)(equals - word);
		const struct option_words *w;
		const char *value = equals == NULL ? NULL : equals + 1;

		if (options_end || word[0] != '-' || strcmp(word, "-") == 0) {
			if (have_file || !c->takes_file)
				return misused(o, c, "one word too many: '%s'", word);
			o->file = word;
			have_file = true;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			options_end = true;
			continue;
		}
		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			words_help_command(stdout, c);
			return EXIT_OK;
		}
		w = words_option(c, word, len);
		if (w == NULL)
			return misused(o, c, "unknown option '%s'", arena_dupn(a, word, len));
		if ((w->type == OPTION_SET || w->type == OPTION_UNSET) && value != NULL)
			return misused(o, c, "%s takes no value", w->name);
		if (w->type != OPTION_SET && w->type != OPTION_UNSET && value == NULL) {
			if (i + 1 == argc)
				return misused(o, c, "%s needs a value", w->name);
			value = argv[++i];
		}
		if (!set_option(o, w, value, a))
			return misused(o, c, w->refusal, value);
	}
	return -1;
}

static bool coloured(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && (no_color == NULL || *no_color == '\0') &&
		(term == NULL || strcmp(term, "dumb") != 0);
}

/* What was printed must have arrived: a full disk behind a pipe is an error. */
static int finish(const struct options *o, int status)
{
	struct err e;

	out_flush();
	/* Who reads no further (head) wants no more, and no complaint either. */
	if (out_errno == 0 || out_errno == EPIPE)
		return status;
	errno = out_errno;
	err_sys(&e, "write to standard output");
	complain(o, &e);
	return status == EXIT_OK ? EXIT_ERROR : status;
}

/*
 * A stream that is closed is opened the wrong way round: using it still fails, and no other file gets its
 * number and then what is printed.
 */
static void hold_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
	struct options o = {
		.file = "mesh.yaml",
		.pair = true,
		.wait = 600,
		.ttl = 3600,
		.max_pairings = 10000,
		.max_connections = 1024,
		.colour_out = coloured(STDOUT_FILENO),
		.colour_err = coloured(STDERR_FILENO),
		.terminal_in = isatty(STDIN_FILENO) != 0,
		.terminal_err = isatty(STDERR_FILENO) != 0,
	};
	const struct command_words *c;
	struct arena *a;
	int status;

	hold_streams();
	if (argc < 2) {
		words_help(stderr);
		return EXIT_ERROR;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		words_help(stdout);
		return finish(&o, EXIT_OK);
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("jmesh " JMESH_VERSION);
		return finish(&o, EXIT_OK);
	}
	if (strcmp(argv[1], "--completion") == 0) {
		words_completion(stdout);
		return finish(&o, EXIT_OK);
	}
	c = words_command(argv[1]);
	if (c == NULL)
		return misused(&o, NULL, "there is no command '%s'", argv[1]);
	a = arena_new();
	status = parse(argc, argv, c, &o, a);
	if (status < 0)
		status = c->run(&o, a);
	status = finish(&o, status);
	/* What failed because a signal came, to us or to a program of ours, was interrupted. */
	if (status == EXIT_ERROR && host_signal() != 0)
		status = 128 + host_signal();
	arena_free(a);
	return status;
}
