#include "cli/host.h"
#include "cli/render.h"

int cmd_diff(const struct options *o, struct arena *a)
{
	struct host h;
	struct view v;
	struct err e;
	int status = EXIT_ERROR;

	if (host_open(&h, o, a) < 0)
		goto out;
	if (run_look(&h.run, &v, &e) < 0) {
		host_complain(&h, &e);
		goto out;
	}
	struct render r = { stdout, o->colour_out, h.mesh.name, h.input.name, h.dns_include, a };
	struct render errors = { stderr, o->colour_err, h.mesh.name, h.input.name, h.dns_include,
		a };
	struct counts n = render_count(&v.plan);

	if (o->json)
		puts(render_json_diff(&r, &v));
	else
		render_plan(&r, &v.plan);
	render_failures(&errors, &v.failed);
	if (!o->json && v.plan.n != 0)
		printf("\n%s: %s\n", h.mesh.name, render_counts(a, &n, false));
	else if (!o->json && v.failed.n == 0)
		printf("%s: in sync\n", h.mesh.name);
	if (!o->json)
		render_notices(&r, &v.notices);
	status = v.failed.n != 0 ? EXIT_ERROR : v.plan.n != 0 ? EXIT_DIFFERENT : EXIT_OK;
out:
	host_close(&h);
	return status;
}
