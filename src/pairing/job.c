#include "pairing/job.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#include "os/clock.h"
#include "os/dice.h"
#include "pairing/book.h"
#include "pairing/reply.h"

enum {
	POLL_FIRST_MS = 1000,
	POLL_LAST_MS = 3000,
	/* A relay that forgets codes as fast as it makes them is broken. */
	RENEWALS_MAX = 3,
	/*
	 * A rendezvous that is taken and cannot be joined is one that was used: it goes within a minute. Each try
	 * costs two wrong codes, and both sides may have one address; in a minute that is about what a relay lets
	 * pass (limit.h).
	 */
	TAKEN_MS = 20000,
	/* A pairing that was used up goes within that time. */
	USED_MS = 60000,
	/* No relay keeps a pairing longer. */
	STALE_S = 24 * 3600,
};

void job_fail(struct job *job)
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

int job_jitter(int ms)
{
	return ms - ms / 4 + (int)randombytes_uniform((uint32_t)(ms / 2) + 1);
}

static void wait_for_joiner(struct run *r, struct job *job, bool resumed)
{
	char text[PASS_TEXT];

	job->phase = POLLING;
	job->gap = POLL_FIRST_MS;
	job->gone = false;
	if (job->want->role == HANDSHAKE_RENDEZVOUS)
		return;
	job->result->code = job->rec.code;
	if (job->rec.sealed) {
		pass_format(job->rec.code, &job->rec.secret, text);
		job->result->code = arena_dup(r->arena, text);
	}
	if (r->c->on_code != NULL)
		r->c->on_code(r->c->ctx, job->want->peer, job->result->code, resumed);
}

static void confirm(struct run *r, struct job *job, const struct roster *theirs);
static void come_back(struct run *r, struct job *job);

/* A roster that came in an earlier run, and nobody said yes to it. */
static void confirm_again(struct run *r, struct job *job)
{
	struct err *e = &job->result->err;
	struct roster theirs;

	if (roster_parse(job->rec.got, strlen(job->rec.got), r->arena, &theirs, e) < 0)
		job_fail(job);
	else
		confirm(r, job, &theirs);
}

/* Goes on with what the files had: our own record or another run's. */
static void adopt(struct run *r, struct job *job, const struct page *page, bool resumed)
{
	if (page->found == BOOK_PAIRED) {
		succeed(r, job, &page->roster);
		return;
	}
	job->rec = page->rec;
	if (job->rec.got != NULL)
		confirm_again(r, job);
	else if (job->rec.as == SEAL_JOIN)
		job->phase = JOINING;
	else if (job->rec.sealed && job->rec.token == NULL)
		job->phase = CREATING;
	else
		wait_for_joiner(r, job, resumed);
}

/*
 * A fresh attempt, in the place of the one before if there was one. It is recorded before it is sent: what it
 * obtains can be asked for again with the same key. A plain creation has no code before it is sent.
 */
static void attempt(struct run *r, struct job *job, enum seal_role as)
{
	const struct handshake_want *w = job->want;
	struct err *e = &job->result->err;
	struct record old = job->rec, rec;
	struct secret secret;
	char code[CODE_TEXT];
	struct page page;
	int rc;

	if (w->role == HANDSHAKE_CREATE && !w->plain) {
		dice_code(code);
		dice_secret(&secret);
		rc = offer_make(r->c, w, as, arena_dup(r->arena, code), &secret, r->arena, &rec, e);
		sodium_memzero(&secret, sizeof(secret));
	} else {
		rc = offer_make(r->c, w, as, w->code, w->secret, r->arena, &rec, e);
	}
	job->result->code = NULL;
	job->asked = false;
	if (rc < 0) {
		job_fail(job);
	} else if (rec.code == NULL) {
		job->rec = rec;
		job->phase = CREATING;
	} else if (book_record(r->c, w, old.code != NULL ? &old : NULL, &rec, r->arena, &page, e) <
		0) {
		job_fail(job);
	} else {
		adopt(r, job, &page, true);
	}
}

/*
 * What a rendezvous once sent would be refused by now (offer.c), as old or as from a clock that is ahead; nobody else
 * takes its place.
 */
static bool is_stale(const struct page *page)
{
	const int64_t age = time(NULL) - page->rec.created_at;

	return page->found == BOOK_PENDING && page->rec.role == HANDSHAKE_RENDEZVOUS &&
		page->rec.token == NULL && (age >= STALE_S || age <= -STALE_S);
}

int job_begin(struct run *r, struct job *job, struct err *e)
{
	struct handshake_result *result = job->result;
	struct page page;

	if (job->want->role != HANDSHAKE_CREATE &&
		(job->want->code == NULL || !code_is_valid(job->want->code))) {
		err_set(&result->err, ERR_CONFIG, NOWHERE,
			"'%s' is not a code (1 to 64 of letters, digits and '-')",
			job->want->code == NULL ? "" : job->want->code);
		job_fail(job);
		return 0;
	}
	if (book_look(r->c, job->want, r->arena, &page, e) < 0)
		return -1;
	if (page.found != BOOK_NOTHING && !is_stale(&page)) {
		adopt(r, job, &page, true);
		return 0;
	}
	job->rec = page.rec;
	if (r->c->ours->n == 0 || r->c->ours->n > ROSTER_JAILS_MAX) {
		err_set(&result->err, ERR_CONFIG, NOWHERE,
			"this instance has %zu jails to tell the peer; a roster has 1 to %d",
			r->c->ours->n, ROSTER_JAILS_MAX);
		job_fail(job);
		return 0;
	}
	attempt(r, job, job->want->role == HANDSHAKE_JOIN ? SEAL_JOIN : SEAL_CREATE);
	return 0;
}

struct question job_question(struct run *r, const struct job *job)
{
	struct question q = { .path = "/pair" };

	if (job->phase != CREATING)
		q.path = arena_printf(r->arena, "/pair/%s", job->rec.code);
	if (job->phase == USING_UP)
		return q;
	if (job->phase != POLLING) {
		q.body = job->rec.sent;
		q.header = job->rec.key != NULL ? "Idempotency-Key" : NULL;
		q.word = job->rec.key;
	} else if (job->rec.token != NULL) {
		q.header = "Authorization";
		q.word = arena_printf(r->arena, "Bearer %s", job->rec.token);
	}
	return q;
}

/* The relay must know of codes that are proposed, and of repeated reads: Jailrun's knows neither. */
static int check_created(const struct run *r, const struct job *job, const char *code,
	const char *token, struct err *e)
{
	if (!job->rec.sealed || (strcmp(code, job->rec.code) == 0 && token != NULL))
		return 0;
	return err_set(e, ERR_REMOTE, NOWHERE,
		"relay %s is not one of jmesh's and cannot carry a sealed pairing: name another as "
		"relay.url (jmesh relay serves one), or trust whoever runs this one and say plain: "
		"true",
		r->c->relay_url);
}

static void created(struct run *r, struct job *job, const struct answer *answer)
{
	struct err *e = &job->result->err;
	struct record rec = job->rec;
	struct page page;

	if (reply_created(answer->body, answer->len, r->arena, &rec.code, &rec.token, e) < 0) {
		err_wrap(e, "relay %s", r->c->relay_url);
		job_fail(job);
	} else if (check_created(r, job, rec.code, rec.token, e) < 0 ||
		book_record(r->c, job->want, &job->rec, &rec, r->arena, &page, e) < 0) {
		job_fail(job);
	} else {
		job->asked = true;
		adopt(r, job, &page,
			page.found == BOOK_PENDING && !record_is_same(&page.rec, &rec));
		job->next_at = clock_ms() + job_jitter(POLL_FIRST_MS);
	}
}

/*
 * The code is used up, or its roster will be refused for ever: says how to get another one. A join goes
 * on with the code that it is told; a creator goes on with its own until that is forgotten. A rendezvous, which
 * nobody watches, begins anew the next time.
 */
static void refuse(struct run *r, struct job *job)
{
	struct err *e = &job->result->err, none = ERR_INIT;
	struct err was = *e;
	struct page page;

	/* Names in a roster may be long enough to push the advice out. */
	err_set(e, was.code, was.at, "%.600s%s; %s", was.text, strlen(was.text) > 600 ? "..." : "",
		job->want->role == HANDSHAKE_JOIN ? "ask for a new code"
			: job->want->role == HANDSHAKE_RENDEZVOUS
			? "apply tries again from the beginning"
			: arena_printf(r->arena,
				  "run jmesh teardown --peer %s --forget and pair again",
				  job->want->peer));
	if (job->want->role == HANDSHAKE_RENDEZVOUS)
		book_forget(r->c, job->want, &job->rec, r->arena, &page, &none);
	job_fail(job);
}

static void obtained(struct run *r, struct job *job, const struct obtained *theirs)
{
	struct err *e = &job->result->err;
	struct page page;

	if (book_obtained(r->c, job->want, &job->rec, theirs, r->arena, &page, e) == 0)
		succeed(r, job, &page.roster);
	else if (e->code == ERR_REMOTE)
		refuse(r, job);
	else
		job_fail(job);
}

/* Nobody proved it, so somebody has to say yes. It is recorded before: a plain relay gives it only once. */
static void confirm(struct run *r, struct job *job, const struct roster *theirs)
{
	const struct obtained unproved = { .roster = *theirs };
	struct err *e = &job->result->err;
	struct record rec = job->rec;
	struct page page;
	int answer;

	if (r->c->confirm == NULL) {
		obtained(r, job, &unproved);
		return;
	}
	if (rec.got == NULL) {
		rec.got = roster_format(theirs, r->arena);
		if (book_record(r->c, job->want, &job->rec, &rec, r->arena, &page, e) < 0) {
			job_fail(job);
			return;
		}
		if (page.found == BOOK_PAIRED) {
			succeed(r, job, &page.roster);
			return;
		}
		job->rec = rec;
	}
	answer = r->c->confirm(r->c->ctx, job->want->peer, theirs);
	if (answer > 0) {
		obtained(r, job, &unproved);
		return;
	}
	if (answer < 0) {
		job->phase = OVER; /* and its result says that it waits */
		return;
	}
	if (book_forget(r->c, job->want, &job->rec, r->arena, &page, e) == 0)
		err_set(e, ERR_REMOTE, NOWHERE,
			"the roster was not accepted, and is forgotten; to pair after all both "
			"sides need a new code");
	job_fail(job);
}

/* The answer of the other side. */
static void open_parcel(struct run *r, struct job *job, const struct parcel *parcel)
{
	struct err *e = &job->result->err;
	struct obtained theirs;
	enum offer whose;

	if (offer_open(r->c, job->want, &job->rec, parcel, r->arena, &theirs, &whose, e) < 0) {
		err_wrap(e, "relay %s", r->c->relay_url);
		refuse(r, job);
	} else if (whose == OFFER_OURS) {
		job->phase = USING_UP;
		job->next_at = clock_ms();
	} else if (job->rec.sealed) {
		obtained(r, job, &theirs);
	} else {
		confirm(r, job, &theirs.roster);
	}
}

static void polled(struct run *r, struct job *job, const struct answer *answer)
{
	struct err *e = &job->result->err;
	struct parcel parcel;
	bool joined;

	if (reply_polled(answer->body, answer->len, r->arena, &joined, &parcel, e) < 0) {
		err_wrap(e, "relay %s", r->c->relay_url);
		if (joined)
			refuse(r, job);
		else
			job_fail(job);
	} else if (joined) {
		open_parcel(r, job, &parcel);
	} else {
		job->asked = true;
		job->gone = false;
		job->next_at = clock_ms() + job_jitter(job->gap);
		job->gap = job->gap * 3 / 2 > POLL_LAST_MS ? POLL_LAST_MS : job->gap * 3 / 2;
	}
}

static void joined(struct run *r, struct job *job, const struct answer *answer)
{
	struct err *e = &job->result->err;
	struct parcel parcel;

	if (parcel_parse(answer->body, answer->len, r->arena, &parcel, e) < 0) {
		err_wrap(e, "relay %s", r->c->relay_url);
		refuse(r, job);
	} else {
		open_parcel(r, job, &parcel);
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
		job_fail(job);
	} else if (page.found == BOOK_PAIRED ||
		(page.found == BOOK_PENDING && !record_is_same(&page.rec, &job->rec))) {
		adopt(r, job, &page, true);
	} else if (!job->gone) {
		job->gone = true;
	} else if (++job->renewals > RENEWALS_MAX) {
		err_set(e, ERR_REMOTE, NOWHERE, "relay %s forgets pairings as soon as it made them",
			r->c->relay_url);
		job_fail(job);
	} else {
		job->rec = (struct record){ 0 };
		attempt(r, job, SEAL_CREATE);
	}
}

/*
 * A rendezvous whose code is taken by a pairing that cannot be joined any more. It goes away at the relay;
 * then whoever comes first creates the next one.
 */
static void come_back(struct run *r, struct job *job)
{
	attempt(r, job, SEAL_CREATE);
	job->asked = true;
	job->next_at = clock_ms() + job_jitter(TAKEN_MS);
}

/*
 * We have joined an offer of our own that we lost, token and all. Nobody would read it before it expires, so
 * it was read as whoever has its code may, which uses it up.
 */
static void used_up(struct run *r, struct job *job)
{
	attempt(r, job, SEAL_CREATE);
	job->asked = true;
	job->next_at = clock_ms() + job_jitter(USED_MS);
}

/* The code that was proposed has a pairing already. */
static void taken(struct run *r, struct job *job)
{
	if (job->want->role == HANDSHAKE_RENDEZVOUS) {
		attempt(r, job, SEAL_JOIN);
	} else if (++job->renewals > RENEWALS_MAX) {
		err_set(&job->result->err, ERR_REMOTE, NOWHERE,
			"relay %s says of every code that it is taken", r->c->relay_url);
		job_fail(job);
	} else {
		attempt(r, job, SEAL_CREATE);
	}
}

static void join_unknown(struct run *r, struct job *job)
{
	struct err *e = &job->result->err;
	struct page page;

	if (job->want->role == HANDSHAKE_RENDEZVOUS) {
		come_back(r, job);
	} else if (book_forget(r->c, job->want, &job->rec, r->arena, &page, e) < 0) {
		job_fail(job);
	} else if (page.found == BOOK_PAIRED) {
		succeed(r, job, &page.roster);
	} else {
		err_set(e, ERR_REMOTE, NOWHERE,
			"the code '%s' is unknown, expired or used; ask for a new one",
			job->rec.code);
		job_fail(job);
	}
}

const char *job_reason(const struct run *r, const struct answer *answer)
{
	const char *line = reply_line(answer->body, answer->len, r->arena);

	if (answer->status == 0)
		return answer->why;
	if (line[0] == '\0')
		return arena_printf(r->arena, "%ld", answer->status);
	return arena_printf(r->arena, "%ld: '%s'", answer->status, line);
}

static const char *advice(const struct job *job, const struct answer *answer)
{
	if (answer->status >= 300 && answer->status < 400)
		return " (a redirection is not followed; correct relay.url)";
	if ((answer->status == 400 || answer->status == 422) && job->rec.sealed)
		return " (a relay that is not jmesh's carries no sealed rosters: name another as "
		       "relay.url, or say plain: true)";
	return "";
}

void job_answered(struct run *r, struct job *job, const struct answer *answer)
{
	struct err *e = &job->result->err;

	if (job->phase == USING_UP && (answer->status == 200 || answer->status == 404)) {
		used_up(r, job);
	} else if (answer->status == 200 || answer->status == 201) {
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
	} else if (answer->status == 409 && job->phase == CREATING && job->rec.sealed) {
		taken(r, job);
	} else {
		err_set(e, ERR_REMOTE, NOWHERE, "relay %s %s %s%s", r->c->relay_url,
			answer->status == 0 ? "cannot be used:" : "answers", job_reason(r, answer),
			advice(job, answer));
		job_fail(job);
	}
}
