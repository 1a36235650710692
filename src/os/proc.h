/* Runs programs side by side (the `run` of a port). */
#ifndef JMESH_OS_PROC_H
#define JMESH_OS_PROC_H

#include "os/spawn.h"

struct proc_conf {
	int limit_ms;   /* for each program, from its own start */
	size_t out_max; /* bytes of standard output */
	spawn_enter *enter;
	void *ctx;
};

#define PROC_CONF ((struct proc_conf){ .limit_ms = 30000, .out_max = (size_t)64 << 20 })

/*
 * Runs n commands, up to 16 at a time; outs[i] answers cmds[i] as struct output tells. A program that
 * takes longer or says more than it may is killed with its process group, and has status -1. A signal
 * to us, Ctrl-C also, does not reach the programs. A SIGCHLD that was ignored no longer is.
 */
void proc_run(const struct command *cmds, size_t n, const struct proc_conf *conf, struct arena *a,
	struct output *outs);

#endif
