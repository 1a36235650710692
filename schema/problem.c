#include "schema/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUOTE_MAX = 60, WORD_MAX = 32 };

void problem_addv(struct problems *p, struct arena *a, struct loc at, const char *hint,
	const char *fmt, va_list ap)
{
	struct problem *slot;
	void *v = p->v;
	va_list again;
	char *text;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		abort();
	text = arena_alloc(a, (size_t)n + 1, 1);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	slot = arena_push(a, &v, p->n, &p->cap, sizeof(*slot));
	*slot = (struct problem){ .at = at, .text = text, .hint = hint };
	p->v = v;
	p->n++;
}

void problem_add(
	struct problems *p, struct arena *a, struct loc at, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	problem_addv(p, a, at, hint, fmt, ap);
	va_end(ap);
}

static int by_place(const void *left, const void *right)
{
	const struct problem *a = left, *b = right;

	if (a->at.line != b->at.line)
		return a->at.line < b->at.line ? -1 : 1;
	if (a->at.col != b->at.col)
		return a->at.col < b->at.col ? -1 : 1;
	return strcmp(a->text, b->text);
}

void problems_sort(struct problems *p)
{
	size_t kept = 0;

	if (p->n < 2)
		return;
	qsort(p->v, p->n, sizeof(*p->v), by_place);
	for (size_t i = 0; i < p->n; i++)
		if (kept == 0 || by_place(&p->v[kept - 1], &p->v[i]) != 0)
			p->v[kept++] = p->v[i];
	p->n = kept;
}

const char *problem_quote(struct arena *a, const char *text)
{
	size_t bytes = 0, chars = 0;

	for (; text[bytes] != '\0'; bytes++) {
		if (((unsigned char)text[bytes] & 0xc0) == 0x80)
			continue;
		if (++chars > QUOTE_MAX)
			return arena_printf(a, "%.*s...", (int)bytes, text);
	}
	return text;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many letters must be added, removed, replaced or swapped (optimal string alignment); case is free. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			char x = lower(a[i - 1]), y = lower(b[j - 1]);
			size_t best = d[i - 1][j - 1] + (x != y);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y &&
				d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[n][m];
}

const char *problem_nearest(struct arena *a, const char *text, const char *const *words, size_t n)
{
	size_t len = strlen(text), best = WORD_MAX;
	const char *nearest = NULL;

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d = distance(text, len, words[i], strlen(words[i]));

		if (d < best) {
			best = d;
			nearest = words[i];
		}
	}
	/* A third of the letters may be wrong: 'adress', 'nmae', 'platfrom', but not 'foo' for 'dns'. */
	if (nearest == NULL || best > (strlen(nearest) + 2) / 3)
		return NULL;
	return arena_printf(a, "did you mean '%s'?", nearest);
}
