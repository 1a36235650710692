/*
 * Platform jailrun: the FreeBSD machine that Jailrun runs for this user, reached by ssh as Jailrun itself
 * reaches it. Keys, configurations and daemons of its nodes are Jailrun's. Needs no root here.
 */
#ifndef JMESH_PLATFORM_JAILRUN_H
#define JMESH_PLATFORM_JAILRUN_H

#include "base/jailrun.h"
#include "platform/platform.h"

/* As struct platform's open; conf->jrun says where Jailrun keeps its state. */
int jailrun_open(
	struct port *out, const struct platform_conf *conf, struct arena *a, struct err *e);

/* Whether this user has a Jailrun at all: JRUN/state.json is there. */
bool jailrun_is_here(const char *jrun);

/* Jailrun's state in JRUN, under Jailrun's own lock. It lives in the arena; nothing is opened yet. */
void jailrun_store(struct jailrun_store *out, const char *jrun, struct arena *a);

/* Reads the state. ERR_CONFIG with the file's name when there is none or it is refused. */
int jailrun_load(const struct jailrun_store *store, struct arena *a, struct jailrun_state *out,
	struct err *e);

#endif
