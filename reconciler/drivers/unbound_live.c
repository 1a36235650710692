#include <string.h>

#include "reconciler/drivers/unbound_self.h"

/* Lines for one unbound-control: while it takes them unbound answers nobody (FACTS). */
enum { CHUNK = 100 };

/* A line that unbound-control is told, and the change that it is for. */
struct line {
	const char *text;
	const struct change *change;
};

struct lines {
	struct line *v;
	size_t n, cap;
};

static void lines_add(
	struct lines *list, struct arena *a, const char *text, const struct change *change)
{
	void *v = list->v;
	struct line *line = arena_push(a, &v, list->n, &list->cap, sizeof(*line));

	*line = (struct line){ text, change };
	list->v = v;
	list->n++;
}

/* What unbound-control says begins with a time and its own name. */
static int no_answer(const struct unbound *u, const struct output *out, struct err *e)
{
	const char *said = out->err == NULL ? NULL : strstr(out->err, "error: ");

	if (out->status < 0)
		return port_failed(u->conf->control, out, e);
	said = said == NULL ? out->err : said + strlen("error: ");
	if (said == NULL || *said == '\0')
		return port_failed(u->conf->control, out, e);
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"unbound does not answer on its control socket: %s: %.*s: is it running, with "
		"'control-enable: yes'?",
		u->conf->control, (int)strcspn(said, "\n"), said);
}

/* Its status tells of some errors, its output of all. */
static int judge(const struct unbound *u, const struct output *out, struct arena *a, struct err *e)
{
	const char *refusal = out->out == NULL ? NULL : unbound_refusal(out->out, a);

	if (refusal != NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE, "unbound: %s", refusal);
	if (out->status != 0)
		return no_answer(u, out, e);
	return 0;
}

static int control(struct unbound *u, const char *const *words, const char *input, struct arena *a,
	struct err *e)
{
	const char *argv[] = { u->conf->control, "-c", u->conf->config, words[0], words[1],
		words[1] == NULL ? NULL : words[2], NULL };
	struct command c = {
		.argv = argv,
		.input = input,
		.input_len = input == NULL ? 0 : strlen(input),
	};
	struct output out;

	if (u->port->ops->run(u->port->self, &c, 1, a, &out, e) < 0)
		return -1;
	return judge(u, &out, a, e);
}

int unbound_live_parse(struct unbound *u, const char *zone, struct local_zone *out, struct err *e)
{
	const struct output *zones = &u->seen[SEEN_ZONES].output;
	const struct output *data = &u->seen[SEEN_DATA].output;

	if (zones->status != 0)
		return no_answer(u, zones, e);
	if (data->status != 0)
		return no_answer(u, data, e);
	if (unbound_parse_zones(zones->out, zones->out_len, zone, u->arena, out, e) < 0)
		return -1;
	return unbound_parse_data(data->out, data->out_len, zone, u->arena, out, e);
}

int unbound_live_drop(struct unbound *u, const char *zone, struct arena *a, struct err *e)
{
	const char *const words[] = { "local_zone_remove", zone, NULL };

	return control(u, words, NULL, a, e);
}

static void tell(struct unbound *u, const char *command, const struct lines *lines, struct arena *a,
	struct failures *failed)
{
	const char *const words[] = { command, NULL };

	for (size_t from = 0; from < lines->n; from += CHUNK) {
		size_t end = lines->n - from < CHUNK ? lines->n : from + CHUNK;
		struct text t = text_new(a);
		const struct change *last = NULL;
		struct err e = ERR_INIT;

		for (size_t i = from; i < end; i++)
			text_addf(&t, "%s\n", lines->v[i].text);
		if (control(u, words, t.s, a, &e) == 0)
			continue;
		for (size_t i = from; i < end; i++) {
			const struct change *c = lines->v[i].change;

			if (c != NULL && c != last)
				unbound_fail(&c, 1, failed, &e);
			last = c;
		}
	}
}

/* A zone beneath ours: "NAME TYPE", as unbound_parse_zones has it. */
static const char *nested_name(const char *value, struct arena *a)
{
	const char *space = value == NULL ? NULL : strchr(value, ' ');

	return space == NULL ? NULL : arena_dupn(a, value, (size_t)(space - value));
}

static int set_zone(struct unbound *u, const struct change *c, struct arena *a, struct err *e)
{
	const char *nested = nested_name(c->before, a);
	const char *const set[] = { "local_zone", u->conf->zone, "static" };

	if (nested != NULL && unbound_live_drop(u, nested, a, e) < 0)
		return -1;
	if (nested != NULL && c->after == NULL)
		return 0;
	/* Another type that "goes" gives way to the one that is wanted: removed, the zone would take all
	 * its records with it. */
	if (control(u, set, NULL, a, e) < 0)
		return -1;
	u->live.zone.type = "static";
	return 0;
}

static void tell_record(struct unbound *u, const struct dns_record *r, const struct change *change,
	struct lines *out, struct arena *a)
{
	struct err ignored = ERR_INIT;

	/* A foreign record is about to be removed, and need not come back. */
	if (dns_record_check(r, u->conf->zone, &ignored) == 0)
		lines_add(
			out, a, arena_printf(a, "%s. IN %s %s", r->name, r->type, r->data), change);
}

static void tell_name(
	struct unbound *u, const struct edit *edit, struct lines *out, struct arena *a)
{
	size_t n;
	const struct dns_record *v = dns_records_named(&u->live.zone.found, edit->name, &n);

	for (size_t i = 0; i < n; i++)
		tell_record(u, &v[i], edit->change, out, a);
}

static void tell_beneath(struct unbound *u, const char *name, const struct change *change,
	struct lines *out, struct arena *a)
{
	for (size_t i = 0; i < u->live.zone.found.n; i++)
		if (dns_name_in_zone(u->live.zone.found.v[i].name, name))
			tell_record(u, &u->live.zone.found.v[i], change, out, a);
}

/*
 * unbound-control removes every record of a name at once, so what stays of it is told again. A record
 * that it has already is none the more for that.
 */
void unbound_live_apply(struct unbound *u, const struct change *const *changes, size_t n,
	struct arena *a, struct failures *failed)
{
	struct edits removed = { 0 }, added = { 0 };
	struct lines remove = { 0 }, add = { 0 };

	unbound_edit(u, &u->live, changes, n, &removed, &added, failed);
	for (size_t i = 0; i < n; i++) {
		struct err e = ERR_INIT;
		const char *nested;

		if (strcmp(changes[i]->key, "zone") != 0)
			continue;
		if (set_zone(u, changes[i], a, &e) < 0)
			unbound_fail(&changes[i], 1, failed, &e);
		if ((nested = nested_name(changes[i]->before, a)) != NULL)
			tell_beneath(u, nested, changes[i], &add, a);
	}
	for (size_t i = 0; i < removed.n; i++) {
		const struct edit *edit = &removed.v[i];

		lines_add(&remove, a, arena_printf(a, "%s.", edit->name), edit->change);
		tell_name(u, edit, &add, a);
	}
	for (size_t i = 0; i < added.n; i++)
		tell_name(u, &added.v[i], &add, a);
	tell(u, "local_datas_remove", &remove, a, failed);
	tell(u, "local_datas", &add, a, failed);
}

/* The zone stays, and with it what is not ours of a name. */
static int withdraw_records(struct unbound *u, struct arena *a, struct err *e)
{
	const struct dns_records *found = &u->live.zone.found;
	struct change *changes = arena_alloc(a, found->n, sizeof(*changes));
	const struct change **list = arena_alloc(a, found->n, sizeof(*list));
	struct failures failed = { .arena = a };
	size_t n = 0;

	for (size_t i = 0; i < found->n; i++) {
		const struct dns_record *r = &found->v[i];

		if (unbound_is_theirs(u, r))
			continue;
		changes[n] = (struct change){
			.action = ACTION_REMOVE,
			.kind = KIND_DNS,
			.scope = u->live.name,
			.key = arena_printf(a, "%s %s", r->name, r->type),
			.before = r->data,
		};
		list[n] = &changes[n];
		n++;
	}
	if (n != 0)
		unbound_live_apply(u, list, n, a, &failed);
	return failed.n == 0 ? 0 : err_set(e, ERR_SYSTEM, NOWHERE, "%s", failed.v[0].text);
}

int unbound_live_withdraw(struct unbound *u, struct arena *a, struct err *e)
{
	struct local_zone *zone = &u->live.zone;

	u->live = (struct unbound_scope){ .name = u->live.name };
	if (unbound_look(u, SEEN_ZONES, SEEN_DATA, a, e) < 0 ||
		unbound_live_parse(u, u->conf->zone, zone, e) < 0)
		return -1;
	if (u->conf->block)
		return withdraw_records(u, a, e);
	/* A zone takes its records along. */
	for (size_t i = 0; i < zone->nested.n; i++)
		if (unbound_live_drop(u, nested_name(zone->nested.v[i], a), a, e) < 0)
			return -1;
	return zone->type == NULL ? 0 : unbound_live_drop(u, u->conf->zone, a, e);
}
