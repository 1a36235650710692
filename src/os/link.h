/*
 * How programs of the machine that has the jails are run: as our own children, or through ssh(1).
 *
 * Through ssh there is one connection and one sh(1) at its other end, which is handed a batch of commands
 * on its standard input and answers with what they printed. A batch is one compound command, so that a
 * connection that breaks in the middle of one runs nothing of it. The user's own configuration and
 * known_hosts hold; nothing is ever asked at the terminal.
 */
#ifndef JMESH_OS_LINK_H
#define JMESH_OS_LINK_H

#include <stdbool.h>

#include "base/port.h"

enum link_become { LINK_BECOME_NONE, LINK_BECOME_DOAS, LINK_BECOME_SUDO };

/* All of it must outlive the link. */
struct link_ssh {
	const char *target; /* "user@host" or a host of the user's configuration */
	int port;           /* 0: as configured */
	const char *key;    /* a private key's file, or NULL: as configured */
	enum link_become become;
	bool ephemeral; /* the host makes a new key at every start: any is taken, on loopback only */
};

struct link;

/*
 * ssh NULL: this machine. Nothing is started before the first command. The link lives in the arena and
 * must be closed.
 */
struct link *link_open(const struct link_ssh *ssh, struct arena *a);
void link_close(struct link *l);

/*
 * As the run of a port; the commands' jail is not looked at. A batch is one round trip. Input must have
 * no NUL through ssh. -1: the machine cannot be reached, or the connection was lost; the error says which,
 * with ssh's own words. After a loss the next call connects anew; where that fails, all later calls fail at once,
 * until the link is closed.
 */
int link_run(struct link *l, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e);

/* -1: the machine could not be reached, and is not tried again; the error is that of the try. */
int link_reached(const struct link *l, struct err *e);

/* Round trips so far. */
size_t link_trips(const struct link *l);

#endif
