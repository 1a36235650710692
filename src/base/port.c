#include "base/port.h"

#include <string.h>

const char *port_place(const char *scope)
{
	return strcmp(scope, HOST_NODE) == 0 ? NULL : scope;
}

int port_failed(const char *program, const struct output *out, struct err *e)
{
	size_t line = out->err == NULL ? 0 : strcspn(out->err, "\n");

	if (line != 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s: %.*s", program, (int)line, out->err);
	return err_set(e, ERR_SYSTEM, NOWHERE, "%s exited with %d", program, out->status);
}

int port_run(const struct port *p, const char *jail, const char *const *argv, const char *input,
	struct arena *a, struct output *out, struct err *e)
{
	struct command c = {
		.jail = jail,
		.argv = argv,
		.input = input,
		.input_len = input == NULL ? 0 : strlen(input),
	};

	if (p->ops->run(p->self, &c, 1, a, out, e) < 0)
		return -1;
	if (out->status != 0)
		return port_failed(argv[0], out, e);
	return 0;
}
