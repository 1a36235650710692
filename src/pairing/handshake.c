#include "pairing/handshake.h"

#include <sodium.h>
#include <string.h>

#include "os/clock.h"
#include "pairing/job.h"

enum {
	TICK_MS = 100,
	BACK_OFF_FIRST_MS = 500,
	BACK_OFF_LAST_MS = 5000,
	/* A relay that fails is given this long and so many tries, also when nobody wants to wait;
	 * one that is merely slow takes its tries longer. */
	PATIENCE_MS = 5000,
	PATIENCE_SLOW_MS = 20000,
	TRIES_LEAST = 3,
	/* A relay that asks for longer (Retry-After) is asked again after this. */
	ASKED_LAST_S = 60,
	/* What a user who interrupts us waits for answers that are on their way. */
	GRACE_MS = 1000,
};

static void ask(struct run *r, struct job *job)
{
	struct question q = job_question(r, job);

	if (job->tries == 0)
		job->since = clock_ms();
	if (client_ask(r->client, &q, job, &job->result->err) < 0)
		job_fail(job);
	else
		job->flying = true;
}

/* The relay says when: not before that, and not after give_up; false where both cannot be. */
static bool ask_when_told(struct job *job, int retry_after, int64_t now, int64_t give_up)
{
	int ms = (retry_after > ASKED_LAST_S ? ASKED_LAST_S : retry_after) * 1000;

	if (now + ms > give_up)
		return false;
	job->next_at = now + ms + randombytes_uniform((uint32_t)(ms / 4) + 1);
	if (job->next_at > give_up)
		job->next_at = give_up;
	return true;
}

/* The relay is down, slow or busy: asks later, or gives up. */
static void again(struct run *r, struct job *job, const struct answer *answer)
{
	int64_t now = clock_ms(), give_up = job->since + PATIENCE_MS;
	int wait;

	job->tries++;
	wait = BACK_OFF_FIRST_MS << (job->tries > 4 ? 4 : job->tries - 1);
	wait = wait > BACK_OFF_LAST_MS ? BACK_OFF_LAST_MS : wait;
	if (give_up < r->deadline)
		give_up = r->deadline;
	if (answer->retry_after * 1000 > wait) {
		if (ask_when_told(job, answer->retry_after, now, give_up))
			return;
		err_set(&job->result->err, ERR_REMOTE, NOWHERE,
			"relay %s answers %s; it asks to be tried again in %d s", r->c->relay_url,
			job_reason(r, answer), answer->retry_after);
		job_fail(job);
		return;
	}
	job->next_at = now + job_jitter(wait);
	if (job->next_at <= give_up ||
		(job->tries < TRIES_LEAST && now - job->since < PATIENCE_SLOW_MS))
		return;
	err_set(&job->result->err, ERR_REMOTE, NOWHERE, "relay %s %s %s; tried %u times in %d s",
		r->c->relay_url, answer->status == 0 ? "cannot be reached:" : "answers",
		job_reason(r, answer), job->tries, (int)((now - job->since + 500) / 1000));
	job_fail(job);
}

static void answered(struct run *r, const struct answer *answer)
{
	struct job *job = answer->whose;

	job->flying = false;
	if (answer->again) {
		again(r, job, answer);
		return;
	}
	job->tries = 0;
	job_answered(r, job, answer);
}

/* Whether the job may send something now or later in this run. */
static bool is_due(const struct run *r, const struct job *job, int64_t now)
{
	if (job->phase == OVER || job->flying || r->news || r->stop_at != 0)
		return false;
	return !job->asked || now < r->deadline;
}

static void tick(struct run *r, int64_t now)
{
	int64_t left = r->deadline > now ? (r->deadline - now + 999) / 1000 : 0;
	size_t waiting = 0;

	if (r->c->on_tick == NULL || now < r->tick_at || r->stop_at != 0)
		return;
	r->tick_at = now + TICK_MS;
	for (size_t i = 0; i < r->n; i++)
		waiting += r->jobs[i].phase != OVER;
	if (r->c->on_tick(r->c->ctx, waiting, (int)left))
		r->stop_at = now + GRACE_MS;
}

/*
 * Until nothing is under way and nothing is to be sent. Answers that are on their way are waited for:
 * a plain relay deletes a pairing with the answer to the first GET.
 */
static int work(struct run *r, struct err *e)
{
	for (;;) {
		int64_t now = clock_ms(), wait = TICK_MS;
		struct answer answer;
		bool due = false;

		for (size_t i = 0; i < r->n; i++) {
			struct job *job = &r->jobs[i];

			if (is_due(r, job, now) && job->next_at <= now)
				ask(r, job);
			if (!is_due(r, job, now))
				continue;
			due = true;
			if (job->next_at - now < wait)
				wait = job->next_at - now;
		}
		tick(r, now);
		if (r->stop_at != 0 && (client_busy(r->client) == 0 || now >= r->stop_at))
			return err_set(e, ERR_INTERRUPTED, NOWHERE, "interrupted");
		if (!due && client_busy(r->client) == 0)
			return 0;
		if (client_work(r->client, (int)(wait < 1 ? 1 : wait), e) < 0)
			return -1;
		while (client_answer(r->client, r->arena, &answer))
			answered(r, &answer);
	}
}

int handshake_run(const struct handshake_conf *c, const struct handshake_want *wants, size_t n,
	int wait_s, struct arena *a, struct handshake_result *results, struct err *e)
{
	struct client_conf conf = { .url = c->relay_url, .ca_file = c->ca_file };
	struct run r = { .c = c, .arena = a, .n = n };
	int rc = -1;

	if (sodium_init() < 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "libsodium does not start");
	for (size_t i = 0; i < n; i++)
		results[i] = (struct handshake_result){ .status = HANDSHAKE_WAITING };
	if (client_new(&r.client, &conf, e) < 0)
		return -1;
	r.jobs = arena_alloc(a, n, sizeof(*r.jobs));
	for (size_t i = 0; i < n; i++) {
		r.jobs[i] = (struct job){ .want = &wants[i], .result = &results[i] };
		if (job_begin(&r, &r.jobs[i], e) < 0)
			goto out;
	}
	r.deadline = clock_ms() + (int64_t)wait_s * 1000;
	rc = work(&r, e);
out:
	client_free(r.client);
	return rc;
}
