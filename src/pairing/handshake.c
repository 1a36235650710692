#include "pairing/handshake.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#include "os/clock.h"
#include "pairing/book.h"
#include "pairing/client.h"
#include "pairing/reply.h"

enum {
	TICK_MS = 100,
	POLL_FIRST_MS = 1000,
	POLL_LAST_MS = 3000,
	BACK_OFF_FIRST_MS = 500,
	BACK_OFF_LAST_MS = 5000,
	/* A relay that fails is given this long and so many tries, also when nobody wants to wait;
	 * one that is merely slow takes its tries longer. */
	PATIENCE_MS = 5000,
	PATIENCE_SLOW_MS = 20000,
	TRIES_LEAST = 3,
	/* A relay that asks for longer (Retry-After) is asked again after this. */
	ASKED_LAST_S = 60,
	/* A relay that forgets codes as fast as it makes them is broken. */
	RENEWALS_MAX = 3,
	/* What a user who interrupts us waits for answers that are on their way. */
	GRACE_MS = 1000,
	KEY_BYTES = 16,
};

enum phase { CREATING, JOINING, POLLING, OVER };

struct job {
	const struct handshake_want *want;
	struct handshake_result *result;
	enum phase phase;
	bool flying; /* a request is under way */
	bool asked;  /* the relay has answered in this run, and there is nothing to do but wait */
	bool gone;   /* the last poll found the code unknown */
	int64_t next_at; /* when to ask again */
	int gap;         /* until the next poll or try, ms */
	int64_t since;   /* the first of the tries that have failed in a row */
	unsigned tries;  /* how many those are */
	unsigned renewals;
	struct record rec; /* code is NULL while CREATING */
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

static void fail(struct job *job)
{
	job->result->status = HANDSHAKE_FAILED;
	job->phase = OVER;
}

static void succeed(struct run *r, struct job *job, const struct roster *roster)
{
	job->result->status = HANDSHAKE_PAIRED;
	job->result->roster = *roster;
	job->phase = OVER;
	r->news = true;
}

/* Between three quarters of it and a quarter more, so that many clients do not come at once. */
static int jitter(int ms)
{
	return ms - ms / 4 + (int)randombytes_uniform((uint32_t)(ms / 2) + 1);
}

static void wait_for_joiner(struct run *r, struct job *job, bool resumed)
{
	job->phase = POLLING;
	job->gap = POLL_FIRST_MS;
	job->gone = false;
	job->result->code = job->rec.code;
	if (r->c->on_code != NULL)
		r->c->on_code(r->c->ctx, job->want->peer, job->rec.code, resumed);
}

/* Goes on with what the files had: our own record or another run's. */
static void adopt(struct run *r, struct job *job, const struct page *page, bool resumed)
{
	if (page->found == BOOK_PAIRED) {
		succeed(r, job, &page->roster);
		return;
	}
	job->rec = page->rec;
	if (job->want->role == HANDSHAKE_JOIN)
		job->phase = JOINING;
	else
		wait_for_joiner(r, job, resumed);
}

static struct record fresh_record(const struct run *r, const struct job *job, const char *code)
{
	return (struct record){
		.peer = job->want->peer,
		.role = job->want->role,
		.relay = r->c->relay_url,
		.code = code,
		.told = roster_digest(r->c->ours, r->arena),
		.created_at = time(NULL),
	};
}

/* A join is recorded before it is sent: what it obtains can be asked for again with the same key. */
static int prepare_join(struct run *r, struct job *job, struct err *e)
{
	unsigned char key[KEY_BYTES];
	char *hex = arena_alloc(r->arena, 2 * KEY_BYTES + 1, 1);
	struct record rec = fresh_record(r, job, job->want->code);
	struct page page;

	randombytes_buf(key, sizeof(key));
	rec.key = sodium_bin2hex(hex, 2 * KEY_BYTES + 1, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
	rec.sent = roster_format(r->c->ours, r->arena);
	if (book_record(r->c, job->want, &rec, r->arena, &page, e) < 0)
		return -1;
	adopt(r, job, &page, true);
	return 0;
}

/* -1: the state cannot be read or written. */
static int begin(struct run *r, struct job *job, struct err *e)
{
	struct handshake_result *result = job->result;
	struct page page;

	if (job->want->role == HANDSHAKE_JOIN &&
		(job->want->code == NULL || !code_is_valid(job->want->code))) {
		err_set(&result->err, ERR_CONFIG, NOWHERE,
			"'%s' is not a code (1 to 64 of letters, digits and '-')",
			job->want->code == NULL ? "" : job->want->code);
		fail(job);
		return 0;
	}
	if (book_look(r->c, job->want, r->arena, &page, e) < 0)
		return -1;
	if (page.found != BOOK_NOTHING) {
		adopt(r, job, &page, true);
		return 0;
	}
	if (r->c->ours->n == 0 || r->c->ours->n > ROSTER_JAILS_MAX) {
		err_set(&result->err, ERR_CONFIG, NOWHERE,
			"this instance has %zu jails to tell the peer; a roster has 1 to %d",
			r->c->ours->n, ROSTER_JAILS_MAX);
		fail(job);
		return 0;
	}
	if (job->want->role == HANDSHAKE_JOIN)
		return prepare_join(r, job, e);
	job->phase = CREATING;
	return 0;
}

static void ask(struct run *r, struct job *job)
{
	struct question q = { .path = "/pair" };

	if (job->phase != CREATING)
		q.path = arena_printf(r->arena, "/pair/%s", job->rec.code);
	if (job->phase == CREATING) {
		job->rec = fresh_record(r, job, NULL);
		q.body = roster_format(r->c->ours, r->arena);
	} else if (job->phase == JOINING) {
		q.body = job->rec.sent;
		q.header = "Idempotency-Key";
		q.word = job->rec.key;
	} else if (job->rec.token != NULL) {
		q.header = "Authorization";
		q.word = arena_printf(r->arena, "Bearer %s", job->rec.token);
	}
	if (job->tries == 0)
		job->since = clock_ms();
	if (client_ask(r->client, &q, job, &job->result->err) < 0)
		fail(job);
	else
		job->flying = true;
}

static void created(struct run *r, struct job *job, const struct answer *answer)
{
	struct err *e = &job->result->err;
	struct page page;

	if (reply_created(answer->body, answer->len, r->arena, &job->rec.code, &job->rec.token, e) <
		0) {
		err_wrap(e, "relay %s", r->c->relay_url);
		fail(job);
	} else if (book_record(r->c, job->want, &job->rec, r->arena, &page, e) < 0) {
		fail(job);
	} else {
		job->asked = true;
		adopt(r, job, &page,
			page.found == BOOK_PENDING && strcmp(page.rec.code, job->rec.code) != 0);
		job->next_at = clock_ms() + jitter(POLL_FIRST_MS);
	}
}

/*
 * The code is used up, or its roster will be refused for ever: says how to get another one. A join goes
 * on with the code that it is told; a creator goes on with its own until that is forgotten.
 */
static void refuse(struct run *r, struct job *job)
{
	struct err *e = &job->result->err;
	struct err was = *e;

	/* Names in a roster may be long enough to push the advice out. */
	err_set(e, was.code, was.at, "%.600s%s; %s", was.text, strlen(was.text) > 600 ? "..." : "",
		job->want->role == HANDSHAKE_JOIN
			? "ask for a new code"
			: arena_printf(r->arena,
				  "run jmesh teardown --peer %s --forget and pair again",
				  job->want->peer));
	fail(job);
}

static void obtained(struct run *r, struct job *job, const struct roster *theirs)
{
	struct err *e = &job->result->err;
	struct page page;

	if (book_obtained(r->c, job->want, &job->rec, theirs, r->arena, &page, e) == 0)
		succeed(r, job, &page.roster);
	else if (e->code == ERR_REMOTE)
		refuse(r, job);
	else
		fail(job);
}

static void polled(struct run *r, struct job *job, const struct answer *answer)
{
	struct err *e = &job->result->err;
	struct roster theirs;
	bool joined;

	if (reply_polled(answer->body, answer->len, r->arena, &joined, &theirs, e) < 0) {
		err_wrap(e, "relay %s", r->c->relay_url);
		if (joined)
			refuse(r, job);
		else
			fail(job);
	} else if (joined) {
		obtained(r, job, &theirs);
	} else {
		job->asked = true;
		job->gone = false;
		job->next_at = clock_ms() + jitter(job->gap);
		job->gap = job->gap * 3 / 2 > POLL_LAST_MS ? POLL_LAST_MS : job->gap * 3 / 2;
	}
}

static void joined(struct run *r, struct job *job, const struct answer *answer)
{
	struct err *e = &job->result->err;
	struct roster theirs;

	if (roster_parse(answer->body, answer->len, r->arena, &theirs, e) < 0) {
		err_wrap(e, "relay %s", r->c->relay_url);
		refuse(r, job);
	} else {
		obtained(r, job, &theirs);
	}
}

/*
 * The code we poll is not known any more. Perhaps another run has just read the answer and is about to
 * write it down, so the first time we only look there and ask once more; the second time it has expired.
 */
static void poll_unknown(struct run *r, struct job *job)
{
	struct err *e = &job->result->err;
	struct page page;
	int rc = job->gone ? book_forget(r->c, job->want, &job->rec, r->arena, &page, e)
			   : book_look(r->c, job->want, r->arena, &page, e);

	job->asked = false;
	job->next_at = clock_ms() + (job->gone ? 0 : POLL_FIRST_MS);
	if (rc < 0) {
		fail(job);
	} else if (page.found == BOOK_PAIRED ||
		(page.found == BOOK_PENDING && strcmp(page.rec.code, job->rec.code) != 0)) {
		adopt(r, job, &page, true);
	} else if (!job->gone) {
		job->gone = true;
	} else if (++job->renewals > RENEWALS_MAX) {
		err_set(e, ERR_REMOTE, NOWHERE, "relay %s forgets pairings as soon as it made them",
			r->c->relay_url);
		fail(job);
	} else {
		job->phase = CREATING;
		job->result->code = NULL;
	}
}

static void join_unknown(struct run *r, struct job *job)
{
	struct err *e = &job->result->err;
	struct page page;

	if (book_forget(r->c, job->want, &job->rec, r->arena, &page, e) < 0) {
		fail(job);
	} else if (page.found == BOOK_PAIRED) {
		succeed(r, job, &page.roster);
	} else {
		err_set(e, ERR_REMOTE, NOWHERE,
			"the code '%s' is unknown, expired or used; ask for a new one",
			job->rec.code);
		fail(job);
	}
}

/* "503: 'the first line'", or what the connection failed for. */
static const char *reason(const struct run *r, const struct answer *answer)
{
	const char *line = reply_line(answer->body, answer->len, r->arena);

	if (answer->status == 0)
		return answer->why;
	if (line[0] == '\0')
		return arena_printf(r->arena, "%ld", answer->status);
	return arena_printf(r->arena, "%ld: '%s'", answer->status, line);
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
			reason(r, answer), answer->retry_after);
		fail(job);
		return;
	}
	job->next_at = now + jitter(wait);
	if (job->next_at <= give_up ||
		(job->tries < TRIES_LEAST && now - job->since < PATIENCE_SLOW_MS))
		return;
	err_set(&job->result->err, ERR_REMOTE, NOWHERE, "relay %s %s %s; tried %u times in %d s",
		r->c->relay_url, answer->status == 0 ? "cannot be reached:" : "answers",
		reason(r, answer), job->tries, (int)((now - job->since + 500) / 1000));
	fail(job);
}

static void answered(struct run *r, const struct answer *answer)
{
	struct job *job = answer->whose;
	struct err *e = &job->result->err;

	job->flying = false;
	if (answer->again) {
		again(r, job, answer);
		return;
	}
	job->tries = 0;
	if (answer->status == 200 || answer->status == 201) {
		if (job->phase == CREATING)
			created(r, job, answer);
		else if (job->phase == JOINING)
			joined(r, job, answer);
		else
			polled(r, job, answer);
	} else if (answer->status == 404 && job->phase == POLLING) {
		poll_unknown(r, job);
	} else if (answer->status == 404 && job->phase == JOINING) {
		join_unknown(r, job);
	} else {
		err_set(e, ERR_REMOTE, NOWHERE, "relay %s %s %s%s", r->c->relay_url,
			answer->status == 0 ? "cannot be used:" : "answers", reason(r, answer),
			answer->status >= 300 && answer->status < 400
				? " (a redirection is not followed; correct relay.url)"
				: "");
		fail(job);
	}
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
		if (begin(&r, &r.jobs[i], e) < 0)
			goto out;
	}
	r.deadline = clock_ms() + (int64_t)wait_s * 1000;
	rc = work(&r, e);
out:
	client_free(r.client);
	return rc;
}
