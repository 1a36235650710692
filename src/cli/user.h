/* What is the user's own on this machine, by the environment. */
#ifndef JMESH_CLI_USER_H
#define JMESH_CLI_USER_H

#include "base/arena.h"
#include "base/err.h"

/* HOME, where it is an absolute path; else NULL. */
const char *user_home(void);

/* ~/.jrun, Jailrun's folder; NULL without a home. */
const char *user_jrun(struct arena *a);

/* The path with a "~/" at its beginning replaced by the home. ERR_CONFIG without a home. */
int user_path(const char *path, struct arena *a, const char **out, struct err *e);

/*
 * Where this user's state of one name is kept: $XDG_STATE_HOME/jmesh/NAME, else ~/.local/state/jmesh/NAME (XDG
 * Base Directory Specification). ERR_CONFIG without a home.
 */
int user_state(const char *name, struct arena *a, const char **out, struct err *e);

#endif
