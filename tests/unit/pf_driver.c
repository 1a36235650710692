#include <criterion/criterion.h>
#include <string.h>

#include "reconciler/drivers/pf.h"
#include "reconciler/pf.h"
#include "tests/unit/pf_port.h"

#define CLOSED "default-deny on ygg0"
#define OURS_RULES                                     \
	"pass quick inet all flags S/SA keep state\n"  \
	"pass out on ygg0 all flags S/SA keep state\n" \
	"block drop in on ygg0 all\n"                  \
	"pass in on ygg0 inet6 from <mesh_peers> to any flags S/SA keep state\n"
#define ADMIN "set skip on lo\nblock in\n"
#define ANCHORED ADMIN PF_LINE_ANCHOR "\n" PF_LINE_LOAD "\n"

static struct arena *arena;
static struct pf_port *pf;
static struct port port;
static struct driver driver;
static struct items seen;
static struct failures failed;

static void make_driver(enum pf_manage manage)
{
	pf_driver(&driver, &port, "ygg0", "mesh_peers", manage, arena);
}

static void setup(void)
{
	arena = arena_new();
	pf = pf_port_new(arena);
	port = pf_port_port(pf);
	make_driver(PF_MANAGE_AUTO);
	failed = (struct failures){ .arena = arena };
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(pf_driver, .init = setup, .fini = teardown);

static const char *read_scopes(const char *one, const char *two)
{
	struct strs scopes = { 0 };
	struct text t = text_new(arena);

	strs_push(arena, &scopes, one);
	if (two != NULL)
		strs_push(arena, &scopes, two);
	seen = (struct items){ .arena = arena };
	failed.n = 0;
	driver.ops->read(driver.self, &scopes, arena, &seen, &failed);
	for (size_t i = 0; i < seen.n; i++)
		text_addf(&t, "%s %s = %s\n", seen.v[i].scope, seen.v[i].key, seen.v[i].value);
	return t.s;
}

/* Reads and makes jail web so: default-deny, live, saved and at boot, and these addresses. */
static void converge(const char *const *addresses)
{
	static const char *const keys[] = { "rules", "saved rules", "boot" };
	struct items wanted = { .arena = arena };
	struct plan plan = { .arena = arena };

	for (size_t i = 0; i < 3; i++)
		items_add(&wanted, KIND_FIREWALL, "web", keys[i], i == 2 ? "enabled" : CLOSED, NULL,
			0);
	for (; *addresses != NULL; addresses++) {
		const char *saved = arena_printf(arena, "saved address %s", *addresses);

		items_add(&wanted, KIND_FIREWALL, "web", saved, "allow", NULL, 0);
		items_add(&wanted, KIND_FIREWALL, "web", saved + 6, "allow", NULL, 0);
	}
	read_scopes("web", NULL);
	items_sort(&wanted);
	items_sort(&seen);
	diff(&wanted, &seen, &failed, &plan);
	for (size_t i = 0, n; i < plan.n; i += n) {
		const struct change **group = arena_alloc(arena, plan.n, sizeof(*group));

		for (n = 0; i + n < plan.n && plan.v[i + n].phase == plan.v[i].phase; n++)
			group[n] = &plan.v[i + n];
		driver.ops->apply(driver.self, plan.v[i].phase, "web", group, n, arena, &failed);
	}
}

#define ONE ((const char *const[]){ "201::1", NULL })
#define TWO ((const char *const[]){ "201::1", "202::2", NULL })
#define NONE ((const char *const[]){ NULL })

static void apply(enum phase phase, enum action action, const char *key)
{
	struct change c = { .action = action,
		.phase = phase,
		.kind = KIND_FIREWALL,
		.scope = "web",
		.key = key,
		.line = 7 };
	const struct change *one = &c;

	pf_port_log(pf);
	failed.n = 0;
	driver.ops->apply(driver.self, phase, "web", &one, 1, arena, &failed);
}

static void no_failures(void)
{
	cr_assert_eq(failed.n, 0, "%s: %s", failed.v[0].key, failed.v[0].text);
}

Test(pf_driver, converges_from_nothing_and_then_does_nothing)
{
	converge(TWO);
	no_failures();
	cr_assert_str_eq(pf_port_rules(pf, "web", ""), OURS_RULES);
	cr_assert_str_eq(pf_port_table(pf, "web", "", "mesh_peers"), "   201::1\n   202::2\n");
	cr_assert(pf_port_boots(pf, "web"));
	cr_assert_str_eq(read_scopes("web", NULL),
		"web rules = " CLOSED "\nweb address 201::1 = allow\nweb address 202::2 = allow\n"
		"web saved rules = " CLOSED "\nweb saved address 201::1 = allow\n"
		"web saved address 202::2 = allow\nweb boot = enabled\n");
	pf_port_log(pf);
	converge(TWO);
	cr_assert_str_eq(pf_port_log(pf), "");
}

Test(pf_driver, reads_all_places_in_one_look)
{
	pf_port_enable(pf, "web", true);
	read_scopes("web", HOST_NODE);
	cr_assert_eq(pf->looks, 1);
	cr_assert_eq(failed.n, 0);
	cr_assert_str_eq(pf_port_log(pf), "");
}

Test(pf_driver, tells_what_passes_everything)
{
	cr_assert_str_eq(read_scopes("web", NULL), "web rules = fail-open\n");
	pf_port_enable(pf, "web", true);
	cr_assert_str_eq(read_scopes("web", NULL), "web rules = fail-open\n");
	pf_port_rule(pf, "web", "", "pass all flags S/SA keep state");
	cr_assert_str_eq(read_scopes("web", NULL), "web rules = altered\n");
	pf_port_enable(pf, "web", false);
	cr_assert_str_eq(read_scopes("web", NULL), "web rules = fail-open\n");
}

Test(pf_driver, closes_before_it_revokes_before_it_grants)
{
	const char *log, *closed, *marked, *granted;

	pf_port_entry(pf, "web", "", "mesh_peers", "203::bad");
	converge(ONE);
	no_failures();
	log = pf_port_log(pf);
	closed = strstr(log, "web$ pfctl -e\n");
	marked = strstr(log, "web$ pfctl -t jmesh_ending -T add -f -\n  < 203::bad\n");
	granted = strstr(log, "web$ pfctl -t mesh_peers -T add -f -\n  < 201::1\n");
	cr_assert(closed != NULL && marked != NULL && granted != NULL, "%s", log);
	cr_assert(closed < marked && marked < granted, "%s", log);
}

Test(pf_driver, ends_what_came_in_while_everything_passed)
{
	pf_port_state(pf, "web", "203::bad", "202::3");
	pf_port_state(pf, "web", "202::3", "203::bad");
	pf_port_state(pf, "web", "2001:db8::1", "2001:db8::2");
	converge(NONE);
	cr_assert_str_eq(pf_port_states(pf, "web"), "2001:db8::1>2001:db8::2\n");
}

Test(pf_driver, revokes_mark_entry_states_and_mark_in_rounds_of_their_own)
{
	converge(TWO);
	pf_port_state(pf, "web", "202::2", "203::3");
	pf_port_state(pf, "web", "203::3", "202::2");
	pf_port_state(pf, "web", "201::1", "203::3");
	pf_port_log(pf);
	converge(ONE);
	no_failures();
	cr_assert_str_eq(pf_port_log(pf),
		"round\nweb$ pfctl -t jmesh_ending -T add -f -\n  < 202::2\n"
		"round\nweb$ pfctl -t mesh_peers -T delete -f -\n  < 202::2\n"
		"round\nweb$ pfctl -k 202::2\nweb$ pfctl -k ::/0 -k 202::2\n"
		"round\nweb$ pfctl -t jmesh_ending -T delete -f -\n  < 202::2\n"
		"round\nweb$ pfctl -nf -\n"
		"  < # Written by jmesh, which owns this file and writes it anew.\n"
		"  < table <mesh_peers> persist { 201::1 }\n"
		"  < pass quick inet all\n  < pass out on ygg0 all\n  < block in on ygg0 all\n"
		"  < pass in on ygg0 inet6 from <mesh_peers>\n"
		"web$ replace /etc/pf.conf\n"
		"  < # Written by jmesh, which owns this file and writes it anew.\n"
		"  < table <mesh_peers> persist { 201::1 }\n"
		"  < pass quick inet all\n  < pass out on ygg0 all\n  < block in on ygg0 all\n"
		"  < pass in on ygg0 inet6 from <mesh_peers>\n");
	cr_assert_str_eq(pf_port_states(pf, "web"), "201::1>203::3\n");
	cr_assert_str_eq(pf_port_table(pf, "web", "", "jmesh_ending"), "");
}

Test(pf_driver, takes_networks_and_negations_out_of_the_table)
{
	converge(ONE);
	pf_port_entry(pf, "web", "", "mesh_peers", "200::/7");
	pf_port_entry(pf, "web", "", "mesh_peers", "!201::1");
	pf_port_entry(pf, "web", "", "mesh_peers", "10.0.0.0/8");
	pf_port_state(pf, "web", "202::9", "203::3");
	pf_port_log(pf);
	converge(ONE);
	no_failures();
	cr_assert_str_eq(pf_port_table(pf, "web", "", "mesh_peers"), "   201::1\n");
	cr_assert_str_eq(pf_port_states(pf, "web"), "");
	cr_assert_null(strstr(pf_port_log(pf), "-k !"));
}

/* Whatever instant it was killed at: nobody is let in by open rules, and the next apply ends it all. */
Test(pf_driver, converges_after_it_was_killed_at_any_round)
{
	for (int rounds = 0;; rounds++) {
		bool done;

		teardown();
		setup();
		converge(TWO);
		pf_port_state(pf, "web", "202::2", "203::3");
		pf_port_entry(pf, "web", "", "mesh_peers", "209::9");
		pf_port_enable(pf, "web", rounds % 2 == 0);
		pf->rounds_left = rounds;
		converge(ONE);
		done = pf->rounds_left > 0;
		pf->rounds_left = -1;
		make_driver(PF_MANAGE_AUTO);
		converge(ONE);
		no_failures();
		cr_assert_str_eq(pf_port_table(pf, "web", "", "mesh_peers"), "   201::1\n");
		cr_assert_str_eq(pf_port_table(pf, "web", "", "jmesh_ending"), "");
		cr_assert_str_eq(pf_port_states(pf, "web"), "", "killed after %d", rounds);
		cr_assert_null(strstr(pf_port_text(pf, "web", PF_CONF), "202::2"));
		cr_assert_lt(rounds, 50);
		if (done)
			break;
	}
}

Test(pf_driver, a_revocation_goes_on_where_a_part_of_it_fails)
{
	static const char *const parts[] = { "jmesh_ending -T add", "mesh_peers -T delete",
		"-k 202::2", "jmesh_ending -T delete" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		teardown();
		setup();
		converge(TWO);
		pf_port_state(pf, "web", "202::2", "203::3");
		pf->failing = parts[i];
		pf->status = 255;
		pf->err = "pfctl: Operation not permitted.";
		converge(ONE);
		cr_assert_eq(failed.n, 1);
		cr_expect_str_eq(failed.v[0].key, "address 202::2");
		cr_expect_not_null(strstr(failed.v[0].text, "pfctl: Operation not permitted."),
			"%s", failed.v[0].text);
		if (i != 1)
			cr_expect_str_eq(pf_port_table(pf, "web", "", "mesh_peers"), "   201::1\n");
		if (i != 2)
			cr_expect_str_eq(pf_port_states(pf, "web"), "", "part %zu", i);
	}
}

Test(pf_driver, never_takes_what_it_cannot_read_for_nothing_there)
{
	static const struct {
		const char *command;
		int status;
		const char *err, *says;
	} cases[] = {
		{ "pfctl -si", 1, "pfctl: /dev/pf: No such file or directory", "kldload pf" },
		{ "pfctl -sr", 1, "pfctl: DIOCGETRULES: Operation not permitted", "not permitted" },
		{ "pfctl -sr", 0, "pfctl: DIOCGETRULES: Operation not permitted", "not permitted" },
		{ "-t mesh_peers -T show", 255, "pfctl: Operation not permitted.",
			"table <mesh_peers>: pfctl: Operation not permitted." },
		{ "-t mesh_peers -T show", 1, "pfctl: Table does not exist.", "does not exist" },
		{ "-t jmesh_ending -T show", 255, "",
			"table <jmesh_ending>: pfctl exited with 255" },
		{ "pfctl -si", -1, "no such program", "no such program" },
		{ "pfctl -si", 0, "", "whether pf is enabled" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pf->failing = cases[i].command;
		pf->status = cases[i].status;
		pf->err = cases[i].err;
		cr_expect_str_eq(read_scopes("web", NULL), "", "case %zu", i);
		cr_assert_eq(failed.n, 1, "case %zu", i);
		cr_expect_not_null(strstr(failed.v[0].text, cases[i].says), "case %zu: %s", i,
			failed.v[0].text);
		cr_expect_not_null(strstr(failed.v[0].text, "firewall of jail web: "));
		cr_expect_null(strstr(failed.v[0].text, "ALTQ"));
		apply(PHASE_GRANT, ACTION_ADD, "address 201::1");
		cr_expect_eq(failed.n, 1);
		cr_expect_str_eq(pf_port_log(pf), "", "case %zu applied what was not read", i);
	}
}

Test(pf_driver, one_unreadable_place_leaves_the_others_readable)
{
	pf_port_file(pf, "db", PF_CONF, ADMIN);
	cr_assert_str_eq(read_scopes("db", "web"), "web rules = fail-open\n");
	cr_assert_eq(failed.n, 1);
	cr_assert_str_eq(failed.v[0].scope, "db");
}

Test(pf_driver, what_pf_skips_is_open_whatever_the_rules_say)
{
	static const char *const names[] = { "ygg0", "ygg", "tun", "all" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		converge(ONE);
		pf_port_skip(pf, "web", "lo0");
		pf_port_skip(pf, "web", names[i]);
		pf_port_state(pf, "web", "203::bad", "202::3");
		cr_expect(strncmp(read_scopes("web", NULL), "web rules = fail-open\n", 22) == 0,
			"%s", names[i]);
		apply(PHASE_GRANT, ACTION_ADD, "address 202::2");
		cr_expect_eq(failed.n, 1);
		converge(ONE);
		no_failures();
		cr_expect_not_null(strstr(read_scopes("web", NULL), "web rules = " CLOSED));
		cr_expect_str_eq(pf_port_states(pf, "web"), "");
	}
	pf_port_skip(pf, "web", "em0");
	cr_assert_not_null(strstr(read_scopes("web", NULL), "web rules = " CLOSED));
}

Test(pf_driver, a_translation_is_none_of_our_rules)
{
	converge(ONE);
	pf_port_translation(
		pf, "web", "rdr pass on ygg0 inet6 proto tcp from any to any port = http -> ::1");
	cr_assert(strncmp(read_scopes("web", NULL), "web rules = altered\n", 20) == 0);
	converge(ONE);
	no_failures();
	cr_assert_not_null(strstr(read_scopes("web", NULL), "web rules = " CLOSED));
}

/* Wherever our rules cannot stand, who must go goes, and nobody comes in. */
Test(pf_driver, revokes_where_its_rules_cannot_stand)
{
	for (int i = 0; i < 4; i++) {
		teardown();
		setup();
		make_driver(i == 3 ? PF_MANAGE_RULESET : PF_MANAGE_AUTO);
		converge(TWO);
		no_failures();
		pf_port_state(pf, "web", "202::2", "203::3");
		if (i == 0)
			pf->boot_file = "/etc/pf.mine";
		else if (i == 1)
			pf_port_file(pf, "web", PF_CONF,
				"table <mesh_peers> persist\n# " /* 128 digits, as a port shows them */
				"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
				"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
				"pass quick inet all\npass out on ygg0 all\nblock in on ygg0 all\n"
				"pass in on ygg0 inet6 from <mesh_peers>\n");
		else
			pf_port_file(pf, "web", PF_CONF, ADMIN);
		pf_port_log(pf);
		converge((const char *const[]){ "201::1", "204::4", NULL });
		cr_assert_eq(failed.n, 1, "case %d: %zu failures", i, failed.n);
		cr_expect_str_eq(pf_port_table(pf, "web", "", "mesh_peers"), "   201::1\n");
		cr_expect_str_eq(pf_port_states(pf, "web"), "", "case %d", i);
		cr_expect_null(strstr(pf_port_log(pf), "replace"), "case %d", i);
	}
}

Test(pf_driver, a_withdrawal_takes_away_what_it_can_where_its_rules_cannot_stand)
{
	struct err e = ERR_INIT;

	converge(TWO);
	pf->boot_file = "/etc/pf.mine";
	cr_assert_lt(driver.ops->withdraw(driver.self, "web", arena, &e), 0);
	cr_assert_not_null(strstr(e.text, "/etc/pf.mine"), "%s", e.text);
	cr_assert_str_eq(pf_port_table(pf, "web", "", "mesh_peers"), "");
}

Test(pf_driver, tells_which_line_makes_a_file_another_s)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ ADMIN, "by line 1, 'set skip on lo', and" },
		{ "table <mesh_peers> persist\n\npass quick inet all\npass in all # mine\n",
			"by line 4, 'pass in all', and" },
		{ "table <mesh_peers> persist\r\npass quick inet all\r\n",
			"with a carriage return" },
		{ "table <mesh_peers> persist\npass quick inet all\n",
			"ends before its last rule" },
	};

	make_driver(PF_MANAGE_RULESET);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pf_port_file(pf, "web", PF_CONF, cases[i].text);
		read_scopes("web", NULL);
		cr_assert_eq(failed.n, 1);
		cr_expect_not_null(strstr(failed.v[0].text, cases[i].says), "%s", failed.v[0].text);
	}
}

Test(pf_driver, allows_nothing_where_the_rules_are_not_in_place)
{
	read_scopes("web", NULL);
	apply(PHASE_GRANT, ACTION_ADD, "address 201::1");
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, "its default-deny is not in place"));
	cr_assert_str_eq(pf_port_log(pf), "");
}

Test(pf_driver, loads_and_saves_nothing_that_the_check_refused)
{
	pf->failing = "-nf -";
	pf->status = 1;
	pf->err = "stdin:2: syntax error\npfctl: Syntax error in config file: pf rules not loaded";
	converge(ONE);
	cr_assert_str_eq(pf_port_rules(pf, "web", ""), "");
	cr_assert_null(pf_port_text(pf, "web", PF_CONF));
	cr_assert_str_eq(failed.v[0].text, "firewall of jail web: pfctl: stdin:2: syntax error");
}

Test(pf_driver, grants_in_batches_and_never_more_than_a_table_takes)
{
	enum { FIRST = PF_BATCH_MAX + 2, ALL = PF_TABLE_MAX + 1 };
	struct change *v = arena_alloc(arena, ALL, sizeof(*v));
	const struct change **list = arena_alloc(arena, ALL, sizeof(*list));
	const char *log;

	converge(NONE);
	pf_port_log(pf);
	for (size_t i = 0; i < ALL; i++) {
		v[i] = (struct change){ ACTION_ADD, PHASE_GRANT, KIND_FIREWALL, "web",
			arena_printf(arena, "address 201::%zx:%zx", i / 65535 + 1, i % 65535 + 1),
			NULL, "allow", NULL, 0 };
		list[i] = &v[i];
	}
	driver.ops->apply(driver.self, PHASE_GRANT, "web", list, FIRST, arena, &failed);
	no_failures();
	log = strstr(pf_port_log(pf), "-T add -f -\n");
	cr_assert_not_null(log);
	log = strstr(log + 1, "-T add -f -\n");
	cr_assert_not_null(log);
	cr_assert_null(strstr(log + 1, "-T add -f -\n"));
	read_scopes("web", NULL);
	driver.ops->apply(
		driver.self, PHASE_GRANT, "web", list + FIRST, ALL - FIRST, arena, &failed);
	cr_assert_eq(failed.n, ALL - FIRST);
	cr_assert_not_null(strstr(failed.v[0].text, "at most 65535 addresses"));
	cr_assert_str_eq(pf_port_log(pf), "");
}

Test(pf_driver, keeps_what_jailrun_wrote_but_for_its_table)
{
	const char *text = "# managed by jailrun\ntable <mesh_peers> persist { 209::9 }\n\n"
			   "pass quick inet all\n\npass out on ygg0 all\nblock in on ygg0 all\n\n"
			   "pass in on ygg0 inet6 from <mesh_peers>\n";

	pf_port_file(pf, "web", PF_CONF, text);
	cr_assert_str_eq(read_scopes("web", NULL),
		"web rules = fail-open\nweb saved rules = " CLOSED
		"\nweb saved address 209::9 = allow\n");
	converge(ONE);
	no_failures();
	cr_assert_str_eq(pf_port_text(pf, "web", PF_CONF),
		"# managed by jailrun\ntable <mesh_peers> persist { 201::1 }\n\n"
		"pass quick inet all\n\npass out on ygg0 all\nblock in on ygg0 all\n\n"
		"pass in on ygg0 inet6 from <mesh_peers>\n");
}

Test(pf_driver, never_overwrites_the_file_of_an_administrator)
{
	make_driver(PF_MANAGE_RULESET);
	pf_port_file(pf, "web", PF_CONF, ADMIN);
	converge(ONE);
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(
		failed.v[0].text, "is the administrator's, to judge by line 1, 'set skip on lo'"));
	cr_assert_str_eq(pf_port_text(pf, "web", PF_CONF), ADMIN);
	cr_assert_str_eq(pf_port_log(pf), "");
}

Test(pf_driver, says_which_lines_an_administrator_must_add)
{
	pf_port_file(pf, "web", PF_CONF, ADMIN);
	read_scopes("web", NULL);
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, PF_LINE_ANCHOR));
	cr_assert_not_null(strstr(failed.v[0].text, PF_LINE_LOAD));
	pf_port_file(pf, "web", PF_CONF, ANCHORED);
	read_scopes("web", NULL);
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, "pfctl -f /etc/pf.conf"));
}

Test(pf_driver, keeps_to_its_anchor_in_an_administrators_rules)
{
	pf_port_file(pf, "web", PF_CONF, ANCHORED);
	pf_port_enable(pf, "web", true);
	pf_port_rule(pf, "web", "", "block drop in all");
	pf_port_rule(pf, "web", "", "anchor \"jmesh\" all");
	pf_port_entry(pf, "web", "", "mesh_peers", "209::9");
	converge(ONE);
	no_failures();
	cr_assert_str_eq(pf_port_rules(pf, "web", ""), "block drop in all\nanchor \"jmesh\" all\n");
	cr_assert_str_eq(pf_port_rules(pf, "web", "jmesh"),
		"pass in quick on ygg0 inet6 from <mesh_peers> to any flags S/SA keep state\n"
		"block drop in quick on ygg0 all\n"
		"pass out quick on ygg0 all flags S/SA keep state\n");
	cr_assert_str_eq(pf_port_table(pf, "web", "jmesh", "mesh_peers"), "   201::1\n");
	cr_assert_str_eq(pf_port_table(pf, "web", "", "mesh_peers"), "   209::9\n");
	cr_assert_str_eq(pf_port_text(pf, "web", PF_CONF), ANCHORED);
	cr_assert_not_null(strstr(pf_port_text(pf, "web", PF_ANCHOR_CONF), "{ 201::1 }"));
	pf_port_log(pf);
	converge(NONE);
	cr_assert_not_null(
		strstr(pf_port_log(pf), "web$ pfctl -a jmesh -t mesh_peers -T delete -f -\n"));
}

Test(pf_driver, refuses_rules_by_which_pf_skips_the_interface)
{
	pf_port_file(pf, "web", PF_CONF, "set skip on { lo0, ygg }\n" ANCHORED);
	pf_port_enable(pf, "web", true);
	pf_port_rule(pf, "web", "", "anchor \"jmesh\" all");
	read_scopes("web", NULL);
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, "'set skip on { lo0, ygg }'"));
}

Test(pf_driver, refuses_what_is_loaded_and_passes_by_its_anchor)
{
	static const char *const let_in[] = { "rdr pass on ygg0 inet6 all -> ::1",
		"rdr pass inet6 all -> ::1", "binat pass on ! em0 inet6 all -> ::1",
		"rdr pass on tun inet6 all -> ::1",
		"rdr pass log (all, to pflog1) on ygg0 inet6 all -> ::1" };
	static const char *const harmless[] = { "rdr pass on em0 inet all -> 10.0.0.1",
		"rdr on ygg0 inet6 all -> ::1", "nat on em0 inet all -> (em0)",
		"no rdr on ygg0 inet6 all", "rdr pass log (all) on em0 inet6 all -> ::1" };

	pf_port_file(pf, "web", PF_CONF, ANCHORED);
	pf_port_enable(pf, "web", true);
	pf_port_rule(pf, "web", "", "anchor \"jmesh\" all");
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		pf_port_translation(pf, "web", harmless[i]);
	read_scopes("web", NULL);
	no_failures();
	for (size_t i = 0; i < sizeof(let_in) / sizeof(let_in[0]); i++) {
		const char *place = arena_printf(arena, "jail%zu", i);

		pf_port_translation(pf, place, let_in[i]);
		pf_port_file(pf, place, PF_CONF, ANCHORED);
		pf_port_rule(pf, place, "", "anchor \"jmesh\" all");
		read_scopes(place, NULL);
		cr_assert_eq(failed.n, 1, "%s", let_in[i]);
		cr_expect_not_null(strstr(failed.v[0].text, let_in[i]), "%s", failed.v[0].text);
	}
	pf_port_skip(pf, "web", "ygg0");
	read_scopes("web", NULL);
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, "pf skips ygg0 at this time"));
}

Test(pf_driver, refuses_a_place_that_boots_other_rules)
{
	pf->boot_file = "/usr/local/etc/pf.conf";
	read_scopes("web", NULL);
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, "run sysrc pf_rules=/etc/pf.conf"));
}

Test(pf_driver, leaves_a_file_alone_that_has_the_name_of_its_anchor)
{
	pf_port_file(pf, "web", PF_CONF, ANCHORED);
	pf_port_rule(pf, "web", "", "anchor \"jmesh\" all");
	pf_port_file(pf, "web", PF_ANCHOR_CONF, "pass all\n");
	converge(ONE);
	cr_assert_eq(failed.n, 1);
	cr_assert_not_null(strstr(failed.v[0].text, "was not written by jmesh"));
	cr_assert_str_eq(pf_port_text(pf, "web", PF_ANCHOR_CONF), "pass all\n");
}

Test(pf_driver, mends_a_file_of_its_own_that_was_edited)
{
	const char *ours;

	converge(ONE);
	ours = pf_port_text(pf, "web", PF_CONF);
	pf_port_file(pf, "web", PF_CONF, arena_printf(arena, "%spass in all\n", ours));
	pf_port_log(pf);
	converge(ONE);
	no_failures();
	cr_assert_str_eq(pf_port_text(pf, "web", PF_CONF), ours);
	cr_assert_null(strstr(pf_port_log(pf), "pfctl -f -"), "what is live was as it should be");
}

Test(pf_driver, whoever_enabled_pf_meanwhile_is_welcome)
{
	read_scopes("web", NULL);
	pf_port_enable(pf, "web", true);
	apply(PHASE_CLOSE, ACTION_CHANGE, "rules");
	no_failures();
	cr_assert_str_eq(pf_port_rules(pf, "web", ""), OURS_RULES);
}

Test(pf_driver, trusts_no_text_of_a_plan)
{
	static const char *const keys[] = { "address ::1\npass all", "address web.example",
		"address -f", "address 201::1/64", "saved address { }", "pass all" };

	converge(NONE);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		apply(keys[i][0] == 'p' ? PHASE_PROTECT : PHASE_GRANT, ACTION_ADD, keys[i]);
		cr_expect_eq(failed.n, 1, "%s", keys[i]);
		cr_expect_str_eq(pf_port_log(pf), "", "%s", keys[i]);
	}
}

Test(pf_driver, withdraws_what_it_allowed_and_keeps_the_doors_shut)
{
	struct err e = ERR_INIT;

	converge(TWO);
	pf_port_entry(pf, "web", "", "jmesh_ending", "203::3");
	pf_port_state(pf, "web", "203::3", "202::3");
	pf_port_state(pf, "web", "202::2", "202::3");
	cr_assert_eq(driver.ops->withdraw(driver.self, "web", arena, &e), 0, "%s", e.text);
	cr_assert_str_eq(pf_port_table(pf, "web", "", "mesh_peers"), "");
	cr_assert_str_eq(pf_port_table(pf, "web", "", "jmesh_ending"), "");
	cr_assert_str_eq(pf_port_states(pf, "web"), "");
	cr_assert_str_eq(pf_port_rules(pf, "web", ""), OURS_RULES);
	cr_assert_null(strstr(pf_port_text(pf, "web", PF_CONF), "{"));
	pf_port_log(pf);
	cr_assert_eq(driver.ops->withdraw(driver.self, "web", arena, &e), 0);
	cr_assert_str_eq(pf_port_log(pf), "");
}

Test(pf_driver, an_address_that_is_allowed_again_has_no_mark)
{
	converge(NONE);
	pf_port_entry(pf, "web", "", "jmesh_ending", "201::1");
	converge(ONE);
	no_failures();
	cr_assert_str_eq(pf_port_table(pf, "web", "", "jmesh_ending"), "");
	cr_assert_str_eq(pf_port_table(pf, "web", "", "mesh_peers"), "   201::1\n");
}
