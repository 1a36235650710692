#include <string.h>
#include <strings.h>

#include "base/key.h"
#include "reconciler/drivers/pf_self.h"

/* What is looked at in every place; what is behind ANCHOR_RULES only where an anchor may be. */
enum sight {
	INFO,
	SKIPPED,
	TRANSLATIONS,
	RULES,
	TABLE,
	ENDING,
	CONF,
	BOOT,
	ANCHOR_RULES,
	ANCHOR_TABLE,
	ANCHOR_ENDING,
	ANCHOR_CONF,
	SIGHTS,
};

const char *pf_place(const char *scope, struct arena *a)
{
	const char *place = port_place(scope);

	return place == NULL ? "the host" : arena_printf(a, "jail %s", place);
}

const char *const *pf_argv(bool anchor, const char *const *args, struct arena *a)
{
	const char **argv;
	size_t n = 0, at = 0;

	while (args[n] != NULL)
		n++;
	argv = arena_alloc(a, n + 4, sizeof(*argv));
	argv[at++] = "pfctl";
	if (anchor) {
		argv[at++] = "-a";
		argv[at++] = PF_ANCHOR;
	}
	memcpy(argv + at, args, n * sizeof(*args));
	return argv;
}

int pf_refused(const struct output *out, struct arena *a, struct err *e)
{
	const char *text = pf_complaint(out->err, a);

	if (strstr(text, "/dev/pf") != NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"pfctl: %s: the host must have pf loaded (kldload pf), and the jail see "
			"/dev/pf",
			text);
	if (*text == '\0')
		return err_set(e, ERR_SYSTEM, NOWHERE, "pfctl exited with %d", out->status);
	return err_set(e, ERR_SYSTEM, NOWHERE, "pfctl: %s", text);
}

bool pf_no_table(const struct output *out)
{
	return out->status == 255 && out->err != NULL &&
		strstr(out->err, "Table does not exist") != NULL;
}

struct pf_seen *pf_seen_of(struct pf *p, const char *scope)
{
	for (size_t i = 0; i < p->n_seen; i++)
		if (strcmp(p->seen[i].scope, scope) == 0)
			return &p->seen[i];
	return NULL;
}

bool pf_is_closed(const struct pf_seen *s)
{
	return s->enabled && s->rules == PF_RULES_OURS && !s->skipped && !s->translated &&
		!s->barred;
}

static void aim(struct look *v, const struct pf *p, const char *place, struct arena *a)
{
	const char *const *const args[SIGHTS] = {
		[INFO] = PF_ARGS("-si"),
		[SKIPPED] = PF_ARGS("-vsI"),
		[TRANSLATIONS] = PF_ARGS("-sn"),
		[RULES] = PF_ARGS("-sr"),
		[TABLE] = PF_ARGS("-t", p->table, "-T", "show"),
		[ENDING] = PF_ARGS("-t", PF_ENDING, "-T", "show"),
		[ANCHOR_RULES] = PF_ARGS("-sr"),
		[ANCHOR_TABLE] = PF_ARGS("-t", p->table, "-T", "show"),
		[ANCHOR_ENDING] = PF_ARGS("-t", PF_ENDING, "-T", "show"),
	};
	static const char *const sysrc[] = { "sysrc", "-n", "pf_enable", "pf_rules", NULL };

	for (enum sight i = 0; i < (p->manage == PF_MANAGE_RULESET ? ANCHOR_RULES : SIGHTS); i++) {
		v[i] = (struct look){ .kind = LOOK_RUN, .place = place, .cmd.jail = place };
		if (args[i] != NULL)
			v[i].cmd.argv = pf_argv(i >= ANCHOR_RULES, args[i], a);
		else if (i == BOOT)
			v[i].cmd.argv = sysrc;
		else
			v[i] = (struct look){ .kind = LOOK_FILE,
				.place = place,
				.path = i == CONF ? PF_CONF : PF_ANCHOR_CONF,
				.max = PF_FILE_MAX };
	}
}

/* pfctl -sr says with status 0 that there is no such anchor: no rules, and a complaint. */
static int rules_text(
	const struct look *v, bool anchor, struct arena *a, const char **text, struct err *e)
{
	const struct output *out = &v->output;
	const char *complaint = pf_complaint(out->err, a);

	*text = out->out;
	if (out->status != 0)
		return pf_refused(out, a, e);
	if (*complaint == '\0' || out->out_len != 0 ||
		(anchor && strcmp(complaint, "DIOCGETRULES: Invalid argument") == 0))
		return 0;
	return pf_refused(out, a, e);
}

static int see_table(
	const struct look *v, const char *name, struct pf *p, struct pf_table *out, struct err *e)
{
	*out = (struct pf_table){ 0 };
	if (pf_no_table(&v->output))
		return 0;
	if (v->output.status != 0)
		pf_refused(&v->output, p->arena, e);
	else if (pf_table_parse(v->output.out, p->arena, out, e) == 0)
		return 0;
	return err_wrap(e, "table <%s>", name);
}

static int see_file(const struct look *v, struct pf *p, struct pf_seen *s, struct err *e)
{
	if (v->rc < 0) {
		*e = v->err;
		return -1;
	}
	s->file = v->rc == 0 ? arena_dupn(p->arena, v->text, v->len) : NULL;
	s->file_len = v->rc == 0 ? v->len : 0;
	s->saved = (struct pf_file){ .owner = PF_FILE_EMPTY };
	if (s->file != NULL)
		pf_file_parse(s->file, s->file_len, &s->names, p->arena, &s->saved);
	return 0;
}

/* Whether pf.conf hands the overlay interface to our anchor. */
static int check_conf(const struct look *v, const struct pf_seen *s, struct arena *a, struct err *e)
{
	const char *why;

	if (v[CONF].rc != 0 || !pf_conf_has_anchor(v[CONF].text, v[CONF].len, a))
		return err_set(e, ERR_SYSTEM, NOWHERE,
			PF_CONF " is the administrator's, and so must have these two lines, before "
				"any rule that lets somebody in for good: " PF_LINE_ANCHOR
				" and " PF_LINE_LOAD "; then run touch " PF_ANCHOR_CONF
				" and pfctl -f " PF_CONF);
	if ((why = pf_conf_skips(v[CONF].text, v[CONF].len, &s->names, a)) != NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"'%s' in " PF_CONF " may let everybody in on %s, whatever the anchor says; "
			"name there only other interfaces, and run pfctl -f " PF_CONF,
			why, s->names.interface);
	if (s->saved.owner == PF_FILE_OTHER)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			PF_ANCHOR_CONF " was not written by jmesh, which needs that name; move it "
				       "away and run touch " PF_ANCHOR_CONF);
	return 0;
}

/* Whether what is loaded does. */
static int check_loaded(const struct look *v, const struct pf_seen *s, const char *rules,
	struct arena *a, struct err *e)
{
	const char *why;

	if ((why = pf_skipped(v[SKIPPED].output.out, &s->names, a)) != NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"fail-open: pf skips %s at this time (pfctl -vsI) and lets everybody in "
			"on %s, whatever the anchor says; run pfctl -f " PF_CONF,
			why, s->names.interface);
	if ((why = pf_let_in_by(v[TRANSLATIONS].output.out, &s->names, a)) != NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"'%s' (pfctl -sn) lets strangers in on %s, whatever the anchor says; "
			"in " PF_CONF " take out its \"pass\" or name another interface, and run "
			"pfctl -f " PF_CONF,
			why, s->names.interface);
	if (!pf_anchor_evaluated(rules, &s->names, a, &why))
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s", why);
	return 0;
}

/* rc.conf(5): what rc.subr's checkyesno takes for a yes. sysrc fails where nobody set it. */
static bool says_yes(const struct output *out)
{
	static const char *const words[] = { "yes", "true", "on", "1" };
	size_t len = out->status != 0 ? 0 : strcspn(out->out, "\r\n");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == len && strncasecmp(out->out, words[i], len) == 0)
			return true;
	return false;
}

/* At boot pf loads the file that pf_rules names, which is the second line where both are known. */
static int check_boot_file(const struct output *out, struct arena *a, struct err *e)
{
	const char *second = strchr(out->out, '\n'), *file;

	if (out->status != 0 || second == NULL)
		return 0;
	file = arena_dupn(a, second + 1, strcspn(second + 1, "\r\n"));
	if (*file == '\0' || strcmp(file, PF_CONF) == 0)
		return 0;
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"pf_rules in rc.conf has pf load %s at boot, and jmesh keeps to " PF_CONF
		"; run sysrc pf_rules=" PF_CONF,
		file);
}

static int not_ours(const struct pf_file *file, struct err *e)
{
	if (file->other_line == 0)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			PF_CONF
			" ends before its last rule, and so is neither jmesh's nor Jailrun's any "
			"more; move it away, and jmesh writes it anew");
	return err_set(e, ERR_SYSTEM, NOWHERE,
		PF_CONF
		" is the administrator's, to judge by line %zu, '%.60s'%s, and jmesh does not "
		"overwrite it; set firewall.manage to anchor, or move the file away",
		file->other_line, file->other,
		*file->other == '\0'                        ? " with a NUL byte"
			: strchr(file->other, '\r') != NULL ? " with a carriage return"
							    : "");
}

/* Whose pf.conf is decides where the rules are. */
static int see_owner(struct pf *p, const struct look *v, struct pf_seen *s, struct err *e)
{
	s->names.anchor = p->manage == PF_MANAGE_ANCHOR;
	if (see_file(&v[CONF], p, s, e) < 0)
		return -1;
	if (p->manage == PF_MANAGE_RULESET && s->saved.owner == PF_FILE_OTHER)
		return not_ours(&s->saved, e);
	s->names.anchor =
		s->names.anchor || (p->manage == PF_MANAGE_AUTO && s->saved.owner == PF_FILE_OTHER);
	if (s->names.anchor)
		return see_file(&v[ANCHOR_CONF], p, s, e);
	/* It is written back, and a port masks what looks like a private key. */
	if (s->saved.owner == PF_FILE_JAILRUN && key_is_masked(s->file, s->file_len))
		return err_set(e, ERR_CONFIG, NOWHERE,
			PF_CONF " holds what looks like a private key and is left alone");
	return 0;
}

/* Whether our rules may stand there. */
static int see_place(struct pf *p, const struct look *v, const char *rules, struct pf_seen *s,
	struct arena *a, struct err *e)
{
	if (see_owner(p, v, s, e) < 0 || check_boot_file(&v[BOOT].output, a, e) < 0)
		return -1;
	if (!s->names.anchor)
		return 0;
	return check_conf(v, s, a, e) < 0 ? -1 : check_loaded(v, s, rules, a, e);
}

static int see_tables(struct pf *p, const struct look *v, struct pf_seen *s, struct err *e)
{
	bool anchor = s->names.anchor;

	if (see_table(&v[anchor ? ANCHOR_TABLE : TABLE], p->table, p, &s->allowed, e) < 0)
		return -1;
	return see_table(&v[anchor ? ANCHOR_ENDING : ENDING], PF_ENDING, p, &s->ending, e);
}

static void keep(struct pf *p, const struct pf_seen *s)
{
	void *list = p->seen;

	*(struct pf_seen *)arena_push(p->arena, &list, p->n_seen, &p->cap_seen, sizeof(*p->seen)) =
		*s;
	p->seen = list;
	p->n_seen++;
}

/* -1: our rules cannot stand there. Its tables are kept all the same where they can be read. */
static int see(
	struct pf *p, const char *scope, const struct look *v, struct arena *a, struct err *e)
{
	struct pf_seen s = { .scope = arena_dup(p->arena, scope),
		.names = { p->interface, p->table, false } };
	const char *main_rules, *rules, *translations;
	struct err ignored = ERR_INIT;
	int enabled;

	if (v[INFO].output.status != 0)
		return pf_refused(&v[INFO].output, a, e);
	if (v[SKIPPED].output.status != 0)
		return pf_refused(&v[SKIPPED].output, a, e);
	if ((enabled = pf_info_parse(v[INFO].output.out, e)) < 0 ||
		rules_text(&v[RULES], false, a, &main_rules, e) < 0 ||
		rules_text(&v[TRANSLATIONS], false, a, &translations, e) < 0)
		return -1;
	rules = main_rules;
	if (see_place(p, v, main_rules, &s, a, e) < 0 ||
		(s.names.anchor && rules_text(&v[ANCHOR_RULES], true, a, &rules, e) < 0)) {
		s.barred = true;
		/* The file is another, and what was loaded is not yet. */
		if (pf_rules_parse(main_rules,
			    &(struct pf_names){ p->interface, p->table, false }) == PF_RULES_OURS)
			s.names.anchor = false;
		if (see_tables(p, v, &s, &ignored) == 0)
			keep(p, &s);
		return -1;
	}
	s.enabled = enabled == 1;
	s.rules = pf_rules_parse(rules, &s.names);
	s.boot = says_yes(&v[BOOT].output);
	if (!s.names.anchor) {
		s.skipped = pf_skipped(v[SKIPPED].output.out, &s.names, a) != NULL;
		s.translated = translations[strspn(translations, " \t\n")] != '\0';
	}
	if (see_tables(p, v, &s, e) < 0)
		return -1;
	keep(p, &s);
	return 0;
}

void pf_look(struct pf *p, const struct strs *scopes, struct arena *a, struct failures *failed)
{
	size_t each = p->manage == PF_MANAGE_RULESET ? ANCHOR_RULES : SIGHTS;
	struct look *v = arena_alloc(a, scopes->n * each, sizeof(*v));
	struct err whole = ERR_INIT;
	int rc = 0;

	p->seen = NULL;
	p->n_seen = p->cap_seen = 0;
	for (size_t i = 0; i < scopes->n; i++)
		aim(&v[i * each], p, port_place(scopes->v[i]), a);
	if (scopes->n != 0)
		rc = p->port->ops->look(p->port->self, v, scopes->n * each, a, &whole);
	for (size_t i = 0; i < scopes->n; i++) {
		struct err e = whole;

		if (rc == 0 && see(p, scopes->v[i], &v[i * each], a, &e) == 0)
			continue;
		err_wrap(&e, "firewall of %s", pf_place(scopes->v[i], a));
		failures_add(failed, KIND_FIREWALL, scopes->v[i], NULL, 0, &e);
	}
}
