#include <string.h>

#include "base/key.h"
#include "reconciler/drivers/unbound_self.h"
#include "reconciler/unbound_block.h"

/* Only the plain case is told: no include anywhere. Files within files are unbound's to follow. */
static int check_included(const struct unbound *u, struct err *e)
{
	const struct look *config = &u->seen[SEEN_CONFIG];

	if (config->text == NULL || config->rc != 0 ||
		!unbound_includes_nothing(config->text, config->len))
		return 0;
	return err_set(e, ERR_CONFIG, NOWHERE,
		"%s does not include %s, so a restarted unbound forgets every name; add to it: "
		"include: \"%s\"",
		u->conf->config, u->conf->include, u->conf->include);
}

/* Whoever wrote another keeps it. */
int unbound_file_seen(const struct unbound *u, const char **text, size_t *len, struct err *e)
{
	const struct look *file = &u->seen[SEEN_INCLUDE];
	const char *path = u->conf->include;

	*text = file->text;
	*len = file->len;
	if (file->rc < 0)
		*e = file->err;
	if (file->rc == 0 && u->conf->block && key_is_masked(*text, *len))
		return err_set(e, ERR_CONFIG, NOWHERE,
			"%s holds what looks like a private key and is left alone", path);
	if (file->rc != 0 || u->conf->block || unbound_file_is_ours(*text, *len))
		return file->rc;
	return err_set(e, ERR_CONFIG, NOWHERE,
		"%s was not written by jmesh, to judge by its first line, and is left alone: name "
		"another file in dns.include, or move it away",
		path);
}

static int block_is_missing(const struct unbound *u, struct err *e)
{
	return err_set(e, ERR_CONFIG, NOWHERE, "%s is not there, and Jailrun makes it: run jrun up",
		u->conf->include);
}

int unbound_file_parse(struct unbound *u, const char **value, struct err *e)
{
	const char *text;
	size_t len;
	bool whole;
	int rc = unbound_file_seen(u, &text, &len, e);

	*value = NULL;
	if (rc < 0)
		return -1;
	if (rc > 0)
		return u->conf->block ? block_is_missing(u, e) : 0;
	if (!u->conf->block) {
		whole = unbound_parse_file(text, len, u->conf->zone, u->arena, &u->saved.zone);
	} else {
		if (unbound_block_parse(
			    text, len, u->conf->zone, u->arena, &u->saved.zone, &whole, e) < 0)
			return err_wrap(e, "%s", u->conf->include);
		u->saved.zone.type = unbound_block_zone(text, len, u->conf->zone, u->arena);
	}
	*value = whole ? "as generated" : "altered";
	return check_included(u, e);
}

/* Checked under another name, one that no "*.conf" takes in, before it replaces the old one. */
static int replace(struct unbound *u, const char *text, size_t len, struct arena *a, struct err *e)
{
	const char *candidate = arena_printf(a, "%s.jmesh-new", u->conf->include);
	const char *const argv[] = { u->conf->checkconf, candidate, NULL };
	const struct port_ops *ops = u->port->ops;
	struct err ignored = ERR_INIT;
	struct output out;
	int rc;

	if (ops->replace(u->port->self, NULL, candidate, text, len, 0644, e) < 0)
		return err_wrap(
			e, "the names are not saved (is unbound installed, and 'include' right?)");
	rc = port_run(u->port, NULL, argv, NULL, a, &out, e);
	/* While the old one is there, an apply that is killed leaves nothing that the next one does not see. */
	ops->remove(u->port->self, NULL, candidate, &ignored);
	if (rc < 0)
		return err_wrap(e, "%s stays as it was", u->conf->include);
	return ops->replace(u->port->self, NULL, u->conf->include, text, len, 0644, e);
}

/* The rest of the file is what it is now: Jailrun may have written it since it was read. */
static int save_block(
	struct unbound *u, const struct dns_records *records, struct arena *a, struct err *e)
{
	struct text t = text_new(a);
	const char *text;
	size_t len;
	int rc;

	if (unbound_look(u, SEEN_INCLUDE, SEEN_INCLUDE, a, e) < 0)
		return -1;
	rc = unbound_file_seen(u, &text, &len, e);
	if (rc > 0)
		return records->n == 0 ? 0 : block_is_missing(u, e);
	if (rc < 0)
		return -1;
	if (unbound_block_edit(text, len, u->conf->zone, records, a, &t, e) < 0)
		return err_wrap(e, "%s", u->conf->include);
	if (t.len == len && memcmp(t.s, text, len) == 0)
		return 0;
	return replace(u, t.s, t.len, a, e);
}

static int save(struct unbound *u, struct arena *a, struct err *e)
{
	const char *text;

	if (unbound_check_old(u, e) < 0)
		return -1;
	if (u->conf->block)
		return save_block(u, &u->saved.zone.found, a, e);
	text = unbound_file(u->conf->zone, &u->saved.zone.found, a);
	return replace(u, text, strlen(text), a, e);
}

void unbound_file_apply(struct unbound *u, const struct change *const *changes, size_t n,
	struct arena *a, struct failures *failed)
{
	struct edits removed = { 0 }, added = { 0 };
	struct err e = ERR_INIT;

	unbound_edit(u, &u->saved, changes, n, &removed, &added, failed);
	/* A record that is refused leaves the rest in force. */
	if (save(u, a, &e) < 0)
		unbound_fail(changes, n, failed, &e);
}

int unbound_file_withdraw(struct unbound *u, struct arena *a, struct err *e)
{
	static const struct dns_records none = { 0 };
	const char *text;
	size_t len;
	int rc;

	if (u->conf->block)
		return save_block(u, &none, a, e);
	if (unbound_check_old(u, e) < 0 || unbound_look(u, SEEN_INCLUDE, SEEN_INCLUDE, a, e) < 0)
		return -1;
	rc = unbound_file_seen(u, &text, &len, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return u->port->ops->remove(u->port->self, NULL, u->conf->include, e);
}
