#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "schema/lines.h"

enum {
	SHOWN_MAX = 100,  /* characters of a line that are shown */
	SHOWN_BEFORE = 60 /* of them before the caret, where the line is longer */
};

/* Reads to the end of the file, at most one byte more than a mesh file may have. */
static int slurp(int fd, size_t expected, struct arena *a, struct input *in, struct err *e)
{
	size_t cap = expected + 2, len = 0;
	char *text = arena_alloc(a, cap, 1);

	for (;;) {
		ssize_t n = read(fd, text + len, cap - len - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "%s", in->name);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > MESH_BYTES_MAX)
			return err_set(e, ERR_CONFIG, NOWHERE,
				"%s: larger than %d MiB, the most that is read", in->name,
				MESH_BYTES_MAX / 1024 / 1024);
		if (len == cap - 1) {
			char *bigger = arena_alloc(a, cap * 2, 1);

			memcpy(bigger, text, len);
			text = bigger;
			cap *= 2;
		}
	}
	in->text = text;
	in->len = len;
	return 0;
}

int input_read(const char *file, struct arena *a, struct input *out, struct err *e)
{
	bool is_stdin = strcmp(file, "-") == 0;
	struct stat st;
	size_t expected = 64 * 1024;
	int fd, rc = -1;

	*out = (struct input){ .name = is_stdin ? "<stdin>" : file };
	fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		if (errno == ENOENT)
			return err_set(e, ERR_CONFIG, NOWHERE, "%s: no such file", file);
		return err_sys(e, "%s", file);
	}
	if (fstat(fd, &st) < 0) {
		err_sys(e, "%s", out->name);
		goto out;
	}
	if (S_ISDIR(st.st_mode)) {
		err_set(e, ERR_CONFIG, NOWHERE, "%s: is a directory, not a file", out->name);
		goto out;
	}
	if (S_ISREG(st.st_mode)) {
		if (st.st_size > MESH_BYTES_MAX) {
			err_set(e, ERR_CONFIG, NOWHERE,
				"%s: larger than %d MiB, the most that is read", out->name,
				MESH_BYTES_MAX / 1024 / 1024);
			goto out;
		}
		expected = (size_t)st.st_size;
		out->again = !is_stdin;
	}
	rc = slurp(fd, expected, a, out, e);
out:
	if (!is_stdin)
		close(fd);
	return rc;
}

/* Goes through the text once, for problems that are sorted by place. */
struct cursor {
	const char *line; /* where line number `number` begins */
	size_t left;      /* bytes from there to the end of the text */
	size_t len, next; /* of the line; from its begin to that of the following one */
	int number;
	int col; /* the column of the character at byte `at` of the line */
	size_t at;
};

static void cursor_line(struct cursor *c, int number)
{
	c->number = number;
	c->len = line_len(c->line, c->left, &c->next);
	c->col = 1;
	c->at = 0;
}

/* Goes to the place, or as near as there is text; false where there is no such line. */
static bool cursor_go(struct cursor *c, struct loc to)
{
	while (c->number < to.line) {
		if (c->next == c->left)
			return false;
		c->line += c->next;
		c->left -= c->next;
		cursor_line(c, c->number + 1);
	}
	for (; c->col < to.col && c->at < c->len; c->col++)
		c->at += line_chars(c->line + c->at, c->len - c->at, 1);
	return c->number == to.line;
}

/* The byte that is `chars` characters before the cursor, or the line's first. */
static size_t cursor_back(const struct cursor *c, size_t chars)
{
	size_t at = c->at;

	for (; chars > 0 && at > 0; chars--)
		for (at--; at > 0 && ((unsigned char)c->line[at] & 0xc0) == 0x80; at--)
			;
	return at;
}

static size_t count_chars(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* As text_safe, but a tab is a space, so that the caret stands right. */
static const char *shown(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_dupn(a, s, len);

	for (size_t i = 0; i < len; i++)
		if (copy[i] == '\t')
			copy[i] = ' ';
	return text_safe(a, copy, len, false);
}

/* The line, cut around the cursor where it is long, and a caret under it. */
static void show_line(FILE *to, bool colour, struct arena *a, const struct cursor *c)
{
	size_t from = 0, end = line_chars(c->line, c->len, SHOWN_MAX);
	const char *head, *lead;

	if (end < c->len && c->col > SHOWN_BEFORE) {
		from = cursor_back(c, SHOWN_BEFORE);
		end = from + line_chars(c->line + from, c->len - from, SHOWN_MAX);
	}
	lead = from == 0 ? "" : "...";
	head = shown(a, c->line + from, c->at - from);
	fprintf(to, "  %s%s%s%s\n", lead, head, shown(a, c->line + c->at, end - c->at),
		end < c->len ? "..." : "");
	fprintf(to, "  %*s%s^%s\n", (int)(strlen(lead) + count_chars(head)), "",
		colour ? "\033[1;32m" : "", colour ? "\033[0m" : "");
}

/* A question ("did you mean 'address'?") goes on in the sentence; advice has a line of its own. */
static bool is_question(const char *hint)
{
	size_t len = strlen(hint);

	return len > 0 && hint[len - 1] == '?';
}

static const char *safe(struct arena *a, const char *s)
{
	return text_safe(a, s, strlen(s), false);
}

void input_complain(
	FILE *to, bool colour, const struct input *in, const struct problem *problems, size_t n)
{
	static const char bom[] = "\xef\xbb\xbf";
	bool has_bom = in->len >= 3 && memcmp(in->text, bom, 3) == 0;
	struct cursor c = { .line = in->text + (has_bom ? 3 : 0),
		.left = in->len - (has_bom ? 3 : 0) };

	cursor_line(&c, 1);
	for (size_t i = 0; i < n; i++) {
		const struct problem *p = &problems[i];
		bool asks = p->hint != NULL && is_question(p->hint);
		struct arena *a = arena_new();

		fprintf(to, "%s%s:%d:%d:%s %serror:%s %s%s%s\n", colour ? "\033[1m" : "",
			safe(a, in->name), p->at.line, p->at.col, colour ? "\033[0m" : "",
			colour ? "\033[1;31m" : "", colour ? "\033[0m" : "", safe(a, p->text),
			asks ? ", " : "", asks ? safe(a, p->hint) : "");
		if (cursor_go(&c, p->at) && c.len > 0)
			show_line(to, colour, a, &c);
		if (p->hint != NULL && !asks)
			fprintf(to, "  hint: %s\n", safe(a, p->hint));
		arena_free(a);
	}
}
