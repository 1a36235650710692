#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "reconciler/drivers/yggdrasil.h"
#include "ygg_port.h"

#define PEM                                                                  \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MC4CAQAwBQYDK2VwBCIEIJWDQncI+AQ3Ra9Jg/fOyWXYQK0a39nOEnvZK2YUrWMw\n" \
	"-----END PRIVATE KEY-----\n"
#define PUBLIC "6845ae66a46d52cd7d70ad27ea56c4a8f7f0300f5878db6ceccff622aab1dbd6"

/* Another of openssl's. */
#define PEM_OTHER                                                            \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MC4CAQAwBQYDK2VwBCIEIMKbcTlXyBSBpW3KGDndD9bYznjSMPHyCP7GsVchN8Ij\n" \
	"-----END PRIVATE KEY-----\n"
#define PUBLIC_OTHER "aeb61e7538d8264d38d71c489c0759013d158fd60a445720d6cabdebf60158b1"

#define INLINE                                                             \
	"e5a4c1443634de95bcf0ee1e89246fa3a4918c850f058c8c70a4359fe8489ae2" \
	"42844f80cf629f4d5296be9029955283b9d364e7c040d574e68e9b5f009dd1bd"
#define INLINE_PUBLIC (&INLINE[64])

#define KEY "/web/yggdrasil.key"
#define CONF "/web/yggdrasil.conf"

struct world {
	struct arena *a;
	struct ygg_port *p;
	struct yggdrasil *y;
	struct driver identity, overlay;
};

static struct world world_new(void)
{
	struct world w = { .a = arena_new() };

	w.p = ygg_port_new(w.a);
	w.y = yggdrasil_new(&w.p->port, w.a);
	yggdrasil_identity_driver(w.y, &w.identity);
	yggdrasil_overlay_driver(w.y, &w.overlay);
	return w;
}

/* "SCOPE KEY=VALUE" a line for what is there, "SCOPE: ERROR" for what failed. */
static const char *read_all(
	struct world *w, const struct driver *d, const char *first, const char *second)
{
	const char *names[] = { first, second };
	struct strs scopes = { .v = names, .n = second == NULL ? 1 : 2 };
	struct items items = { .arena = w->a };
	struct failures failed = { .arena = w->a };
	struct text t = text_new(w->a);

	d->ops->read(d->self, &scopes, w->a, &items, &failed);
	items_sort(&items);
	for (size_t i = 0; i < items.n; i++)
		text_addf(&t, "%s %s=%s\n", items.v[i].scope, items.v[i].key, items.v[i].value);
	for (size_t i = 0; i < failed.n; i++)
		text_addf(&t, "%s: %s\n", failed.v[i].scope, failed.v[i].text);
	return t.s;
}

/* Applies changes to web; what fails, "KEY: ERROR" a line. */
static const char *apply(struct world *w, const struct driver *d, enum phase phase,
	const struct change *changes, size_t n)
{
	const struct change *v[16];
	struct failures failed = { .arena = w->a };
	struct text t = text_new(w->a);

	for (size_t i = 0; i < n; i++)
		v[i] = &changes[i];
	d->ops->apply(d->self, phase, "web", v, n, w->a, &failed);
	for (size_t i = 0; i < failed.n; i++)
		text_addf(&t, "%s: %s\n", failed.v[i].key, failed.v[i].text);
	return t.s;
}

#define ADD(k, v) { .action = ACTION_ADD, .key = (k), .after = (v) }
#define REMOVE(k, v) { .action = ACTION_REMOVE, .key = (k), .before = (v) }
#define CHANGE(k, b, v) { .action = ACTION_CHANGE, .key = (k), .before = (b), .after = (v) }
#define APPLY(w, d, p, c) apply(w, d, p, c, sizeof(c) / sizeof((c)[0]))

static const struct change new_key[] = { ADD("key", "present") };

static struct identified *known(struct world *w, const char *first, const char *second)
{
	const char *names[] = { first, second };
	struct strs nodes = { .v = names, .n = second == NULL ? 1 : 2 };

	return yggdrasil_identities(w->y, &nodes, w->a);
}

Test(ygg_identity, makes_a_key_once_and_keeps_it)
{
	struct world w = world_new();
	struct identified *web;
	const char *made;

	cr_expect_str_eq(read_all(&w, &w.identity, "web", NULL), "");
	cr_expect_eq(known(&w, "web", NULL)->rc, 1);
	cr_expect_str_eq(APPLY(&w, &w.identity, PHASE_IDENTITY, new_key), "");
	/* Also before it is read again. */
	web = known(&w, "web", NULL);
	cr_expect_eq(web->rc, 0);
	cr_expect(addr_is_node(&web->id.addr));
	cr_expect_str_eq(web->id.node, "web");
	cr_expect_str_eq(read_all(&w, &w.identity, "web", NULL), "web key=present\n");
	made = ygg_port_text(w.p, KEY);
	cr_expect_eq(ygg_port_mode(w.p, KEY), 0600);
	cr_expect_str_eq(APPLY(&w, &w.identity, PHASE_IDENTITY, new_key), "");
	cr_expect_eq(ygg_port_text(w.p, KEY), made, "written again");
	cr_expect_str_eq(w.p->log.s, "create " KEY " 0600\n");
	arena_free(w.a);
}

Test(ygg_identity, two_nodes_get_two_keys)
{
	struct world w = world_new();
	const struct change *v[] = { new_key };
	struct failures failed = { .arena = w.a };

	w.identity.ops->apply(w.identity.self, PHASE_IDENTITY, "web", v, 1, w.a, &failed);
	w.identity.ops->apply(w.identity.self, PHASE_IDENTITY, "db", v, 1, w.a, &failed);
	cr_assert_eq(failed.n, 0);
	cr_expect_str_neq(ygg_port_text(w.p, KEY), ygg_port_text(w.p, "/db/yggdrasil.key"));
	cr_expect_str_eq(
		read_all(&w, &w.identity, "web", "db"), "db key=present\nweb key=present\n");
	arena_free(w.a);
}

Test(ygg_identity, a_key_that_the_platform_refuses_is_told_and_never_replaced)
{
	struct world w = world_new();
	static const struct change conf[] = { ADD("conf IfName", "\"ygg0\"") };
	struct identified *both;

	ygg_port_file(w.p, KEY, 0600, "junk");
	ygg_port_file(w.p, "/db/yggdrasil.key", 0600, PEM);
	w.p->bad_key = "web";
	cr_expect_str_eq(read_all(&w, &w.identity, "web", "db"),
		"db key=present\nweb: the key of web is bad\n");
	both = known(&w, "web", "db");
	cr_expect_eq(both[0].rc, -1);
	cr_expect_str_eq(both[0].err.text, "the key of web is bad");
	cr_expect_eq(both[1].rc, 0);
	cr_expect_not_null(strstr(read_all(&w, &w.overlay, "web", NULL), "web: left alone until"));
	cr_expect_str_eq(
		APPLY(&w, &w.overlay, PHASE_OVERLAY, conf), "conf IfName: the key of web is bad\n");
	cr_expect_str_eq(APPLY(&w, &w.identity, PHASE_IDENTITY, new_key), "");
	cr_expect_str_eq(ygg_port_text(w.p, KEY), "junk");
	cr_expect_str_eq(w.p->log.s, "");
	arena_free(w.a);
}

Test(ygg_identity, all_nodes_are_read_in_one_look_that_serves_their_names_too)
{
	struct world w = world_new();

	ygg_port_file(w.p, KEY, 0600, PEM);
	read_all(&w, &w.identity, "web", "db");
	cr_expect_eq(w.p->n_looks, 1);
	cr_expect_eq(known(&w, "db", "web")[1].rc, 0);
	cr_expect_eq(known(&w, "db", NULL)->rc, 1);
	cr_expect_eq(w.p->n_looks, 1);
	cr_expect_eq(known(&w, "web", "mail")->rc, 0);
	cr_expect_eq(w.p->n_looks, 2);
	cr_expect_eq(known(&w, "shop", "mail")->rc, 1);
	cr_expect_eq(w.p->n_looks, 3);
	arena_free(w.a);
}

Test(ygg_identity, a_host_that_cannot_be_looked_at_is_told_of_every_node)
{
	struct world w = world_new();
	const char *names[] = { "web" };
	struct strs nodes = { .v = names, .n = 1 };

	w.p->blind = true;
	cr_expect_str_eq(read_all(&w, &w.identity, "web", "db"),
		"web: the host is gone\ndb: the host is gone\n");
	cr_expect_not_null(strstr(read_all(&w, &w.overlay, "web", "db"), "db: left alone"));
	cr_expect_str_eq(yggdrasil_statuses(w.y, &nodes, w.a)->err.text, "the host is gone");
	w.p->blind = false;
	read_all(&w, &w.identity, "web", "db");
	w.p->blind = true;
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", "db"),
		"web: the host is gone\ndb: the host is gone\n");
	arena_free(w.a);
}

Test(ygg_identity, two_nodes_with_one_key_are_an_error_that_names_both)
{
	struct world w = world_new();
	const char *text;

	ygg_port_file(w.p, KEY, 0600, PEM);
	ygg_port_file(w.p, "/db/yggdrasil.key", 0600, PEM);
	text = read_all(&w, &w.identity, "web", "db");
	cr_expect_not_null(
		strstr(text,
			"web: nodes 'web' and 'db' have one key (" KEY " and /db/yggdrasil.key)"),
		"%s", text);
	cr_expect_not_null(strstr(text, "\ndb: nodes 'web' and 'db' have one key"), "%s", text);
	cr_expect_null(strstr(text, "present"));
	text = read_all(&w, &w.overlay, "web", "db");
	cr_expect_not_null(strstr(text, "web: left alone until"), "%s", text);
	arena_free(w.a);
}

Test(ygg_identity, adopts_the_key_of_a_configuration)
{
	struct world w = world_new();
	static const struct change conf[] = { REMOVE("conf PrivateKey", "set") };
	char hex[KEY_HEX];

	ygg_port_file(w.p, CONF, 0644,
		"{\n  # mine\n  PrivateKey: " INLINE "\n  NodeInfo: { \"a\": 1 }\n}\n");
	cr_expect_str_eq(read_all(&w, &w.identity, "web", NULL), "");
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL), "web conf PrivateKey=set\n");
	pubkey_format(&known(&w, "web", NULL)->id.key, hex);
	cr_expect_str_eq(hex, INLINE_PUBLIC);
	/* Not before the key is safe. */
	cr_expect_not_null(
		strstr(APPLY(&w, &w.overlay, PHASE_OVERLAY, conf), "has no key file " KEY));
	cr_expect_not_null(strstr(ygg_port_text(w.p, CONF), INLINE));
	cr_expect_str_eq(APPLY(&w, &w.identity, PHASE_IDENTITY, new_key), "");
	pubkey_format(&known(&w, "web", NULL)->id.key, hex);
	cr_expect_str_eq(hex, INLINE_PUBLIC);
	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, conf), "");
	cr_expect_str_eq(ygg_port_text(w.p, CONF), "{\n  # mine\n  NodeInfo: { \"a\": 1 }\n}\n");
	cr_expect_str_eq(
		w.p->log.s, "create " KEY " 0600\nwrite " CONF " 0600\n", "%s", w.p->log.s);
	arena_free(w.a);
}

Test(ygg_identity, tells_why_no_key_was_made)
{
	struct world w = world_new();

	ygg_port_file(w.p, CONF, 0600, "{\"PrivateKey\":\"" INLINE "0\"}");
	cr_expect_not_null(strstr(
		APPLY(&w, &w.identity, PHASE_IDENTITY, new_key), "key: PrivateKey is not 128"));
	cr_expect_str_eq(w.p->log.s, "");
	arena_free(w.a);
}

Test(ygg_identity, is_forgotten_only_by_withdraw)
{
	struct world w = world_new();
	static const struct change gone[] = { REMOVE("key", "present") };
	struct err e = ERR_INIT;

	ygg_port_file(w.p, KEY, 0600, PEM);
	cr_expect_not_null(
		strstr(APPLY(&w, &w.identity, PHASE_IDENTITY, gone), "never replaced or removed"));
	cr_expect_not_null(ygg_port_text(w.p, KEY));
	cr_expect_eq(w.identity.ops->withdraw(w.identity.self, "web", w.a, &e), 0);
	cr_expect_null(ygg_port_text(w.p, KEY));
	arena_free(w.a);
}

#define SELF "200:2f74:a332:b725:5a65:51e:a5b0:2a54" /* of no consequence */

static struct world running(const char *conf, const char *peers)
{
	struct world w = world_new();

	ygg_port_file(w.p, KEY, 0600, PEM);
	ygg_port_file(w.p, CONF, 0600, conf);
	ygg_port_runs(w.p, "web", PUBLIC, SELF, "0.5.12", peers);
	return w;
}

Test(ygg_overlay, shows_our_settings_and_the_running_node)
{
	struct world w = running("{ Peers: [ \"tcp://a:1?key=ab\" ], Extra: 1, ifname: auto\n"
				 "listen: [ \"tcp://0.0.0.0:9\" ] }",
		"[{\"remote\":\"tcp://a:1\",\"up\":false,\"inbound\":false},"
		"{\"remote\":\"tcp://b:2\",\"up\":false,\"inbound\":true}]");

	strs_push(w.a, &w.p->listening, "[::]:9");
	strs_push(w.a, &w.p->listening, "[fe80::1]:77");
	strs_push(w.a, &w.p->listening, "10.0.0.1:8");
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL),
		"web conf IfName=\"auto\"\n"
		"web conf Listen=[\"tcp://0.0.0.0:9\"]\n"
		"web conf Peers=[\"tcp://a:1?key=ab\"]\n"
		"web live interface=ygg0\n"
		"web live listen tcp 10.0.0.1:8=listening\n"
		"web live listen tcp [::]:9=listening\n"
		"web live multicast=off\n"
		"web node=running\n"
		"web peer tcp://a:1=configured\n");
	arena_free(w.a);
}

Test(ygg_overlay, leaves_peerings_by_interface_and_nameless_listeners_alone)
{
	struct world w = running("{\"InterfacePeers\":{\"e0\":[\"tcp://i:1?x=1\"]},"
				 "\"Listen\":[\"tcp://host:5\"]}",
		"[{\"remote\":\"tcp://i:1\"},{\"remote\":\"tcp://a:1\"},{\"remote\":"
		"\"tcp://a:1\"}]");

	strs_push(w.a, &w.p->listening, "10.0.0.1:5");
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL),
		"web conf Listen=[\"tcp://host:5\"]\n"
		"web live interface=ygg0\n"
		"web live multicast=off\n"
		"web node=running\n"
		"web peer tcp://a:1=configured\n");
	arena_free(w.a);
}

Test(ygg_overlay, a_stopped_node_has_nothing_live)
{
	struct world w = world_new();

	ygg_port_file(w.p, KEY, 0600, PEM);
	ygg_port_file(w.p, CONF, 0600, "{\"IfName\":\"ygg0\"}");
	strs_push(w.a, &w.p->listening, "10.0.0.1:5");
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL), "web conf IfName=\"ygg0\"\n");
	arena_free(w.a);
}

Test(ygg_overlay, says_why_a_running_node_must_start_anew)
{
	struct world w = running("{}", "[]");

	ygg_port_answer(w.p, "web", "getself", NULL);
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL),
		"web node=running, but its admin socket does not answer\n");
	ygg_port_runs(w.p, "web", INLINE_PUBLIC, SELF, "0.5.12", "[]");
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL),
		"web node=running with a key that is not in its key file\n");
	arena_free(w.a);
}

Test(ygg_overlay, fails_where_it_cannot_read_or_the_node_is_too_old)
{
	struct world w = running("{\n  Peers: [\n", "[]");
	static const struct change start[] = { ADD("node", "running") };

	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL),
		"web: " CONF " cannot be read as a configuration (mend it or move it away): "
		"line 3: a ']' is missing\n");
	ygg_port_file(w.p, CONF, 0600, "{}");
	ygg_port_runs(w.p, "web", PUBLIC, SELF, "0.5.9", "[]");
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL),
		"web: yggdrasil 0.5.9 is too old: jmesh needs 0.5.10 or newer\n");
	w.p->version = "Build name: yggdrasil\nBuild version: 0.4.7\n";
	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, start),
		"node: yggdrasil 0.4.7 is too old: jmesh needs 0.5.10 or newer\n");
	w.p->version = NULL;
	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, start),
		"node: Yggdrasil 0.5.10 or newer is needed: yggdrasil: there is no such program\n");
	cr_expect_str_eq(w.p->log.s, "");
	arena_free(w.a);
}

Test(ygg_overlay, writes_the_file_before_it_starts_a_node)
{
	struct world w = world_new();
	static const struct change all[] = { ADD("conf IfName", "\"ygg0\""),
		ADD("conf Peers", "[\"tcp://a:1\"]"), ADD("node", "running") };

	ygg_port_file(w.p, KEY, 0600, PEM);
	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, all), "");
	cr_expect_str_eq(w.p->log.s, "write " CONF " 0600\nstart web\n");
	cr_expect_str_eq(ygg_port_text(w.p, CONF),
		"{\n  \"IfName\": \"ygg0\",\n  \"Peers\": [\"tcp://a:1\"]\n}\n");
	w.p->log.len = 0;
	w.p->refused = CONF;
	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, all),
		"conf IfName: " CONF ": no space left on device\n");
	cr_expect_eq(w.p->log.len, 0, "started without its file: %s", w.p->log.s);
	arena_free(w.a);
}

Test(ygg_overlay, restarts_only_where_it_must)
{
	static const struct {
		const char *log;
		struct change c[2];
		size_t n;
	} cases[] = {
		{ "", { ADD("node", "running") }, 0 },
		{ "start web\n", { ADD("node", "running") }, 1 },
		{ "stop web\nstart web\n", { CHANGE("node", "running, but", "running") }, 1 },
		{ "stop web\n", { REMOVE("node", "running") }, 1 },
		{ "stop web\nstart web\n", { CHANGE("live interface", "x", "ygg0") }, 1 },
		{ "stop web\nstart web\n",
			{ REMOVE("live listen tcp 10.0.0.1:9", "listening"),
				ADD("peer tcp://a:1", "configured") },
			2 },
		{ "write " CONF " 0600\n", { CHANGE("conf IfName", "\"x\"", "\"y\"") }, 1 },
		{ "write " CONF " 0600\nstop web\nstart web\n",
			{ CHANGE("conf Listen", "[\"tcp://a:1\"]", "[\"tcp://a:1?password=x\"]") },
			1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w = running("{}", "[]");
		const char *text = apply(&w, &w.overlay, PHASE_OVERLAY, cases[i].c, cases[i].n);

		cr_expect_str_eq(text, "", "%zu: %s", i, text);
		cr_expect_str_eq(w.p->log.s, cases[i].log, "%zu: %s", i, w.p->log.s);
		cr_expect_str_eq(apply(&w, &w.overlay, PHASE_REVOKE, cases[i].c, cases[i].n), "");
		cr_expect_str_eq(w.p->log.s, cases[i].log, "in another phase");
		arena_free(w.a);
	}
}

Test(ygg_overlay, changes_peerings_in_place_additions_first_with_their_pins)
{
	struct world w = running("{\"Peers\":[\"tcp://b:2?key=ab\"]}", "[]");
	static const struct change live[] = { ADD("peer tcp://b:2", "configured"),
		REMOVE("peer tcp://c:3", "configured"), ADD("peer tcp://d:4", "configured") };
	static const struct change pin[] = { CHANGE(
		"conf Peers", "[\"tcp://b:2?key=ab\"]", "[\"tcp://b:2?key=cd\",\"tcp://e:5\"]") };

	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, live), "");
	cr_expect_str_eq(w.p->log.s,
		"addpeer web tcp://b:2?key=ab\naddpeer web tcp://d:4\nremovepeer web tcp://c:3\n");
	w.p->log = text_new(w.a);
	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, pin), "");
	cr_expect_str_eq(w.p->log.s,
		"removepeer web tcp://b:2\naddpeer web tcp://b:2?key=cd\nwrite " CONF " 0600\n");
	arena_free(w.a);
}

Test(ygg_overlay, tells_which_peering_was_refused)
{
	struct world w = running("{}", "[]");
	static const struct change live[] = { ADD("peer tcp://b:2", "configured") };

	ygg_port_answer(w.p, "web", "addpeer",
		"{\"status\":\"error\",\"error\":\"no way\",\"response\":null}");
	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, live),
		"peer tcp://b:2: addpeer tcp://b:2: the node refuses the peering: no way\n");
	arena_free(w.a);
}

Test(ygg_overlay, all_nodes_are_read_in_one_look)
{
	struct world w = running("{}", "[]");

	ygg_port_file(w.p, "/db/yggdrasil.key", 0600, PEM_OTHER);
	ygg_port_runs(w.p, "db", PUBLIC_OTHER, SELF, "0.5.12", "[]");
	cr_expect_not_null(strstr(read_all(&w, &w.overlay, "web", "db"), "db node=running\n"));
	cr_expect_eq(w.p->n_looks, 1);
	/* One whose socket is not there (yet, or any more) is looked at once more. */
	ygg_port_answer(w.p, "web", "getpeers", NULL);
	cr_expect_not_null(strstr(read_all(&w, &w.overlay, "web", "db"),
		"web: the node stopped while it was asked; run jmesh again"));
	cr_expect_eq(w.p->n_looks, 3);
	arena_free(w.a);
}

Test(ygg_overlay, what_a_node_says_that_does_not_run_counts_for_nothing)
{
	struct world w = running("{}", "[{\"remote\":\"tcp://a:1\"}]");

	w.p->running.n = 0;
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL), "");
	arena_free(w.a);
}

Test(ygg_overlay, sees_and_sets_the_start_at_boot_where_nodes_are_services)
{
	struct world w = running("{}", "[]");
	static const struct change all[] = { ADD("boot", "enabled"), ADD("conf IfName", "\"ygg0\""),
		ADD("node", "running") };
	static const struct change only[] = { ADD("boot", "enabled") };

	w.p->at_boot = true;
	cr_expect_null(strstr(read_all(&w, &w.overlay, "web", NULL), "boot"));
	w.p->ops.traits.boots_nodes = true;
	cr_expect_not_null(strstr(read_all(&w, &w.overlay, "web", NULL), "web boot=enabled\n"));
	w.p->running.n = 0;
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL), "web boot=enabled\n");
	w.p->at_boot = false;
	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL), "");
	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, only), "");
	cr_expect_str_eq(w.p->log.s, "boot web\n", "it restarts nothing");
	w.p->log = text_new(w.a);
	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, all), "");
	cr_expect_str_eq(w.p->log.s, "write " CONF " 0600\nboot web\nstart web\n");
	w.p->refused = "boot";
	w.p->log = text_new(w.a);
	cr_expect_str_eq(APPLY(&w, &w.overlay, PHASE_OVERLAY, all), "boot: sysrc says no\n");
	cr_expect_str_eq(w.p->log.s, "write " CONF " 0600\nstart web\n");
	arena_free(w.a);
}

Test(ygg_overlay, never_writes_the_mask_of_a_key_into_a_file)
{
	static const char *const files[] = {
		"{\n  # PrivateKey: " INLINE "\n}\n",
		"{ NodeInfo: { old: \"" INLINE "\" } }",
		"{ PrivateKey: " INLINE "\n  Backup: " INLINE "ab\n}",
	};
	static const struct change conf[] = { ADD("conf IfName", "\"ygg0\"") };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct world w = running(files[i], "[]");
		const char *text = APPLY(&w, &w.overlay, PHASE_OVERLAY, conf);

		cr_expect_not_null(
			strstr(text, CONF " stays as it is, because it has 128"), "%s", text);
		cr_expect_null(strstr(text, "xx"));
		cr_expect_str_eq(ygg_port_text(w.p, CONF), files[i]);
		cr_expect_str_eq(w.p->log.s, "");
		arena_free(w.a);
	}
}

Test(ygg_overlay, a_private_key_that_is_none_is_told)
{
	struct world w = running("{ PrivateKey: \"abc\" }", "[]");

	cr_expect_str_eq(read_all(&w, &w.overlay, "web", NULL),
		"web: " CONF ": PrivateKey is not 128 hexadecimal digits\n");
	ygg_port_file(w.p, CONF, 0600, "{ PrivateKey: null }");
	cr_expect_null(strstr(read_all(&w, &w.overlay, "web", NULL), "PrivateKey"));
	arena_free(w.a);
}

Test(ygg_overlay, tells_status_what_the_nodes_say_in_one_look)
{
	struct world w = running("{}",
		"[{\"remote\":\"tcp://a:1\",\"up\":true,\"inbound\":false,\"address\":"
		"\"200::1\"}]");
	const char *names[] = { "web", "db" };
	struct strs nodes = { .v = names, .n = 2 };
	struct yggdrasil_status *s = yggdrasil_statuses(w.y, &nodes, w.a);

	cr_expect_eq(w.p->n_looks, 1);
	cr_expect_eq(s[0].rc, 0, "%s", s[0].err.text);
	cr_expect_str_eq(s[0].version, "0.5.12");
	cr_expect_eq(s[0].n, 1);
	cr_expect_eq(s[1].rc, 1);
	ygg_port_answer(w.p, "web", "getself", NULL);
	s = yggdrasil_statuses(w.y, &nodes, w.a);
	cr_expect_eq(s[0].rc, -1);
	cr_expect_not_null(strstr(
		s[0].err.text, "at its admin socket /web/yggdrasil.sock: apply restarts it"));
	arena_free(w.a);
}
