#include <criterion/criterion.h>
#include <string.h>

#include "reconciler/yggdrasil.h"

Test(yggdrasil, knows_the_addresses_of_keys)
{
	static const char *const cases[][2] = {
		{ "2de87aa93967d838031b90f81ea9a20e788d795340824c28590a7aaae1251e31",
			"202:90bc:2ab6:34c1:3e3f:e723:783f:ab2" },
		{ "0da7935a62f97ab92ce955707e55ba636db582e20df8640cbb66654ad7821eb3",
			"204:4b0d:94b3:a0d0:a8da:62d5:51f0:3548" },
		{ "d7fe78e136f43d5e8254e7cb219911828f801ec6a88615b23aeed83a3e80c568",
			"200:5003:e3d:9217:8542:fb56:3069:bccd" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[ADDR_TEXT];
		struct pubkey key;
		struct addr addr;

		cr_assert(pubkey_parse(cases[i][0], &key));
		addr = addr_of_key(&key);
		addr_format(&addr, text);
		cr_expect_str_eq(text, cases[i][1]);
	}
}

Test(yggdrasil, needs_0_5_10)
{
	static const char *const good[] = { "0.5.10", "0.5.12", "0.5.14-1", "0.6.0", "1.0.0",
		"0.5.12+dfsg", "0.5.13~rc1" };
	static const char *const old[] = { "0.4.7", "0.5.9", "0.5.0", "0.5.9-20" };
	static const char *const strange[] = { "", "unknown", "0.5", "0.5.", "v0.5.12", "0.5.12x",
		"0.5.99999999", "-1.5.12" };
	struct err e;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect_eq(yggdrasil_version_check(good[i], &e), 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
		cr_expect_eq(yggdrasil_version_check(old[i], &e), -1, "%s", old[i]);
		cr_expect_not_null(strstr(e.text, "is too old"), "%s", e.text);
	}
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		cr_expect_eq(yggdrasil_version_check(strange[i], &e), -1, "%s", strange[i]);
		cr_expect_not_null(strstr(e.text, "says that"), "%s", e.text);
	}
	yggdrasil_version_check("0.4.7", &e);
	cr_expect_str_eq(e.text, "yggdrasil 0.4.7 is too old: jmesh needs 0.5.10 or newer");
}

static void check(
	const char *(*run)(const char *, struct arena *), const char *const (*cases)[2], size_t n)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < n; i++) {
		const char *is = run(cases[i][0], a);

		cr_expect_str_eq(is == NULL ? "NULL" : is, cases[i][1], "%s: %s", cases[i][0], is);
	}
	arena_free(a);
}

#define CHECK(run, cases) check(run, cases, sizeof(cases) / sizeof((cases)[0]))

/* The sockets are what ss showed of yggdrasil 0.5.12 with these listeners. */
Test(yggdrasil, knows_the_socket_of_a_listener)
{
	static const char *const cases[][2] = {
		{ "tcp://127.0.0.1:9001", "tcp 127.0.0.1:9001" },
		{ "tls://[::1]:9002?priority=3", "tcp [::1]:9002" },
		{ "TLS://[0:0::0:1]:9002", "tcp [::1]:9002" },
		{ "ws://0.0.0.0:9003", "tcp [::]:9003" },
		{ "tcp://[::]:9004/", "tcp [::]:9004" },
		{ "tcp://:9004", "tcp [::]:9004" },
		{ "tcp://[::ffff:10.0.0.1]:9", "tcp 10.0.0.1:9" },
		{ "quic://127.0.0.1:9005", "NULL" },
		{ "unix:///run/l.sock", "NULL" },
		{ "tcp://127.0.0.1:0", "NULL" },
		{ "tcp://127.0.0.1:65536", "NULL" },
		{ "tcp://127.0.0.1", "NULL" },
		{ "tcp://host:9001", "NULL" },
		{ "tls://[fe80::1%25e0]:1", "NULL" },
		{ "tls://[fe80::1]:1", "NULL" },
	};
	static const char *const sockets[][2] = {
		{ "127.0.0.1:9001", "tcp 127.0.0.1:9001" },
		{ "[::]:9004", "tcp [::]:9004" },
		{ "0.0.0.0:9004", "tcp [::]:9004" },
		{ "[fe80::a48d:ddff:fe1c:cb1]:38305", "NULL" },
		{ "nonsense", "NULL" },
	};

	CHECK(yggdrasil_listen_key, cases);
	CHECK(yggdrasil_socket_key, sockets);
}

/* Left: configured in yggdrasil 0.5.12; right: what its getpeers printed. */
Test(yggdrasil, spells_peerings_as_getpeers_does)
{
	static const char *const cases[][2] = {
		{ "tcp://127.0.0.1:9001", "tcp://127.0.0.1:9001" },
		{ "TLS://[0:0:0:0:0:0:0:1]:9002?key=2de8", "tls://[0:0:0:0:0:0:0:1]:9002" },
		{ "ws://127.0.0.1:9003/path", "ws://127.0.0.1:9003/path" },
		{ "tcp://LOCALHOST:9001/", "tcp://LOCALHOST:9001/" },
		{ "tcp://localhost:9001?priority=2&password=abc", "tcp://localhost:9001" },
		{ "tcp://127.0.0.1:9004/a%20b/?priority=1#frag",
			"tcp://127.0.0.1:9004/a%20b/#frag" },
		{ "ws://user:pw@127.0.0.1:9003", "ws://user:pw@127.0.0.1:9003" },
	};

	CHECK(yggdrasil_peer_key, cases);
}

Test(yggdrasil, restarts_only_for_what_is_live_and_no_peering)
{
	static const struct {
		const char *key, *before, *after;
		bool restarts;
	} cases[] = {
		{ "live interface", "ygg1", "ygg0", true },
		{ "live multicast", "on e0", "off", true },
		{ "live listen tcp 10.0.0.1:1", NULL, "listening", true },
		{ "node", NULL, "running", false },
		{ "node", "running, but", "running", true },
		{ "peer tcp://a:1", NULL, "configured", false },
		{ "conf Peers", "[]", "[\"tcp://a:1\"]", false },
		{ "conf IfName", "\"a\"", "\"b\"", false },
		{ "conf Listen", "[]", "[\"tcp://a:1\"]", false },
		{ "conf Listen", "[\"tcp://a:1\"]", "[\"tcp://a:1?password=x\"]", true },
		{ "conf Listen", "\"what\"", "[\"tcp://a:1\"]", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(
			yggdrasil_change_restarts(cases[i].key, cases[i].before, cases[i].after),
			cases[i].restarts, "%s %s", cases[i].key, cases[i].after);
}

Test(yggdrasil, understands_the_answers_of_the_daemon)
{
	struct arena *a = arena_new();
	struct yggdrasil_peering *peers = NULL;
	struct yggdrasil_self self;
	struct err e = ERR_INIT;
	const char *text;
	size_t n = 0;

	cr_assert_eq(yggdrasil_self_parse(
			     "{\"status\":\"success\",\"request\":{\"request\":\"getself\","
			     "\"arguments\":{}},\"response\":{\"build_name\":\"yggdrasil\","
			     "\"build_version\":\"0.5.12\",\"key\":"
			     "\"d7fe78e136f43d5e8254e7cb219911828f801ec6a88615b23aeed83a3e80c568\","
			     "\"address\":\"200:5003:e3d:9217:8542:fb56:3069:bccd\","
			     "\"routing_entries\":1,\"subnet\":\"300:5003:e3d:9217::/64\"}}\n",
			     a, &self, &e),
		0, "%s", e.text);
	cr_expect_str_eq(self.version, "0.5.12");
	cr_assert_eq(
		yggdrasil_peers_parse(
			"{\"status\":\"success\",\"response\":{\"peers\":["
			"{\"remote\":\"tcp://127.0.0.1:1\",\"up\":false,\"inbound\":false,"
			"\"key\":\"\",\"port\":0,\"priority\":0,\"cost\":0,"
			"\"last_error_time\":2363030512,\"last_error\":"
			"\"dial tcp 127.0.0.1:1: connect: connection refused\"},"
			"{\"remote\":\"ws://127.0.0.1:40088\",\"up\":true,\"inbound\":true,"
			"\"address\":\"202:2a60:b4f0:de6a:5928:5750:e246:4fbc\",\"key\":\"3a\","
			"\"last_error\":\"old\"},"
			/* A connection that comes or goes. */
			"{\"up\":true,\"inbound\":false,\"key\":\"3a\"},"
			"{\"remote\":\"tcp://127.0.0.1:2\",\"up\":true,\"inbound\":false}]}}",
			a, &peers, &n, &e),
		0, "%s", e.text);
	cr_assert_eq(n, 3);
	cr_expect_str_eq(peers[2].uri, "tcp://127.0.0.1:2");
	cr_expect(!peers[2].up);
	cr_expect_str_eq(peers[0].uri, "tcp://127.0.0.1:1");
	cr_expect(!peers[0].up && !peers[0].inbound);
	cr_expect_str_eq(peers[0].error, "dial tcp 127.0.0.1:1: connect: connection refused");
	cr_expect(peers[1].up && peers[1].inbound);
	cr_expect_null(peers[1].error);
	yggdrasil_tun_parse("{\"status\":\"success\",\"response\":{\"enabled\":true,\"name\":"
			    "\"ygg1\",\"mtu\":65535}}",
		a, &text, &e);
	cr_expect_str_eq(text, "ygg1");
	yggdrasil_tun_parse(
		"{\"status\":\"success\",\"response\":{\"enabled\":false}}", a, &text, &e);
	cr_expect_str_eq(text, "none");
	yggdrasil_multicast_parse("{\"status\":\"success\",\"response\":"
				  "{\"multicast_interfaces\":[{\"name\":\"e0\",\"address\":"
				  "\"[fe80::a48d:ddff:fe1c:cb1%e0]:38305\",\"beacon\":true},"
				  "{\"name\":\"e1\"}]}}",
		a, &text, &e);
	cr_expect_str_eq(text, "on e0 e1");
	yggdrasil_multicast_parse(
		"{\"status\":\"success\",\"response\":{\"multicast_interfaces\":[]}}", a, &text,
		&e);
	cr_expect_str_eq(text, "off");
	arena_free(a);
}

#define PARTS                                                                           \
	"{\"status\":\"success\",\"response\":{\"peers\":1,\"multicast_interfaces\":1," \
	"\"key\":\"x\"}}"

Test(yggdrasil, trusts_no_strange_answer)
{
	static const char *const replies[] = { "", "garbage", "[]", "{}", "{\"status\":1}",
		"{\"status\":\"success\"}", "{\"status\":\"success\",\"response\":null}", PARTS,
		"{\"status\":\"error\",\"error\":\"no\",\"response\":null}" };
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct yggdrasil_peering *peers;
		struct yggdrasil_self self;
		struct err e = { .code = ERR_USAGE };
		const char *text;
		size_t n;

		cr_expect_eq(yggdrasil_self_parse(replies[i], a, &self, &e), -1);
		cr_expect_eq(yggdrasil_peers_parse(replies[i], a, &peers, &n, &e), -1);
		cr_expect_eq(yggdrasil_tun_parse(replies[i], a, &text, &e), -1);
		cr_expect_eq(yggdrasil_multicast_parse(replies[i], a, &text, &e), -1);
		cr_expect_eq(e.code, ERR_SYSTEM);
		cr_expect_neq(e.text[0], '\0');
	}
	arena_free(a);
}

Test(yggdrasil, a_peering_that_is_as_wanted_is_no_error)
{
	struct err e;

	cr_expect_eq(yggdrasil_done_parse("{\"status\":\"success\",\"response\":{}}", &e), 0);
	cr_expect_eq(yggdrasil_done_parse("{\"status\":\"error\",\"error\":"
					  "\"peer is already configured\",\"response\":null}",
			     &e),
		0);
	cr_expect_eq(yggdrasil_done_parse("{\"status\":\"error\",\"error\":"
					  "\"peer is not configured\",\"response\":null}",
			     &e),
		0);
	cr_expect_eq(yggdrasil_done_parse("{\"status\":\"error\",\"error\":"
					  "\"pinned public key is invalid\",\"response\":null}",
			     &e),
		-1);
	cr_expect_str_eq(e.text, "the node refuses the peering: pinned public key is invalid");
	cr_expect_eq(yggdrasil_done_parse("x", &e), -1);
}

Test(yggdrasil, asks_in_json)
{
	struct arena *a = arena_new();

	cr_expect_str_eq(yggdrasil_request("getself", NULL, a), "{\"request\":\"getself\"}");
	cr_expect_str_eq(yggdrasil_request("addpeer", "tcp://a\"b:1", a),
		"{\"request\":\"addpeer\",\"arguments\":{\"uri\":\"tcp://a\\\"b:1\"}}");
	arena_free(a);
}
