#include <string.h>

#include <cjson/cJSON.h>

#include "base/jailrun.h"
#include "base/json.h"
#include "base/json_span.h"
#include "base/text.h"

/* How Python's json.dumps(indent=2) lays out what this file adds; LINE: everything in one line. */
enum { LINE = -1, PEERS = 2, PEER = 4, JAILS = 6, JAIL = 8, STEP = 2 };

static const char *list_text(const struct strs *parts, int indent, struct arena *a)
{
	struct text t = text_new(a);

	text_add(&t, "[");
	for (size_t i = 0; i < parts->n; i++) {
		text_add(&t, i == 0 ? "" : indent == LINE ? ", " : ",");
		if (indent != LINE)
			text_addf(&t, "\n%*s", indent + STEP, "");
		text_add(&t, parts->v[i]);
	}
	if (indent != LINE && parts->n != 0)
		text_addf(&t, "\n%*s", indent, "");
	text_add(&t, "]");
	return t.s;
}

/* Members of an object: "KEY": VALUE each. */
static const char *object_text(const struct strs *members, int indent, struct arena *a)
{
	struct text t = text_new(a);

	text_add(&t, "{");
	for (size_t i = 0; i < members->n; i++) {
		text_add(&t, i == 0 ? "" : indent == LINE ? ", " : ",");
		if (indent != LINE)
			text_addf(&t, "\n%*s", indent + STEP, "");
		text_add(&t, members->v[i]);
	}
	if (indent != LINE)
		text_addf(&t, "\n%*s", indent, "");
	text_add(&t, "}");
	return t.s;
}

/* The value of a key. The object has that key once, or not at all (at NULL). */
static struct span member_span(
	const cJSON *object, struct span whole, const char *key, struct arena *a)
{
	struct spans parts = span_parts(whole, a);
	const cJSON *item;
	size_t i = 0;

	cJSON_ArrayForEach(item, object)
	{
		if (i < parts.n && strcmp(item->string, key) == 0)
			return parts.v[i];
		i++;
	}
	return (struct span){ NULL, 0 };
}

/* A label is letters, digits, '-' and '_', and an address hexadecimal: neither needs an escape. */
static const char *jail_text(const struct jailrun_change *c, int indent, struct arena *a)
{
	struct strs members = { 0 };
	char address[ADDR_TEXT];

	addr_format(&c->addr, address);
	strs_push(a, &members, arena_printf(a, "\"name\": \"%s\"", c->jail));
	strs_push(a, &members, arena_printf(a, "\"ygg_address\": \"%s\"", address));
	return object_text(&members, indent, a);
}

static const struct jailrun_change *change_of(
	const struct jailrun_edit *edit, const char *jail, bool *done)
{
	for (size_t i = 0; i < edit->n; i++) {
		if (strcmp(edit->changes[i].jail, jail) == 0) {
			done[i] = true;
			return &edit->changes[i];
		}
	}
	return NULL;
}

/* The jails of a peer as they are to be; roster is what was read of the list, in its order. */
static struct strs edit_jails(const struct jailrun_edit *edit, const cJSON *list, struct span whole,
	const struct roster *roster, int indent, struct arena *a)
{
	struct spans parts = span_parts(whole, a);
	bool *done = arena_alloc(a, edit->n, sizeof(*done));
	struct strs out = { 0 };
	const cJSON *item = list == NULL ? NULL : list->child;

	for (size_t i = 0; i < roster->n && i < parts.n && item != NULL; i++, item = item->next) {
		const struct jailrun_change *c = change_of(edit, roster->jails[i].name, done);
		struct text t = text_new(a);
		char address[ADDR_TEXT];

		if (c != NULL && c->gone)
			continue;
		if (c == NULL || addr_cmp(&c->addr, &roster->jails[i].addr) == 0) {
			text_addn(&t, parts.v[i].at, parts.v[i].len);
		} else {
			addr_format(&c->addr, address);
			span_replace(&t, parts.v[i],
				member_span(item, parts.v[i], "ygg_address", a),
				arena_printf(a, "\"%s\"", address));
		}
		strs_push(a, &out, t.s);
	}
	for (size_t i = 0; i < edit->n; i++)
		if (!done[i] && !edit->changes[i].gone)
			strs_push(a, &out, jail_text(&edit->changes[i], indent, a));
	return out;
}

/* As Python's datetime.isoformat() has it, in UTC: days to a date by the civil calendar's 400-year eras. */
static const char *iso_time(int64_t seconds, struct arena *a)
{
	int64_t t = seconds < 0 ? 0 : seconds;
	int64_t days = t / 86400 + 719468, rest = t % 86400;
	int64_t era = days / 146097, day = days % 146097;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t of_year = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153; /* from March */

	return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d+00:00",
		(int)(year + era * 400 + (month >= 10)), (int)(month < 10 ? month + 3 : month - 9),
		(int)(of_year - (153 * month + 2) / 5 + 1), (int)(rest / 3600),
		(int)(rest / 60 % 60), (int)(rest % 60));
}

static const char *peer_text(
	const struct jailrun_edit *edit, const struct strs *jails, bool pretty, struct arena *a)
{
	struct strs members = { 0 };

	strs_push(a, &members, arena_printf(a, "\"alias\": \"%s\"", edit->alias));
	strs_push(a, &members,
		arena_printf(a, "\"direction\": \"%s\"", edit->joined ? "joined" : "init"));
	strs_push(a, &members,
		arena_printf(a, "\"paired_at\": \"%s\"", iso_time(edit->paired_at, a)));
	strs_push(a, &members,
		arena_printf(a, "\"jails\": %s", list_text(jails, pretty ? JAILS : LINE, a)));
	return object_text(&members, pretty ? PEER : LINE, a);
}

/* The entry of a peer with other jails; NULL: it has none left. */
static const char *edit_peer(const struct jailrun_edit *edit, const cJSON *entry, struct span whole,
	const struct roster *roster, bool pretty, struct arena *a)
{
	struct span list = member_span(entry, whole, "jails", a);
	struct strs jails = edit_jails(edit, cJSON_GetObjectItemCaseSensitive(entry, "jails"), list,
		roster, pretty ? JAIL : LINE, a);
	struct text t = text_new(a);
	const char *value = list_text(&jails, pretty ? JAILS : LINE, a);

	if (jails.n == 0)
		return NULL;
	if (list.at == NULL) {
		/* An entry has an alias at least, so there is something before the comma. */
		text_addn(&t, whole.at, whole.len - 1);
		text_addf(&t, ", \"jails\": %s}", value);
	} else {
		span_replace(&t, whole, list, value);
	}
	return t.s;
}

static const char *edit_peers(const struct jailrun_edit *edit, const struct jailrun_state *state,
	const cJSON *list, struct span whole, bool pretty, struct arena *a)
{
	static const struct roster nobody = { 0 };
	struct spans parts = span_parts(whole, a);
	struct strs peers = { 0 }, jails;
	const cJSON *entry = list == NULL ? NULL : list->child;
	bool found = false;

	for (size_t i = 0; i < state->n_peers && i < parts.n && entry != NULL; i++) {
		const struct jailrun_peer *peer = &state->peers[i];
		const char *text = arena_dupn(a, parts.v[i].at, parts.v[i].len);

		if (strcmp(peer->alias, edit->alias) == 0) {
			found = true;
			text = edit_peer(edit, entry, parts.v[i], &peer->roster, pretty, a);
		}
		if (text != NULL)
			strs_push(a, &peers, text);
		entry = entry->next;
	}
	jails = edit_jails(edit, NULL, (struct span){ "", 0 }, &nobody, pretty ? JAIL : LINE, a);
	if (!found && jails.n != 0)
		strs_push(a, &peers, peer_text(edit, &jails, pretty, a));
	return list_text(&peers, pretty ? PEERS : LINE, a);
}

/* A state that was written with a line for each key. */
static bool is_pretty(struct span whole)
{
	size_t i = 1;

	while (i < whole.len && (whole.at[i] == ' ' || whole.at[i] == '\r'))
		i++;
	return i < whole.len && whole.at[i] == '\n';
}

/* The key "peers" behind the last one there is. */
static void add_peers(
	struct text *t, struct span whole, const char *value, bool pretty, struct arena *a)
{
	struct spans parts = span_parts(whole, a);
	const char *last = parts.v[parts.n - 1].at + parts.v[parts.n - 1].len;

	text_addn(t, whole.at, (size_t)(last - whole.at));
	text_addf(t, ",%s\"peers\": %s", pretty ? "\n  " : " ", value);
	text_addn(t, last, (size_t)(whole.at + whole.len - last));
}

static void edit_text(const struct jailrun_edit *edit, const struct jailrun_state *state,
	const cJSON *root, const char *text, size_t len, struct arena *a, struct text *out)
{
	struct span whole = span_value(text, len);
	struct span list = member_span(root, whole, "peers", a);
	bool pretty = is_pretty(whole);
	const char *value;

	value = edit_peers(
		edit, state, cJSON_GetObjectItemCaseSensitive(root, "peers"), list, pretty, a);
	const char *behind = whole.at + whole.len;

	text_addn(out, text, (size_t)(whole.at - text));
	if (list.at != NULL)
		span_replace(out, whole, list, value);
	else
		add_peers(out, whole, value, pretty, a); /* a state has its version at least */
	text_addn(out, behind, (size_t)(text + len - behind));
}

static bool changes_nothing(const struct jailrun_edit *edit, const struct jailrun_peer *peer)
{
	for (size_t i = 0; i < edit->n; i++) {
		const struct jailrun_change *c = &edit->changes[i];
		const struct roster_jail *jail = NULL;

		for (size_t j = 0; peer != NULL && j < peer->roster.n; j++)
			if (strcmp(peer->roster.jails[j].name, c->jail) == 0)
				jail = &peer->roster.jails[j];
		if (c->gone ? jail != NULL : jail == NULL || addr_cmp(&jail->addr, &c->addr) != 0)
			return false;
	}
	return true;
}

/* What was written must be what was meant. */
static int check(
	const struct jailrun_edit *edit, const struct text *t, struct arena *a, struct err *e)
{
	struct jailrun_state state;
	const struct jailrun_peer *peer;

	if (jailrun_parse(t->s, t->len, a, &state, e) < 0)
		return -1;
	peer = jailrun_find(&state, edit->alias);
	if (peer != NULL && peer->failed) {
		*e = peer->err;
		return -1;
	}
	if (!changes_nothing(edit, peer))
		return err_set(
			e, ERR_CONFIG, NOWHERE, "peer '%s' could not be recorded", edit->alias);
	return 0;
}

int jailrun_edit(const char *text, size_t len, const struct jailrun_edit *edit, struct arena *a,
	const char **out, size_t *out_len, struct err *e)
{
	struct jailrun_state state;
	const struct jailrun_peer *peer;
	struct text t = text_new(a);
	struct cJSON *root;

	if (jailrun_parse(text, len, a, &state, e) < 0)
		return -1;
	peer = jailrun_find(&state, edit->alias);
	if (peer != NULL && peer->failed) {
		*e = peer->err;
		return -1;
	}
	*out = text;
	*out_len = len;
	if (changes_nothing(edit, peer))
		return 0;
	if (json_parse(text, len, JAILRUN_BYTES_MAX, ERR_CONFIG, &root, e) < 0)
		return -1;
	edit_text(edit, &state, root, text, len, a, &t);
	cJSON_Delete(root);
	if (check(edit, &t, a, e) < 0)
		return -1;
	*out = t.s;
	*out_len = t.len;
	return 0;
}
