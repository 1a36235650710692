#include "reconciler/pf.h"

#include <string.h>

#include "reconciler/pf_rules.h"

#define STATE " flags S/SA keep state"

/* What pfctl makes of a rule is what FreeBSD 14.3's prints. */
static const struct pf_rule ruleset[] = {
	{ "pass quick inet all", "pass quick inet all" STATE },
	{ "pass out on $i all", "pass out on $i all" STATE },
	{ "block in on $i all", "block drop in on $i all" },
	{ "pass in on $i inet6 from <$t>", "pass in on $i inet6 from <$t> to any" STATE },
	{ NULL, NULL },
};

static const struct pf_rule anchored[] = {
	{ "pass in quick on $i inet6 from <$t>",
		"pass in quick on $i inet6 from <$t> to any" STATE },
	{ "block in quick on $i all", "block drop in quick on $i all" },
	{ "pass out quick on $i all", "pass out quick on $i all" STATE },
	{ NULL, NULL },
};

const struct pf_rule *pf_rules_of(const struct pf_names *names)
{
	return names->anchor ? anchored : ruleset;
}

const char *pf_rule_fill(const char *text, const struct pf_names *names, struct arena *a)
{
	struct text t = text_new(a);

	for (const char *p = text; *p != '\0'; p++) {
		if (p[0] == '$') {
			p++;
			text_add(&t, *p == 'i' ? names->interface : names->table);
		} else {
			text_addn(&t, p, 1);
		}
	}
	return t.s;
}

/*
 * An address is written from its bytes, never from a text that was handed in. A comma before the brace or
 * a newline would be a syntax error.
 */
void pf_table_define(struct text *t, const struct pf_names *names, const struct addrs *addrs)
{
	text_addf(t, "table <%s> persist", names->table);
	for (size_t i = 0; i < addrs->n; i++) {
		char one[ADDR_TEXT];

		addr_format(&addrs->v[i], one);
		text_add(t, i == 0 ? " { " : ", ");
		text_add(t, one);
	}
	if (addrs->n != 0)
		text_add(t, " }");
}

static void add_rules(struct text *t, const struct pf_names *names, const struct addrs *addrs)
{
	pf_table_define(t, names, addrs);
	text_add(t, "\n");
	for (const struct pf_rule *r = pf_rules_of(names); r->text != NULL; r++)
		text_addf(t, "%s\n", pf_rule_fill(r->text, names, t->arena));
}

const char *pf_rules_format(const struct pf_names *names, struct arena *a)
{
	const struct addrs none = { 0 };
	struct text t = text_new(a);

	add_rules(&t, names, &none);
	return t.s;
}

const char *pf_file_format(const char *old, size_t old_len, const struct pf_names *names,
	const struct addrs *allowed, struct arena *a)
{
	struct pf_file file = { .owner = PF_FILE_EMPTY };
	struct text t = text_new(a);

	if (old != NULL)
		pf_file_parse(old, old_len, names, a, &file);
	if (file.owner == PF_FILE_JAILRUN) {
		text_addn(&t, old, file.table);
		pf_table_define(&t, names, allowed);
		text_addn(&t, old + file.table_end, old_len - file.table_end);
		if (old[old_len - 1] != '\n')
			text_add(&t, "\n");
		return t.s;
	}
	text_add(&t, PF_MARK);
	add_rules(&t, names, allowed);
	return t.s;
}

const char *pf_addresses_format(const struct addr *v, size_t n, struct arena *a)
{
	struct text t = text_new(a);

	for (size_t i = 0; i < n; i++) {
		char one[ADDR_TEXT];

		addr_format(&v[i], one);
		text_add(&t, one);
		text_add(&t, "\n");
	}
	return t.s;
}
