#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "reconciler/diff.h"

/* "SCOPE KEY VALUE" a line, all of one kind. */
static void items_of(struct arena *a, enum item_kind kind, const char *lines, struct items *out)
{
	char *copy = arena_dup(a, lines);

	*out = (struct items){ .arena = a };
	for (char *line = copy; *line != '\0';) {
		char *end = strchr(line, '\n'), *key = strchr(line, ' '), *value;

		*end = '\0';
		*key++ = '\0';
		value = strrchr(key, ' ');
		*value++ = '\0';
		items_add(out, kind, line, key, value, NULL, 0);
		line = end + 1;
	}
	items_sort(out);
}

static const char *plan_of(struct arena *a, enum item_kind kind, const char *wanted,
	const char *observed, const char *failed)
{
	struct items want, seen;
	struct failures failures = { .arena = a };
	struct plan plan = { .arena = a };
	struct text t = text_new(a);
	struct err e = { .text = "unreadable" };

	items_of(a, kind, wanted, &want);
	items_of(a, kind, observed, &seen);
	if (failed != NULL)
		failures_add(&failures, kind, failed, NULL, 0, &e);
	diff(&want, &seen, &failures, &plan);
	for (size_t i = 0; i < plan.n; i++) {
		const struct change *c = &plan.v[i];

		text_addf(&t, "%s %s %s: %s -> %s\n", action_name(c->action), c->scope, c->key,
			c->before == NULL ? "" : c->before, c->after == NULL ? "" : c->after);
	}
	return t.s;
}

static struct arena *arena;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(diff, .init = setup, .fini = teardown);

Test(diff, of_the_same_is_empty)
{
	cr_assert_str_eq(plan_of(arena, KIND_FIREWALL, "web address 200::1 allow\n",
				 "web address 200::1 allow\n", NULL),
		"");
}

Test(diff, adds_only_what_is_missing)
{
	cr_assert_str_eq(plan_of(arena, KIND_FIREWALL,
				 "web address 200::1 allow\nweb address 200::7 allow\n",
				 "web address 200::1 allow\n", NULL),
		"add web address 200::7:  -> allow\n");
}

Test(diff, revokes_before_it_protects_and_protects_before_it_grants)
{
	cr_assert_str_eq(
		plan_of(arena, KIND_FIREWALL, "web address 200::2 allow\nweb rules default-deny\n",
			"web address 200::3 allow\nweb rules altered\n", NULL),
		"remove web address 200::3: allow -> \n"
		"change web rules: altered -> default-deny\n"
		"add web address 200::2:  -> allow\n");
}

Test(diff, changes_a_value_in_place)
{
	cr_assert_str_eq(plan_of(arena, KIND_DNS, "live a.b.jrun AAAA 200::1\n",
				 "live a.b.jrun AAAA 200::2\n", NULL),
		"change live a.b.jrun AAAA: 200::2 -> 200::1\n");
}

Test(diff, keeps_the_wanted_one_of_several_values)
{
	cr_assert_str_eq(plan_of(arena, KIND_DNS, "live a.b.jrun AAAA 200::2\n",
				 "live a.b.jrun AAAA 200::1\nlive a.b.jrun AAAA 200::2\n"
				 "live a.b.jrun AAAA 200::3\n",
				 NULL),
		"remove live a.b.jrun AAAA: 200::1 -> \n"
		"remove live a.b.jrun AAAA: 200::3 -> \n");
}

Test(diff, removes_what_is_left_when_none_of_several_values_is_wanted)
{
	cr_assert_str_eq(plan_of(arena, KIND_DNS, "live a.b.jrun AAAA 200::9\n",
				 "live a.b.jrun AAAA 200::1\nlive a.b.jrun AAAA 200::2\n", NULL),
		"remove live a.b.jrun AAAA: 200::2 -> \n"
		"change live a.b.jrun AAAA: 200::1 -> 200::9\n");
}

Test(diff, leaves_a_scope_alone_that_could_not_be_read)
{
	cr_assert_str_eq(plan_of(arena, KIND_FIREWALL,
				 "db address 200::1 allow\nweb address 200::1 allow\n", "", "web"),
		"add db address 200::1:  -> allow\n");
}

Test(diff, of_nothing_wanted_removes_everything_observed)
{
	cr_assert_str_eq(plan_of(arena, KIND_OVERLAY, "", "web node running\n", NULL),
		"remove web node: running -> \n");
}

Test(diff, closes_what_is_open_before_it_revokes)
{
	cr_assert_str_eq(plan_of(arena, KIND_FIREWALL,
				 "web address 200::2 allow\nweb boot enabled\nweb rules closed\n"
				 "web saved rules closed\nweb saved address 200::2 allow\n",
				 "web address 200::3 allow\nweb rules fail-open\n"
				 "web saved rules altered\nweb saved address 200::3 allow\n",
				 NULL),
		"change web rules: fail-open -> closed\n"
		"remove web address 200::3: allow -> \n"
		"remove web saved address 200::3: allow -> \n"
		"add web boot:  -> enabled\n"
		"change web saved rules: altered -> closed\n"
		"add web address 200::2:  -> allow\n"
		"add web saved address 200::2:  -> allow\n");
}

Test(diff, takes_back_what_is_recorded_early_and_records_late)
{
	struct plan plan = { .arena = arena };

	plan_add(&plan,
		&(struct change){ ACTION_ADD, 0, KIND_PAIRING, "office", "recorded api", NULL,
			"200::1", NULL, 0 });
	plan_add(&plan,
		&(struct change){ ACTION_REMOVE, 0, KIND_PAIRING, "gone", "recorded api", "200::2",
			NULL, NULL, 0 });
	plan_sort(&plan);
	cr_assert_eq(plan.v[0].phase, PHASE_REVOKE);
	cr_assert_eq(plan.v[0].action, ACTION_REMOVE);
	cr_assert_eq(plan.v[1].phase, PHASE_NAMES);
}
