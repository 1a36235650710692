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
static const struct {
	const char *problem, *hint;
} causes[] = {
	{ "mapping values are not allowed in this context",
		"a value with ': ' in it needs quotes, and a nested key a line of its own" },
	{ "did not find expected key", "keys of one mapping must begin in the same column" },
	{ "did not find expected '-' indicator",
		"entries of one list must begin in the same column" },
	{ "could not find expected ':'", "write 'key: value', with a space after the colon" },
	{ "found unexpected end of stream", "a quote or bracket is not closed" },
	{ "did not find expected ',' or ']'", "a '[' must be closed by a ']'" },
	{ "did not find expected ',' or '}'", "a '{' must be closed by a '}'" },
	{ "did not find expected <document start>", "all keys of the file begin in column 1" },
};

void syntax_problem(const yaml_parser_t *parser, const char *text, size_t len, struct arena *a,
	struct problems *problems)
{
	struct loc at = { (int)parser->problem_mark.line + 1,
		(int)parser->problem_mark.column + 1 };
	const char *hint = NULL;

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
	for (size_t i = 0; i < sizeof(causes) / sizeof(*causes); i++)
		if (strcmp(parser->problem, causes[i].problem) == 0)
			hint = causes[i].hint;
	if (parser->context != NULL && parser->context_mark.line != parser->problem_mark.line)
		problem_add(problems, a, at, hint, "not YAML: %s, %s that begins on line %zu",
			parser->problem, parser->context, parser->context_mark.line + 1);
	else if (parser->context != NULL)
		problem_add(problems, a, at, hint, "not YAML: %s, %s", parser->problem,
			parser->context);
	else
		problem_add(problems, a, at, hint, "not YAML: %s", parser->problem);
}
