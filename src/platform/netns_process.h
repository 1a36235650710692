/*
 * Which process is a node. A pid alone proves nothing: it may be another's by now. So the pid file has
 * the process's start time too (proc(5), /proc/PID/stat field 22), and the process must be
 * `yggdrasil -useconffile CONF` with the node's own configuration.
 */
#ifndef JMESH_PLATFORM_NETNS_PROCESS_H
#define JMESH_PLATFORM_NETNS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* Jiffies between boot and the start of a process that lives; 0: it does not (a zombie neither). */
unsigned long long process_start(pid_t pid);

/* Writes "PID START\n" of the calling process. */
int process_record(const char *pid_file, struct err *e);

/*
 * The node's process; 0: it does not run. Where the pid file is missing or tells of none, every
 * process is looked at, but then it counts only in the namespace space (a descriptor; -1: none), as
 * another machine's processes may be visible from here.
 */
pid_t process_find(const char *pid_file, const char *conf, int space, struct arena *a);

/* Whether it is in that namespace. */
bool process_is_in(pid_t pid, int space);

/* The addresses on which the process itself listens by TCP, sorted. */
int process_listening(pid_t pid, struct arena *a, struct strs *out, struct err *e);

/* SIGTERM, SIGKILL after grace_ms; 0 when it is gone. Nothing is sent to a process that is not conf's. */
int process_stop(pid_t pid, const char *conf, int grace_ms, struct err *e);

#endif
