#include "reconciler/unbound.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"

enum { NAME_MAX_LEN = 253, FIELDS = 4 };

bool unbound_next_line(const char **text, size_t *len, const char **line, size_t *line_len)
{
	const char *end;

	if (*len == 0)
		return false;
	end = memchr(*text, '\n', *len);
	*line = *text;
	*line_len = end == NULL ? *len : (size_t)(end - *text);
	*text += end == NULL ? *len : *line_len + 1;
	*len -= end == NULL ? *len : *line_len + 1;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Splits a line into at most n fields at white space; the last takes the rest. Returns how many. */
static size_t split(const char *line, size_t len, struct arena *a, const char *fields[], size_t n)
{
	size_t at = 0, count = 0;

	while (len > 0 && is_blank(line[len - 1]))
		len--;
	while (count < n) {
		size_t start;

		while (at < len && is_blank(line[at]))
			at++;
		if (at == len)
			break;
		start = at;
		while (at < len && (count + 1 == n || !is_blank(line[at])))
			at++;
		fields[count++] = arena_dupn(a, line + start, at - start);
	}
	return count;
}

/* In lower case and without the dot at its end. */
static const char *plain_name(const char *text, struct arena *a)
{
	char *name = name_fold(a, text);
	size_t len = strlen(name);

	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
	return name;
}

bool dns_name_in_zone(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	if (n < z || strcmp(name + n - z, zone) != 0)
		return false;
	/* An escaped dot is no border of labels. */
	return n == z || (name[n - z - 1] == '.' && (n - z < 2 || name[n - z - 2] != '\\'));
}

static int record_cmp(const struct dns_record *l, const struct dns_record *r)
{
	int order = strcmp(l->name, r->name);

	if (order == 0)
		order = strcmp(l->type, r->type);
	return order != 0 ? order : strcmp(l->data, r->data);
}

static int by_record(const void *a, const void *b)
{
	return record_cmp(a, b);
}

void dns_records_add(struct dns_records *list, struct arena *a, const struct dns_record *r)
{
	void *v = list->v;

	*(struct dns_record *)arena_push(a, &v, list->n, &list->cap, sizeof(*r)) = *r;
	list->v = v;
	list->n++;
}

void dns_records_sort(struct dns_records *list)
{
	size_t kept = 0;

	if (list->n < 2)
		return;
	qsort(list->v, list->n, sizeof(*list->v), by_record);
	for (size_t i = 0; i < list->n; i++)
		if (kept == 0 || record_cmp(&list->v[kept - 1], &list->v[i]) != 0)
			list->v[kept++] = list->v[i];
	list->n = kept;
}

bool dns_records_has(const struct dns_records *sorted, const struct dns_record *r)
{
	return sorted->n != 0 &&
		bsearch(r, sorted->v, sorted->n, sizeof(*sorted->v), by_record) != NULL;
}

const struct dns_record *dns_records_named(
	const struct dns_records *sorted, const char *name, size_t *n)
{
	size_t low = 0, high = sorted->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(sorted->v[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (*n = 0; low + *n < sorted->n && strcmp(sorted->v[low + *n].name, name) == 0;)
		++*n;
	return sorted->v + low;
}

void dns_records_drop(struct dns_records *sorted, const struct dns_records *these)
{
	size_t kept = 0;

	for (size_t i = 0; i < sorted->n; i++)
		if (!dns_records_has(these, &sorted->v[i]))
			sorted->v[kept++] = sorted->v[i];
	sorted->n = kept;
}

static bool is_canonical(int family, const char *text)
{
	unsigned char bytes[16];
	char again[ADDR_TEXT];

	return inet_pton(family, text, bytes) == 1 &&
		inet_ntop(family, bytes, again, sizeof(again)) != NULL && strcmp(text, again) == 0;
}

static bool is_name(const char *name)
{
	if (strlen(name) > NAME_MAX_LEN)
		return false;
	for (const char *p = name;; p++) {
		size_t len = strcspn(p, ".");
		char label[64];

		if (len >= sizeof(label))
			return false;
		memcpy(label, p, len);
		label[len] = '\0';
		if (!name_is_label(label))
			return false;
		p += len;
		if (*p == '\0')
			return true;
	}
}

int dns_record_check(const struct dns_record *r, const char *zone, struct err *e)
{
	if (!is_name(r->name) || !dns_name_in_zone(r->name, zone))
		return err_set(
			e, ERR_CONFIG, NOWHERE, "not a name in the zone %s: '%s'", zone, r->name);
	if (strcmp(r->type, "A") != 0 && strcmp(r->type, "AAAA") != 0)
		return err_set(
			e, ERR_CONFIG, NOWHERE, "not a type of an address record: '%s'", r->type);
	if (!is_canonical(strcmp(r->type, "A") == 0 ? AF_INET : AF_INET6, r->data))
		return err_set(e, ERR_CONFIG, NOWHERE, "not the address of an %s record: '%s'",
			r->type, r->data);
	return 0;
}

int unbound_parse_zones(const char *text, size_t len, const char *zone, struct arena *a,
	struct local_zone *out, struct err *e)
{
	const char *line, *fields[2];
	size_t line_len;

	while (unbound_next_line(&text, &len, &line, &line_len)) {
		size_t n = split(line, line_len, a, fields, 2);
		const char *name;

		if (n == 0)
			continue;
		if (n != 2)
			return err_set(e, ERR_SYSTEM, NOWHERE, "unbound lists no zone in '%.*s'",
				(int)(line_len < 200 ? line_len : 200), line);
		name = plain_name(fields[0], a);
		if (strcmp(name, zone) == 0)
			out->type = fields[1];
		else if (dns_name_in_zone(name, zone))
			strs_push(a, &out->nested, arena_printf(a, "%s %s", name, fields[1]));
	}
	return 0;
}

int unbound_parse_data(const char *text, size_t len, const char *zone, struct arena *a,
	struct local_zone *out, struct err *e)
{
	const char *line, *fields[FIELDS + 1];
	size_t line_len;

	while (unbound_next_line(&text, &len, &line, &line_len)) {
		size_t n = split(line, line_len, a, fields, FIELDS + 1);
		struct dns_record r;

		if (n == 0)
			continue;
		if (n < FIELDS)
			return err_set(e, ERR_SYSTEM, NOWHERE, "unbound lists no record in '%.*s'",
				(int)(line_len < 200 ? line_len : 200), line);
		r = (struct dns_record){ plain_name(fields[0], a), fields[3],
			n > FIELDS ? fields[4] : "" };
		if (strcmp(fields[2], "IN") == 0 && dns_name_in_zone(r.name, zone))
			dns_records_add(&out->found, a, &r);
	}
	dns_records_sort(&out->found);
	return 0;
}

static const char header[] =
	"# jmesh owns this file and replaces it; what is changed here by hand is lost.\n";

const char *unbound_file(const char *zone, const struct dns_records *records, struct arena *a)
{
	struct text t = text_new(a);

	text_add(&t, header);
	text_addf(&t, "server:\n\tlocal-zone: \"%s.\" static\n", zone);
	for (size_t i = 0; i < records->n; i++)
		text_addf(&t, "\tlocal-data: \"%s. IN %s %s\"\n", records->v[i].name,
			records->v[i].type, records->v[i].data);
	return t.s;
}

/* What stands between prefix and suffix, or NULL. */
static const char *between(
	const char *line, size_t len, const char *prefix, const char *suffix, struct arena *a)
{
	size_t p = strlen(prefix), s = strlen(suffix);

	if (len < p + s || memcmp(line, prefix, p) != 0 || memcmp(line + len - s, suffix, s) != 0)
		return NULL;
	return arena_dupn(a, line + p, len - p - s);
}

bool unbound_parse_line(
	const char *line, size_t len, const char *indent, struct arena *a, struct dns_record *out)
{
	const char *start = arena_printf(a, "%slocal-data: \"", indent);
	const char *fields[FIELDS], *inner = between(line, len, start, "\"", a);

	if (inner == NULL || split(inner, strlen(inner), a, fields, FIELDS) != FIELDS ||
		strcmp(fields[1], "IN") != 0)
		return false;
	*out = (struct dns_record){ plain_name(fields[0], a), fields[2], fields[3] };
	return true;
}

bool unbound_parse_file(
	const char *text, size_t len, const char *zone, struct arena *a, struct local_zone *out)
{
	const char *rest = text, *line, *inner, *again;
	const char *start = arena_printf(a, "\tlocal-zone: \"%s.\" ", zone);
	size_t rest_len = len, line_len;
	struct err ignored = ERR_INIT;
	struct dns_record r;

	while (unbound_next_line(&rest, &rest_len, &line, &line_len)) {
		if ((inner = between(line, line_len, start, "", a)) != NULL)
			out->type = inner;
		else if (unbound_parse_line(line, line_len, "\t", a, &r) &&
			dns_record_check(&r, zone, &ignored) == 0)
			dns_records_add(&out->found, a, &r);
	}
	dns_records_sort(&out->found);
	again = unbound_file(zone, &out->found, a);
	return strlen(again) == len && memcmp(again, text, len) == 0;
}

const char *unbound_file_zone(const char *text, size_t len, struct arena *a)
{
	const char *line, *inner;
	size_t line_len;

	while (unbound_next_line(&text, &len, &line, &line_len)) {
		inner = between(line, line_len, "\tlocal-zone: \"", ".\" static", a);
		if (inner != NULL && is_name(inner))
			return name_fold(a, inner);
	}
	return NULL;
}

const char *unbound_refusal(const char *text, struct arena *a)
{
	const char *line;
	size_t len = strlen(text), line_len;

	while (unbound_next_line(&text, &len, &line, &line_len))
		if (line_len >= 5 && memcmp(line, "error", 5) == 0)
			return arena_dupn(a, line, line_len);
	return NULL;
}

bool unbound_file_is_ours(const char *text, size_t len)
{
	return len == 0 ||
		(len >= sizeof(header) - 1 && memcmp(text, header, sizeof(header) - 1) == 0);
}

bool unbound_includes_nothing(const char *text, size_t len)
{
	static const char word[] = "include";
	const char *line;
	size_t line_len;

	while (unbound_next_line(&text, &len, &line, &line_len)) {
		for (size_t i = 0; i + sizeof(word) - 1 <= line_len && line[i] != '#'; i++)
			if (memcmp(line + i, word, sizeof(word) - 1) == 0)
				return false;
	}
	return true;
}
