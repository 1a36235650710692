#include <string.h>

#include "reconciler/run/run.h"

/* Our roster as it is to be told; half of one would make a peer shut the other half out. */
static int roster_to_tell(
	struct run *r, struct view *v, struct roster *out, struct roster *reserved, struct err *e)
{
	const struct identified *known = yggdrasil_identities(r->yggdrasil, &v->nodes, r->a);
	const struct mesh *mesh = r->mesh;
	size_t total = v->n_ours;

	for (size_t i = 0; i < v->nodes.n; i++) {
		v->ours[i] = known[i].id;
		if (known[i].rc == 0 && failures_find(&v->failed, KIND_IDENTITY, v->nodes.v[i]))
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"not paired, because the key of '%s' is not in order",
				v->nodes.v[i]);
		if (known[i].rc < 0)
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"not paired, because the key of '%s' cannot be looked at: %s",
				v->nodes.v[i], known[i].err.text);
		if (known[i].rc != 0)
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"not paired, because jail '%s' has no key and the roster would be "
				"incomplete",
				v->nodes.v[i]);
	}
	v->n_ours = v->nodes.n;
	for (size_t i = 0; i < mesh->n_jails; i++) {
		const struct failure *f =
			failures_find(&v->failed, KIND_OVERLAY, mesh->jails[i].name);

		if (f != NULL && (f->key == NULL || strcmp(f->key, "jail") != 0))
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"not paired, because of jail '%s': %s", mesh->jails[i].name,
				f->text);
		if (f != NULL)
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"not paired, because jail '%s' does not run and the roster would "
				"be incomplete",
				mesh->jails[i].name);
	}
	*out = run_roster(r, v);
	if (out->n == 0)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"not paired, because no jail runs here and there is nothing to tell");

	for (size_t i = 0; i < mesh->n_peers; i++)
		total += mesh->peers[i].has_roster ? mesh->peers[i].roster.n : 0;
	reserved->jails = arena_alloc(r->a, total + v->n_ours, sizeof(*reserved->jails));
	reserved->n = 0;
	for (size_t i = 0; i < v->n_ours; i++)
		reserved->jails[reserved->n++] =
			(struct roster_jail){ .name = v->ours[i].node, .addr = v->ours[i].addr };
	for (size_t i = 0; i < mesh->n_peers; i++)
		for (size_t j = 0; mesh->peers[i].has_roster && j < mesh->peers[i].roster.n; j++)
			reserved->jails[reserved->n++] = mesh->peers[i].roster.jails[j];
	return 0;
}

/*
 * One round of handshakes, the state lock let go meanwhile. -1: none could run. The peers that it
 * concerns are known to have failed then.
 */
static int pair_round(struct run *r, struct view *v, bool wait, struct run_paired *paired,
	struct report *out, struct err *e)
{
	struct roster ours, reserved;
	struct err why;

	*paired = (struct run_paired){ 0 };
	if (roster_to_tell(r, v, &ours, &reserved, &why) < 0) {
		for (size_t i = 0; i < v->n_needs; i++)
			failures_add(&out->failed, KIND_PAIRING, v->needs[i].peer->name, NULL,
				v->needs[i].peer->line, &why);
		return 0;
	}
	r->hooks->drop(r->hooks->ctx);
	if (r->hooks->pair(r->hooks->ctx, v->needs, v->n_needs, &ours, &reserved, wait, r->a,
		    paired, &out->failed, e) < 0)
		return -1;
	if (r->hooks->interrupted(r->hooks->ctx))
		out->interrupted = true;
	out->waiting = paired->waiting;
	out->n_waiting = paired->n_waiting;
	if (paired->paired.n > 0)
		out->changed = true;
	for (size_t i = 0; i < v->plan.n; i++)
		if (v->plan.v[i].phase == PHASE_PAIR &&
			strs_has(&paired->paired, v->plan.v[i].scope))
			plan_add(&out->done, &v->plan.v[i]);
	return r->hooks->take(r->hooks->ctx, e);
}

/* A peer whose handshake has failed is not asked again in this run. */
static void drop_failed_needs(struct view *v, const struct report *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->n_needs; i++)
		if (failures_find(&out->failed, KIND_PAIRING, v->needs[i].peer->name) == NULL)
			v->needs[kept++] = v->needs[i];
	v->n_needs = kept;
}

/* Without handshakes a peer that needs one waits. */
static void leave_waiting(struct run *r, struct view *v, struct report *out)
{
	drop_failed_needs(v, out);
	out->waiting = arena_alloc(r->a, v->n_needs, sizeof(*out->waiting));
	out->n_waiting = v->n_needs;
	for (size_t i = 0; i < v->n_needs; i++)
		out->waiting[i].peer = v->needs[i].peer->name;
}

/*
 * Looks anew. What could not be read until now is added to unread: where something was left undone for it,
 * it is the reason.
 */
static int look_again(struct run *r, struct view *v, struct failures *unread, struct err *e)
{
	for (size_t i = 0; i < v->failed.n; i++) {
		const struct failure *f = &v->failed.v[i];
		struct err why;

		if (failures_find(unread, f->kind, f->scope) != NULL)
			continue;
		err_set(&why, ERR_SYSTEM, NOWHERE, "%s", f->text);
		failures_add(unread, f->kind, f->scope, f->key, f->line, &why);
	}
	return run_look(r, v, e);
}

static bool left_undone(const struct view *v, const struct report *out, const struct failure *f)
{
	if (failures_find(&out->failed, f->kind, f->scope) != NULL)
		return false;
	for (size_t i = 0; i < out->failed.n; i++)
		if (strcmp(out->failed.v[i].scope, f->scope) == 0)
			return true;
	for (size_t i = 0; i < v->plan.n; i++)
		if (v->plan.v[i].phase != PHASE_PAIR && v->plan.v[i].kind == f->kind &&
			strcmp(v->plan.v[i].scope, f->scope) == 0)
			return true;
	return false;
}

/* What still differs after everything was done is an error of its own. */
static void verify(const struct view *v, const struct failures *unread, struct report *out)
{
	for (size_t i = 0; i < unread->n; i++) {
		const struct failure *f = &unread->v[i];
		struct err e;

		if (!left_undone(v, out, f))
			continue;
		err_set(&e, ERR_SYSTEM, NOWHERE, "%s", f->text);
		failures_add(&out->failed, f->kind, f->scope, f->key, f->line, &e);
	}
	for (size_t i = 0; i < v->failed.n; i++) {
		const struct failure *f = &v->failed.v[i];
		struct err e;

		err_set(&e, ERR_SYSTEM, NOWHERE, "%s", f->text);
		if (failures_find(&out->failed, f->kind, f->scope) == NULL)
			failures_add(&out->failed, f->kind, f->scope, f->key, f->line, &e);
	}
	for (size_t i = 0; i < v->plan.n; i++) {
		const struct change *c = &v->plan.v[i];
		struct err e;

		if (c->phase == PHASE_PAIR ||
			failures_tell(&out->failed, 0, c->kind, c->scope, c->key))
			continue;
		err_set(&e, ERR_SYSTEM, NOWHERE,
			"still differs after apply: it is %s and should be %s",
			c->before == NULL ? "missing" : c->before,
			c->after == NULL ? "gone" : c->after);
		failures_add(&out->failed, c->kind, c->scope, c->key, c->line, &e);
	}
}

static int apply_locked(struct run *r, enum run_pair pair, struct report *out, struct err *e)
{
	struct run_paired paired = { 0 };
	struct failures unread = { .arena = r->a };
	struct view v;
	bool pairing;

	if (run_look(r, &v, e) < 0)
		return -1;
	pairing = pair != RUN_PAIR_NOT && v.n_needs > 0;
	if (run_execute(r, &v, pairing ? PHASE_OVERLAY : PHASE_NAMES, out, e) < 0)
		return -1;
	/* First every peer is asked once, so that whoever is known is let in before any waiting. */
	for (bool wait = false; pairing && !out->interrupted; wait = true) {
		if (pair_round(r, &v, wait, &paired, out, e) < 0 ||
			look_again(r, &v, &unread, e) < 0 ||
			run_execute(r, &v, PHASE_NAMES, out, e) < 0)
			return -1;
		drop_failed_needs(&v, out);
		pairing = pair == RUN_PAIR_WAIT && v.n_needs > 0 && paired.n_waiting > 0 &&
			!(wait && paired.paired.n == 0);
	}
	if (out->changed && !out->interrupted && look_again(r, &v, &unread, e) < 0)
		return -1;
	if (!out->interrupted)
		verify(&v, &unread, out);
	if (pair == RUN_PAIR_NOT)
		leave_waiting(r, &v, out);
	out->notices = v.notices;
	return 0;
}

int run_apply(struct run *r, enum run_pair pair, struct report *out, struct err *e)
{
	int rc;

	*out = (struct report){ .done.arena = r->a, .failed.arena = r->a };
	if (r->hooks->take(r->hooks->ctx, e) < 0)
		return -1;
	rc = apply_locked(r, pair, out, e);
	r->hooks->drop(r->hooks->ctx);
	return rc;
}
