#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/user.h"
#include "os/file.h"
#include "platform/jailrun.h"

static const char head[] =
	"# Written by jmesh init from Jailrun's own state.\n"
	"# Peers have their rosters written down here, so no handshake is run with them.\n"
	"version: 1\n";

static const char host[] =
	"host:\n"
	"  platform: jailrun\n"
	"yggdrasil:\n"
	"  # The firewall of Jailrun's machine itself is Jailrun's, and lets everybody on the\n"
	"  # overlay in there. To close it, put these lines before the first \"quick\" rule of "
	"that\n"
	"  # machine's /etc/pf.conf and remove protect_host; jmesh diff says what is left to do:\n"
	"  #   anchor \"jmesh\"\n"
	"  #   load anchor \"jmesh\" from \"/etc/pf.jmesh.conf\"\n"
	"  protect_host: false\n";

/* The first label of what this machine is called. */
static const char *own_name(struct arena *a)
{
	char name[256] = "";
	size_t len;

	if (gethostname(name, sizeof(name) - 1) < 0)
		return "laptop";
	len = strcspn(name, ".");
	name[len] = '\0';
	return name_is_label(name) ? name_fold(a, name) : "laptop";
}

/* In quotes a label is text to YAML, also one like 81 or no. */
static void add_jails(struct text *t, const struct jailrun_state *s)
{
	text_add(t, s->n_jails != 0 ? "jails:\n" : "# Jailrun has no jails yet.\n");
	for (size_t i = 0; i < s->n_jails; i++) {
		text_addf(t, "  - name: \"%s\"\n", s->jails[i].name);
		if (s->jails[i].address != NULL)
			text_addf(t, "    address: \"%s\"\n", s->jails[i].address);
	}
}

static void add_peers(struct text *t, const struct jailrun_state *s)
{
	bool any = false;

	for (size_t i = 0; i < s->n_peers; i++) {
		const struct jailrun_peer *peer = &s->peers[i];

		if (peer->roster.n == 0)
			continue;
		text_addf(
			t, "%s  - name: \"%s\"\n    jails:\n", any ? "" : "peers:\n", peer->alias);
		any = true;
		for (size_t j = 0; j < peer->roster.n; j++) {
			char address[ADDR_TEXT];

			addr_format(&peer->roster.jails[j].addr, address);
			text_addf(t, "      - name: \"%s\"\n        address: \"%s\"\n",
				peer->roster.jails[j].name, address);
		}
	}
	for (size_t i = 0; i < s->n_peers; i++)
		if (s->peers[i].roster.n == 0)
			text_addf(t, "# Jailrun has recorded no jails of its peer %s.\n",
				s->peers[i].alias);
}

struct owned {
	const struct addr *addr;
	const char *peer, *jail;
};

static int by_addr(const void *a, const void *b)
{
	return addr_cmp(((const struct owned *)a)->addr, ((const struct owned *)b)->addr);
}

/* The file to be is nobody's yet: what makes it impossible is told by the names that Jailrun has. */
static int check_addresses(const struct jailrun_state *s, struct arena *a, struct err *e)
{
	struct owned *all;
	size_t n = 0;

	for (size_t i = 0; i < s->n_peers; i++)
		n += s->peers[i].roster.n;
	all = arena_alloc(a, n, sizeof(*all));
	n = 0;
	for (size_t i = 0; i < s->n_peers; i++)
		for (size_t j = 0; j < s->peers[i].roster.n; j++)
			all[n++] = (struct owned){ &s->peers[i].roster.jails[j].addr,
				s->peers[i].alias, s->peers[i].roster.jails[j].name };
	if (n > 1)
		qsort(all, n, sizeof(*all), by_addr);
	for (size_t i = 1; i < n; i++) {
		char text[ADDR_TEXT];

		if (by_addr(&all[i - 1], &all[i]) != 0)
			continue;
		addr_format(all[i].addr, text);
		return err_set(e, ERR_CONFIG, NOWHERE,
			"jail %s of peer %s and jail %s of peer %s have one address, %s; an "
			"address is "
			"one jail's, so have Jailrun forget the pairing that is wrong",
			all[i - 1].jail, all[i - 1].peer, all[i].jail, all[i].peer, text);
	}
	return 0;
}

/* What is written must be what is read later. */
static int check(const struct text *t, struct arena *a, struct err *e)
{
	struct problems problems = { 0 };
	struct mesh mesh;

	if (mesh_load(t->s, t->len, false, a, &mesh, &problems) == 0)
		return 0;
	return err_set(e, ERR_CONFIG, NOWHERE, "it makes no mesh file: %s%s%s", problems.v[0].text,
		problems.v[0].hint == NULL ? "" : ": ",
		problems.v[0].hint == NULL ? "" : problems.v[0].hint);
}

static int build(struct text *t, struct arena *a, struct err *e)
{
	const char *jrun = user_jrun(a);
	struct jailrun_store store;
	struct jailrun_state state;

	if (jrun == NULL)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"Jailrun's state is in ~/.jrun, and HOME is not set to an absolute path");
	jailrun_store(&store, jrun, a);
	if (jailrun_load(&store, a, &state, e) < 0)
		return -1;
	for (size_t i = 0; i < state.n_peers; i++) {
		if (!state.peers[i].failed)
			continue;
		*e = state.peers[i].err;
		return err_wrap(e, "%s", store.path);
	}
	text_add(t, head);
	text_addf(t, "name: \"%s\"\n%s", own_name(a), host);
	add_jails(t, &state);
	add_peers(t, &state);
	return check_addresses(&state, a, e) < 0 || check(t, a, e) < 0
		? err_wrap(e, "%s", store.path)
		: 0;
}

int cmd_init(const struct options *o, struct arena *a)
{
	struct text t = text_new(a);
	struct err e = ERR_INIT;
	int rc;

	if (!o->from_jailrun) {
		err_set(&e, ERR_USAGE, NOWHERE,
			"init writes a mesh file from what is there: say --from-jailrun");
		return complain(o, &e);
	}
	if (build(&t, a, &e) < 0)
		return complain(o, &e);
	if (strcmp(o->file, "-") == 0) {
		fputs(t.s, stdout);
		return EXIT_OK;
	}
	rc = file_create(o->file, t.s, t.len, 0644, &e);
	if (rc > 0)
		err_set(&e, ERR_CONFIG, NOWHERE,
			"%s is there already and stays as it is; name another file, or - for "
			"standard output",
			o->file);
	if (rc != 0)
		return complain(o, &e);
	printf("%s written; look at it, then at what jmesh diff says\n", o->file);
	return EXIT_OK;
}
