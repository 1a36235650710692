/*
 * Clients of a relay, in one thread: each has a connection of its own and one request under way. What is
 * answered is compared with what must be; anything else ends the program.
 */
#ifndef JMESH_TESTS_LOAD_CLIENT_H
#define JMESH_TESTS_LOAD_CLIENT_H

#include <stddef.h>
#include <stdint.h>

enum { CODE_MAX = 64, TOKEN = 32 };

/* A pairing that stays open: nobody joins it. */
struct kept {
	char code[CODE_MAX], token[TOKEN + 1];
};

struct crowd;

/* kept: n_kept of them, which crowd_fill creates and the others poll; it is the caller's. */
struct crowd *crowd_new(int port, unsigned clients, struct kept *kept, size_t n_kept);
void crowd_free(struct crowd *c);

/* Creates what is to be kept. */
void crowd_fill(struct crowd *c);

/* Creates, joins and reads so many, and does no more with them. */
void crowd_warm(struct crowd *c, uint64_t pairings);

/* All that there is to do, until that clock_ms. */
void crowd_run(struct crowd *c, int64_t until);

/* Ends what is under way, polls all that was kept once more, and closes the connections. */
void crowd_finish(struct crowd *c);

uint64_t crowd_requests(const struct crowd *c); /* answered since the start */
uint64_t crowd_pairings(const struct crowd *c); /* created, joined and read since the start */

#endif
