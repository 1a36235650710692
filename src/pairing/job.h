/*
 * One handshake of a run: what it sends and what it makes of the answers. Nothing here waits; handshake.c sends
 * and polls.
 */
#ifndef JMESH_PAIRING_JOB_H
#define JMESH_PAIRING_JOB_H

#include "pairing/client.h"
#include "pairing/handshake.h"
#include "pairing/store.h"

enum phase { CREATING, JOINING, USING_UP, POLLING, OVER };

struct job {
	const struct handshake_want *want;
	struct handshake_result *result;
	enum phase phase;
	bool flying; /* a request is under way */
	bool asked;  /* the relay has answered in this run, and there is nothing to do but wait */
	bool gone;   /* the last poll found the code unknown */
	int64_t next_at; /* when to ask again */
	int gap;         /* until the next poll, ms */
	int64_t since;   /* the first of the tries that have failed in a row */
	unsigned tries;  /* how many those are */
	unsigned renewals;
	struct record rec; /* a plain one has no code while CREATING */
};

struct run {
	const struct handshake_conf *c;
	struct arena *arena;
	struct client *client;
	struct job *jobs;
	size_t n;
	int64_t deadline, tick_at;
	int64_t stop_at; /* interrupted: answers are taken until then; 0: go on */
	bool news;       /* something was paired */
};

/* Finds out how far it came in an earlier run, or begins it. -1: the state cannot be read or written. */
int job_begin(struct run *r, struct job *job, struct err *e);

/* The next request, where the phase is not OVER. */
struct question job_question(struct run *r, const struct job *job);

/* The relay has answered, and not that it should be asked again. */
void job_answered(struct run *r, struct job *job, const struct answer *answer);

void job_fail(struct job *job); /* its result's err says why */

/* "503: 'the first line'", or what the connection failed for. */
const char *job_reason(const struct run *r, const struct answer *answer);

/* Milliseconds around ms: between three quarters of it and a quarter more, so that many clients do not come at once. */
int job_jitter(int ms);

#endif
