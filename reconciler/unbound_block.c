#include "reconciler/unbound_block.h"

#include <string.h>

static const char forward_zone[] = "forward-zone:";

/* Where things are, as offsets; marks are whole lines. */
struct block {
	bool there;
	size_t begin, end;      /* of the block with its marks; without one where it is to be */
	size_t inside, outside; /* of the lines between the marks */
};

static bool line_is(const char *line, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(line, text, len) == 0;
}

/* A mark may be indented like the lines between. */
static bool is_mark(const char *line, size_t len, const char *mark)
{
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	return line_is(line, len, mark);
}

static int find_block(const char *text, size_t len, struct block *out, struct err *e)
{
	const char *rest = text, *line;
	size_t rest_len = len, line_len, begins = 0, ends = 0;
	bool forwards = false;

	*out = (struct block){ .begin = len, .end = len };
	while (unbound_next_line(&rest, &rest_len, &line, &line_len)) {
		size_t at = (size_t)(line - text), next = (size_t)(rest - text);

		if (is_mark(line, line_len, BLOCK_BEGIN)) {
			begins++;
			out->begin = at;
			out->inside = next;
		} else if (is_mark(line, line_len, BLOCK_END)) {
			ends++;
			out->outside = at;
			out->end = next;
		} else if (!forwards && begins + ends == 0 && line_len >= strlen(forward_zone) &&
			memcmp(line, forward_zone, strlen(forward_zone)) == 0) {
			forwards = true;
			out->begin = out->end = at;
		}
	}
	out->there = begins != 0;
	if (begins == ends && begins <= 1 && (!out->there || out->inside <= out->outside))
		return 0;
	return err_set(e, ERR_CONFIG, NOWHERE,
		"the lines '" BLOCK_BEGIN "' and '" BLOCK_END
		"' must be there once each, in this order, or not at all; remove them, and jmesh "
		"writes them anew");
}

bool unbound_block_is_theirs(const struct dns_record *r, const char *zone)
{
	static const char local[] = "local.";
	size_t n = strlen(r->name), z = strlen(zone), l = strlen(local);

	if (strcmp(r->type, "A") == 0)
		return true;
	/* "local.ZONE" at its end, as a whole label. */
	if (n < l + z || strcmp(r->name + n - z, zone) != 0 ||
		memcmp(r->name + n - z - l, local, l) != 0)
		return false;
	return n == l + z || r->name[n - z - l - 1] == '.';
}

/* The next word of a line: up to white space, without the quotes around it. */
static const char *word(const char **p, const char *end, struct arena *a)
{
	const char *from;

	while (*p < end && (**p == ' ' || **p == '\t'))
		++*p;
	from = *p;
	if (from < end && *from == '"') {
		const char *quote = memchr(from + 1, '"', (size_t)(end - from - 1));

		*p = quote == NULL ? end : quote + 1;
		return arena_dupn(a, from + 1, (size_t)((quote == NULL ? end : quote) - from - 1));
	}
	while (*p < end && **p != ' ' && **p != '\t' && **p != '\r')
		++*p;
	return arena_dupn(a, from, (size_t)(*p - from));
}

const char *unbound_block_zone(const char *text, size_t len, const char *zone, struct arena *a)
{
	const char *line, *type = NULL;
	size_t line_len;
	bool inside = false;

	while (unbound_next_line(&text, &len, &line, &line_len)) {
		const char *p = line, *end = line + line_len;
		char *name;

		if (is_mark(line, line_len, BLOCK_BEGIN) || is_mark(line, line_len, BLOCK_END))
			inside = is_mark(line, line_len, BLOCK_BEGIN);
		if (inside || strcmp(word(&p, end, a), "local-zone:") != 0)
			continue;
		name = name_fold(a, word(&p, end, a));
		if (strlen(name) > 1 && name[strlen(name) - 1] == '.')
			name[strlen(name) - 1] = '\0';
		if (strcmp(name, zone) == 0)
			type = word(&p, end, a);
	}
	return type;
}

static const char *line_of(const struct dns_record *r, struct arena *a)
{
	return arena_printf(a, "    local-data: \"%s. IN AAAA %s\"", r->name, r->data);
}

/* The record of a line that is as Jailrun writes it. */
static bool parse_line(
	const char *line, size_t len, const char *zone, struct arena *a, struct dns_record *out)
{
	struct err ignored = ERR_INIT;

	return unbound_parse_line(line, len, "    ", a, out) &&
		dns_record_check(out, zone, &ignored) == 0 && !unbound_block_is_theirs(out, zone) &&
		line_is(line, len, line_of(out, a));
}

int unbound_block_parse(const char *text, size_t len, const char *zone, struct arena *a,
	struct local_zone *out, bool *as_generated, struct err *e)
{
	const char *rest, *line;
	size_t rest_len, line_len, n = 0;
	struct block block;

	if (find_block(text, len, &block, e) < 0)
		return -1;
	*as_generated = true;
	if (!block.there)
		return 0;
	rest = text + block.inside;
	rest_len = block.outside - block.inside;
	while (unbound_next_line(&rest, &rest_len, &line, &line_len)) {
		struct dns_record r;

		n++;
		if (parse_line(line, line_len, zone, a, &r))
			dns_records_add(&out->found, a, &r);
	}
	dns_records_sort(&out->found);
	*as_generated = out->found.n == n;
	return 0;
}

/* Which of the records a line is; records->n: none of them. */
static size_t find_record(const struct dns_records *records, const struct dns_record *r)
{
	size_t n;
	const struct dns_record *v = dns_records_named(records, r->name, &n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].type, r->type) == 0 && strcmp(v[i].data, r->data) == 0)
			return (size_t)(v + i - records->v);
	return records->n;
}

static void add_lines(const char *text, size_t len, const char *zone,
	const struct dns_records *records, struct arena *a, struct text *out)
{
	bool *kept = arena_alloc(a, records->n, sizeof(*kept));
	const char *line;
	size_t line_len;

	while (unbound_next_line(&text, &len, &line, &line_len)) {
		struct dns_record r;
		size_t i;

		if (!parse_line(line, line_len, zone, a, &r) ||
			(i = find_record(records, &r)) == records->n || kept[i])
			continue;
		text_addn(out, line, line_len);
		text_add(out, "\n");
		kept[i] = true;
	}
	for (size_t i = 0; i < records->n; i++)
		if (!kept[i])
			text_addf(out, "%s\n", line_of(&records->v[i], a));
}

int unbound_block_edit(const char *text, size_t len, const char *zone,
	const struct dns_records *records, struct arena *a, struct text *out, struct err *e)
{
	struct block block;

	if (find_block(text, len, &block, e) < 0)
		return -1;
	text_addn(out, text, block.begin);
	if (records->n != 0 && !block.there) {
		if (block.begin != 0 && text[block.begin - 1] != '\n')
			text_add(out, "\n");
		text_add(out, BLOCK_BEGIN "\n");
		add_lines("", 0, zone, records, a, out);
		text_add(out, BLOCK_END "\n");
	} else if (records->n != 0) {
		text_addn(out, text + block.begin, block.inside - block.begin);
		add_lines(text + block.inside, block.outside - block.inside, zone, records, a, out);
		text_addn(out, text + block.outside, block.end - block.outside);
	}
	text_addn(out, text + block.end, len - block.end);
	return 0;
}
