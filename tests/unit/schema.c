#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/code.h"
#include "schema/mesh.h"
#include "schema/seen.h"
#include "schema/value.h"

#define HEAD "version: 1\nname: laptop\n"

struct loaded {
	struct arena *arena;
	struct mesh mesh;
	struct problems problems;
	int rc;
};

static struct loaded load(const char *text, bool with_lines)
{
	struct loaded l = { .arena = arena_new() };

	l.rc = mesh_load(text, strlen(text), with_lines, l.arena, &l.mesh, &l.problems);
	return l;
}

Test(schema, defaults_stand_where_the_file_says_nothing)
{
	struct loaded l = load(HEAD, false);

	cr_assert_eq(l.rc, 0);
	cr_assert_str_eq(l.mesh.name, "laptop");
	cr_assert_eq(l.mesh.host.platform, PLATFORM_AUTO);
	cr_assert_null(l.mesh.host.state_dir);
	cr_assert_null(l.mesh.host.ssh);
	cr_assert_eq(l.mesh.host.ssh_port, 0);
	cr_assert_null(l.mesh.host.ssh_key);
	cr_assert_eq(l.mesh.host.become, BECOME_NONE);
	cr_assert_eq(l.mesh.firewall.manage, MANAGE_AUTO);
	cr_assert_str_eq(l.mesh.relay.url, "https://relay.jail.run");
	cr_assert_str_eq(l.mesh.yggdrasil.listen, "tcp://10.17.89.1:19001");
	cr_assert_eq(l.mesh.yggdrasil.peers.n, 1);
	cr_assert_str_eq(l.mesh.yggdrasil.peers.v[0], "tcp://relay.jail.run:37100");
	cr_assert_str_eq(l.mesh.yggdrasil.interface, "ygg0");
	cr_assert(l.mesh.yggdrasil.protect_host);
	cr_assert_eq(l.mesh.firewall.backend, FIREWALL_AUTO);
	cr_assert_str_eq(l.mesh.firewall.table, "mesh_peers");
	cr_assert_eq(l.mesh.dns.server, DNS_UNBOUND);
	cr_assert_str_eq(l.mesh.dns.zone, "jrun");
	cr_assert_not(l.mesh.has_jails);
	cr_assert_eq(l.mesh.n_peers, 0);
	arena_free(l.arena);
}

Test(schema, an_empty_list_of_upstream_peers_is_not_the_default)
{
	for (int with_lines = 0; with_lines < 2; with_lines++) {
		struct loaded l = load(HEAD "yggdrasil:\n  peers: [ ]\n", with_lines != 0);

		cr_assert_eq(l.rc, 0);
		cr_assert_eq(l.mesh.yggdrasil.peers.n, 0);
		arena_free(l.arena);
	}
}

static const char whole[] = "version: 1\n"
			    "name: Laptop\n"
			    "host: {platform: netns, state_dir: /srv/jmesh}\n"
			    "relay:\n"
			    "  url: http://relay.example:8080/x//\n"
			    "yggdrasil:\n"
			    "  peers: [tcp://a.example:1, quic://b.example:2]\n"
			    "  protect_host: false\n"
			    "firewall:\n"
			    "  backend: nftables\n"
			    "dns:\n"
			    "  server: none\n"
			    "  zone: Mesh.Example\n"
			    "jails:\n"
			    "  - name: Web\n"
			    "    address: 10.17.89.10\n"
			    "  - name: db\n"
			    "peers:\n"
			    "  - name: Office\n"
			    "    pair: create\n"
			    "  - name: studio\n"
			    "    pair: join\n"
			    "    plain: true\n"
			    "    code_env: CODE\n"
			    "  - name: ci\n"
			    "    jails:\n"
			    "      - name: Runner\n"
			    "        address: 202:90BC:2ab6:34c1:3e3f:e723:783f:ab2\n"
			    "        public_key: "
			    "2DE87aa93967d838031b90f81ea9a20e788d795340824c28590a7aaae1251e31\n";

static void check_whole(const struct mesh *m)
{
	char text[ADDR_TEXT];

	cr_assert_str_eq(m->name, "laptop");
	cr_assert_eq(m->host.platform, PLATFORM_NETNS);
	cr_assert_str_eq(m->host.state_dir, "/srv/jmesh");
	cr_assert_str_eq(m->relay.url, "http://relay.example:8080/x");
	cr_assert_eq(m->yggdrasil.peers.n, 2);
	cr_assert_not(m->yggdrasil.protect_host);
	cr_assert_eq(m->firewall.backend, FIREWALL_NFTABLES);
	cr_assert_eq(m->dns.server, DNS_NONE);
	cr_assert_str_eq(m->dns.zone, "mesh.example");
	cr_assert(m->has_jails);
	cr_assert_eq(m->n_jails, 2);
	cr_assert_str_eq(m->jails[0].name, "web");
	cr_assert_str_eq(m->jails[0].address, "10.17.89.10");
	cr_assert_null(m->jails[1].address);
	cr_assert_eq(m->n_peers, 3);
	cr_assert_str_eq(m->peers[0].name, "office");
	cr_assert_eq(m->peers[0].pair, PAIR_CREATE);
	cr_assert_eq(m->peers[1].pair, PAIR_JOIN);
	cr_assert(m->peers[1].plain);
	cr_assert_str_eq(m->peers[1].code_env, "CODE");
	cr_assert_null(m->peers[1].code);
	cr_assert_eq(m->peers[2].pair, PAIR_NONE);
	cr_assert(m->peers[2].has_roster);
	cr_assert_eq(m->peers[2].roster.n, 1);
	cr_assert_str_eq(m->peers[2].roster.jails[0].name, "runner");
	cr_assert(m->peers[2].roster.jails[0].has_key);
	addr_format(&m->peers[2].roster.jails[0].addr, text);
	cr_assert_str_eq(text, "202:90bc:2ab6:34c1:3e3f:e723:783f:ab2");
}

Test(schema, a_host_behind_ssh_is_told_whole)
{
	for (int with_lines = 0; with_lines < 2; with_lines++) {
		struct loaded l = load(HEAD "host: {ssh: admin@cellar, ssh_port: 2222, "
					    "ssh_key: ~/.ssh/id, become: doas}\n"
					    "firewall: {manage: anchor}\n",
			with_lines != 0);

		cr_assert_eq(l.rc, 0);
		cr_assert_str_eq(l.mesh.host.ssh, "admin@cellar");
		cr_assert_eq(l.mesh.host.ssh_port, 2222);
		cr_assert_str_eq(l.mesh.host.ssh_key, "~/.ssh/id");
		cr_assert_eq(l.mesh.host.become, BECOME_DOAS);
		cr_assert_eq(l.mesh.firewall.manage, MANAGE_ANCHOR);
		cr_assert_eq(l.mesh.host.line, with_lines ? 3 : 0);
		arena_free(l.arena);
	}
}

Test(schema, a_file_loads_the_same_with_lines_and_without)
{
	for (int with_lines = 0; with_lines < 2; with_lines++) {
		struct loaded l = load(whole, with_lines != 0);

		cr_assert_eq(l.rc, 0);
		check_whole(&l.mesh);
		arena_free(l.arena);
	}
}

Test(schema, lines_are_those_of_the_entries_and_sections)
{
	struct loaded l = load(whole, true);

	cr_assert_eq(l.rc, 0);
	cr_assert_eq(l.mesh.relay.line, 4);
	cr_assert_eq(l.mesh.yggdrasil.line, 6);
	cr_assert_eq(l.mesh.firewall.line, 9);
	cr_assert_eq(l.mesh.dns.line, 11);
	cr_assert_eq(l.mesh.jails[0].line, 15);
	cr_assert_eq(l.mesh.jails[1].line, 17);
	cr_assert_eq(l.mesh.peers[0].line, 19);
	cr_assert_eq(l.mesh.peers[1].line, 21);
	cr_assert_eq(l.mesh.peers[2].line, 25);
	cr_assert_eq(l.mesh.peers[2].roster.jails[0].line, 27);
	arena_free(l.arena);
}

Test(schema, aliases_load_as_what_they_repeat)
{
	struct loaded l = load("version: 1\nname: &n laptop\nfirewall: {table: &t allowed}\n"
			       "jails:\n  - &j {name: web}\npeers:\n"
			       "  - {name: *t, pair: join, plain: true, code: &c 81-zephyr}\n"
			       "  - {name: studio, pair: join, plain: true, code: *c}\n",
		false);

	cr_assert_eq(l.rc, 0, "%s", l.problems.n == 0 ? "" : l.problems.v[0].text);
	cr_assert_str_eq(l.mesh.peers[0].name, "allowed");
	cr_assert_str_eq(l.mesh.peers[1].code, "81-zephyr");
	arena_free(l.arena);
}

Test(schema, problems_of_shape_and_of_meaning_come_in_one_go_and_in_order)
{
	struct loaded l =
		load("version: 1\nname: -x\njails: [web, {name: a, adress: b}]\n"
		     "peers:\n  - {name: local, pair: create}\n  - {name: x, pair: foo}\n",
			false);
	static const struct loc places[] = { { 2, 7 }, { 3, 9 }, { 3, 24 }, { 5, 12 }, { 6, 21 } };

	cr_assert_eq(l.rc, -1);
	cr_assert_eq(l.problems.n, sizeof(places) / sizeof(*places));
	for (size_t i = 0; i < l.problems.n; i++) {
		cr_assert_eq(l.problems.v[i].at.line, places[i].line, "problem %zu", i);
		cr_assert_eq(l.problems.v[i].at.col, places[i].col, "problem %zu", i);
	}
	arena_free(l.arena);
}

Test(schema, a_text_without_a_nul_behind_it_loads)
{
	char text[sizeof(HEAD) - 1];
	struct arena *a = arena_new();
	struct problems problems;
	struct mesh mesh;

	memcpy(text, HEAD, sizeof(text));
	cr_assert_eq(mesh_load(text, sizeof(text), false, a, &mesh, &problems), 0);
	cr_assert_eq(mesh_load(text, sizeof(text), true, a, &mesh, &problems), 0);
	cr_assert_eq(mesh_load(text, 0, false, a, &mesh, &problems), -1);
	arena_free(a);
}

/* Whether a rule takes a value. */
struct taken {
	bool (*rule)(const char *, struct fault *);
	const char *value;
	bool good;
};

Test(schema, values_are_taken_and_refused)
{
	static const struct taken cases[] = {
		{ value_listen, "tcp://0.0.0.0:1", true },
		{ value_listen, "tls://[::]:65535", true },
		{ value_listen, "ws://10.0.0.1:80/x", true },
		{ value_listen, "tcp://[fe80::1%eth0]:1", true },
		{ value_listen, "tcp://[fe80::1%]:1", false },
		{ value_listen, "tcp://[::1]", false },
		{ value_listen, "tcp://[]:1", false },
		{ value_listen, "tcp://[:1", false },
		{ value_listen, "tcp://[", false },
		{ value_listen, "tcp://", false },
		{ value_listen, "tcp", false },
		{ value_listen, "unix:///x", false },
		{ value_listen, "tcp://a:01", false },
		{ value_listen, "tcp://a:", false },
		{ value_listen, "tcp://a:99999999999999999999", false },
		{ value_peer, "tcp://a:1?key=", false },
		{ value_peer, "tcp://a:1?a=b&key=00", false },
		{ value_peer, "tcp://a:1?keys=00", true },
		{ value_peer, "ws://a", true },
		{ value_peer, "ws://a:0", false },
		{ value_peer, "unix:///", false },
		{ value_peer, "tcp://a:1\n", false },
		{ value_peer, "tcp://a:1\x7f", false },
		{ value_peer, "tcp://\xc3\xa4:1", false },
		{ value_url, "https://a", true },
		{ value_url, "https://a:443/b", true },
		{ value_url, "HTTPS://a", false },
		{ value_url, "https://a?b", false },
		{ value_url, "https://[fe80::1%eth0]/", false },
		{ value_url, "https://", false },
		{ value_zone, "a", true },
		{ value_zone, "a.b-c._d", true },
		{ value_zone, ".", false },
		{ value_zone, "a..b", false },
		{ value_zone, "a.-b", false },
		{ value_interface, "ygg0.1", true },
		{ value_interface, "..", false },
		{ value_interface, "0123456789abcde", true },
		{ value_interface, "0123456789abcdef", false },
		{ value_table, "mesh_peers", true },
		{ value_table, "a-b", false },
		{ value_code, "81-zephyr-night-climb", true },
		{ value_code, "", false },
		{ value_code, "a_b", false },
		{ value_variable, "_CODE1", true },
		{ value_variable, "A=B", false },
		{ value_path, "/", true },
		{ value_path, "/a\nb", false },
		{ value_ipv4, "127.0.1.5", true },
		{ value_ipv4, "224.0.0.1", false },
		{ value_node, "2ff::", true },
		{ value_node, "0200::1", true },
		{ value_node, "1ff::1", false },
		{ value_node, "300::", false },
		{ value_node, "::ffff:2.0.0.0", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fault f = { NULL, NULL };

		cr_expect_eq(
			cases[i].rule(cases[i].value, &f), cases[i].good, "'%s'", cases[i].value);
		cr_expect_eq(f.text == NULL, cases[i].good, "'%s'", cases[i].value);
	}
}

Test(schema, a_code_has_1_to_64_characters)
{
	char code[66];

	memset(code, 'x', 65);
	code[65] = '\0';
	cr_assert_not(code_is_valid(code));
	code[64] = '\0';
	cr_assert(code_is_valid(code));
}

Test(schema, what_was_seen_is_found_again_by_scope)
{
	struct arena *a = arena_new();
	struct seen s = seen_new(a, 0);

	for (uint32_t i = 0; i < 5000; i++) {
		const char *key = arena_printf(a, "key%u", i / 2);
		uint32_t *slot = seen_at(&s, i % 2, key, strlen(key));

		cr_assert_eq(*slot, SEEN_FIRST);
		*slot = i;
	}
	cr_assert_eq(*seen_at(&s, 1, "key7", 4), 15);
	cr_assert_eq(*seen_at(&s, 0, "key7", 4), 14);
	cr_assert_eq(*seen_at(&s, 2, "key7", 4), SEEN_FIRST);
	arena_free(a);
}
