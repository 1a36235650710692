#include "cli/host.h"

#include <sodium/utils.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "cli/hooks.h"
#include "cli/user.h"
#include "platform/jailrun.h"
#include "reconciler/drivers/jailrun.h"
#include "reconciler/drivers/nft.h"
#include "reconciler/drivers/pf.h"
#include "reconciler/drivers/unbound.h"

static volatile sig_atomic_t came;

static void on_signal(int sig)
{
	came = sig;
}

int host_signal(void)
{
	return came;
}

int host_complain(const struct host *h, const struct err *e)
{
	if (e->at.line == 0)
		return complain(h->options, e);
	input_complain(stderr, h->options->colour_err, &h->input,
		&(struct problem){ .at = e->at, .text = e->text }, 1);
	return EXIT_ERROR;
}

/* "mesh.lock" beside the mesh file; with standard input there is no such place. */
static const char *lock_path(const struct host *h, struct arena *a)
{
	const char *file = h->options->file, *slash = strrchr(file, '/');

	if (h->options->lock != NULL)
		return h->options->lock;
	if (strcmp(file, "-") == 0)
		return arena_printf(a, "%s/%s.lock", h->state_dir, h->mesh.name);
	if (slash == NULL)
		return "mesh.lock";
	return arena_printf(a, "%.*s/mesh.lock", (int)(slash - file), file);
}

static int check_codes(const struct host *h, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < h->options->code.n; i++) {
		const char *given = h->options->code.v[i], *equals = strchr(given, '=');
		const char *peer = equals == NULL
			? given
			: name_fold(a, arena_dupn(a, given, (size_t)(equals - given)));
		const struct mesh_peer *found = NULL;
		struct pass pass;

		if (equals == NULL)
			return err_set(
				e, ERR_USAGE, NOWHERE, "--code takes PEER=CODE, not '%s'", given);
		if (pass_parse(equals + 1, &pass, e) < 0)
			return err_wrap(e, "--code of peer '%s'", peer);
		sodium_memzero(&pass.secret, sizeof(pass.secret));
		for (size_t j = 0; j < h->mesh.n_peers; j++)
			if (strcmp(h->mesh.peers[j].name, peer) == 0)
				found = &h->mesh.peers[j];
		if (found == NULL || found->pair != PAIR_JOIN)
			return err_set(e, ERR_USAGE, NOWHERE,
				"--code: the mesh file has no peer '%s' with pair: join", peer);
	}
	return 0;
}

static bool is_freebsd(void)
{
	struct utsname name;

	return uname(&name) >= 0 && strcmp(name.sysname, "FreeBSD") == 0;
}

/* "auto" is what is reached by ssh, or else this user's Jailrun, or else what this machine is. */
static int choose_platform(
	const struct mesh *mesh, const char *jrun, const struct platform **out, struct err *e)
{
	static const char *const names[] = {
		[PLATFORM_AUTO] = "auto",
		[PLATFORM_FREEBSD] = "freebsd",
		[PLATFORM_JAILRUN] = "jailrun",
		[PLATFORM_NETNS] = "netns",
	};
	const char *name = names[mesh->host.platform];

	if (mesh->host.platform == PLATFORM_AUTO && mesh->host.ssh != NULL)
		name = "freebsd";
	else if (mesh->host.platform == PLATFORM_AUTO && jrun != NULL && jailrun_is_here(jrun) &&
		!is_freebsd())
		name = "jailrun";
	if (platform_find(name, out, e) < 0)
		return -1;
	if (mesh->host.ssh != NULL && !(*out)->pf)
		return err_set(e, ERR_CONFIG, (struct loc){ mesh->host.line, 1 },
			"platform '%s' has its jails on this machine: remove 'ssh', or use "
			"platform freebsd",
			name);
	return 0;
}

static int fill_ssh(
	const struct mesh *mesh, struct arena *a, const struct link_ssh **out, struct err *e)
{
	static const enum link_become become[] = {
		[BECOME_NONE] = LINK_BECOME_NONE,
		[BECOME_DOAS] = LINK_BECOME_DOAS,
		[BECOME_SUDO] = LINK_BECOME_SUDO,
	};
	struct link_ssh *ssh;

	*out = NULL;
	if (mesh->host.ssh == NULL)
		return 0;
	ssh = arena_alloc(a, 1, sizeof(*ssh));
	*ssh = (struct link_ssh){
		.target = mesh->host.ssh,
		.port = mesh->host.ssh_port,
		.become = become[mesh->host.become],
	};
	*out = ssh;
	if (mesh->host.ssh_key == NULL || user_path(mesh->host.ssh_key, a, &ssh->key, e) == 0)
		return 0;
	e->at = (struct loc){ mesh->host.line, 1 };
	return -1;
}

/* Of a machine that is reached from here the state is the user's own, so that it takes no root. */
static int find_state_dir(const struct mesh *mesh, const struct platform *platform, struct arena *a,
	const char **out, struct err *e)
{
	*out = mesh->host.state_dir;
	if (*out != NULL)
		return 0;
	if (mesh->host.ssh != NULL)
		return user_state(mesh->host.ssh, a, out, e);
	*out = platform->defaults.state_dir;
	return *out != NULL ? 0 : user_state(platform->name, a, out, e);
}

static int open_firewall(
	struct host *h, const struct platform *platform, struct arena *a, struct err *e)
{
	static const enum pf_manage manage[] = {
		[MANAGE_AUTO] = PF_MANAGE_AUTO,
		[MANAGE_RULESET] = PF_MANAGE_RULESET,
		[MANAGE_ANCHOR] = PF_MANAGE_ANCHOR,
	};
	const struct mesh *mesh = &h->mesh;
	bool asks_pf = mesh->firewall.backend == FIREWALL_PF;

	if (mesh->firewall.backend != FIREWALL_AUTO && asks_pf != platform->pf)
		return err_set(e, ERR_CONFIG, (struct loc){ mesh->firewall.line, 1 },
			"platform '%s' has no %s, its firewall is %s", platform->name,
			asks_pf ? "pf" : "nftables", asks_pf ? "nftables" : "pf");
	if (platform->pf)
		pf_driver(&h->run.firewall, &h->port, mesh->yggdrasil.interface,
			mesh->firewall.table, manage[mesh->firewall.manage], a);
	else
		nft_driver(&h->run.firewall, &h->port, mesh->yggdrasil.interface,
			mesh->firewall.table, a);
	return 0;
}

static void open_names(struct host *h, const struct platform *platform, struct arena *a)
{
	struct unbound_conf *dns = arena_alloc(a, 1, sizeof(*dns));
	const char *config = h->mesh.dns.config, *include = h->mesh.dns.include;

	*dns = (struct unbound_conf){
		.zone = h->mesh.dns.zone,
		.config = config != NULL ? config : platform->defaults.dns_config,
		.include = include != NULL ? include : platform->defaults.dns_include,
		.control = platform->dns_control,
		.checkconf = platform->dns_checkconf,
		.block = platform->dns_block,
	};
	h->dns_include = dns->include;
	unbound_driver(&h->run.dns, &h->port, dns, a);
}

/* Jailrun forgets at its next start whoever is not in its own state. */
static void open_registry(struct host *h, const char *jrun, struct arena *a)
{
	struct jailrun_registry conf = { .now = (int64_t)time(NULL) };
	struct jailrun_store *store = arena_alloc(a, 1, sizeof(*store));

	for (size_t i = 0; i < h->mesh.n_peers; i++)
		if (h->mesh.peers[i].pair == PAIR_JOIN)
			strs_push(a, &conf.joined, h->mesh.peers[i].name);
	jailrun_store(store, jrun, a);
	conf.store = store;
	jailrun_driver(&h->run.registry, &conf, a);
}

static int open_platform(struct host *h, struct arena *a, struct err *e)
{
	const struct mesh *mesh = &h->mesh;
	const struct platform *platform;
	struct platform_conf conf = { .jrun = user_jrun(a) };

	if (choose_platform(mesh, conf.jrun, &platform, e) < 0 ||
		find_state_dir(mesh, platform, a, &h->state_dir, e) < 0 ||
		fill_ssh(mesh, a, &conf.ssh, e) < 0)
		return -1;
	conf.state_dir = h->state_dir;
	h->run = (struct run){ .mesh = mesh, .port = &h->port, .a = a, .hooks = &h->hooks };
	if (open_firewall(h, platform, a, e) < 0 || platform->open(&h->port, &conf, a, e) < 0)
		return -1;
	h->run.yggdrasil = yggdrasil_new(&h->port, a);
	yggdrasil_identity_driver(h->run.yggdrasil, &h->run.identity);
	yggdrasil_overlay_driver(h->run.yggdrasil, &h->run.overlay);
	open_names(h, platform, a);
	if (strcmp(platform->name, "jailrun") == 0)
		open_registry(h, conf.jrun, a);
	h->lock_path = lock_path(h, a);
	hooks_fill(h);
	return 0;
}

int host_open(struct host *h, const struct options *o, struct arena *a)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct problems problems = { 0 };
	struct err e;

	*h = (struct host){ .options = o, .statelock = STATELOCK_INIT };
	if (input_read(o->file, a, &h->input, &e) < 0) {
		complain(o, &e);
		return -1;
	}
	if (mesh_load(h->input.text, h->input.len, true, a, &h->mesh, &problems) < 0) {
		input_complain(stderr, o->colour_err, &h->input, problems.v, problems.n);
		return -1;
	}
	if (check_codes(h, a, &e) < 0 || open_platform(h, a, &e) < 0) {
		host_complain(h, &e);
		return -1;
	}
	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	act.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &act, NULL);
	return 0;
}

static void tell_trips(const struct host *h)
{
	size_t n = h->port.ops->trips(h->port.self);

	fprintf(stderr, "jmesh: asked the host %zu time%s\n", n, n == 1 ? "" : "s");
}

void host_close(struct host *h)
{
	struct driver *drivers[] = { &h->run.identity, &h->run.overlay, &h->run.firewall,
		&h->run.dns, &h->run.registry };

	out_flush();
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (drivers[i]->ops != NULL && drivers[i]->ops->close != NULL)
			drivers[i]->ops->close(drivers[i]->self);
	statelock_drop(&h->statelock);
	if (h->port.ops != NULL && h->port.ops->trips != NULL && h->options->verbose)
		tell_trips(h);
	if (h->port.ops != NULL && h->port.ops->close != NULL)
		h->port.ops->close(h->port.self);
}
