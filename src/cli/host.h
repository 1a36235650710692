/* From the command line to a run: the mesh file, the platform, the drivers and the hooks. */
#ifndef JMESH_CLI_HOST_H
#define JMESH_CLI_HOST_H

#include <signal.h>
#include <stdint.h>

#include "cli/cli.h"
#include "os/statelock.h"
#include "platform/platform.h"
#include "reconciler/run/run.h"

struct host {
	const struct options *options;
	struct mesh mesh;
	struct input input;
	struct port port;
	const char *state_dir, *lock_path;
	const char *dns_include;
	struct run run;
	struct run_hooks hooks;
	struct statelock statelock;
	bool locked;       /* it was held before */
	bool pairs_not;    /* no handshake is run: what one needs may be missing */
	bool tears_down;   /* those who wait for a pairing must not bring back what goes */
	struct strs shown; /* codes that this run has shown */
	int64_t deadline;  /* clock_ms() when waiting for pairings ends; 0 until it has begun */
};

/* Reads and checks the mesh file and opens what it needs; changes nothing. It has said what is wrong. */
int host_open(struct host *h, const struct options *o, struct arena *a);
void host_close(struct host *h);

/* SIGINT or SIGTERM has come; 0: none, else the signal. */
int host_signal(void);

/* Says err, with the place in the mesh file where it has one. Returns EXIT_ERROR. */
int host_complain(const struct host *h, const struct err *e);

#endif
