/* A real sshd on a high port of loopback, with keys of its own, in the test's folder. */
#ifndef JMESH_TESTS_UNIT_SSHD_H
#define JMESH_TESTS_UNIT_SSHD_H

#include <sys/types.h>

#include "os/link.h"

struct sshd {
	pid_t pid;
	int port;
	const char *dir;      /* with what it needs, and what it says (log) */
	const char *key;      /* a private key that it takes for root */
	const char *host_key; /* its own public key, as known_hosts has it after the host */
};

/* Skips the test where there is none; fails it where it does not start. lines: more of its configuration. */
void sshd_start(struct sshd *d, const char *dir, const char *lines, struct arena *a);
void sshd_stop(struct sshd *d);

/* How to reach it. */
struct link_ssh sshd_ssh(const struct sshd *d);

#endif
