/*
 * The relay's own Yggdrasil node: a child process through which instances behind NAT reach each other.
 * Its key is new at every start and is nowhere on disk. It has no network interface (IfName "none"), so
 * that nothing which arrives over the overlay can reach the machine: no inbound rule could deny more.
 */
#ifndef JMESH_RELAY_NODE_H
#define JMESH_RELAY_NODE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct node {
	pid_t pid;
	int log; /* its standard output and error; does not block */
	char line[1024];
	size_t len;
};

#define NODE_NONE ((struct node){ .pid = -1, .log = -1 })

enum node_event {
	NODE_NOTHING,
	NODE_LISTENS,
	NODE_REFUSES, /* it could not listen; the error has its words */
	NODE_ENDED,
};

/* Refuses what a node cannot listen on, and what does not fit into a line of its configuration. */
int node_check_uri(const char *uri, struct err *e);

/* ERR_SYSTEM where Yggdrasil is missing or too old. Returns as soon as the process runs. */
int node_start(struct node *n, const char *uri, struct err *e);

/* Passes on what it logged, line by line; call it when log can be read. */
enum node_event node_pump(struct node *n, struct err *e);

/* Ends it, with SIGKILL after 3 seconds. Harmless when it is gone or never ran. */
void node_stop(struct node *n);

#endif
