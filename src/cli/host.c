#include "cli/host.h"

#include <stdlib.h>
#include <string.h>

#include "cli/hooks.h"
#include "reconciler/drivers/nft.h"
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

		if (equals == NULL || !mesh_is_code(equals + 1))
			return err_set(e, ERR_USAGE, NOWHERE,
				"--code takes PEER=CODE, and a code is 1 to 64 of A-Z a-z 0-9 -: "
				"'%s'",
				given);
		for (size_t j = 0; j < h->mesh.n_peers; j++)
			if (strcmp(h->mesh.peers[j].name, peer) == 0)
				found = &h->mesh.peers[j];
		if (found == NULL || found->pair != PAIR_JOIN)
			return err_set(e, ERR_USAGE, NOWHERE,
				"--code %s: the mesh file has no peer '%s' with pair: join", given,
				peer);
	}
	return 0;
}

static int open_platform(struct host *h, struct arena *a, struct err *e)
{
	static const char *const names[] = {
		[PLATFORM_AUTO] = "auto",
		[PLATFORM_FREEBSD] = "freebsd",
		[PLATFORM_JAILRUN] = "jailrun",
		[PLATFORM_NETNS] = "netns",
	};
	const struct mesh *mesh = &h->mesh;
	const struct platform *platform;
	struct platform_conf conf = { 0 };
	struct unbound_conf *dns = arena_alloc(a, 1, sizeof(*dns));

	if (platform_find(names[mesh->host.platform], &platform, e) < 0)
		return -1;
	if (mesh->firewall.backend == FIREWALL_PF)
		return err_set(e, ERR_CONFIG, (struct loc){ mesh->firewall.line, 1 },
			"firewall backend 'pf' is not part of this build; platform '%s' has "
			"nftables",
			platform->name);
	h->state_dir =
		mesh->host.state_dir != NULL ? mesh->host.state_dir : platform->defaults.state_dir;
	conf.state_dir = h->state_dir;
	if (platform->open(&h->port, &conf, a, e) < 0)
		return -1;
	h->run = (struct run){ .mesh = mesh, .port = &h->port, .a = a, .hooks = &h->hooks };
	h->run.yggdrasil = yggdrasil_new(&h->port, a);
	yggdrasil_identity_driver(h->run.yggdrasil, &h->run.identity);
	yggdrasil_overlay_driver(h->run.yggdrasil, &h->run.overlay);
	nft_driver(&h->run.firewall, &h->port, mesh->yggdrasil.interface, mesh->firewall.table, a);
	dns->zone = mesh->dns.zone;
	dns->control = platform->dns_control;
	dns->checkconf = platform->dns_checkconf;
	dns->block = platform->dns_block;
	dns->config = mesh->dns.config != NULL ? mesh->dns.config : platform->defaults.dns_config;
	dns->include =
		mesh->dns.include != NULL ? mesh->dns.include : platform->defaults.dns_include;
	h->dns_include = dns->include;
	unbound_driver(&h->run.dns, &h->port, dns, a);
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

void host_close(struct host *h)
{
	struct driver *drivers[] = { &h->run.identity, &h->run.overlay, &h->run.firewall,
		&h->run.dns };

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (drivers[i]->ops != NULL && drivers[i]->ops->close != NULL)
			drivers[i]->ops->close(drivers[i]->self);
	statelock_drop(&h->statelock);
	if (h->port.ops != NULL && h->port.ops->close != NULL)
		h->port.ops->close(h->port.self);
}
