#include <string.h>

#include "cli/host.h"
#include "cli/render.h"
#include "os/file.h"
#include "pairing/handshake.h"

/* NULL: the file has no peer of that name. */
static const struct mesh_peer *peer_of(const struct mesh *mesh, const char *name)
{
	for (size_t i = 0; i < mesh->n_peers; i++)
		if (strcmp(mesh->peers[i].name, name) == 0)
			return &mesh->peers[i];
	return NULL;
}

static bool pairs_with(const struct mesh *mesh, const char *name)
{
	const struct mesh_peer *peer = peer_of(mesh, name);

	return peer != NULL && !peer->has_roster && peer->pair != PAIR_NONE;
}

/*
 * Pairings that the mesh file no longer asks for are not taken up again, and neither are those whose
 * roster is in the lock: an apply that was killed had written it and not yet forgotten the code.
 */
static int prune(struct host *h, struct arena *a, struct err *e)
{
	struct strs keep = { 0 };
	struct pending *pending;
	struct lock lock;
	size_t n;

	if (lock_load(h->lock_path, h->mesh.name, a, &lock, e) < 0 ||
		pending_list(h->state_dir, a, &pending, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct lock_peer *locked = lock_find(&lock, pending[i].peer);
		bool done = locked != NULL && locked->code != NULL && pending[i].code != NULL &&
			strcmp(locked->code, code_digest(pending[i].code, a)) == 0;

		if (!done && pairs_with(&h->mesh, pending[i].peer))
			strs_push(a, &keep, pending[i].peer);
	}
	return pending_prune(h->state_dir, &keep, e);
}

/* Who is paired there and forgotten here would never come: that side has nothing to do. */
static void say_absent(const struct host *h, const char *peer, FILE *to)
{
	fprintf(to,
		"%s: peer %s has not come yet; run apply again to go on. It needs the same secret, "
		"and %s as its peer's name; a code that was used a moment ago is free in a minute; "
		"where that side says in sync, run there jmesh teardown --peer %s --forget\n",
		h->mesh.name, peer, h->mesh.name, h->mesh.name);
}

static void say_waiting(const struct host *h, const struct report *report, const struct render *r)
{
	for (size_t i = 0; i < report->n_waiting; i++) {
		const struct run_pending *p = &report->waiting[i];

		if (!h->options->pair)
			fprintf(r->to, "%s: not paired with %s, because of --no-pair\n",
				h->mesh.name, p->peer);
		else if (peer_of(&h->mesh, p->peer)->pair == PAIR_RENDEZVOUS)
			say_absent(h, p->peer, r->to);
		else if (p->code == NULL)
			fprintf(r->to, "%s: peer %s is not paired yet; run apply again to go on\n",
				h->mesh.name, p->peer);
		else
			fprintf(r->to,
				"%s: peer %s has not joined yet (code %s); run apply again to go "
				"on\n",
				h->mesh.name, p->peer, p->code);
	}
}

static void say(const struct host *h, const struct report *report, const struct render *r,
	const char *whole)
{
	bool is_whole = report->failed.n == 0 && report->n_waiting == 0 && !report->interrupted;
	struct counts n = render_count(&report->done);

	render_plan(r, &report->done);
	if (report->done.n != 0)
		fprintf(r->to, "\n%s: %s%s%s\n", h->mesh.name, render_counts(r->a, &n, true),
			is_whole ? "; " : "", is_whole ? whole : "");
	else if (is_whole)
		fprintf(r->to, "%s: %s\n", h->mesh.name, whole);
	say_waiting(h, report, r);
	render_notices(r, &report->notices);
}

static int status_of(const struct report *report)
{
	if (report->interrupted)
		return 128 + host_signal();
	if (report->failed.n != 0)
		return EXIT_ERROR;
	return report->n_waiting != 0 ? EXIT_WAITING : EXIT_OK;
}

/* What apply and teardown end with; whole says in a word that nothing is left to do. */
static int conclude(struct host *h, const struct options *o, const struct report *report,
	const char *whole, int rc, const struct err *e, struct arena *a)
{
	struct render r = { stdout, o->colour_out, h->mesh.name, h->input.name, h->dns_include, a };
	struct render errors = { stderr, o->colour_err, h->mesh.name, h->input.name, h->dns_include,
		a };

	if (o->json && (rc == 0 || report->changed))
		puts(render_json_report(&r, report));
	else if (!o->json && (rc == 0 || report->done.n != 0))
		say(h, report, &r, whole);
	out_flush();
	render_failures(&errors, &report->failed);
	if (rc < 0)
		return host_complain(h, e);
	if (report->interrupted || (report->failed.n != 0 && host_signal() != 0))
		fputs("jmesh: interrupted; what was done stays, run it again to go on\n", stderr);
	return status_of(report);
}

int cmd_apply(const struct options *o, struct arena *a)
{
	struct host h;
	struct report report = { 0 };
	struct err e = ERR_INIT;
	enum run_pair pair;
	int status = EXIT_ERROR, rc;

	if (host_open(&h, o, a) < 0)
		goto out;
	h.pairs_not = !o->pair;
	pair = !o->pair ? RUN_PAIR_NOT : o->wait == 0 ? RUN_PAIR_ONCE : RUN_PAIR_WAIT;
	rc = run_apply(&h.run, pair, &report, &e);
	if (rc == 0)
		rc = prune(&h, a, &e);
	status = conclude(&h, o, &report, "in sync", rc, &e, a);
out:
	host_close(&h);
	return status;
}

static int forget_peer(struct host *h, struct arena *a, bool *changed, struct err *e)
{
	struct lock lock;

	if (lock_load(h->lock_path, h->mesh.name, a, &lock, e) < 0)
		return -1;
	if (lock_find(&lock, h->options->peer) == NULL)
		return 0;
	lock_drop(&lock, h->options->peer);
	*changed = true;
	return lock_save(h->lock_path, &lock, a, e);
}

static int forget_all(struct host *h, struct arena *a, bool *changed, struct err *e)
{
	struct driver *identity = &h->run.identity;
	struct view v;

	if (run_look(&h->run, &v, e) < 0)
		return -1;
	*changed = true;
	/* Keys that are another program's are not ours to forget. */
	for (size_t i = 0; !h->port.ops->traits.foreign_nodes && i < v.nodes.n; i++)
		if (identity->ops->withdraw(identity->self, v.nodes.v[i], a, e) < 0)
			return -1;
	return file_remove(h->lock_path, e);
}

/* --forget: what a teardown otherwise leaves for the next apply. */
static int forget(struct host *h, struct arena *a, struct report *report, struct err *e)
{
	const char *peer = h->options->peer;
	struct strs keep = { 0 };
	int rc;

	if (h->hooks.take(h, e) < 0)
		return -1;
	rc = peer != NULL ? forget_peer(h, a, &report->changed, e)
			  : forget_all(h, a, &report->changed, e);
	h->hooks.drop(h);
	for (size_t i = 0; peer != NULL && i < h->mesh.n_peers; i++)
		if (strcmp(h->mesh.peers[i].name, peer) != 0)
			strs_push(a, &keep, h->mesh.peers[i].name);
	return rc < 0 ? -1 : pending_prune(h->state_dir, &keep, e);
}

int cmd_teardown(const struct options *o, struct arena *a)
{
	struct host h;
	struct report report = { 0 };
	struct err e = ERR_INIT;
	int status = EXIT_ERROR, rc;

	if (host_open(&h, o, a) < 0)
		goto out;
	if (o->peer != NULL && peer_of(&h.mesh, o->peer) == NULL) {
		err_set(&e, ERR_USAGE, NOWHERE, "--peer: the mesh file has no peer '%s'", o->peer);
		host_complain(&h, &e);
		goto out;
	}
	h.pairs_not = h.tears_down = true;
	rc = run_teardown(&h.run, o->peer, &report, &e);
	if (rc == 0 && o->forget && report.failed.n == 0 && !report.interrupted)
		rc = forget(&h, a, &report, &e);
	status = conclude(&h, o, &report, "nothing is left to take back", rc, &e, a);
out:
	host_close(&h);
	return status;
}
