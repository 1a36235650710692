/* The relay under load: a process of its own, and what is seen of it from outside. */
#ifndef JMESH_TESTS_LOAD_PROCESS_H
#define JMESH_TESTS_LOAD_PROCESS_H

struct process;

/* argv serves on port 0 and has an admin listener. Ends the program where it does not start. */
struct process *process_start(const char *const *argv);

int process_port(const struct process *p);
long process_resident(const struct process *p); /* KiB */
long process_files(const struct process *p);    /* open ones */

/* The value of a sample of /metrics. */
long process_gauge(const struct process *p, const char *name);

/* SIGTERM. Whether it ended with 0 and had said nothing but what a relay says; frees p. */
int process_stop(struct process *p);

#endif
