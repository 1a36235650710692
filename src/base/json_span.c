#include "base/json_span.h"

#include <string.h>

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n", *p) != NULL && *p != '\0')
		p++;
	return p;
}

/* Behind the string that begins at p. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p + 1 : end;
}

/* Behind the value that begins at p. */
static const char *skip_value(const char *p, const char *end)
{
	size_t depth = 0;

	do {
		if (p < end && *p == '"') {
			p = skip_string(p, end);
		} else if (p < end && (*p == '{' || *p == '[')) {
			depth++;
			p++;
		} else if (p < end && (*p == '}' || *p == ']')) {
			depth--;
			p++;
		} else if (depth > 0) {
			p++;
		} else {
			while (p < end && strchr(",]} \t\r\n", *p) == NULL)
				p++;
		}
	} while (depth > 0 && p < end);
	return p;
}

struct span span_value(const char *text, size_t len)
{
	const char *end = text + len, *from = skip_space(text, end);

	return (struct span){ from, (size_t)(skip_value(from, end) - from) };
}

static void add(struct spans *list, struct arena *a, struct span part)
{
	void *v = list->v;

	*(struct span *)arena_push(a, &v, list->n, &list->cap, sizeof(part)) = part;
	list->v = v;
	list->n++;
}

struct spans span_parts(struct span value, struct arena *a)
{
	const char *end = value.at + value.len, *p = value.at;
	struct spans out = { 0 };
	bool object;

	if (value.len < 2 || (*p != '{' && *p != '['))
		return out;
	object = *p == '{';
	for (p = skip_space(p + 1, end); p < end && *p != '}' && *p != ']';) {
		struct span part;

		if (object) {
			p = skip_space(skip_string(p, end), end);
			p = skip_space(p < end ? p + 1 : end, end);
		}
		part = span_value(p, (size_t)(end - p));
		add(&out, a, part);
		p = skip_space(part.at + part.len, end);
		if (p < end && *p == ',')
			p = skip_space(p + 1, end);
	}
	return out;
}

bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

void span_replace(struct text *t, struct span whole, struct span part, const char *text)
{
	const char *behind = part.at + part.len;

	text_addn(t, whole.at, (size_t)(part.at - whole.at));
	text_add(t, text);
	text_addn(t, behind, (size_t)(whole.at + whole.len - behind));
}
