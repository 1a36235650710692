#include "reconciler/nft.h"

#include <string.h>

#include "reconciler/nft_rules.h"

/*
 * "{ A, B }", each followed by what is said of it. An address is written from its bytes, never from a
 * text that was handed in.
 */
static void add_list(struct text *t, const struct addrs *addrs, const char *about)
{
	text_add(t, "{ ");
	for (size_t i = 0; i < addrs->n; i++) {
		char one[ADDR_TEXT];

		addr_format(&addrs->v[i], one);
		text_add(t, i == 0 ? "" : ",\n\t");
		text_add(t, one);
		text_add(t, about);
	}
	text_add(t, " }\n");
}

static void add_element(struct text *t, const char *verb, const char *set, const char *suffix,
	const struct addrs *addrs)
{
	text_addf(t, "%s element inet " NFT_TABLE " %s%s ", verb, set, suffix);
	add_list(t, addrs, "");
}

/* Longer than the set's own time, so that no mark is lost before an apply has seen it. */
static void add_marked(struct text *t, const char *set, const struct addrs *addrs)
{
	text_addf(t, "add element inet " NFT_TABLE " %s" NFT_REVOKED " ", set);
	add_list(t, addrs, " timeout 365d comment \"" NFT_ENDING "\"");
}

const char *nft_grant(const struct nft_names *names, const struct addrs *addrs, struct arena *a)
{
	struct text t = text_new(a);

	add_element(&t, "add", names->set, "", addrs);
	return t.s;
}

const char *nft_revoke(const struct nft_names *names, const struct addrs *addrs, struct arena *a)
{
	struct text t = text_new(a);

	/* Deleting what is not there fails the transaction; adding what is there does not. Nothing of
	 * a transaction is live before its end. */
	add_element(&t, "add", names->set, "", addrs);
	add_element(&t, "delete", names->set, "", addrs);
	/* So that an address that is still there from before gets its full time again. */
	add_element(&t, "add", names->set, NFT_REVOKED, addrs);
	add_element(&t, "delete", names->set, NFT_REVOKED, addrs);
	add_marked(&t, names->set, addrs);
	return t.s;
}

const char *nft_revoked(const struct nft_names *names, const struct addrs *addrs, struct arena *a)
{
	struct text t = text_new(a);

	add_element(&t, "add", names->set, NFT_REVOKED, addrs);
	add_element(&t, "delete", names->set, NFT_REVOKED, addrs);
	add_element(&t, "add", names->set, NFT_REVOKED, addrs);
	return t.s;
}

const char *nft_table(const struct nft_names *names, const struct addrs *allowed,
	const struct addrs *revoked, struct arena *a)
{
	struct text t = text_new(a);

	text_add(&t, "add table inet " NFT_TABLE "\ndelete table inet " NFT_TABLE "\n");
	text_add(&t, "table inet " NFT_TABLE " {\n");
	text_addf(&t, "\tset %s {\n\t\ttype ipv6_addr\n\t}\n", names->set);
	text_addf(&t, "\tset %s" NFT_REVOKED " {\n\t\ttype ipv6_addr\n\t\tflags timeout\n",
		names->set);
	text_addf(&t, "\t\ttimeout %ds\n\t}\n", NFT_REVOKED_SECONDS);
	for (size_t i = 0; i < NFT_CHAINS; i++) {
		const struct nft_chain *chain = &nft_chains[i];

		text_addf(&t, "\tchain %s {\n", chain->name);
		text_addf(&t, "\t\ttype filter hook %s priority %d; policy accept;\n", chain->name,
			NFT_PRIORITY);
		for (const struct nft_rule *rule = chain->rules; rule->text != NULL; rule++)
			text_addf(&t, "\t\t%s\n", nft_rule_fill(rule->text, names, a));
		text_add(&t, "\t}\n");
	}
	text_add(&t, "}\n");
	if (allowed->n != 0)
		add_element(&t, "add", names->set, "", allowed);
	if (revoked->n != 0)
		add_marked(&t, names->set, revoked);
	return t.s;
}

/*
 * A flow names two addresses in the direction of the one who began it and two in that of the answers;
 * with address translation in the jail any one of the four may be the only one that matters.
 */
static const char *forget_line(
	const char *flow, size_t len, const struct addrs *addrs, struct arena *a)
{
	static const char *const sides[] = { "-s", "-d", "-r", "-q" };
	size_t side = 0;

	for (size_t i = 0; i + 4 < len && side < 4; i++) {
		char text[ADDR_TEXT];
		struct err ignored = ERR_INIT;
		struct addr addr;
		size_t n;

		if (memcmp(flow + i, side % 2 == 0 ? "src=" : "dst=", 4) != 0)
			continue;
		n = strcspn(flow + i + 4, " \n");
		if (n >= sizeof(text))
			return NULL;
		memcpy(text, flow + i + 4, n);
		text[n] = '\0';
		if (addr_parse(text, NOWHERE, &addr, &ignored) == 0 && addrs_has(addrs, &addr)) {
			addr_format(&addr, text);
			return arena_printf(a, "-D -f ipv6 %s %s\n", sides[side], text);
		}
		side++;
	}
	return NULL;
}

void nft_forget(const char *flows, const struct addrs *addrs, struct arena *a, struct strs *lines)
{
	struct strs all = { 0 };

	for (const char *p = flows; *p != '\0';) {
		size_t len = strcspn(p, "\n");
		const char *line = forget_line(p, len, addrs, a);

		if (line != NULL)
			strs_push(a, &all, line);
		p += len + (p[len] == '\n');
	}
	strs_sort(&all);
	for (size_t i = 0; i < all.n; i++)
		if (i == 0 || strcmp(all.v[i - 1], all.v[i]) != 0)
			strs_push(a, lines, all.v[i]);
}

const char *nft_forget_streams(void)
{
	return "-D -f ipv6 -p tcp -s 200::/7\n-D -f ipv6 -p tcp -d 200::/7\n";
}
