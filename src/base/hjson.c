#include "base/hjson.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "base/text.h"

enum { DEPTH_MAX = 64 };

struct reader {
	const char *text;
	size_t len, at;
	struct arena *arena;
	struct err *e;
};

static int value(struct reader *r, struct text *out, int depth, bool *bare);

static int fail(struct reader *r, const char *what)
{
	int line = 1;

	for (size_t i = 0; i < r->at && i < r->len; i++)
		line += r->text[i] == '\n';
	return err_set(r->e, ERR_CONFIG, NOWHERE, "line %d: %s", line, what);
}

/* The byte at an offset from here; 0 at the end (no NUL is inside). */
static char peek(const struct reader *r, size_t offset)
{
	return offset < r->len - r->at ? r->text[r->at + offset] : '\0';
}

static bool is_space(char c)
{
	return c != '\0' && strchr(" \t\r\n\v\f", c) != NULL;
}

static bool is_punctuator(char c)
{
	return c != '\0' && strchr("{}[],:", c) != NULL;
}

static bool is_eol(char c)
{
	return c == '\0' || c == '\n' || c == '\r';
}

static bool at_comment(const struct reader *r)
{
	return peek(r, 0) == '#' || (peek(r, 0) == '/' && (peek(r, 1) == '/' || peek(r, 1) == '*'));
}

/* Skips white space and comments. */
static void white(struct reader *r)
{
	for (;;) {
		while (is_space(peek(r, 0)))
			r->at++;
		if (!at_comment(r))
			return;
		if (peek(r, 0) == '/' && peek(r, 1) == '*') {
			r->at += 2;
			while (peek(r, 0) != '\0' && !(peek(r, 0) == '*' && peek(r, 1) == '/'))
				r->at++;
			r->at += peek(r, 0) == '\0' ? 0 : 2;
		} else {
			while (peek(r, 0) != '\0' && peek(r, 0) != '\n')
				r->at++;
		}
	}
}

/* Appends decoded text as a JSON string. */
static void add_string(struct text *out, const char *s)
{
	cJSON *string = cJSON_CreateString(s);
	char *json = string == NULL ? NULL : cJSON_PrintUnformatted(string);

	if (json == NULL)
		abort();
	text_add(out, json);
	cJSON_free(json);
	cJSON_Delete(string);
}

/* What stands between two quotes, its escapes resolved; NULL when one is wrong. */
static const char *unquoted(struct arena *a, const char *s, size_t len, char quote)
{
	struct text t = text_new(a);
	const char *decoded;
	cJSON *json;

	text_add(&t, "\"");
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\\' && i + 1 < len && s[i + 1] == '\'')
			continue;
		if (s[i] == '"' && quote == '\'')
			text_add(&t, "\\");
		text_addn(&t, s + i, 1);
		if (s[i] == '\\' && i + 1 < len)
			text_addn(&t, s + ++i, 1);
	}
	text_add(&t, "\"");
	json = cJSON_ParseWithLengthOpts(t.s, t.len + 1, NULL, true);
	decoded = arena_dup(a, cJSON_GetStringValue(json));
	cJSON_Delete(json);
	return decoded;
}

/* A string in quotes; its text goes to *decoded unless that is NULL. */
static int quoted(struct reader *r, const char **decoded)
{
	char quote = peek(r, 0);
	size_t start = ++r->at;

	while (peek(r, 0) != quote) {
		if (peek(r, 0) == '\0')
			return fail(r, "a string does not end");
		if (peek(r, 0) == '\n')
			return fail(r, "a string in quotes goes over the end of its line");
		r->at += peek(r, 0) == '\\' && peek(r, 1) != '\0' ? 2 : 1;
	}
	if (decoded != NULL) {
		*decoded = unquoted(r->arena, r->text + start, r->at - start, quote);
		if (*decoded == NULL)
			return fail(r, "a string has a bad escape");
	}
	r->at++;
	return 0;
}

/* A string of several lines in '''. Its indentation is kept: nothing that we compare is written so. */
static int multiline(struct reader *r, struct text *out)
{
	size_t start = r->at += 3;

	while (!(peek(r, 0) == '\'' && peek(r, 1) == '\'' && peek(r, 2) == '\'')) {
		if (peek(r, 0) == '\0')
			return fail(r, "a string in ''' does not end");
		r->at++;
	}
	if (out != NULL)
		add_string(out, arena_dupn(r->arena, r->text + start, r->at - start));
	r->at += 3;
	return 0;
}

static size_t digits(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] >= '0' && s[n] <= '9')
		n++;
	return n;
}

/* A number as JSON has them. */
static bool is_number(const char *s, size_t len)
{
	size_t i = len > 0 && s[0] == '-', n = digits(s + i, len - i);

	if (n == 0 || (n > 1 && s[i] == '0'))
		return false;
	i += n;
	if (i < len && s[i] == '.') {
		n = digits(s + i + 1, len - i - 1);
		if (n == 0)
			return false;
		i += 1 + n;
	}
	if (i < len && (s[i] == 'e' || s[i] == 'E')) {
		i++;
		i += i < len && (s[i] == '+' || s[i] == '-');
		n = digits(s + i, len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return i == len;
}

static bool is_literal(const char *s, size_t len)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == len && memcmp(words[i], s, len) == 0)
			return true;
	/* The bound keeps a hostile line from being read over and over. */
	return len <= 64 && is_number(s, len);
}

static size_t trimmed(const char *s, size_t len)
{
	while (len > 0 && is_space(s[len - 1]))
		len--;
	return len;
}

/*
 * A value without quotes: a number or literal where what follows it ends one, else all to the end of
 * the line, commas and braces with it (hjson-go, readTfnns).
 */
static int without_quotes(struct reader *r, struct text *out, bool *bare)
{
	const char *s = r->text + r->at;
	size_t len = 0;

	*bare = true;
	do {
		r->at++;
		if (!is_eol(peek(r, 0)) && peek(r, 0) != ',' && peek(r, 0) != '}' &&
			peek(r, 0) != ']' && !at_comment(r))
			continue;
		len = trimmed(s, (size_t)(r->text + r->at - s));
		*bare = !is_literal(s, len);
	} while (*bare && !is_eol(peek(r, 0)));
	r->at = (size_t)(s - r->text) + len;
	if (out != NULL && *bare)
		add_string(out, arena_dupn(r->arena, s, len));
	else if (out != NULL)
		text_addn(out, s, len);
	return 0;
}

static int name(struct reader *r, const char **out)
{
	size_t start = r->at, len;

	if (peek(r, 0) == '"' || peek(r, 0) == '\'') {
		if (quoted(r, out) < 0)
			return -1;
	} else {
		while (peek(r, 0) != '\0' && !is_punctuator(peek(r, 0)) && !is_space(peek(r, 0)))
			r->at++;
		len = r->at - start;
		if (len == 0)
			return fail(r, "a name is missing");
		*out = arena_dupn(r->arena, r->text + start, len);
	}
	white(r);
	if (peek(r, 0) != ':')
		return fail(r, "a name without a colon behind it");
	r->at++;
	return 0;
}

/* After an element: a comma or nothing, for the end of a line separates as well. */
static bool comma(struct reader *r)
{
	bool found;

	white(r);
	found = peek(r, 0) == ',';
	if (found) {
		r->at++;
		white(r);
	}
	return found;
}

static int list(struct reader *r, struct text *out, int depth)
{
	char end = peek(r, 0) == '{' ? '}' : ']';
	bool first = true, bare;
	const char *key;

	if (out != NULL)
		text_addn(out, r->text + r->at, 1);
	r->at++;
	for (white(r); peek(r, 0) != end; comma(r)) {
		if (peek(r, 0) == '\0')
			return fail(r, end == '}' ? "a '}' is missing" : "a ']' is missing");
		if (out != NULL && !first)
			text_add(out, ",");
		first = false;
		if (end == '}') {
			if (name(r, &key) < 0)
				return -1;
			if (out != NULL) {
				add_string(out, key);
				text_add(out, ":");
			}
		}
		if (value(r, out, depth + 1, &bare) < 0)
			return -1;
	}
	if (out != NULL)
		text_addn(out, r->text + r->at, 1);
	r->at++;
	return 0;
}

/* Reads past a value; appends it to out as compact JSON unless that is NULL. */
static int value(struct reader *r, struct text *out, int depth, bool *bare)
{
	const char *decoded;

	*bare = false;
	white(r);
	if (depth > DEPTH_MAX)
		return fail(r, "nested too deep");
	switch (peek(r, 0)) {
	case '{':
	case '[':
		return list(r, out, depth);
	case '\'':
		if (peek(r, 1) == '\'' && peek(r, 2) == '\'')
			return multiline(r, out);
		/* fallthrough */
	case '"':
		if (quoted(r, out == NULL ? NULL : &decoded) < 0)
			return -1;
		if (out != NULL)
			add_string(out, decoded);
		return 0;
	case '\0':
		return fail(r, "a value is missing at the end");
	default:
		if (is_punctuator(peek(r, 0)))
			return fail(r,
				"a punctuation mark where a value is due (a text without "
				"quotes goes to the end of its line)");
		return without_quotes(r, out, bare);
	}
}

static struct hjson_member *member_push(struct arena *a, struct hjson *h)
{
	void *v = h->v;
	struct hjson_member *m = arena_push(a, &v, h->n, &h->cap, sizeof(*m));

	h->v = v;
	h->n++;
	return m;
}

static int members(struct reader *r, struct hjson *out, char end)
{
	size_t before = SIZE_MAX;

	for (white(r); peek(r, 0) != end;) {
		struct hjson_member *m = member_push(r->arena, out);

		if (peek(r, 0) == '\0')
			return fail(r, "a '}' is missing");
		m->start = r->at;
		m->comma = before;
		if (name(r, &m->name) < 0)
			return -1;
		white(r);
		m->value = r->at;
		if (value(r, NULL, 1, &m->bare) < 0)
			return -1;
		m->end = r->at;
		white(r);
		before = peek(r, 0) == ',' ? r->at : SIZE_MAX;
		comma(r);
	}
	return 0;
}

int hjson_parse(const char *text, size_t len, struct arena *a, struct hjson *out, struct err *e)
{
	struct reader r = { .text = text, .len = len, .arena = a, .e = e };
	bool braces;

	*out = (struct hjson){ .text = text, .len = len };
	if (memchr(text, '\0', len) != NULL)
		return err_set(e, ERR_CONFIG, NOWHERE, "there is a NUL byte in it");
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.at = 3;
	out->open = r.at;
	white(&r);
	braces = peek(&r, 0) == '{';
	if (braces)
		out->open = ++r.at;
	if (members(&r, out, braces ? '}' : '\0') < 0)
		return -1;
	if (braces) {
		r.at++;
		white(&r);
	}
	if (r.at != len)
		return fail(&r, "there is something behind the closing '}'");
	return 0;
}

const struct hjson_member *hjson_find(const struct hjson *h, const char *wanted)
{
	for (size_t i = h->n; i > 0; i--)
		if (strcasecmp(h->v[i - 1].name, wanted) == 0)
			return &h->v[i - 1];
	return NULL;
}

int hjson_value(const struct hjson *h, const struct hjson_member *m, struct arena *a,
	const char **json, struct err *e)
{
	struct reader r = { .text = h->text, .len = h->len, .at = m->value, .arena = a, .e = e };
	struct text out = text_new(a);
	bool bare;

	if (value(&r, &out, 1, &bare) < 0)
		return err_wrap(e, "%s", m->name);
	*json = out.s;
	return 0;
}

const char *hjson_plain(const struct hjson *h, const struct hjson_member *m, size_t *len)
{
	const char *s = h->text + m->value;

	*len = m->end - m->value;
	if (*len >= 2 && (*s == '"' || *s == '\'')) {
		*len -= 2;
		return s + 1;
	}
	if (*len == 4 && memcmp(s, "null", 4) == 0)
		*len = 0;
	return s;
}

/* The change of a text before it is written out: what is left out, what is put in where. */
struct rewrite {
	const struct hjson *h;
	bool *drop;       /* a byte of the text */
	const char **put; /* before a byte, or at the end */
};

static void drop(struct rewrite *w, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		w->drop[i] = true;
}

/* Takes a member out, with its line when it has one to itself. */
static void drop_member(struct rewrite *w, const struct hjson_member *m)
{
	const char *text = w->h->text;
	size_t len = w->h->len, from = m->start, to = m->end, next;

	for (next = to; next < len && is_space(text[next]);)
		next++;
	if (next < len && text[next] == ',')
		to = next + 1;
	while (from > w->h->open && (text[from - 1] == ' ' || text[from - 1] == '\t'))
		from--;
	for (next = to; next < len && (text[next] == ' ' || text[next] == '\t');)
		next++;
	if (from > 0 && text[from - 1] == '\n' && next < len && text[next] == '\n')
		to = next + 1;
	else
		from = m->start;
	drop(w, from, to);
}

/* Replaces the member's value (the last of its name) and takes out what else has the name. */
static void apply_edit(struct rewrite *w, const struct hjson_edit *edit)
{
	const struct hjson_member *last = hjson_find(w->h, edit->name);

	for (size_t i = 0; i < w->h->n; i++) {
		const struct hjson_member *m = &w->h->v[i];

		if (strcasecmp(m->name, edit->name) == 0 && (edit->json == NULL || m != last))
			drop_member(w, m);
	}
	if (edit->json == NULL || last == NULL)
		return;
	drop(w, last->value, last->end);
	w->put[last->value] = edit->json;
}

/* Whether a comma stands behind the last member. */
static bool end_has_comma(const struct hjson *h)
{
	size_t i = h->v[h->n - 1].end;

	while (i < h->len && is_space(h->text[i]))
		i++;
	return i < h->len && h->text[i] == ',';
}

/* The new members, to stand behind the last that stays, or first in the object. */
static void append(struct rewrite *w, const struct hjson_edit *edits, size_t n, struct arena *a)
{
	const struct hjson_member *last = NULL;
	struct text t = text_new(a);
	const struct hjson_member *end = w->h->n == 0 ? NULL : &w->h->v[w->h->n - 1];
	size_t at = w->h->open;
	bool first;

	for (size_t i = 0; i < w->h->n; i++)
		if (!w->drop[w->h->v[i].start])
			last = &w->h->v[i];
	/* The comma in front of members that are gone goes where there was none behind them. */
	if (last != NULL && last < end && !end_has_comma(w->h) && last[1].comma != SIZE_MAX)
		drop(w, last[1].comma, last[1].comma + 1);
	/* A replaced value is no bare string any more. */
	first = last == NULL || (last->bare && w->put[last->value] == NULL);
	if (last != NULL) {
		at = last->end;
	} else if (at == 0 || w->h->text[at - 1] != '{') {
		at = w->h->len;
	}
	for (size_t i = 0; i < n; i++) {
		if (edits[i].json == NULL || hjson_find(w->h, edits[i].name) != NULL)
			continue;
		text_addf(&t, "%s\n  \"%s\": %s", first ? "" : ",", edits[i].name, edits[i].json);
		first = false;
	}
	if (t.len == 0)
		return;
	if (last == NULL && (at == w->h->len || w->h->text[at] != '\n'))
		text_add(&t, "\n");
	w->put[at] = t.s;
}

char *hjson_edit(const struct hjson *h, const struct hjson_edit *edits, size_t n, struct arena *a)
{
	struct rewrite w = {
		.h = h,
		.drop = arena_alloc(a, h->len + 1, sizeof(*w.drop)),
		.put = arena_alloc(a, h->len + 1, sizeof(*w.put)),
	};
	struct text out = text_new(a);

	for (size_t i = 0; i < n; i++)
		apply_edit(&w, &edits[i]);
	append(&w, edits, n, a);
	for (size_t i = 0; i <= h->len; i++) {
		if (w.put[i] != NULL)
			text_add(&out, w.put[i]);
		if (i < h->len && !w.drop[i])
			text_addn(&out, h->text + i, 1);
	}
	return out.s;
}
