#include "os/link_ssh.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/spawn.h"

enum {
	NONCE_BYTES = 16,
	/* What a banner or a talkative shell may say before the answer to our greeting. */
	NOISE_MAX = 1 << 20,
	SAID_MAX = 4096,
	LINE_MAX_BYTES = 256,
	CLOSE_MS = 2000,
	/* What the far side may take to find that a command takes too long, and to kill it. */
	KILL_MS = 5000,
	/* What a slow line still carries: what is added to the limit of a batch for its own length. */
	BYTES_PER_MS = 64,
	/* What any line carries: who trickles on for ever, so that nobody gets on, is given up. */
	LEAST_PER_MS = 8,
	STATUS_MAX = 511, /* ksh has 256 and more for signals */
};

struct session {
	const struct link_ssh *ssh;
	int limit_ms;
	struct spawned p; /* pid 0: not connected */
	int in;
	char nonce[2 * NONCE_BYTES + 1];
	char buf[65536]; /* read, but not taken yet: at to len */
	size_t at, len;
	const char *pending; /* to be written */
	size_t pending_len;
	char said[SAID_MAX + 1]; /* the end of what ssh has said on standard error */
	size_t said_len;
	int64_t deadline, last; /* as it is now, and beyond which it never goes */
	/* Why it could not connect: it is not tried again, since each try may take its time. */
	struct err unreached;
};

/* How a wait ended. */
enum news { NEWS, NEWS_END, NEWS_LATE };

struct session *session_new(const struct link_ssh *ssh, int limit_ms, struct arena *a)
{
	struct session *s = arena_alloc(a, 1, sizeof(*s));

	s->ssh = ssh;
	s->limit_ms = limit_ms;
	s->unreached = ERR_INIT;
	return s;
}

pid_t session_pid(const struct session *s)
{
	return s->p.pid;
}

static void hear(struct session *s)
{
	char chunk[1024];
	ssize_t got;

	while (s->p.err >= 0) {
		got = read(s->p.err, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			close(s->p.err);
			s->p.err = -1;
			return;
		}
		for (ssize_t i = 0; i < got; i++)
			if (chunk[i] == '\0')
				chunk[i] = ' ';
		if (s->said_len + (size_t)got > SAID_MAX) {
			size_t drop = s->said_len + (size_t)got - SAID_MAX;

			memmove(s->said, s->said + drop, s->said_len - drop);
			s->said_len -= drop;
		}
		memcpy(s->said + s->said_len, chunk, (size_t)got);
		s->said_len += (size_t)got;
		s->said[s->said_len] = '\0';
	}
}

/* Ends what is left of the process, whose descriptors are all closed then. */
static void reap(struct session *s, int patience_ms)
{
	int64_t until = clock_ms() + patience_ms;
	bool ended = false;

	if (s->p.pid == 0)
		return;
	if (s->in >= 0)
		close(s->in);
	s->in = -1;
	while (!ended && clock_ms() < until) {
		pid_t got = waitpid(s->p.pid, NULL, WNOHANG);

		ended = got == s->p.pid || (got < 0 && errno != EINTR);
		if (!ended)
			clock_nap_us(2000);
	}
	hear(s);
	/* What it started itself (a ProxyCommand) goes with it; so early, its session may not be there. */
	kill(-s->p.pid, SIGKILL);
	if (!ended) {
		kill(s->p.pid, SIGKILL);
		while (waitpid(s->p.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	hear(s);
	close(s->p.out);
	if (s->p.err >= 0)
		close(s->p.err);
	close(s->p.note);
	s->p.pid = 0;
}

void session_close(struct session *s)
{
	reap(s, CLOSE_MS);
	s->unreached = ERR_INIT;
}

int session_reached(const struct session *s, struct err *e)
{
	if (s->unreached.code == ERR_NONE)
		return 0;
	*e = s->unreached;
	return -1;
}

/* As write(2), but what nobody reads any more is EPIPE and no signal. */
static ssize_t write_quietly(int fd, const char *bytes, size_t len)
{
	sigset_t pipe_only, before, waiting;
	ssize_t n;
	int saved, sig;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	n = write(fd, bytes, len);
	saved = errno;
	if (n < 0 && saved == EPIPE && !sigismember(&before, SIGPIPE) &&
		sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE))
		sigwait(&pipe_only, &sig);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return n;
}

static void say(struct session *s)
{
	ssize_t n = write_quietly(s->in, s->pending, s->pending_len);

	if (n >= 0) {
		s->pending += n;
		s->pending_len -= (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		s->pending_len = 0; /* why is seen at the other ends */
	}
}

/* Waits until there is something to take, saying meanwhile what there is to say. */
static enum news wait_for_news(struct session *s)
{
	while (s->at == s->len) {
		int64_t left = s->deadline - clock_ms();
		struct pollfd p[3] = {
			{ .fd = s->p.out, .events = POLLIN },
			{ .fd = s->p.err, .events = POLLIN },
			{ .fd = s->pending_len > 0 ? s->in : -1, .events = POLLOUT },
		};
		ssize_t got;

		if (left <= 0)
			return NEWS_LATE;
		if (poll(p, 3, (int)left) < 0)
			continue; /* EINTR */
		if (p[1].revents != 0)
			hear(s);
		if (p[2].revents != 0)
			say(s);
		if (p[0].revents == 0)
			continue;
		got = read(s->p.out, s->buf, sizeof(s->buf));
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return NEWS_END;
		s->at = 0;
		s->len = got < 0 ? 0 : (size_t)got;
		/* Who still answers is not late, though the line is slow. */
		s->last += (int64_t)s->len / LEAST_PER_MS;
		if (got > 0 && s->deadline < clock_ms() + s->limit_ms)
			s->deadline = clock_ms() + s->limit_ms;
		if (s->deadline > s->last)
			s->deadline = s->last;
	}
	return NEWS;
}

/* A line without its end; an overlong one is as if the connection had ended. */
static enum news take_line(struct session *s, char line[LINE_MAX_BYTES])
{
	size_t n = 0;

	for (;;) {
		enum news got = wait_for_news(s);

		if (got != NEWS)
			return got;
		if (s->buf[s->at] == '\n')
			break;
		if (n == LINE_MAX_BYTES - 1)
			return NEWS_END;
		line[n++] = s->buf[s->at++];
	}
	s->at++;
	line[n] = '\0';
	return NEWS;
}

static enum news take_bytes(struct session *s, char *to, size_t len)
{
	while (len > 0) {
		enum news got = wait_for_news(s);
		size_t n;

		if (got != NEWS)
			return got;
		n = s->len - s->at < len ? s->len - s->at : len;
		memcpy(to, s->buf + s->at, n);
		s->at += n;
		to += n;
		len -= n;
	}
	return NEWS;
}

/* Reads until the far sh greets us: whatever else was said before is not meant for us. */
static enum news await_hello(struct session *s, struct arena *a)
{
	const char *hello = arena_printf(a, "\n%s ready\n", s->nonce);
	size_t matched = 0;

	for (size_t n = 0; n < NOISE_MAX; n++) {
		enum news got = wait_for_news(s);
		char c;

		if (got != NEWS)
			return got;
		c = s->buf[s->at++];
		/* Only the first character of the greeting is a newline that begins it. */
		matched = c == hello[matched] ? matched + 1 : c == '\n';
		if (hello[matched] == '\0')
			return NEWS;
	}
	return NEWS_END;
}

/* From now on, with so many bytes to be said. */
static void give_time(struct session *s, int64_t limit_ms, size_t len)
{
	s->deadline = clock_ms() + limit_ms + (int64_t)(len / BYTES_PER_MS);
	s->last = s->deadline + s->limit_ms;
}

static void begin(struct session *s, const char *text, size_t len, int64_t limit_ms)
{
	s->pending = text;
	s->pending_len = len;
	give_time(s, limit_ms, len);
}

static int start_ssh(struct session *s, struct arena *a, struct err *e)
{
	struct strs argv = { 0 };
	unsigned char random[NONCE_BYTES];
	struct sigaction chld;

	if (link_argv(s->ssh, a, &argv, e) < 0)
		return -1;
	if (sodium_init() < 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "libsodium has no randomness");
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(s->nonce, sizeof(s->nonce), random, sizeof(random));
	/* While it is ignored, the kernel throws exit statuses away. */
	if (sigaction(SIGCHLD, NULL, &chld) == 0 && chld.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
	if (spawn_session(argv.v, &s->p, &s->in, e) < 0) {
		s->p.pid = 0;
		return err_wrap(e, "ssh");
	}
	s->at = s->len = s->said_len = 0;
	s->said[0] = '\0';
	return 0;
}

/* ssh itself may not have come to run. */
static int no_hello(struct session *s, enum news news, struct err *e)
{
	char note[sizeof(e->text)];
	ssize_t noted = read(s->p.note, note, sizeof(note));

	/* Its last word comes after the far side has ended. */
	reap(s, news == NEWS_LATE ? 0 : CLOSE_MS);
	if (noted > 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "ssh: %.*s", (int)noted, note);
	if (news == NEWS_LATE && s->said_len == 0)
		return why_unreachable(s->ssh, "it did not answer in time", e);
	return why_unreachable(s->ssh, s->said, e);
}

/* Whether there is a connection: between batches nothing is said, so what comes then is its end. */
static bool is_connected(struct session *s)
{
	struct pollfd p = { .fd = s->p.out, .events = POLLIN };

	if (s->p.pid != 0 && poll(&p, 1, 0) > 0)
		reap(s, 0);
	return s->p.pid != 0;
}

/*
 * Connects, and says the batch behind the greeting, which so takes no round trip of its own. A shell that does
 * not take the greeting knows none of the functions by which a batch runs anything.
 */
static int connect_with(struct session *s, const char *batch, size_t len, int64_t limit_ms,
	struct arena *a, struct err *e)
{
	struct text t = text_new(a);
	enum news news;

	if (start_ssh(s, a, e) < 0)
		return -1;
	text_add(&t, script_hello(a, s->nonce, s->limit_ms));
	text_addn(&t, batch, len);
	begin(s, t.s, t.len, 2 * (int64_t)s->limit_ms);
	news = await_hello(s, a);
	if (news != NEWS)
		return no_hello(s, news, e);
	give_time(s, limit_ms, len);
	/* Warnings of a connection that has come about explain nothing later. */
	s->said_len = 0;
	s->said[0] = '\0';
	return 0;
}

static bool take_number(const char **at, size_t max, char end, size_t *out)
{
	char *stop;
	unsigned long n;

	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	n = strtoul(*at, &stop, 10);
	if (errno != 0 || n > max || *stop != end)
		return false;
	*at = end == '\0' ? stop : stop + 1;
	*out = n;
	return true;
}

static const char *outcome(const struct session *s, char c, struct arena *a)
{
	switch (c) {
	case SCRIPT_NO_PROGRAM:
		return SPAWN_NO_PROGRAM;
	case SCRIPT_TOO_MUCH:
		return arena_printf(a, "printed more than %zu bytes", SCRIPT_OUT_MAX);
	case SCRIPT_TOO_LONG:
		return arena_printf(
			a, "did not end within %.3g s and was killed", (double)s->limit_ms / 1000);
	default:
		return arena_printf(a, "there is no room left in /tmp of %s", s->ssh->target);
	}
}

/* "STATUS OUT_LEN ERR_LEN"; leaves in *err_len how much of standard error is to come. */
static bool parse_head(const struct session *s, const char *line, struct arena *a, struct output *o,
	size_t *err_len)
{
	bool told = line[0] >= '0' && line[0] <= '9';
	const char *at = told ? line : line + 2;
	size_t status = 0;

	*o = (struct output){ .status = -1, .out = "", .err = "" };
	if (told ? !take_number(&at, STATUS_MAX, ' ', &status) : line[0] == '\0' || line[1] != ' ')
		return false;
	if (!take_number(&at, SCRIPT_OUT_MAX, ' ', &o->out_len) ||
		!take_number(&at, SCRIPT_ERR_MAX, '\0', err_len))
		return false;
	if (told)
		o->status = (int)status;
	else
		o->err = outcome(s, line[0], a);
	o->late = line[0] == SCRIPT_TOO_LONG;
	return told || (o->out_len == 0 && *err_len == 0);
}

static enum news take_text(struct session *s, size_t len, struct arena *a, const char **out)
{
	char *text = arena_alloc(a, len + 1, 1);

	*out = text;
	return take_bytes(s, text, len);
}

static enum news take_output(struct session *s, size_t err_len, struct arena *a, struct output *o)
{
	const char *text;
	enum news news = NEWS;

	if (o->out_len > 0)
		news = take_text(s, o->out_len, a, &o->out);
	if (news != NEWS || err_len == 0)
		return news;
	news = take_text(s, err_len, a, &text);
	while (err_len > 0 && (text[err_len - 1] == '\n' || text[err_len - 1] == '\r'))
		err_len--;
	o->err = arena_dupn(a, text, err_len);
	return news;
}

static enum news take_frame(struct session *s, size_t first, size_t n, const bool *skip,
	struct arena *a, struct output *outs)
{
	size_t err_len[SCRIPT_FRAME];
	struct output told[SCRIPT_FRAME];
	char line[LINE_MAX_BYTES];
	enum news news = take_line(s, line);

	if (news == NEWS && strcmp(line, arena_printf(a, "%s %zu", s->nonce, first)) != 0)
		return NEWS_END;
	for (size_t i = 0; i < n && news == NEWS; i++) {
		news = take_line(s, line);
		if (news == NEWS && !parse_head(s, line, a, &told[i], &err_len[i]))
			return NEWS_END;
	}
	for (size_t i = 0; i < n && news == NEWS; i++) {
		news = take_output(s, err_len[i], a, &told[i]);
		if (!skip[first + i])
			outs[first + i] = told[i];
	}
	return news;
}

static enum news take_answer(
	struct session *s, size_t n, const bool *skip, struct arena *a, struct output *outs)
{
	enum news news = NEWS;

	for (size_t i = 0; i < n && news == NEWS; i += SCRIPT_FRAME)
		news = take_frame(s, i, n - i < SCRIPT_FRAME ? n - i : SCRIPT_FRAME, skip, a, outs);
	return news;
}

static void none_answered(struct output *outs, size_t n, const char *why)
{
	for (size_t i = 0; i < n; i++)
		outs[i] = (struct output){ .status = -1, .out = "", .err = why };
}

int session_run(struct session *s, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e)
{
	bool *skip = arena_alloc(a, n, sizeof(*skip));
	size_t rounds = (n + SCRIPT_AT_ONCE - 1) / SCRIPT_AT_ONCE, len;
	int64_t limit_ms = (int64_t)rounds * (s->limit_ms + KILL_MS);
	const char *batch;
	enum news news;

	none_answered(outs, n, "its input has a NUL byte, which no shell passes on");
	for (size_t i = 0; i < n; i++)
		skip[i] = cmds[i].input != NULL &&
			memchr(cmds[i].input, '\0', cmds[i].input_len) != NULL;
	batch = script_batch(a, cmds, n, skip, &len);
	if (is_connected(s)) {
		begin(s, batch, len, limit_ms);
	} else if (session_reached(s, e) < 0) {
		return -1;
	} else if (connect_with(s, batch, len, limit_ms, a, e) < 0) {
		s->unreached = *e;
		return -1;
	}
	news = take_answer(s, n, skip, a, outs);
	if (news == NEWS)
		return 0;
	reap(s, news == NEWS_LATE ? 0 : CLOSE_MS);
	if (news == NEWS_END)
		return why_lost(s->ssh, s->said, e);
	none_answered(outs, n,
		arena_printf(a, "did not end within %.3g s; the connection was closed",
			(double)limit_ms / 1000));
	return 0;
}
