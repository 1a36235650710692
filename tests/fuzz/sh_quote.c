/*
 * What goes in as argv comes out as argv, from a real sh: the input is split into words at each NUL, one
 * sh that lives as long as this process prints them, and the same bytes must come back. FUZZ_SH names
 * another shell than /bin/sh.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sh.h"

/* A prompt answer takes microseconds; a shell that waits for the end of a quote never answers. */
enum { WORDS_MAX = 1024, WAIT_MS = 10000 };

#define END "\n.\n"

static int to_sh = -1, from_sh = -1;

static _Noreturn void give_up(const char *why)
{
	fprintf(stderr, "sh_quote: %s\n", why);
	abort();
}

static void start_sh(void)
{
	const char *sh = getenv("FUZZ_SH");
	int in[2], out[2];
	pid_t pid;

	sh = sh == NULL ? "/bin/sh" : sh;
	if (pipe(in) < 0 || pipe(out) < 0 || (pid = fork()) < 0)
		give_up("no pipe or no process");
	if (pid == 0) {
		setenv("LC_ALL", "C", 1);
		dup2(in[0], 0);
		dup2(out[1], 1);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		execl(sh, sh, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	to_sh = in[1];
	from_sh = out[0];
}

static void write_all(const char *s, size_t len)
{
	while (len > 0) {
		ssize_t n = write(to_sh, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			give_up("the shell is gone");
		s += n;
		len -= (size_t)n;
	}
}

/* The whole line is read by the shell before it prints anything, so writing first cannot block for ever. */
static void read_all(char *s, size_t len)
{
	struct pollfd p = { .fd = from_sh, .events = POLLIN };

	while (len > 0) {
		ssize_t n = poll(&p, 1, WAIT_MS);

		/* libFuzzer's alarm comes every second. */
		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1)
			give_up("the shell does not answer");
		n = read(from_sh, s, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			give_up("the shell is gone");
		s += n;
		len -= (size_t)n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	const char *words[WORDS_MAX + 1];
	char *text = arena_dupn(a, data, size), *answer;
	struct text line = text_new(a), expected = text_new(a);
	size_t n = 0;

	if (to_sh < 0)
		start_sh();
	for (size_t at = 0; at <= size && n < WORDS_MAX; at += strlen(text + at) + 1)
		words[n++] = text + at;
	words[n] = NULL;
	text_add(&line, "printf '%s\\0' ");
	sh_quote_all(&line, words);
	text_add(&line, "; printf '\\n.\\n'\n");
	for (size_t i = 0; i < n; i++)
		text_addn(&expected, words[i], strlen(words[i]) + 1);
	text_add(&expected, END);
	write_all(line.s, line.len);
	answer = arena_alloc(a, expected.len, 1);
	read_all(answer, expected.len);
	if (memcmp(answer, expected.s, expected.len) != 0)
		give_up("other words came back");
	arena_free(a);
	return 0;
}
