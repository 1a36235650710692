#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/world.h"

#define MESH                  \
	"version: 1\n"        \
	"name: laptop\n"      \
	"jails:\n"            \
	"  - name: db\n"      \
	"  - name: web\n"     \
	"peers:\n"            \
	"  - name: office\n"  \
	"    jails:\n"        \
	"      - name: api\n" \
	"        address: 202:1::1\n"

#define PAIRING_MESH         \
	"version: 1\n"       \
	"name: laptop\n"     \
	"jails:\n"           \
	"  - name: web\n"    \
	"peers:\n"           \
	"  - name: office\n" \
	"    pair: create\n"

static struct arena *arena;
static struct report report;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(apply, .init = setup, .fini = teardown);

/* Where a line of the log stands; it must be there. */
static const char *at(const char *log, const char *line)
{
	const char *found = strstr(log, line);

	cr_assert_not_null(found, "no \"%s\" in:\n%s", line, log);
	return found;
}

static bool failed_with(const char *scope, const char *text)
{
	for (size_t i = 0; i < report.failed.n; i++)
		if (strcmp(report.failed.v[i].scope, scope) == 0 &&
			strstr(report.failed.v[i].text, text) != NULL)
			return true;
	return false;
}

Test(apply, converges_and_then_does_nothing)
{
	struct world *w = world_new(arena, MESH);
	const char *log = world_apply(w, RUN_PAIR_WAIT, &report);

	cr_assert(report.changed);
	cr_assert_eq(report.failed.n, 0, "%s", report.failed.n == 0 ? "" : report.failed.v[0].text);
	at(log, "grant firewall web add address 202:1::1\n");
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_str_eq(log, "");
	cr_assert_not(report.changed);
}

Test(apply, protects_then_makes_keys_then_starts_nodes_then_grants_then_names)
{
	struct world *w = world_new(arena, MESH);
	const char *log = world_apply(w, RUN_PAIR_WAIT, &report);

	cr_assert_lt(at(log, "protect firewall web add rules"), at(log, "identity identity _host"));
	cr_assert_lt(at(log, "identity identity web add key"), at(log, "overlay overlay _host"));
	cr_assert_lt(at(log, "overlay overlay web add node"), at(log, "grant firewall db"));
	cr_assert_lt(at(log, "grant firewall web add address"), at(log, "names dns"));
}

Test(apply, revokes_before_anything_else)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	world_apply(w, RUN_PAIR_WAIT, &report);
	items_add(&w->live, KIND_FIREWALL, "web", "address 203::bad", "allow", NULL, 0);
	items_add(&w->live, KIND_DNS, "live jrun", "bad.jrun AAAA", "203::bad", NULL, 0);
	w->live.v[0].value = "altered";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_eq(strncmp(log, "revoke ", 7), 0, "%s", log);
	cr_assert_lt(at(log, "revoke firewall web remove address 203::bad"),
		at(log, "revoke dns live jrun remove bad.jrun AAAA"));
	cr_assert_lt(at(log, "revoke dns live jrun remove bad.jrun AAAA"), at(log, "protect "));
	cr_assert_eq(report.failed.n, 0);
}

Test(apply, starts_no_node_and_lets_nobody_in_where_the_rules_failed)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	w->failing = "firewall web rules";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_null(strstr(log, "overlay overlay web"), "%s", log);
	cr_assert_null(strstr(log, "grant firewall web"), "%s", log);
	at(log, "overlay overlay db add node");
	at(log, "grant firewall db add address");
	cr_assert(failed_with("web", "it failed"));
	cr_assert(failed_with("web", "its firewall is not in place"));
}

Test(apply, starts_no_node_where_the_firewall_cannot_be_read)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	w->unreadable = "firewall web";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_null(strstr(log, "overlay overlay web"), "%s", log);
	cr_assert_null(strstr(log, "grant firewall web"), "%s", log);
	at(log, "overlay overlay db add node");
	cr_assert(failed_with("web", "could not be read"));
}

Test(apply, tells_why_it_left_something_even_when_it_can_be_read_again)
{
	struct world *w = world_new(arena, MESH);

	w->unreadable = "firewall web";
	w->unreadable_once = true;
	world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert(failed_with("web", "could not be read"));
	cr_assert(failed_with("web", "its firewall is not in place"));
	cr_assert_not(failed_with("web", "still differs"));
	world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_eq(report.failed.n, 0, "%s", report.failed.n == 0 ? "" : report.failed.v[0].text);
	w->unreadable = "firewall db";
	items_add(&w->live, KIND_DNS, "live jrun", "bad.jrun AAAA", "203::bad", NULL, 0);
	world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert(report.changed);
	cr_assert_eq(report.failed.n, 0, "%s", report.failed.n == 0 ? "" : report.failed.v[0].text);
}

Test(apply, starts_no_node_without_a_key)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	w->failing = "identity db key";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_null(strstr(log, "overlay overlay db"), "%s", log);
	at(log, "overlay overlay web add node");
	cr_assert(failed_with("db", "its key is not in order"));
}

Test(apply, revokes_in_one_jail_when_another_fails)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	world_apply(w, RUN_PAIR_WAIT, &report);
	items_add(&w->live, KIND_FIREWALL, "db", "address 203::bad", "allow", NULL, 0);
	items_add(&w->live, KIND_FIREWALL, "web", "address 203::bad", "allow", NULL, 0);
	w->failing = "firewall db address 203::bad";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	at(log, "revoke firewall web remove address 203::bad");
	cr_assert(failed_with("db", "it failed"));
	cr_assert_not(failed_with("web", ""));
}

Test(apply, converges_the_firewall_when_the_resolver_is_down)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	w->unreadable = "dns live jrun";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	at(log, "grant firewall web add address 202:1::1");
	cr_assert(failed_with("live jrun", "could not be read"));
	cr_assert_eq(report.failed.n, 1);
}

Test(apply, reports_what_still_differs)
{
	struct world *w = world_new(arena, MESH);

	w->idle = "firewall web address 202:1::1";
	world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_eq(report.failed.n, 1);
	cr_assert(
		failed_with("web", "still differs after apply: it is missing and should be allow"));
	cr_assert_str_eq(report.failed.v[0].key, "address 202:1::1");
	cr_assert_eq(report.failed.v[0].line, 9, "%d", report.failed.v[0].line);
}

Test(apply, stops_a_node_before_its_rules_name_another_interface)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	world_apply(w, RUN_PAIR_WAIT, &report);
	w->mesh.yggdrasil.interface = "ygg1";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_lt(at(log, "stop web\n"), at(log, "protect firewall web change rules"));
	cr_assert_lt(at(log, "stop _host\n"), at(log, "protect firewall _host change rules"));
}

Test(apply, leaves_others_alone_when_a_jail_does_not_run)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	w->running.n = 1;
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_null(strstr(log, " web "), "%s", log);
	at(log, "grant firewall db add address");
	cr_assert_eq(report.failed.n, 1);
	cr_assert(failed_with("web", "does not run on this host"));
	cr_assert_eq(report.failed.v[0].line, 5);
}

Test(apply, takes_what_it_gave_from_a_jail_that_the_file_names_no_more)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	strs_push(arena, &w->running, "old");
	strs_push(arena, &w->known, "old");
	items_add(&w->live, KIND_FIREWALL, "old", "rules", "default-deny on ygg0", NULL, 0);
	items_add(&w->live, KIND_FIREWALL, "old", "address 202:1::1", "allow", NULL, 0);
	items_add(&w->live, KIND_OVERLAY, "old", "conf Listen", "[]", NULL, 0);
	items_add(&w->live, KIND_OVERLAY, "old", "node", "running", NULL, 0);
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	at(log, "revoke firewall old remove address 202:1::1");
	at(log, "overlay overlay old remove node");
	cr_assert_null(strstr(log, "firewall old remove rules"));
	cr_assert_null(strstr(log, "overlay old remove conf"));
	cr_assert_eq(report.failed.n, 0);
}

Test(apply, pairs_without_the_state_lock_and_grants_what_it_obtained)
{
	struct world *w = world_new(arena, PAIRING_MESH);
	struct roster_jail api = { .name = "api", .addr = { { 2, 2, 0, 1 } } };
	struct roster obtained = { &api, 1 };
	const char *log;

	w->obtained = &obtained;
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_lt(at(log, "overlay overlay web add node"), at(log, "pair office, telling 1\n"));
	cr_assert_lt(at(log, "pair office"), at(log, "grant firewall web add address 202:1::"));
	cr_assert_eq(report.failed.n, 0);
	cr_assert_eq(report.n_waiting, 0);
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_str_eq(log, "");
}

Test(apply, waits_only_when_told_to)
{
	struct world *w = world_new(arena, PAIRING_MESH);

	at(world_apply(w, RUN_PAIR_WAIT, &report), "pair office, telling 1, waiting\n");
	cr_assert_eq(report.n_waiting, 1);
	cr_assert_str_eq(world_apply(w, RUN_PAIR_ONCE, &report), "pair office, telling 1\n");
	cr_assert_eq(report.n_waiting, 1);
	cr_assert_str_eq(world_apply(w, RUN_PAIR_NOT, &report), "");
	cr_assert_eq(report.n_waiting, 1);
	cr_assert_not(report.changed);
}

Test(apply, tells_nobody_half_a_roster)
{
	struct world *w = world_new(arena, PAIRING_MESH);
	const char *log;

	w->failing = "identity web key";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_null(strstr(log, "pair office"), "%s", log);
	cr_assert(failed_with("office", "not paired, because jail 'web' has no key"));
	w->failing = NULL;
	w->unreadable = "overlay web";
	w->unreadable_once = true;
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_null(strstr(log, "pair office"), "%s", log);
	cr_assert(failed_with("office", "not paired, because of jail 'web': could not be read"));
	w->files->blind = true;
	world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert(failed_with("office", "cannot be looked at: the host is gone"));
}

Test(apply, forgets_the_roster_of_a_peer_that_left_the_file)
{
	struct world *w = world_new(arena, MESH);
	struct roster_jail api = { .name = "api", .addr = { { 2, 9, 0, 1 } } };
	const char *log;

	lock_put(&w->lock, arena,
		&(struct lock_peer){ .name = "gone",
			.role = "create",
			.paired_at = 1,
			.sealed = true,
			.instance = "office",
			.roster = { &api, 1 } });
	items_add(&w->live, KIND_FIREWALL, "web", "address 209:1::", "allow", NULL, 0);
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_lt(at(log, "revoke firewall web remove address 209:1::"), at(log, "save lock\n"));
	cr_assert_eq(w->lock.n, 0);
	cr_assert_eq(report.failed.n, 0);
}

Test(apply, lets_nobody_in_at_our_own_address_and_does_the_rest)
{
	struct world *w = world_new(arena, PAIRING_MESH);
	struct roster_jail thief = { .name = "thief" };
	struct roster obtained = { &thief, 1 }, ours;
	struct view v;
	struct err e;
	const char *log;

	world_apply(w, RUN_PAIR_NOT, &report);
	items_add(&w->live, KIND_FIREWALL, "web", "address 203::bad", "allow", NULL, 0);
	cr_assert_eq(addr_parse(world_address(w, "web"), NOWHERE, &thief.addr, &e), 0);
	lock_put(&w->lock, arena,
		&(struct lock_peer){ .name = "office",
			.role = "create",
			.paired_at = 1,
			.sealed = true,
			.instance = "office",
			.roster = obtained });
	w->log = text_new(arena);
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert(failed_with("web", "office/thief claims the address of our own web"));
	cr_assert_neq(at(log, "revoke firewall web remove address 203::bad"), 0);
	cr_assert_null(strstr(log, "grant"));
	cr_assert_eq(run_look(&w->run, &v, &e), 0, "%s", e.text);
	ours = run_roster(&w->run, &v);
	for (size_t i = 0; i < ours.n; i++)
		cr_assert_str_neq(ours.jails[i].name, "web");
	cr_assert_null(strstr(log, "names dns"));
}

Test(apply, takes_nothing_away_because_no_jail_is_seen)
{
	struct world *w = world_new(arena, "version: 1\nname: laptop\n");
	const char *log;

	strs_push(arena, &w->running, "web");
	world_apply(w, RUN_PAIR_WAIT, &report);
	w->running.n = 0;
	strs_push(arena, &w->known, "web");
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_str_eq(log, "");
	cr_assert(failed_with("web", "no jail runs on this host at all, and 'web' once did"));
}

Test(apply, closes_what_passes_everything_before_anything_else)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	world_apply(w, RUN_PAIR_WAIT, &report);
	items_add(&w->live, KIND_FIREWALL, "web", "address 203::bad", "allow", NULL, 0);
	for (size_t i = 0; i < w->live.n; i++)
		if (strcmp(w->live.v[i].key, "rules") == 0)
			w->live.v[i].value = "fail-open";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_lt(at(log, "close firewall web change rules"),
		at(log, "revoke firewall web remove address 203::bad"));
	cr_assert_lt(at(log, "close firewall _host change rules"),
		at(log, "revoke firewall web remove address 203::bad"));
	cr_assert_eq(report.failed.n, 0);
}

Test(apply, stops_a_node_that_nothing_can_be_put_before)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	world_apply(w, RUN_PAIR_WAIT, &report);
	for (size_t i = 0; i < w->live.n; i++)
		if (strcmp(w->live.v[i].key, "rules") == 0)
			w->live.v[i].value = "fail-open";
	w->failing = "firewall web rules";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	at(log, "stop web\n");
	cr_assert_null(strstr(log, "stop db\n"));
}

Test(apply, saves_the_firewall_where_it_has_files_and_boots_nodes_where_they_are_services)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	w->port_ops.traits = (struct port_traits){ .saves_firewall = true, .boots_nodes = true };
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_eq(report.failed.n, 0);
	cr_assert_lt(at(log, "protect firewall web add saved rules"),
		at(log, "overlay overlay web add boot"));
	cr_assert_lt(at(log, "protect firewall web add boot"), at(log, "overlay overlay web"));
	at(log, "grant firewall web add saved address 202:1::1");
	cr_assert_null(strstr(log, "firewall _host add saved address"));
	cr_assert_str_eq(world_apply(w, RUN_PAIR_WAIT, &report), "");
}

Test(apply, starts_no_node_that_a_reboot_would_leave_open)
{
	static const char *const failing[] = { "firewall web saved rules", "firewall web boot" };

	for (size_t i = 0; i < 2; i++) {
		struct world *w = world_new(arena, MESH);
		const char *log;

		w->port_ops.traits.saves_firewall = true;
		w->failing = failing[i];
		log = world_apply(w, RUN_PAIR_WAIT, &report);
		cr_assert_null(strstr(log, "overlay overlay web"), "%s", log);
		at(log, "overlay overlay db add node");
		cr_assert(failed_with("web", "after a reboot"));
	}
}

Test(apply, leaves_nodes_of_another_program_alone)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	w->port_ops.traits = (struct port_traits){ .saves_firewall = true, .foreign_nodes = true };
	items_add(&w->live, KIND_OVERLAY, "web", "node", "running", NULL, 0);
	items_add(&w->live, KIND_FIREWALL, "web", "rules", "fail-open", NULL, 0);
	w->failing = "firewall web rules";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_null(strstr(log, "overlay"), "%s", log);
	cr_assert_null(strstr(log, "identity"), "%s", log);
	cr_assert_null(strstr(log, "stop"), "%s", log);
	w->failing = NULL;
	world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_eq(report.failed.n, 0);
	log = world_teardown(w, NULL, &report);
	cr_assert_null(strstr(log, "stop"), "%s", log);
	cr_assert_null(strstr(log, "overlay"), "%s", log);
}

Test(apply, leaves_the_names_of_its_own_jails_to_whoever_has_them)
{
	static const char mesh[] = "version: 1\nname: laptop\njails:\n  - name: web\n"
				   "    address: 10.17.89.10\n";
	struct world *w = world_new(arena, mesh);

	at(world_apply(w, RUN_PAIR_WAIT, &report), "names dns live jrun add web.local.jrun A\n");
	w = world_new(arena, mesh);
	w->port_ops.traits.foreign_nodes = true;
	cr_assert_null(strstr(world_apply(w, RUN_PAIR_WAIT, &report), "web.local.jrun"));
}

Test(apply, keeps_a_registry_in_step)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	world_register(w);
	items_add(&w->live, KIND_PAIRING, "gone", "recorded db", "203::1", NULL, 0);
	items_add(&w->live, KIND_PAIRING, "office", "recorded old", "202:1::9", NULL, 0);
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_eq(report.failed.n, 0, "%s", log);
	at(log, "revoke pairing gone remove recorded db\n");
	cr_assert_lt(at(log, "revoke pairing office remove recorded old\n"),
		at(log, "grant firewall web add address 202:1::1"));
	cr_assert_lt(at(log, "grant firewall web add address 202:1::1"),
		at(log, "names pairing office add recorded api\n"));
	cr_assert_null(strstr(log, "save lock"));
	cr_assert_str_eq(world_apply(w, RUN_PAIR_WAIT, &report), "");
}

Test(apply, leaves_a_registry_alone_that_cannot_be_read)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	world_register(w);
	w->unreadable = "pairing office";
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_null(strstr(log, "recorded"), "%s", log);
	at(log, "grant firewall web add address 202:1::1");
	cr_assert_eq(report.failed.n, 1);
}

Test(apply, keeps_the_other_peers_of_a_registry_with_one_that_cannot_be_read)
{
	struct world *w = world_new(arena,
		MESH "  - name: ci\n    jails:\n      - name: runner\n        address: 203::1\n");
	const char *log;

	world_register(w);
	w->unreadable = "pairing office";
	items_add(&w->live, KIND_PAIRING, "ci", "recorded runner", "203::1", NULL, 0);
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_null(strstr(log, "recorded"), "%s", log);
	cr_assert_eq(report.failed.n, 1);
}

Test(apply, tells_a_registry_and_the_lock_apart)
{
	struct world *w = world_new(arena, MESH);
	struct roster_jail api = { .name = "api", .addr = { { 2, 9, 0, 1 } } };
	const char *log;

	world_register(w);
	lock_put(&w->lock, arena,
		&(struct lock_peer){ .name = "gone",
			.role = "create",
			.paired_at = 1,
			.sealed = true,
			.instance = "office",
			.roster = { &api, 1 } });
	items_add(&w->live, KIND_PAIRING, "gone", "recorded api", "209:1::", NULL, 0);
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_lt(at(log, "revoke pairing gone remove recorded api\n"), at(log, "save lock\n"));
	cr_assert_eq(w->lock.n, 0);
	cr_assert_eq(report.failed.n, 0);
}

Test(apply, a_teardown_takes_back_what_is_saved_and_recorded_and_no_rules)
{
	struct world *w = world_new(arena, MESH);
	const char *log;

	world_register(w);
	w->port_ops.traits = (struct port_traits){ .saves_firewall = true };
	world_apply(w, RUN_PAIR_WAIT, &report);
	items_add(&w->live, KIND_PAIRING, "other", "recorded db", "203::1", NULL, 0);
	log = world_teardown(w, "office", &report);
	at(log, "revoke firewall web remove saved address 202:1::1\n");
	at(log, "revoke pairing office remove recorded api\n");
	cr_assert_null(strstr(log, "pairing other"));
	world_apply(w, RUN_PAIR_WAIT, &report);
	items_add(&w->live, KIND_PAIRING, "other", "recorded db", "203::1", NULL, 0);
	log = world_teardown(w, NULL, &report);
	at(log, "revoke firewall db remove saved address 202:1::1\n");
	at(log, "withdraw firewall web\n");
	cr_assert_null(strstr(log, "rules"), "%s", log);
	cr_assert_null(strstr(log, "remove boot"), "%s", log);
	cr_assert_null(strstr(log, "pairing other"));
	cr_assert_eq(report.notices.n, 1);
}

Test(apply, asks_nothing_of_a_host_that_it_is_not_to_protect)
{
	struct world *w = world_new(arena, MESH "yggdrasil:\n  protect_host: false\n");
	const char *log;

	w->port_ops.traits.saves_firewall = true;
	items_add(&w->live, KIND_FIREWALL, HOST_NODE, "rules", "altered", NULL, 0);
	log = world_apply(w, RUN_PAIR_WAIT, &report);
	cr_assert_null(strstr(log, "firewall _host"), "%s", log);
	cr_assert_null(strstr(world_teardown(w, NULL, &report), "withdraw firewall _host"));
}

static int reached_no_more(void *self, struct err *e)
{
	(void)self;
	return err_set(e, ERR_SYSTEM, NOWHERE, "it cannot be reached");
}

Test(apply, ends_where_the_host_can_be_reached_no_more_and_a_rerun_goes_on)
{
	struct world *w = world_new(arena, MESH);
	struct err e = ERR_INIT;

	w->port_ops.reached = reached_no_more;
	w->log = text_new(arena);
	cr_assert_eq(run_apply(&w->run, RUN_PAIR_WAIT, &report, &e), -1);
	cr_assert_str_eq(e.text, "it cannot be reached");
	cr_assert_not(w->held);
	at(w->log.s, "protect firewall _host add rules\n");
	cr_assert_null(strstr(w->log.s, "firewall db"), "%s", w->log.s);
	cr_assert(report.changed);
	cr_assert_eq(report.done.n, 1);
	cr_assert_eq(report.failed.n, 0);

	w->port_ops.reached = NULL;
	cr_assert_null(strstr(world_apply(w, RUN_PAIR_WAIT, &report), "firewall _host add rules"));
	cr_assert_eq(report.failed.n, 0);
	w->port_ops.reached = reached_no_more;
	w->log = text_new(arena);
	cr_assert_eq(run_teardown(&w->run, NULL, &report, &e), -1);
	cr_assert_null(strstr(w->log.s, "withdraw"), "%s", w->log.s);
}
