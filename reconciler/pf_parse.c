#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "reconciler/pf.h"
#include "reconciler/pf_rules.h"

/* One line, its blanks made one space each, without those at its ends. */
static const char *next_line(const char **text, struct arena *a)
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

static bool begins(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

const char *pf_complaint(const char *err, struct arena *a)
{
	const char *line;

	while (err != NULL && *err != '\0') {
		line = next_line(&err, a);
		if (*line == '\0' || strstr(line, "ALTQ") != NULL)
			continue;
		return begins(line, "pfctl: ") ? line + strlen("pfctl: ") : line;
	}
	return "";
}

int pf_info_parse(const char *text, struct err *e)
{
	for (const char *p = text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t word;

		if (!begins(p, "Status: "))
			continue;
		p += strlen("Status: ");
		word = strcspn(p, " \n");
		if (word == strlen("Enabled") && begins(p, "Enabled"))
			return 1;
		if (word == strlen("Disabled") && begins(p, "Disabled"))
			return 0;
		break;
	}
	return err_set(e, ERR_SYSTEM, NOWHERE, "pfctl -si does not say whether pf is enabled");
}

/* Normalisation of packets filters none. */
static bool is_filter(const char *line)
{
	return *line != '\0' && !begins(line, "scrub");
}

enum pf_rules pf_rules_parse(const char *text, const struct pf_names *names)
{
	struct arena *a = arena_new();
	const struct pf_rule *rule = pf_rules_of(names);
	enum pf_rules found = PF_RULES_NONE;
	bool same = true, scrubs = false;

	while (*text != '\0') {
		const char *line = next_line(&text, a);

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

/* The first word of *p, of which it takes it and the blank behind it. */
static bool take_word(const char **p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*p, word, len) != 0 || ((*p)[len] != ' ' && (*p)[len] != '\0'))
		return false;
	*p += len + ((*p)[len] == ' ');
	return true;
}

static size_t skip_word(const char **p, const char **word)
{
	size_t len = strcspn(*p, " ");

	*word = *p;
	*p += len + ((*p)[len] == ' ');
	return len;
}

/* `anchor "jmesh" all`: it may be quick and on our interface alone, but see every packet there. */
static bool is_our_anchor(const char *line, const struct pf_names *names)
{
	if (!take_word(&line, PF_LINE_ANCHOR))
		return false;
	take_word(&line, "quick");
	if (take_word(&line, "on") && !take_word(&line, names->interface))
		return false;
	return strcmp(line, "all") == 0;
}

/*
 * Whether "on NAME" is about other interfaces for certain. The name of an interface ends in a digit, that
 * of a group in none (ifconfig(8)), and which groups ours is in is not known; "lo" it is not.
 */
static bool is_elsewhere(const char *name, size_t len, bool negated, const struct pf_names *names)
{
	bool ours = len == strlen(names->interface) && strncmp(name, names->interface, len) == 0;
	bool group = len > 0 && (name[len - 1] < '0' || name[len - 1] > '9');

	if (negated)
		return ours;
	return !ours && (!group || (len == 2 && strncmp(name, "lo", 2) == 0));
}

/* Whether a rule, or the rules of another anchor, may end what becomes of a packet that arrives. */
static bool may_let_in(const char *line, const struct pf_names *names)
{
	bool quick = false, anchor = take_word(&line, "anchor");

	if (!anchor && !take_word(&line, "pass"))
		return false;
	if (anchor && *line == '"') {
		line += 1 + strcspn(line + 1, "\"");
		line += *line == '"';
		line += *line == ' ';
	}
	while (*line != '\0') {
		const char *word;
		size_t len;

		if (take_word(&line, "out") || take_word(&line, "inet"))
			return false;
		if (take_word(&line, "quick")) {
			quick = true;
		} else if (take_word(&line, "on")) {
			bool negated = take_word(&line, "!");

			len = skip_word(&line, &word);
			if (is_elsewhere(word, len, negated, names))
				return false;
		} else if (take_word(&line, "all") || take_word(&line, "from") ||
			take_word(&line, "to") || take_word(&line, "proto") ||
			take_word(&line, "inet6")) {
			break; /* nothing of the above comes behind these */
		} else {
			skip_word(&line, &word);
		}
	}
	return anchor || quick;
}

bool pf_anchor_evaluated(
	const char *rules, const struct pf_names *names, struct arena *a, const char **why)
{
	while (*rules != '\0') {
		const char *line = next_line(&rules, a);

		if (is_our_anchor(line, names))
			return true;
		if (!may_let_in(line, names))
			continue;
		*why = arena_printf(a,
			"in the rules that are loaded, '%s' comes before " PF_LINE_ANCHOR
			" and may let strangers in on %s; have the line " PF_LINE_ANCHOR
			" before it in " PF_CONF ", and run pfctl -f " PF_CONF,
			line, names->interface);
		return false;
	}
	*why = "the rules that are loaded have no line " PF_LINE_ANCHOR "; once it is in " PF_CONF
	       ", run pfctl -f " PF_CONF;
	return false;
}

/* The line without a comment. */
static const char *next_rule(const char **text, struct arena *a)
{
	char *line = arena_dup(a, next_line(text, a));
	size_t len = strcspn(line, "#");

	while (len > 0 && line[len - 1] == ' ')
		len--;
	line[len] = '\0';
	return line;
}

bool pf_conf_has_anchor(const char *text, size_t len, struct arena *a)
{
	const char *p = arena_dupn(a, text, len);
	bool anchor = false, load = false;

	while (*p != '\0') {
		const char *line = next_rule(&p, a);

		anchor = anchor || begins(line, PF_LINE_ANCHOR);
		load = load || strcmp(line, PF_LINE_LOAD) == 0;
	}
	return anchor && load;
}

/* Whether a word after "set skip on" may be our interface: a tun(4) by any name is in the group tun. */
static bool may_be_ours(const char *word, const struct pf_names *names, struct arena *a)
{
	size_t len = strlen(names->interface);

	while (len > 0 && names->interface[len - 1] >= '0' && names->interface[len - 1] <= '9')
		len--;
	return *word == '$' || strcmp(word, names->interface) == 0 || strcmp(word, "tun") == 0 ||
		strcmp(word, "all") == 0 || strcmp(word, arena_dupn(a, names->interface, len)) == 0;
}

const char *pf_conf_skips(
	const char *text, size_t len, const struct pf_names *names, struct arena *a)
{
	static const char between[] = " {},\"";
	const char *p = arena_dupn(a, text, len);

	while (*p != '\0') {
		const char *line = next_rule(&p, a), *word = line;

		if (!begins(line, "set skip on "))
			continue;
		word += strlen("set skip on ");
		while (*(word += strspn(word, between)) != '\0') {
			size_t n = strcspn(word, between);

			if (may_be_ours(arena_dupn(a, word, n), names, a))
				return line;
			word += n;
		}
	}
	return NULL;
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

	if (!begins(text + from, word))
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

/* The definition, then the rules; comments and blanks are Jailrun's business. */
static bool parse_jailrun(
	const char *text, const struct pf_names *names, struct arena *a, struct pf_file *out)
{
	struct pf_table table = { 0 };
	size_t start = skip_blanks(text, 0, true), end;
	const struct pf_rule *rule = pf_rules_of(names);
	const char *rest;

	if (!parse_definition(text, start, names, &table, &end, a))
		return false;
	rest = text + end;
	if (*next_rule(&rest, a) != '\0')
		return false;
	while (*rest != '\0') {
		const char *line = next_rule(&rest, a);

		if (*line == '\0')
			continue;
		if (rule->text == NULL || strcmp(line, pf_rule_fill(rule->text, names, a)) != 0)
			return false;
		rule++;
	}
	if (rule->text != NULL)
		return false;
	*out = (struct pf_file){
		.owner = PF_FILE_JAILRUN,
		.altered = table.others.n != 0 || text[strlen(text) - 1] != '\n',
		.allowed = table.addrs,
		.table = start,
		.table_end = end,
	};
	return true;
}

void pf_file_parse(const char *text, size_t len, const struct pf_names *names, struct arena *a,
	struct pf_file *out)
{
	const char *copy = arena_dupn(a, text, len);

	*out = (struct pf_file){ .owner = PF_FILE_OTHER };
	if (begins(copy, PF_MARK))
		parse_ours(copy, len, names, a, out);
	else if (strspn(copy, " \t\r\n") == len)
		out->owner = PF_FILE_EMPTY;
	else if (strlen(copy) == len && !names->anchor)
		parse_jailrun(copy, names, a, out);
}
