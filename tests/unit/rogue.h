/* A relay for tests: honest, plain as Jailrun's, or as rogue as a test wants it. HTTP over a loopback port. */
#ifndef JMESH_TESTS_ROGUE_H
#define JMESH_TESTS_ROGUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pairing {
	char code[32], token[32];
	char made_by[64], key[64]; /* the keys of who created and of who joined */
	char creator[8192], joiner[8192];
	bool joined, read;
};

struct rogue {
	int fd;
	char url[64];
	pthread_t thread;
	pthread_mutex_t mutex;

	/* How it behaves. */
	bool plain; /* knows no tokens and no keys: Jailrun's */
	bool (*answer)(struct rogue *r, const char *request, char *out, size_t size);
	/* raw bytes for a request; false: as the honest one would */
	const char *raw; /* for answer functions */
	size_t cut;      /* this many bytes of an answer are sent, once, then it hangs up; 0: all */
	unsigned fails;  /* so many requests are answered with status first */
	int status;
	bool drip;        /* a byte every 50 ms */
	pid_t victim;     /* killed ... */
	unsigned kill_at; /* at this request, from 1 ... */
	bool kill_after;  /* after it was answered, not before it was carried out */

	/* What happened. */
	unsigned requests, posts;
	char last[16384];
	struct pairing pairings[64];
	size_t n;
};

void rogue_start(struct rogue *r);
void rogue_stop(struct rogue *r);

#endif
