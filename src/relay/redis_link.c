#include "relay/redis_link.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"

enum { WORDS_MAX = 24 };

struct redis_link {
	redisContext *context;
};

static int broken(const struct redis_link *l, struct err *e)
{
	return err_set(e, ERR_REMOTE, NOWHERE, "%s", l->context->errstr);
}

/* Until the socket is ready or the time is over. */
static int await(const struct redis_link *l, short events, int64_t deadline, struct err *e)
{
	struct pollfd p = { .fd = l->context->fd, .events = events };
	int rc;

	do {
		int64_t left = deadline - clock_ms();

		rc = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(e, "poll");
	if (rc == 0)
		return err_set(e, ERR_REMOTE, NOWHERE, "no answer within %d seconds",
			REDIS_COMMAND_MS / 1000);
	return 0;
}

static int send_all(const struct redis_link *l, int64_t deadline, struct err *e)
{
	int done = 0;

	while (!done) {
		if (await(l, POLLOUT, deadline, e) < 0)
			return -1;
		if (redisBufferWrite(l->context, &done) != REDIS_OK)
			return broken(l, e);
	}
	return 0;
}

/*
 * Before hiredis reads it: for a list it would make room for as many members as the list says that it has, and
 * what is no Redis may say anything.
 */
static int check_start(const struct redis_link *l, struct err *e)
{
	const redisReader *r = l->context->reader;

	if (r->len <= r->pos || strchr("+-:$", r->buf[r->pos]) == NULL || r->buf[r->pos] == '\0')
		return err_set(e, ERR_REMOTE, NOWHERE, "what answers is no Redis");
	return 0;
}

static int receive(const struct redis_link *l, int64_t deadline, redisReply **reply, struct err *e)
{
	redisContext *c = l->context;
	void *got = NULL;
	bool begun = false;

	while (got == NULL) {
		if (await(l, POLLIN, deadline, e) < 0)
			return -1;
		if (redisBufferRead(c) != REDIS_OK)
			return broken(l, e);
		if (c->reader->len > REDIS_SAID_MAX)
			return err_set(e, ERR_REMOTE, NOWHERE, "an answer is too long");
		if (c->reader->len == 0)
			continue;
		if (!begun && check_start(l, e) < 0)
			return -1;
		begun = true;
		if (redisGetReplyFromReader(c, &got) != REDIS_OK)
			return broken(l, e);
	}
	*reply = got;
	/* Two answers to one question: the next question would get the wrong one. */
	if (c->reader->len > c->reader->pos)
		return err_set(e, ERR_REMOTE, NOWHERE, "what answers is no Redis");
	return 0;
}

static int understand(
	const redisReply *reply, struct arena *a, struct redis_said *said, struct err *e)
{
	switch (reply->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		said->refusal = reply->type == REDIS_REPLY_ERROR;
		said->len = (size_t)reply->len;
		said->text = arena_dupn(a, reply->str, said->len);
		return 0;
	default:
		return err_set(e, ERR_REMOTE, NOWHERE, "an answer is of a kind that none has");
	}
}

int redis_link_call(struct redis_link *l, const struct redis_word *words, size_t n, struct arena *a,
	struct redis_said *said, struct err *e)
{
	int64_t deadline = clock_ms() + REDIS_COMMAND_MS;
	const char *argv[WORDS_MAX];
	size_t lens[WORDS_MAX];
	redisReply *reply = NULL;
	int rc = -1;

	if (n > WORDS_MAX)
		abort();
	for (size_t i = 0; i < n; i++) {
		argv[i] = words[i].s;
		lens[i] = words[i].len;
	}
	if (redisAppendCommandArgv(l->context, (int)n, argv, lens) != REDIS_OK)
		return broken(l, e);
	if (send_all(l, deadline, e) == 0 && receive(l, deadline, &reply, e) == 0)
		rc = understand(reply, a, said, e);
	if (reply != NULL)
		freeReplyObject(reply);
	return rc;
}

/* A command in the beginning, which Redis must not refuse. What it says then may have the password in it. */
static int must(struct redis_link *l, const struct redis_word *words, size_t n, const char *why,
	struct err *e)
{
	struct arena *a = arena_new();
	struct redis_said said;
	int rc = redis_link_call(l, words, n, a, &said, e);

	if (rc == 0 && said.refusal)
		rc = err_set(e, ERR_REMOTE, NOWHERE, "%s", why);
	arena_free(a);
	return rc;
}

static struct redis_word word(const char *s)
{
	return (struct redis_word){ s, strlen(s) };
}

static int enter(struct redis_link *l, const struct redis_where *where, struct err *e)
{
	const struct redis_word named[] = { word("AUTH"), word(where->user),
		word(where->password) };
	const struct redis_word unnamed[] = { word("AUTH"), word(where->password) };
	static const char refused[] = "it refuses the user or the password";
	char db[16];

	if (where->password[0] != '\0' &&
		(where->user[0] != '\0' ? must(l, named, 3, refused, e)
					: must(l, unnamed, 2, refused, e)) < 0)
		return -1;
	if (where->db == 0)
		return 0;
	snprintf(db, sizeof(db), "%d", where->db);
	return must(l, (const struct redis_word[]){ word("SELECT"), word(db) }, 2,
		"it has no database of that number, or wants a password", e);
}

/* From here on no call of hiredis waits: await does. */
static int stop_waiting(struct redis_link *l, struct err *e)
{
	int flags = fcntl(l->context->fd, F_GETFL);

	if (flags < 0 || fcntl(l->context->fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
		fcntl(l->context->fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(e, "fcntl");
	l->context->flags &= ~REDIS_BLOCK;
	return 0;
}

int redis_link_open(struct redis_link **out, const struct redis_where *where, struct err *e)
{
	const struct timeval limit = { REDIS_CONNECT_MS / 1000, REDIS_CONNECT_MS % 1000 * 1000 };
	struct redis_link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		abort();
	l->context = where->local ? redisConnectUnixWithTimeout(where->path, limit)
				  : redisConnectWithTimeout(where->host, where->port, limit);
	if (l->context == NULL) {
		err_set(e, ERR_REMOTE, NOWHERE, "no memory for a connection");
		goto failed;
	}
	if (l->context->err != 0) {
		broken(l, e);
		goto failed;
	}
	if (stop_waiting(l, e) < 0 || enter(l, where, e) < 0)
		goto failed;
	*out = l;
	return 0;
failed:
	redis_link_close(l);
	return -1;
}

void redis_link_close(struct redis_link *l)
{
	if (l == NULL)
		return;
	if (l->context != NULL)
		redisFree(l->context);
	free(l);
}

bool redis_link_is_stale(const struct redis_link *l)
{
	struct pollfd p = { .fd = l->context->fd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}
