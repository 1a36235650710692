/* A relay to be hostile to, and what must hold of it afterwards. */
#ifndef JMESH_TESTS_RELAY_HOSTILE_H
#define JMESH_TESTS_RELAY_HOSTILE_H

#include "relay_lab.h"

struct victim {
	struct relay relay, admin;
	long files;       /* open before anything came */
	long long memory; /* taken then, by its own account */
	long resident;    /* KiB then */
};

struct victim victim_up(struct relay_conf conf);

/*
 * A client is served at once, whatever is open; sooner or later there are so many pairings, and no file,
 * connection or memory more than before.
 */
void expect_served(const struct victim *v);
void expect_recovered(const struct victim *v, long pairings);
void victim_down(struct victim *v);

long gauge_of(const struct victim *v, const char *name);

/* Each call gives another address of loopback, so that no limit of one address is met. */
const char *other_address(void);

#endif
