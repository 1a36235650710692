#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "reconciler/nft.h"
#include "reconciler/nft_rules.h"

/* The longest chain of ours and one rule more, so that a rule too many is noticed. */
enum { RULES_MAX = 16 };

struct listing {
	const struct nft_names *names;
	struct arena *arena;
	struct nft_state *out;
	size_t cap, cap_ending;
	bool seen_set, seen_revoked, seen_chain[NFT_CHAINS];
	size_t rules[NFT_CHAINS]; /* how many of a chain came already */
};

static const char *string_of(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static bool is(const cJSON *object, const char *key, const char *value)
{
	const char *s = string_of(object, key);

	return s != NULL && strcmp(s, value) == 0;
}

static bool has(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key) != NULL;
}

static bool is_number(const cJSON *object, const char *key, double value)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsNumber(n) && cJSON_GetNumberValue(n) >= value &&
		cJSON_GetNumberValue(n) <= value;
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A list of words, whatever their order, and {"|": LIST}, as newer versions write one. */
static bool same_words(const cJSON *want, const cJSON *got)
{
	const char *w[RULES_MAX], *g[RULES_MAX];
	int n = cJSON_GetArraySize(want), i = 0;
	const cJSON *word;

	if (n > RULES_MAX || n != cJSON_GetArraySize(got))
		return false;
	cJSON_ArrayForEach(word, want)
	{
		if ((w[i++] = cJSON_GetStringValue(word)) == NULL)
			return false;
	}
	i = 0;
	cJSON_ArrayForEach(word, got)
	{
		if ((g[i++] = cJSON_GetStringValue(word)) == NULL)
			return false;
	}
	qsort(w, (size_t)n, sizeof(*w), by_string);
	qsort(g, (size_t)n, sizeof(*g), by_string);
	for (i = 0; i < n; i++)
		if (strcmp(w[i], g[i]) != 0)
			return false;
	return true;
}

/* Equal, but for where versions of nft spell one thing in several ways: a list of one is its member. */
static bool same(const cJSON *want, const cJSON *got)
{
	const cJSON *w, *g;

	if (cJSON_IsObject(got) && !cJSON_IsObject(want) && has(got, "|"))
		got = cJSON_GetObjectItemCaseSensitive(got, "|");
	if (cJSON_IsArray(got) && !cJSON_IsArray(want) && cJSON_GetArraySize(got) == 1)
		got = cJSON_GetArrayItem(got, 0);
	if (cJSON_IsArray(want) && cJSON_IsArray(got)) {
		if (cJSON_IsString(want->child))
			return same_words(want, got);
		for (w = want->child, g = got->child; w != NULL && g != NULL;
			w = w->next, g = g->next)
			if (!same(w, g))
				return false;
		return w == NULL && g == NULL;
	}
	if (cJSON_IsObject(want) && cJSON_IsObject(got)) {
		if (cJSON_GetArraySize(want) != cJSON_GetArraySize(got))
			return false;
		cJSON_ArrayForEach(w, want)
		{
			g = cJSON_GetObjectItemCaseSensitive(got, w->string);
			if (g == NULL || !same(w, g))
				return false;
		}
		return true;
	}
	return cJSON_Compare(want, got, true);
}

static size_t chain_named(const char *name)
{
	size_t i;

	for (i = 0; i < NFT_CHAINS; i++)
		if (name != NULL && strcmp(name, nft_chains[i].name) == 0)
			break;
	return i;
}

static bool chain_is_ours(struct listing *l, const cJSON *chain)
{
	const char *name = string_of(chain, "name");
	size_t i = chain_named(name);

	if (i == NFT_CHAINS || l->seen_chain[i])
		return false;
	l->seen_chain[i] = true;
	return is(chain, "type", "filter") && is(chain, "hook", name) &&
		is(chain, "policy", "accept") && is_number(chain, "prio", NFT_PRIORITY) &&
		!has(chain, "dev");
}

/* Rules come in the order in which they apply. */
static bool rule_is_ours(struct listing *l, const cJSON *rule)
{
	size_t i = chain_named(string_of(rule, "chain"));
	const struct nft_rule *want;
	cJSON *expr;
	bool equal;

	if (i == NFT_CHAINS)
		return false;
	want = &nft_chains[i].rules[l->rules[i]];
	if (want->text == NULL)
		return false;
	l->rules[i]++;
	expr = cJSON_Parse(nft_rule_fill(want->json, l->names, l->arena));
	equal = expr != NULL && same(expr, cJSON_GetObjectItemCaseSensitive(rule, "expr"));
	cJSON_Delete(expr);
	return equal;
}

/* One element. Only a lone address without a time limit or anything else about it is ours. */
static bool element_is_ours(struct listing *l, const cJSON *element)
{
	const cJSON *inner = cJSON_GetObjectItemCaseSensitive(element, "elem");
	const char *text = cJSON_GetStringValue(inner == NULL ? element : NULL);
	void *v = l->out->allowed.v;
	struct err ignored = ERR_INIT;
	struct addr addr;

	if (inner != NULL)
		text = string_of(inner, "val");
	if (text == NULL || addr_parse(text, NOWHERE, &addr, &ignored) < 0)
		return false;
	*(struct addr *)arena_push(l->arena, &v, l->out->allowed.n, &l->cap, sizeof(addr)) = addr;
	l->out->allowed.v = v;
	l->out->allowed.n++;
	return inner == NULL || cJSON_GetArraySize(inner) == 1;
}

/* Of what was revoked only the marked counts: the rest leaves by itself. */
static void find_ending(struct listing *l, const cJSON *elements)
{
	const cJSON *element;

	cJSON_ArrayForEach(element, elements)
	{
		const cJSON *inner = cJSON_GetObjectItemCaseSensitive(element, "elem");
		const char *text = string_of(inner, "val");
		void *v = l->out->ending.v;
		struct err ignored = ERR_INIT;
		struct addr addr;

		if (text == NULL || !is(inner, "comment", NFT_ENDING) ||
			addr_parse(text, NOWHERE, &addr, &ignored) < 0)
			continue;
		*(struct addr *)arena_push(
			l->arena, &v, l->out->ending.n, &l->cap_ending, sizeof(addr)) = addr;
		l->out->ending.v = v;
		l->out->ending.n++;
	}
}

/* An address that was allowed anew may keep its flows. */
static void drop_allowed(struct nft_state *state)
{
	size_t kept = 0;

	addrs_sort(&state->ending);
	for (size_t i = 0; i < state->ending.n; i++)
		if (!addrs_has(&state->allowed, &state->ending.v[i]))
			state->ending.v[kept++] = state->ending.v[i];
	state->ending.n = kept;
}

static bool set_is_plain(const cJSON *set)
{
	static const char *const more[] = { "size", "gc-interval", "policy", "auto-merge", "map",
		"stmt" };

	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		if (has(set, more[i]))
			return false;
	return is(set, "type", "ipv6_addr");
}

static bool set_is_ours(struct listing *l, const cJSON *set)
{
	const char *name = string_of(set, "name");
	const cJSON *elements = cJSON_GetObjectItemCaseSensitive(set, "elem");
	const cJSON *flags = cJSON_GetObjectItemCaseSensitive(set, "flags"), *element;
	size_t len = strlen(l->names->set);
	bool ours;

	if (name == NULL || strncmp(name, l->names->set, len) != 0)
		return false;
	if (strcmp(name + len, NFT_REVOKED) == 0) {
		l->seen_revoked = true;
		find_ending(l, elements);
		if (cJSON_IsArray(flags) && cJSON_GetArraySize(flags) == 1)
			flags = flags->child;
		return set_is_plain(set) && cJSON_IsString(flags) &&
			strcmp(flags->valuestring, "timeout") == 0 &&
			is_number(set, "timeout", NFT_REVOKED_SECONDS);
	}
	if (name[len] != '\0')
		return false;
	l->seen_set = true;
	ours = set_is_plain(set) && flags == NULL && !has(set, "timeout");
	cJSON_ArrayForEach(element, elements)
	{
		ours = element_is_ours(l, element) && ours;
	}
	return ours;
}

static bool object_is_ours(struct listing *l, const cJSON *object)
{
	const cJSON *what = object->child;

	if (what == NULL || what->string == NULL)
		return false;
	if (strcmp(what->string, "metainfo") == 0)
		return true;
	if (strcmp(what->string, "table") == 0)
		return !has(what, "flags");
	if (strcmp(what->string, "set") == 0)
		return set_is_ours(l, what);
	if (strcmp(what->string, "chain") == 0)
		return chain_is_ours(l, what);
	if (strcmp(what->string, "rule") == 0)
		return rule_is_ours(l, what);
	return false;
}

static bool is_complete(const struct listing *l)
{
	for (size_t i = 0; i < NFT_CHAINS; i++)
		if (!l->seen_chain[i] || nft_chains[i].rules[l->rules[i]].text != NULL)
			return false;
	return l->seen_set && l->seen_revoked;
}

static const cJSON *objects_of(const cJSON *root, struct err *e)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "nftables");

	if (!cJSON_IsArray(list)) {
		err_set(e, ERR_SYSTEM, NOWHERE, "nft did not answer with its JSON listing");
		return NULL;
	}
	return list;
}

int nft_parse(const char *json, size_t len, const struct nft_names *names, struct arena *a,
	struct nft_state *out, struct err *e)
{
	struct listing l = { .names = names, .arena = a, .out = out };
	cJSON *root = cJSON_ParseWithLength(json, len);
	const cJSON *list = objects_of(root, e), *object;
	int rc = -1;

	*out = (struct nft_state){ .altered = false };
	if (list == NULL)
		goto out;
	cJSON_ArrayForEach(object, list)
	{
		if (!object_is_ours(&l, object))
			out->altered = true;
	}
	if (!is_complete(&l))
		out->altered = true;
	addrs_sort(&out->allowed);
	drop_allowed(out);
	rc = 0;
out:
	cJSON_Delete(root);
	return rc;
}

int nft_lists_table(const char *json, size_t len, struct err *e)
{
	cJSON *root = cJSON_ParseWithLength(json, len);
	const cJSON *list = objects_of(root, e), *object;
	int rc = list == NULL ? -1 : 0;

	cJSON_ArrayForEach(object, list)
	{
		const cJSON *table = cJSON_GetObjectItemCaseSensitive(object, "table");

		if (is(table, "family", "inet") && is(table, "name", NFT_TABLE))
			rc = 1;
	}
	cJSON_Delete(root);
	return rc;
}
