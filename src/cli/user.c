#include "cli/user.h"

#include <stdlib.h>
#include <string.h>

static const char *absolute(const char *variable)
{
	const char *path = getenv(variable);

	return path != NULL && path[0] == '/' ? path : NULL;
}

const char *user_home(void)
{
	return absolute("HOME");
}

const char *user_jrun(struct arena *a)
{
	const char *home = user_home();

	return home == NULL ? NULL : arena_printf(a, "%s/.jrun", home);
}

int user_path(const char *path, struct arena *a, const char **out, struct err *e)
{
	const char *home = user_home();

	*out = path;
	if (strncmp(path, "~/", 2) != 0)
		return 0;
	if (home == NULL)
		return err_set(
			e, ERR_CONFIG, NOWHERE, "%s: HOME is not set to an absolute path", path);
	*out = arena_printf(a, "%s%s", home, path + 1);
	return 0;
}

int user_state(const char *name, struct arena *a, const char **out, struct err *e)
{
	const char *state = absolute("XDG_STATE_HOME"), *home = user_home();

	if (state == NULL && home == NULL)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"nowhere to keep state: HOME is not set to an absolute path; give "
			"host.state_dir");
	*out = state != NULL ? arena_printf(a, "%s/jmesh/%s", state, name)
			     : arena_printf(a, "%s/.local/state/jmesh/%s", home, name);
	return 0;
}
