#include "schema/syntax.h"

#include <stdlib.h>
#include <string.h>

#include "schema/lines.h"
#include "schema/problem.h"

/* NUL where the place is at or behind the end of its line. */
static char char_at(const char *text, size_t len, struct loc at)
{
	size_t n, next = 0;

	for (int line = 1;; line++) {
		n = line_len(text, len, &next);
		if (line == at.line || next == len)
			break;
		text += next;
		len -= next;
	}
	n -= line_chars(text, n, (size_t)at.col - 1);
	return n == 0 ? '\0' : text[line_chars(text, len, (size_t)at.col - 1)];
}

static void unreadable(const yaml_parser_t *parser, const char *text, size_t len, struct arena *a,
	struct problems *problems)
{
	size_t offset = parser->problem_offset < len ? parser->problem_offset : len;
	struct loc at = line_place(text, len, offset);

	if (strncmp(parser->problem, "control characters", strlen("control characters")) == 0)
		problem_add(problems, a, at, NULL, "a control character (U+%04X) in a mesh file",
			(unsigned)parser->problem_value);
	else
		problem_add(problems, a, at, "save the file as UTF-8",
			"not UTF-8: byte 0x%02x does not belong here",
			(unsigned)(unsigned char)(offset < len ? text[offset] : 0));
}

/* What the most frequent complaints of libyaml 0.2.5 (scanner.c, parser.c) come from. */
static const struct cause {
	const char *problem, *hint;
	const char *opened; /* said instead, at the place where it was opened */
} causes[] = {
	{ "mapping values are not allowed in this context",
		"a value with ': ' in it needs quotes, and a nested key a line of its own", NULL },
	{ "did not find expected key", "keys of one mapping must begin in the same column", NULL },
	{ "did not find expected '-' indicator",
		"entries of one list must begin in the same column", NULL },
	{ "could not find expected ':'", "write 'key: value', with a space after the colon", NULL },
	{ "did not find expected <document start>", "all keys of the file begin in column 1",
		NULL },
	{ "found unexpected end of stream", NULL, "this quote is never closed" },
	{ "did not find expected ',' or ']'", NULL, "this '[' is not closed, or a ',' is missing" },
	{ "did not find expected ',' or '}'", NULL, "this '{' is not closed, or a ',' is missing" },
};

static const struct cause *find_cause(const char *problem)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(*causes); i++)
		if (strcmp(problem, causes[i].problem) == 0)
			return &causes[i];
	return NULL;
}

static struct loc place(yaml_mark_t mark)
{
	return (struct loc){ (int)mark.line + 1, (int)mark.column + 1 };
}

void syntax_problem(const yaml_parser_t *parser, const char *text, size_t len, struct arena *a,
	struct problems *problems)
{
	struct loc at = place(parser->problem_mark);
	const struct cause *cause;
	const char *hint;

	if (parser->error == YAML_MEMORY_ERROR)
		abort();
	if (parser->error == YAML_READER_ERROR) {
		unreadable(parser, text, len, a, problems);
		return;
	}
	if (char_at(text, len, at) == '\t') {
		problem_add(problems, a, at, "indent with spaces", "a tab cannot indent YAML");
		return;
	}
	cause = find_cause(parser->problem);
	hint = cause == NULL ? NULL : cause->hint;
	if (cause != NULL && cause->opened != NULL && parser->context != NULL)
		problem_add(problems, a, place(parser->context_mark), NULL, "not YAML: %s",
			cause->opened);
	else if (parser->context != NULL && parser->context_mark.line != parser->problem_mark.line)
		problem_add(problems, a, at, hint, "not YAML: %s, %s that begins on line %zu",
			parser->problem, parser->context, parser->context_mark.line + 1);
	else if (parser->context != NULL)
		problem_add(problems, a, at, hint, "not YAML: %s, %s", parser->problem,
			parser->context);
	else
		problem_add(problems, a, at, hint, "not YAML: %s", parser->problem);
}
