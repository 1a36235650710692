#include <string.h>

#include "base/text.h"
#include "reconciler/pf.h"
#include "reconciler/pf_rules.h"

/* Whether pf keeps strangers out of our interface whatever else it was told: the administrator's rules,
 * translations and skipped interfaces. */

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
		const char *line = pf_next_line(&rules, a);

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

bool pf_conf_has_anchor(const char *text, size_t len, struct arena *a)
{
	const char *p = arena_dupn(a, text, len);
	bool anchor = false, load = false;

	while (*p != '\0') {
		const char *line = pf_next_rule(&p, a);

		anchor = anchor || text_begins(line, PF_LINE_ANCHOR);
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
		const char *line = pf_next_rule(&p, a), *word = line;

		if (!text_begins(line, "set skip on "))
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

const char *pf_skipped(const char *text, const struct pf_names *names, struct arena *a)
{
	static const char mark[] = " (skip)";

	while (*text != '\0') {
		/* With -vv their counters follow, indented; a name stands at the beginning. */
		bool indented = *text == ' ' || *text == '\t';
		const char *line = pf_next_line(&text, a), *name;
		size_t len = strlen(line), more = strlen(mark);

		if (indented || len <= more || strcmp(line + len - more, mark) != 0)
			continue;
		name = arena_dupn(a, line, len - more);
		if (may_be_ours(name, names, a))
			return name;
	}
	return NULL;
}

const char *pf_let_in_by(const char *translations, const struct pf_names *names, struct arena *a)
{
	while (*translations != '\0') {
		const char *rule = pf_next_line(&translations, a), *line = rule, *word;
		bool negated;
		size_t len;

		if ((!take_word(&line, "rdr") && !take_word(&line, "binat")) ||
			!take_word(&line, "pass"))
			continue;
		if (take_word(&line, "log") && *line == '(')
			line += strcspn(line, ")") + strspn(line + strcspn(line, ")"), ") ");
		if (!take_word(&line, "on"))
			return rule;
		negated = take_word(&line, "!");
		len = skip_word(&line, &word);
		if (!is_elsewhere(word, len, negated, names))
			return rule;
	}
	return NULL;
}
