#include "schema/check.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/port.h"
#include "schema/checker.h"
#include "schema/problem.h"

/* RFC 1035, section 2.3.4, without the dot at the end. */
enum { DNS_NAME_MAX = 253 };

const char *checker_path(struct checker *c, const char *fmt, ...)
{
	va_list ap;

	if (c->tree == NULL)
		return "";
	va_start(ap, fmt);
	vsnprintf(c->path, sizeof(c->path), fmt, ap);
	va_end(ap);
	return c->path;
}

void checker_wrong(struct checker *c, const char *path, const char *hint, const char *fmt, ...)
{
	va_list ap;

	c->doubt = true;
	if (c->tree == NULL)
		return;
	va_start(ap, fmt);
	problem_addv(c->problems, c->arena, tree_place(c->tree, path), hint, fmt, ap);
	va_end(ap);
}

bool checker_stopped(const struct checker *c)
{
	return c->doubt && c->tree == NULL;
}

int checker_line(const struct checker *c, const char *path)
{
	return c->tree == NULL ? 0 : tree_place(c->tree, path).line;
}

bool checker_holds(struct checker *c, const char *s, bool (*rule)(const char *, struct fault *),
	const char *path)
{
	struct fault f;

	if (s == NULL)
		return false;
	/* Without quotes it is no text to YAML; only a tree knows whether there are quotes. */
	if (s[0] == '\0' || (c->tree == NULL && value_is_no_text(s))) {
		c->doubt = true;
		return false;
	}
	if (rule(s, &f))
		return true;
	checker_wrong(c, path, f.hint, "'%s' %s", problem_quote(c->arena, s), f.text);
	return false;
}

const char *checker_fold(const struct checker *c, const char *s)
{
	for (const char *p = s; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			return name_fold(c->arena, s);
	return s;
}

/* The value where it is given and good, else the default. */
static const char *setting(struct checker *c, const char *s, const char *otherwise,
	bool (*rule)(const char *, struct fault *), const char *path)
{
	return checker_holds(c, s, rule, path) ? s : otherwise;
}

static void check_ssh(struct checker *c, const struct raw_host *raw)
{
	static const enum mesh_become becomes[] = {
		[RAW_BECOME_UNSET] = BECOME_NONE,
		[RAW_BECOME_NONE] = BECOME_NONE,
		[RAW_DOAS] = BECOME_DOAS,
		[RAW_SUDO] = BECOME_SUDO,
	};
	const struct {
		const char *key, *path;
		bool given;
	} others[] = {
		{ "ssh_port", "host.ssh_port", raw->ssh_port != NULL },
		{ "ssh_key", "host.ssh_key", raw->ssh_key != NULL },
		{ "become", "host.become", raw->become != RAW_BECOME_UNSET },
	};
	const char *port = setting(c, raw->ssh_port, NULL, value_port, "host.ssh_port");

	c->mesh->host.ssh = setting(c, raw->ssh, NULL, value_ssh, "host.ssh");
	for (const char *p = port; p != NULL && *p != '\0'; p++)
		c->mesh->host.ssh_port = c->mesh->host.ssh_port * 10 + (*p - '0');
	c->mesh->host.ssh_key = setting(c, raw->ssh_key, NULL, value_home_path, "host.ssh_key");
	c->mesh->host.become = becomes[raw->become];
	if (raw->ssh != NULL && raw->platform == RAW_NETNS)
		checker_wrong(c, "host.ssh", "remove 'ssh'",
			"platform netns has its jails on this machine: there is no ssh to it");
	if (raw->ssh != NULL && raw->platform == RAW_JAILRUN)
		checker_wrong(c, "host.ssh", "remove 'ssh'",
			"platform jailrun is reached as its state.json says");
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (others[i].given && raw->ssh == NULL)
			checker_wrong(c, others[i].path,
				raw->platform == RAW_JAILRUN ? NULL
							     : "name the machine by 'ssh' as well",
				"'%s' is only for a host that is reached by 'ssh'", others[i].key);
}

static void check_host(struct checker *c, const struct raw_host *raw)
{
	static const enum mesh_platform platforms[] = {
		[RAW_PLATFORM_UNSET] = PLATFORM_AUTO,
		[RAW_AUTO] = PLATFORM_AUTO,
		[RAW_FREEBSD] = PLATFORM_FREEBSD,
		[RAW_JAILRUN] = PLATFORM_JAILRUN,
		[RAW_NETNS] = PLATFORM_NETNS,
	};

	c->mesh->host.platform = platforms[raw->platform];
	c->mesh->host.state_dir = setting(c, raw->state_dir, NULL, value_path, "host.state_dir");
	check_ssh(c, raw);
	c->mesh->host.line = checker_line(c, "host");
}

static void check_relay(struct checker *c, const struct raw_relay *raw)
{
	const char *url = setting(c, raw->url, "https://relay.jail.run", value_url, "relay.url");
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	c->mesh->relay.url = url[len] == '\0' ? url : arena_dupn(c->arena, url, len);
	c->mesh->relay.ca_file = setting(c, raw->ca_file, NULL, value_path, "relay.ca_file");
	c->mesh->relay.line = checker_line(c, "relay");
}

static void check_yggdrasil(struct checker *c, const struct raw_yggdrasil *raw)
{
	struct strs *peers = &c->mesh->yggdrasil.peers;

	c->mesh->yggdrasil.listen =
		setting(c, raw->listen, "tcp://10.17.89.1:19001", value_listen, "yggdrasil.listen");
	c->mesh->yggdrasil.interface =
		setting(c, raw->interface, "ygg0", value_interface, "yggdrasil.interface");
	c->mesh->yggdrasil.protect_host = raw->protect_host != RAW_FALSE;
	c->mesh->yggdrasil.line = checker_line(c, "yggdrasil");
	for (unsigned i = 0; i < raw->n_peers && !checker_stopped(c); i++) {
		if (!checker_holds(c, raw->peers[i], value_peer,
			    checker_path(c, "yggdrasil.peers[%u]", i)))
			continue;
		if (strs_has(peers, raw->peers[i]))
			checker_wrong(c, checker_path(c, "yggdrasil.peers[%u]", i),
				"remove one of the two", "duplicate URI '%s'",
				problem_quote(c->arena, raw->peers[i]));
		else
			strs_push(c->arena, peers, raw->peers[i]);
	}
	if (raw->n_peers == 0 && (c->tree == NULL || !tree_has(c->tree, "yggdrasil.peers")))
		strs_push(c->arena, peers, "tcp://relay.jail.run:37100");
}

static void check_firewall(
	struct checker *c, const struct raw_firewall *raw, enum raw_platform platform)
{
	static const enum mesh_manage manages[] = {
		[RAW_MANAGE_UNSET] = MANAGE_AUTO,
		[RAW_RULESET] = MANAGE_RULESET,
		[RAW_ANCHOR] = MANAGE_ANCHOR,
	};
	static const enum mesh_firewall backends[] = {
		[RAW_BACKEND_UNSET] = FIREWALL_AUTO,
		[RAW_BACKEND_AUTO] = FIREWALL_AUTO,
		[RAW_PF] = FIREWALL_PF,
		[RAW_NFTABLES] = FIREWALL_NFTABLES,
	};

	c->mesh->firewall.backend = backends[raw->backend];
	c->mesh->firewall.manage = manages[raw->manage];
	if (raw->backend == RAW_PF && platform == RAW_NETNS)
		checker_wrong(c, "firewall.backend", "remove 'backend'",
			"platform netns has no pf, its firewall is nftables");
	else if (raw->backend == RAW_NFTABLES &&
		(platform == RAW_FREEBSD || platform == RAW_JAILRUN))
		checker_wrong(c, "firewall.backend", "remove 'backend'",
			"platform %s has no nftables, its firewall is pf",
			platform == RAW_FREEBSD ? "freebsd" : "jailrun");
	if (raw->manage != RAW_MANAGE_UNSET && raw->backend == RAW_NFTABLES)
		checker_wrong(c, "firewall.manage", "remove 'manage'",
			"'manage' says who owns pf.conf, and nftables has none");
	else if (raw->manage != RAW_MANAGE_UNSET && platform == RAW_NETNS)
		checker_wrong(c, "firewall.manage", "remove 'manage'",
			"'manage' says who owns pf.conf, and platform netns has none");
	c->mesh->firewall.table =
		setting(c, raw->table, "mesh_peers", value_table, "firewall.table");
	c->mesh->firewall.line = checker_line(c, "firewall");
}

static void check_dns(struct checker *c, const struct raw_dns *raw)
{
	c->mesh->dns.server = raw->server == RAW_SERVER_NONE ? DNS_NONE : DNS_UNBOUND;
	c->mesh->dns.zone = checker_fold(c, setting(c, raw->zone, "jrun", value_zone, "dns.zone"));
	c->mesh->dns.include = setting(c, raw->include, NULL, value_path, "dns.include");
	c->mesh->dns.config = setting(c, raw->config, NULL, value_path, "dns.config");
	c->mesh->dns.line = checker_line(c, "dns");
}

static void check_jail_name(struct checker *c, const char *name, size_t i)
{
	uint32_t *first;

	c->mesh->jails[i].name = name = checker_fold(c, name);
	if (strcmp(name, HOST_NODE) == 0)
		checker_wrong(c, checker_path(c, "jails[%zu].name", i),
			"give the jail another name", "'%s' is the name of the instance's own node",
			name);
	first = seen_at(&c->seen, SEEN_JAIL, name, strlen(name));
	if (*first != SEEN_FIRST) {
		int line = checker_line(c, checker_path(c, "jails[%u].name", *first));

		checker_wrong(c, checker_path(c, "jails[%zu].name", i), NULL,
			"duplicate jail '%s', first on line %d", name, line);
		return;
	}
	*first = (uint32_t)i;
}

static void check_jail_address(struct checker *c, const char *address, size_t i)
{
	uint32_t *first = seen_at(&c->seen, SEEN_IPV4, address, strlen(address));

	c->mesh->jails[i].address = address;
	if (*first != SEEN_FIRST) {
		int line = checker_line(c, checker_path(c, "jails[%u].address", *first));

		checker_wrong(c, checker_path(c, "jails[%zu].address", i), NULL,
			"duplicate address %s, first on line %d", address, line);
		return;
	}
	*first = (uint32_t)i;
}

static void check_jails(struct checker *c, const struct raw_mesh *raw)
{
	c->mesh->has_jails = raw->n_jails != 0;
	c->mesh->n_jails = raw->n_jails;
	c->mesh->jails = arena_alloc(c->arena, raw->n_jails, sizeof(*c->mesh->jails));
	for (size_t i = 0; i < raw->n_jails && !checker_stopped(c); i++) {
		const struct raw_jail *jail = &raw->jails[i];

		c->mesh->jails[i].line = checker_line(c, checker_path(c, "jails[%zu]", i));
		if (checker_holds(
			    c, jail->name, value_label, checker_path(c, "jails[%zu].name", i)))
			check_jail_name(c, jail->name, i);
		if (checker_holds(
			    c, jail->address, value_ipv4, checker_path(c, "jails[%zu].address", i)))
			check_jail_address(c, jail->address, i);
	}
}

/*
 * Whether every name that can come of the file fits into DNS: of a peer that is paired with, a jail's
 * name may be as long as a label.
 */
static void check_name_lengths(struct checker *c)
{
	size_t longest = 0;

	for (size_t i = 0; i < c->mesh->n_jails; i++) {
		const char *jail = c->mesh->jails[i].name;
		size_t len = jail == NULL ? 0 : strlen(jail) + strlen(".local");

		longest = len > longest ? len : longest;
	}
	for (size_t i = 0; i < c->mesh->n_peers; i++) {
		const struct mesh_peer *peer = &c->mesh->peers[i];
		size_t jail = peer->has_roster ? 0 : 63, len;

		for (size_t j = 0; j < peer->roster.n; j++) {
			const char *name = peer->roster.jails[j].name;

			len = name == NULL ? 0 : strlen(name);
			jail = len > jail ? len : jail;
		}
		len = jail + 1 + (peer->name == NULL ? 0 : strlen(peer->name));
		longest = len > longest ? len : longest;
	}
	if (longest + 1 + strlen(c->mesh->dns.zone) > DNS_NAME_MAX)
		checker_wrong(c, "dns.zone", "shorten the zone, or the names of peers and jails",
			"with this zone the longest name would have %zu characters, and DNS "
			"takes %d",
			longest + 1 + strlen(c->mesh->dns.zone), DNS_NAME_MAX);
}

static bool value_version(const char *s, struct fault *f)
{
	*f = (struct fault){ "is no version of the mesh file", "write 'version: 1'" };
	return strcmp(s, "1") == 0;
}

/* How many names and addresses there may be: of small rosters the names are not in the table. */
static size_t count_names(const struct raw_mesh *raw)
{
	size_t n = raw->n_peers + 2 * (size_t)raw->n_jails;

	for (unsigned i = 0; i < raw->n_peers; i++)
		n += raw->peers[i].n_jails;
	return n;
}

bool check_mesh(const struct raw_mesh *raw, const struct node *tree, struct arena *a,
	struct mesh *out, struct problems *problems)
{
	struct checker *c = arena_alloc(a, 1, sizeof(*c));

	memset(out, 0, sizeof(*out));
	c->arena = a;
	c->tree = tree;
	c->mesh = out;
	c->problems = problems;
	c->seen = seen_new(a, count_names(raw));
	checker_holds(c, raw->version, value_version, "version");
	if (checker_holds(c, raw->name, value_label, "name"))
		out->name = checker_fold(c, raw->name);
	check_host(c, &raw->host);
	check_relay(c, &raw->relay);
	check_yggdrasil(c, &raw->yggdrasil);
	check_firewall(c, &raw->firewall, raw->host.platform);
	check_dns(c, &raw->dns);
	check_jails(c, raw);
	check_peers(c, raw);
	if (!checker_stopped(c))
		check_name_lengths(c);
	return !c->doubt;
}
