/* One program of ours, started with its ends in our hands. proc.h is what the others use. */
#ifndef JMESH_OS_SPAWN_H
#define JMESH_OS_SPAWN_H

#include <sys/types.h>

#include "base/port.h"

/* Why a program that was not found did not run. */
#define SPAWN_NO_PROGRAM "no such program (is it installed?)"

/*
 * Takes the child to where the command runs (jail, or NULL for the host). It is called in the child,
 * between fork and exec, so that the caller itself never goes anywhere. -1: the error says why not.
 */
typedef int spawn_enter(void *ctx, const char *jail, struct err *e);

struct spawned {
	pid_t pid;    /* leads a process group of its own */
	int out, err; /* its standard output and error; do not block */
	int note;     /* after its end: why it did not run; nothing to read when it did */
};

/*
 * Standard input is a file that is whole before the program starts: were it a pipe, our sudden end
 * would hand the program the first half of a ruleset as if it were all. LC_ALL is C. Nothing of
 * ours is inherited: every descriptor of jmesh closes on exec. enter may be NULL.
 */
int spawn(
	const struct command *c, spawn_enter *enter, void *ctx, struct spawned *out, struct err *e);

/*
 * A program of this machine that is talked to: *in is the writing end of a pipe to its standard input and
 * does not block. It has no terminal, leads a session of its own, and is told to end (SIGTERM) when we
 * end, however that happens, where the system can do that.
 */
int spawn_session(const char *const *argv, struct spawned *out, int *in, struct err *e);

/*
 * Becomes the program: looked up in PATH, then in the sbin folders, which the PATH of cron and of a
 * plain user lacks. Returns only to say why not, without the program's name.
 */
int spawn_exec(const char *const *argv, struct err *e);

/* No signal blocked or ignored, no handler: for a child, before exec. */
void spawn_reset_signals(void);

/* The same descriptor, 3 or higher and closing on exec; -1 with errno set. The given one is closed. */
int spawn_high_fd(int fd);

/* A pipe of such descriptors; -1 with errno set. */
int spawn_pipe(int ends[2]);

#ifdef __linux__
/* An empty file in memory that has no name (linux_memfd.c). */
int linux_memfd(void);
#endif

#endif
