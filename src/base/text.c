#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text text_new(struct arena *a)
{
	struct text t = { .arena = a, .cap = 256 };

	t.s = arena_bytes(a, t.cap);
	t.s[0] = '\0';
	return t;
}

static void reserve(struct text *t, size_t more)
{
	size_t cap = t->cap;
	char *s;

	if (more < cap - t->len)
		return;
	while (more >= cap - t->len)
		cap *= 2;
	s = arena_bytes(t->arena, cap);
	memcpy(s, t->s, t->len + 1);
	t->s = s;
	t->cap = cap;
}

void text_addn(struct text *t, const void *bytes, size_t len)
{
	reserve(t, len);
	if (len != 0)
		memcpy(t->s + t->len, bytes, len);
	t->len += len;
	t->s[t->len] = '\0';
}

void text_add(struct text *t, const char *s)
{
	text_addn(t, s, strlen(s));
}

void text_addf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	if ((size_t)n >= t->cap - t->len) {
		/* Only its beginning fitted, which is written over. */
		t->s[t->len] = '\0';
		reserve(t, (size_t)n);
		va_start(ap, fmt);
		vsnprintf(t->s + t->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	t->len += (size_t)n;
}

void strs_push(struct arena *a, struct strs *list, const char *s)
{
	void *v = list->v;
	const char **slot = arena_push(a, &v, list->n, &list->cap, sizeof(*slot));

	*slot = s;
	list->v = v;
	list->n++;
}

bool strs_has(const struct strs *list, const char *s)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], s) == 0)
			return true;
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void strs_sort(struct strs *list)
{
	if (list->n > 1)
		qsort(list->v, list->n, sizeof(*list->v), by_text);
}

size_t text_utf8(const char *text, size_t len, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80    ? 1
		: s[0] >> 5 == 6  ? 2
		: s[0] >> 4 == 14 ? 3
		: s[0] >> 3 == 30 ? 4
				  : 0;

	if (n == 0 || n > len)
		return 0;
	*cp = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
		return 0;
	return n;
}

static bool is_quiet(uint32_t cp, bool keep_newlines)
{
	if (cp == '\n')
		return keep_newlines;
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return false;
	/* Line and paragraph separators, bidirectional controls, zero width and tag characters. */
	if ((cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
		(cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff || cp == 0x061c || cp == 0xad ||
		(cp >= 0xfff9 && cp <= 0xfffb) || (cp >= 0xe0000 && cp <= 0xe0fff))
		return false;
	return true;
}

const char *text_safe(struct arena *a, const char *s, size_t len, bool keep_newlines)
{
	struct text t = text_new(a);

	for (size_t i = 0; i < len;) {
		uint32_t cp = 0;
		size_t n = text_utf8(s + i, len - i, &cp);

		if (n != 0 && is_quiet(cp, keep_newlines)) {
			text_addn(&t, s + i, n);
			i += n;
			continue;
		}
		for (size_t end = i + (n == 0 ? 1 : n); i < end; i++)
			text_addf(&t, "\\x%02x", (unsigned char)s[i]);
	}
	return t.s;
}

bool text_begins(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool byteset_has(const struct byteset *set, const char *s, size_t n)
{
	uint32_t has = 1;

	for (size_t i = 0; i < n; i++) {
		const unsigned c = (unsigned char)s[i];

		has &= set->words[c / 32] >> c % 32;
	}
	return has != 0;
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int percent_decode(const char *s, size_t n, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '%') {
			int high = n - i > 2 ? hex_digit(s[i + 1]) : -1;
			int low = n - i > 2 ? hex_digit(s[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (len == size)
			return -2;
		out[len++] = c;
	}
	return (int)len;
}

bool name_is_label(const char *s)
{
	size_t len = strlen(s);

	if (len < 1 || len > 63 || s[0] == '-' || s[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '-' || c == '_'))
			return false;
	}
	return true;
}

bool name_is_folded(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			return false;
	return true;
}

char *name_fold(struct arena *a, const char *s)
{
	char *copy = arena_dup(a, s);

	for (char *p = copy; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return copy;
}
