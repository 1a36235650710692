#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "reconciler/pf.h"
#include "reconciler/pf_rules.h"

const char *pf_next_line(const char **text, struct arena *a)
{
	size_t len = strcspn(*text, "\n"), n = 0;
	char *line = arena_dupn(a, *text, len);

	for (size_t i = 0; i < len; i++) {
		bool blank = line[i] == ' ' || line[i] == '\t';

		if (blank && (n == 0 || line[n - 1] == ' '))
			continue;
		line[n++] = blank ? ' ' : line[i];
	}
	if (n > 0 && line[n - 1] == ' ')
		n--;
	line[n] = '\0';
	*text += len + ((*text)[len] == '\n');
	return line;
}

const char *pf_next_rule(const char **text, struct arena *a)
{
	char *line = arena_dup(a, pf_next_line(text, a));
	size_t len = strcspn(line, "#");

	while (len > 0 && line[len - 1] == ' ')
		len--;
	line[len] = '\0';
	return line;
}

const char *pf_complaint(const char *err, struct arena *a)
{
	const char *line;

	while (err != NULL && *err != '\0') {
		line = pf_next_line(&err, a);
		if (*line == '\0' || strstr(line, "ALTQ") != NULL)
			continue;
		return text_begins(line, "pfctl: ") ? line + strlen("pfctl: ") : line;
	}
	return "";
}

int pf_info_parse(const char *text, struct err *e)
{
	for (const char *p = text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t word;

		if (!text_begins(p, "Status: "))
			continue;
		p += strlen("Status: ");
		word = strcspn(p, " \n");
		if (word == strlen("Enabled") && text_begins(p, "Enabled"))
			return 1;
		if (word == strlen("Disabled") && text_begins(p, "Disabled"))
			return 0;
		break;
	}
	return err_set(e, ERR_SYSTEM, NOWHERE, "pfctl -si does not say whether pf is enabled");
}

/* Normalisation of packets filters none. */
static bool is_filter(const char *line)
{
	return *line != '\0' && !text_begins(line, "scrub");
}

enum pf_rules pf_rules_parse(const char *text, const struct pf_names *names)
{
	struct arena *a = arena_new();
	const struct pf_rule *rule = pf_rules_of(names);
	enum pf_rules found = PF_RULES_NONE;
	bool same = true, scrubs = false;

	while (*text != '\0') {
		const char *line = pf_next_line(&text, a);

		scrubs = scrubs || (*line != '\0' && !is_filter(line));
		if (!is_filter(line))
			continue;
		found = PF_RULES_OTHER;
		same = same && rule->text != NULL &&
			strcmp(line, pf_rule_fill(rule->listed, names, a)) == 0;
		rule += rule->text != NULL;
	}
	if (found == PF_RULES_OTHER && same && !scrubs && rule->text == NULL)
		found = PF_RULES_OURS;
	arena_free(a);
	return found;
}

struct entry {
	bool negated, v4;
	uint8_t b[16];
	unsigned len; /* of the prefix */
};

static bool parse_entry(const char *s, size_t n, struct entry *out)
{
	char text[64], *slash, *end;
	unsigned most;

	*out = (struct entry){ 0 };
	if (n > 0 && *s == '!') {
		out->negated = true;
		for (s++, n--; n > 0 && *s == ' '; s++)
			n--;
	}
	if (n == 0 || n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	slash = strchr(text, '/');
	if (slash != NULL)
		*slash++ = '\0';
	out->v4 = strchr(text, ':') == NULL;
	most = out->v4 ? 32 : 128;
	out->len = most;
	if (slash != NULL) {
		unsigned long bits = strtoul(slash, &end, 10);

		if (*slash < '0' || *slash > '9' || *end != '\0' || bits > most)
			return false;
		out->len = (unsigned)bits;
	}
	return inet_pton(out->v4 ? AF_INET : AF_INET6, text, out->b) == 1;
}

static bool is_single(const struct entry *one)
{
	return !one->negated && !one->v4 && one->len == 128;
}

static void format_entry(const struct entry *one, char text[64])
{
	char *p = text;

	if (one->negated)
		*p++ = '!';
	inet_ntop(one->v4 ? AF_INET : AF_INET6, one->b, p, ADDR_TEXT);
	p += strlen(p);
	if (one->len != (one->v4 ? 32 : 128)) {
		unsigned tens = one->len / 10;

		*p++ = '/';
		if (tens >= 10)
			*p++ = '1';
		if (tens > 0)
			*p++ = (char)('0' + tens % 10);
		*p++ = (char)('0' + one->len % 10);
	}
	*p = '\0';
}

bool pf_entry_check(const char *text)
{
	char again[64];
	struct entry one;

	if (!parse_entry(text, strlen(text), &one) || is_single(&one))
		return false;
	format_entry(&one, again);
	return strcmp(text, again) == 0;
}

static void add_entry(struct pf_table *out, size_t *cap, const struct entry *one, struct arena *a)
{
	void *v = out->addrs.v;
	char text[64];
	struct addr *slot;

	if (!is_single(one)) {
		format_entry(one, text);
		strs_push(a, &out->others, arena_dup(a, text));
		return;
	}
	slot = arena_push(a, &v, out->addrs.n, cap, sizeof(*slot));
	memcpy(slot->b, one->b, sizeof(slot->b));
	out->addrs.v = v;
	out->addrs.n++;
}

int pf_table_parse(const char *text, struct arena *a, struct pf_table *out, struct err *e)
{
	size_t cap = 0;

	*out = (struct pf_table){ 0 };
	while (*text != '\0') {
		size_t len = strcspn(text, "\n"), blank = strspn(text, " \t");
		struct entry one;

		if (blank < len) {
			if (!parse_entry(text + blank, len - blank, &one))
				return err_set(e, ERR_SYSTEM, NOWHERE,
					"pfctl lists what is no address: '%.*s'",
					(int)(len - blank > 100 ? 100 : len - blank), text + blank);
			add_entry(out, &cap, &one, a);
		}
		text += len + (text[len] == '\n');
	}
	addrs_sort(&out->addrs);
	return 0;
}

/* Behind blanks, and comments where those may be. */
static size_t skip_blanks(const char *text, size_t at, bool lines)
{
	for (;;) {
		at += strspn(text + at, lines ? " \t\n" : " \t");
		if (!lines || text[at] != '#')
			return at;
		at += strcspn(text + at, "\n");
	}
}

static bool take(const char *text, size_t *at, const char *word)
{
	size_t from = skip_blanks(text, *at, false);

	if (!text_begins(text + from, word))
		return false;
	*at = from + strlen(word);
	return true;
}

/*
 * "table <T> persist", perhaps with a list, from at on. *end is behind it. What of the list is no single
 * address is in others.
 */
static bool parse_definition(const char *text, size_t at, const struct pf_names *names,
	struct pf_table *out, size_t *end, struct arena *a)
{
	size_t cap = 0;

	*out = (struct pf_table){ 0 };
	if (!take(text, &at, "table") || !take(text, &at, "<") || !take(text, &at, names->table) ||
		!take(text, &at, ">") || !take(text, &at, "persist"))
		return false;
	*end = at;
	if (!take(text, &at, "{"))
		return true;
	for (;;) {
		struct entry one;
		size_t len;

		at = skip_blanks(text, at, true);
		if (text[at] == '}')
			break;
		len = strcspn(text + at, " \t\n,}#");
		/* pf.conf has the mark of a negation apart, too. */
		if (len == 1 && text[at] == '!') {
			size_t more = skip_blanks(text, at + 1, false);

			len = more - at + strcspn(text + more, " \t\n,}#");
		}
		if (!parse_entry(text + at, len, &one))
			return false;
		add_entry(out, &cap, &one, a);
		at = skip_blanks(text, at + len, true);
		at += text[at] == ',';
	}
	*end = at + 1;
	addrs_sort(&out->addrs);
	return true;
}

static void parse_ours(const char *text, size_t len, const struct pf_names *names, struct arena *a,
	struct pf_file *out)
{
	struct pf_table table = { 0 };
	const char *again;
	size_t end;

	if (!parse_definition(text, strlen(PF_MARK), names, &table, &end, a))
		table = (struct pf_table){ 0 };
	out->owner = PF_FILE_OURS;
	out->allowed = table.addrs;
	again = pf_file_format(NULL, 0, names, &out->allowed, a);
	out->altered = strlen(again) != len || memcmp(again, text, len) != 0;
}

/* Notes the line at p as the one that makes the file somebody else's. */
static void note_other(const char *text, const char *p, struct arena *a, struct pf_file *out)
{
	*out = (struct pf_file){ .owner = PF_FILE_OTHER, .other_line = 1 };
	for (const char *c = text; c < p; c++)
		out->other_line += *c == '\n';
	out->other = pf_next_rule(&p, a);
}

/* The definition, then the rules; comments and blanks are Jailrun's business. */
static void parse_jailrun(
	const char *text, const struct pf_names *names, struct arena *a, struct pf_file *out)
{
	struct pf_table table = { 0 };
	size_t start = skip_blanks(text, 0, true), end;
	const struct pf_rule *rule = pf_rules_of(names);
	const char *rest, *line;

	note_other(text, text + start, a, out);
	if (!parse_definition(text, start, names, &table, &end, a))
		return;
	rest = text + end;
	if (*pf_next_rule(&rest, a) != '\0')
		return;
	while (*rest != '\0') {
		const char *at = rest;

		if (*(line = pf_next_rule(&rest, a)) == '\0')
			continue;
		if (rule->text == NULL || strcmp(line, pf_rule_fill(rule->text, names, a)) != 0) {
			note_other(text, at, a, out);
			return;
		}
		rule++;
	}
	if (rule->text != NULL) {
		out->other_line = 0;
		return;
	}
	*out = (struct pf_file){
		.owner = PF_FILE_JAILRUN,
		.altered = table.others.n != 0 || text[strlen(text) - 1] != '\n',
		.allowed = table.addrs,
		.table = start,
		.table_end = end,
	};
}

void pf_file_parse(const char *text, size_t len, const struct pf_names *names, struct arena *a,
	struct pf_file *out)
{
	const char *copy = arena_dupn(a, text, len);

	*out = (struct pf_file){ .owner = PF_FILE_OTHER };
	if (text_begins(copy, PF_MARK))
		parse_ours(copy, len, names, a, out);
	else if (strspn(copy, " \t\r\n") == len)
		out->owner = PF_FILE_EMPTY;
	else if (strlen(copy) != len)
		note_other(copy, copy + strlen(copy), a, out);
	else if (!names->anchor)
		parse_jailrun(copy, names, a, out);
}
