#include <criterion/criterion.h>

#include "tests/unit/world.h"

/* A round trip may be one through ssh. */
Test(rounds, a_look_at_the_nodes_of_a_host_takes_two)
{
	struct arena *a = arena_new();
	struct world *w = world_new(a,
		"version: 1\nname: m\njails:\n  - name: web\n  - name: db\n  - name: mail\n"
		"dns:\n  server: none\n");
	struct report done;
	struct view v;
	struct err e;

	world_apply(w, RUN_PAIR_NOT, &done);
	yggdrasil_identity_driver(w->run.yggdrasil, &w->run.identity);
	yggdrasil_overlay_driver(w->run.yggdrasil, &w->run.overlay);
	w->files->n_looks = 0;
	cr_assert_eq(run_look(&w->run, &v, &e), 0, "%s", e.text);
	cr_expect_eq(w->files->n_looks, 2, "%u", w->files->n_looks);
	cr_expect_eq(v.n_ours, 4);
	arena_free(a);
}
