/* What a run asks of the command line: the lock file, the state lock, codes and handshakes. */
#ifndef JMESH_CLI_HOOKS_H
#define JMESH_CLI_HOOKS_H

struct host;

/* Fills host->hooks; the host is their context and must outlive them. */
void hooks_fill(struct host *h);

#endif
