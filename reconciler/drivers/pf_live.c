#include <string.h>

#include "reconciler/drivers/pf_self.h"

/* Kills of one call: they run side by side. */
enum { KILLS_MAX = 4096 };

static int run(struct pf *p, const struct pf_seen *s, const char *const *argv, const char *input,
	struct arena *a, struct output *out, struct err *e)
{
	struct command c = {
		.jail = port_place(s->scope),
		.argv = argv,
		.input = input,
		.input_len = input == NULL ? 0 : strlen(input),
	};

	return p->port->ops->run(p->port->self, &c, 1, a, out, e);
}

/* pfctl, of the anchor where the rules are in one; it must succeed. */
static int pfctl(struct pf *p, const struct pf_seen *s, const char *const *args, const char *input,
	struct arena *a, struct err *e)
{
	struct output out;

	if (run(p, s, pf_argv(s->names.anchor, args, a), input, a, &out, e) < 0)
		return -1;
	return out.status == 0 ? 0 : pf_refused(&out, a, e);
}

static int end_states(struct pf *p, const struct pf_seen *s, const char *const *who, size_t n,
	struct arena *a, struct err *e)
{
	struct command *cmds = arena_alloc(a, 2 * n, sizeof(*cmds));
	struct output *outs = arena_alloc(a, 2 * n, sizeof(*outs));

	for (size_t i = 0; i < n; i++) {
		cmds[2 * i].argv = pf_argv(false, PF_ARGS("-k", who[i]), a);
		cmds[2 * i + 1].argv = pf_argv(false, PF_ARGS("-k", "::/0", "-k", who[i]), a);
		cmds[2 * i].jail = cmds[2 * i + 1].jail = port_place(s->scope);
	}
	for (size_t at = 0; at < 2 * n; at += KILLS_MAX) {
		size_t more = 2 * n - at > KILLS_MAX ? KILLS_MAX : 2 * n - at;

		if (p->port->ops->run(p->port->self, cmds + at, more, a, outs + at, e) < 0)
			goto failed;
	}
	for (size_t i = 0; i < 2 * n; i++)
		if (outs[i].status != 0) {
			pf_refused(&outs[i], a, e);
			goto failed;
		}
	return 0;
failed:
	return err_wrap(e, "established flows of %s may live on", pf_place(s->scope, a));
}

static int enable(struct pf *p, struct pf_seen *s, struct arena *a, struct err *e)
{
	struct output out;

	if (s->enabled)
		return 0;
	if (run(p, s, pf_argv(false, PF_ARGS("-e"), a), NULL, a, &out, e) < 0)
		return -1;
	if (out.status != 0 &&
		!(out.status == 1 && strcmp(pf_complaint(out.err, a), "pf already enabled") == 0))
		return pf_refused(&out, a, e);
	s->enabled = true;
	return 0;
}

int pf_protect(struct pf *p, struct pf_seen *s, struct arena *a, struct err *e)
{
	static const char *const overlay[] = { "200::/7" };
	const char *rules = pf_rules_format(&s->names, a);

	if (pf_is_closed(s))
		return 0;
	if (pfctl(p, s, PF_ARGS("-nf", "-"), rules, a, e) < 0 ||
		pfctl(p, s, PF_ARGS("-f", "-"), rules, a, e) < 0)
		return err_wrap(e, "firewall of %s", pf_place(s->scope, a));
	s->rules = PF_RULES_OURS;
	/* A whole ruleset has its own translations and skipped interfaces: ours has none. */
	s->skipped = s->translated = false;
	if (enable(p, s, a, e) < 0)
		return err_wrap(e, "firewall of %s", pf_place(s->scope, a));
	/* What came in while other rules stood is not let on by these. */
	return end_states(p, s, overlay, 1, a, e);
}

static int change_some(struct pf *p, const struct pf_seen *s, const char *table, const char *verb,
	const char *input, struct arena *a, struct err *e)
{
	const char *const *argv =
		pf_argv(s->names.anchor, PF_ARGS("-t", table, "-T", verb, "-f", "-"), a);
	struct output out;

	if (run(p, s, argv, input, a, &out, e) < 0)
		return err_wrap(e, "firewall of %s", pf_place(s->scope, a));
	/* A table that is missing has nothing to lose. */
	if (out.status == 0 || (strcmp(verb, "delete") == 0 && pf_no_table(&out)))
		return 0;
	pf_refused(&out, a, e);
	return err_wrap(e, "firewall of %s: table <%s>", pf_place(s->scope, a), table);
}

/*
 * The verb with all of the entries, in batches. pfctl takes all of its input or nothing, so addresses are
 * apart from what others put there, and no batch waits for another to succeed.
 */
static int change(struct pf *p, const struct pf_seen *s, const char *table, const char *verb,
	const struct pf_leaving *entries, struct arena *a, struct err *e)
{
	const struct addrs *addrs = &entries->addrs;
	const struct strs *others = &entries->others;
	struct err ignored = ERR_INIT;
	int rc = 0;

	for (size_t at = 0; at < addrs->n; at += PF_BATCH_MAX) {
		size_t n = addrs->n - at > PF_BATCH_MAX ? PF_BATCH_MAX : addrs->n - at;
		const char *input = pf_addresses_format(addrs->v + at, n, a);

		if (change_some(p, s, table, verb, input, a, rc == 0 ? e : &ignored) < 0)
			rc = -1;
	}
	for (size_t at = 0; at < others->n;) {
		bool negated = others->v[at][0] == '!';
		struct text t = text_new(a);

		for (size_t n = 0; at < others->n && n < PF_BATCH_MAX; n++, at++) {
			if ((others->v[at][0] == '!') != negated)
				break;
			text_addf(&t, "%s\n", others->v[at]);
		}
		if (change_some(p, s, table, verb, t.s, a, rc == 0 ? e : &ignored) < 0)
			rc = -1;
	}
	return rc;
}

static void forget(struct pf *p, struct pf_table *table, const struct pf_leaving *leaving)
{
	struct pf_table left = { 0 };

	left.addrs.v = arena_alloc(p->arena, table->addrs.n, sizeof(*left.addrs.v));
	for (size_t i = 0; i < table->addrs.n; i++)
		if (!addrs_has(&leaving->addrs, &table->addrs.v[i]))
			left.addrs.v[left.addrs.n++] = table->addrs.v[i];
	for (size_t i = 0; i < table->others.n; i++)
		if (!strs_has(&leaving->others, table->others.v[i]))
			strs_push(p->arena, &left.others, table->others.v[i]);
	*table = left;
}

/* Whose flows can be ended: a negated entry let nobody in, and pfctl's -k takes none. */
static struct pf_leaving with_flows(const struct pf_leaving *leaving, struct arena *a)
{
	struct pf_leaving out = { .addrs = leaving->addrs };

	for (size_t i = 0; i < leaving->others.n; i++)
		if (leaving->others.v[i][0] != '!')
			strs_push(a, &out.others, leaving->others.v[i]);
	return out;
}

static struct strs names_of(const struct pf_leaving *entries, struct arena *a)
{
	struct strs out = { 0 };

	for (size_t i = 0; i < entries->addrs.n; i++) {
		char text[ADDR_TEXT];

		addr_format(&entries->addrs.v[i], text);
		strs_push(a, &out, arena_dup(a, text));
	}
	for (size_t i = 0; i < entries->others.n; i++)
		strs_push(a, &out, entries->others.v[i]);
	return out;
}

/*
 * First the mark, so that killed at any instant the next apply knows whose flows are still to be ended;
 * it goes last. Nothing of it is left undone because another part of it failed.
 */
int pf_revoke(struct pf *p, struct pf_seen *s, const struct pf_leaving *leaving, struct arena *a,
	struct err *e)
{
	struct pf_leaving flows = with_flows(leaving, a);
	struct strs who = names_of(&flows, a);
	struct err first = ERR_INIT, again = ERR_INIT;
	bool marked = change(p, s, PF_ENDING, "add", &flows, a, &first) == 0;
	struct err *e_deleted = marked ? &first : &again;
	bool deleted = change(p, s, s->names.table, "delete", leaving, a, e_deleted) == 0;
	bool ended;

	/* Rules that are not ours may have declared the table const. */
	if (!deleted && !s->barred && s->rules != PF_RULES_OURS && pf_protect(p, s, a, &again) == 0)
		deleted = change(p, s, s->names.table, "delete", leaving, a, e_deleted) == 0;
	if (deleted)
		forget(p, &s->allowed, leaving);
	ended = end_states(p, s, who.v, who.n, a, marked && deleted ? &first : &again) == 0;
	if (marked && deleted && ended &&
		change(p, s, PF_ENDING, "delete", leaving, a, &first) == 0) {
		forget(p, &s->ending, leaving);
		return 0;
	}
	*e = first;
	return -1;
}

int pf_grant(
	struct pf *p, struct pf_seen *s, const struct addrs *addrs, struct arena *a, struct err *e)
{
	struct pf_leaving entering = { .addrs = *addrs }, ended = { 0 };

	if (!pf_is_closed(s))
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"firewall of %s: its default-deny is not in place, so nothing is allowed",
			pf_place(s->scope, a));
	if (s->allowed.addrs.n + s->allowed.others.n + addrs->n > PF_TABLE_MAX)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"firewall of %s: pf takes at most %d addresses in a table, and these would "
			"be %zu",
			pf_place(s->scope, a), PF_TABLE_MAX, s->allowed.addrs.n + addrs->n);
	if (change(p, s, s->names.table, "add", &entering, a, e) < 0)
		return -1;
	/* Who is allowed again has no flows that must end. */
	ended.addrs.v = arena_alloc(a, addrs->n, sizeof(*ended.addrs.v));
	for (size_t i = 0; i < addrs->n; i++)
		if (addrs_has(&s->ending.addrs, &addrs->v[i]))
			ended.addrs.v[ended.addrs.n++] = addrs->v[i];
	return change(p, s, PF_ENDING, "delete", &ended, a, e);
}

int pf_save(
	struct pf *p, struct pf_seen *s, const struct addrs *addrs, struct arena *a, struct err *e)
{
	const char *path = s->names.anchor ? PF_ANCHOR_CONF : PF_CONF;
	const char *text;

	if (addrs->n > PF_TABLE_MAX)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"%s of %s: pf takes at most %d addresses in a table, and these would be "
			"%zu",
			path, pf_place(s->scope, a), PF_TABLE_MAX, addrs->n);
	text = pf_file_format(s->file, s->file_len, &s->names, addrs, p->arena);
	if (pfctl(p, s, PF_ARGS("-nf", "-"), text, a, e) < 0 ||
		p->port->ops->replace(
			p->port->self, port_place(s->scope), path, text, strlen(text), 0644, e) < 0)
		return err_wrap(e, "%s of %s", path, pf_place(s->scope, a));
	s->file = text;
	s->file_len = strlen(text);
	pf_file_parse(s->file, s->file_len, &s->names, p->arena, &s->saved);
	return 0;
}

int pf_boot(struct pf *p, struct pf_seen *s, struct arena *a, struct err *e)
{
	static const char *const argv[] = { "sysrc", "pf_enable=YES", NULL };
	struct output out;

	if (run(p, s, argv, NULL, a, &out, e) < 0 ||
		(out.status != 0 && port_failed("sysrc", &out, e) < 0))
		return err_wrap(e, "pf of %s at boot", pf_place(s->scope, a));
	s->boot = true;
	return 0;
}
