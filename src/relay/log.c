#include "relay/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"

enum {
	ROOM = 512 * 1024, /* bytes that are gathered at most */
	LINE = 2048,       /* of one line */
	GATHER = 50,       /* milliseconds, unless half the room is full before */
	PATIENCE = 1000, /* milliseconds that a line waits for room, and the end for what is left */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied, ended;
	pthread_t thread;
	bool running, end;
	size_t wake; /* bytes that the thread waits for; more than there is room for: it does not wait */
	bool stuck; /* what it writes is not taken: lines that have no room are lost at once */
	bool over;  /* it has ended */
	unsigned long lost;
	/* One is filled while the other is written. */
	char rooms[2][ROOM];
	int filling;
	size_t len;
	time_t second; /* that date tells */
	char date[32];
} out = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.second = -1,
};

/* How many bytes were written: a log that cannot be must not stop the service. */
static size_t write_out(const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(STDERR_FILENO, text + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* What could not be written. */
struct loss {
	unsigned long lines;
	bool cut; /* the last line that was is not whole */
};

/* Whether it could be said; then it is over. */
static bool say_loss(struct loss *loss)
{
	char line[LINE];
	const int len = snprintf(line, sizeof(line),
		"%sjmesh relay: %lu lines of the log are lost: they could not be written\n",
		loss->cut ? "\n" : "", loss->lines);
	const size_t done = write_out(line, (size_t)len);

	loss->cut = loss->cut || done != 0;
	if (done < (size_t)len)
		return false;
	*loss = (struct loss){ 0 };
	return true;
}

static void write_or_count(const char *text, size_t len, struct loss *loss)
{
	size_t done = 0;

	if (loss->lines == 0 || say_loss(loss))
		done = write_out(text, len);
	if (done == len)
		return;
	loss->cut = loss->cut || (done > 0 && text[done - 1] != '\n');
	for (; done < len; done++)
		loss->lines += text[done] == '\n';
}

/* The lock is held. Whether it was signalled in time. */
static bool wait_a_little(pthread_cond_t *cond)
{
	return clock_cond_wait(cond, &out.lock, clock_ms() + PATIENCE);
}

/* The lock is held. Whoever fills the room signals only what is waited for, and not each line. */
static void gather(void)
{
	int64_t end;

	out.wake = 1;
	while (out.len < out.wake && !out.end)
		pthread_cond_wait(&out.filled, &out.lock);
	out.wake = ROOM / 2;
	end = clock_ms() + GATHER;
	while (out.len < out.wake && !out.end && clock_cond_wait(&out.filled, &out.lock, end))
		;
	out.wake = ROOM + 1;
}

static void *write_gathered(void *arg)
{
	struct loss loss = { 0 };

	(void)arg;
	pthread_mutex_lock(&out.lock);
	for (;;) {
		const char *text = out.rooms[out.filling];
		size_t len;

		gather();
		if (out.len == 0)
			break;
		len = out.len;
		out.filling = 1 - out.filling;
		out.len = 0;
		pthread_cond_broadcast(&out.emptied);
		pthread_mutex_unlock(&out.lock);
		write_or_count(text, len, &loss);
		pthread_mutex_lock(&out.lock);
		loss.lines += out.lost;
		out.lost = 0;
		out.stuck = false;
	}
	pthread_mutex_unlock(&out.lock);
	if (loss.lines != 0)
		say_loss(&loss);
	pthread_mutex_lock(&out.lock);
	out.over = true;
	pthread_cond_signal(&out.ended);
	pthread_mutex_unlock(&out.lock);
	return NULL;
}

static void init(void)
{
	clock_cond_init(&out.filled);
	clock_cond_init(&out.emptied);
	clock_cond_init(&out.ended);
}

int log_start(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int rc;

	pthread_once(&once, init);
	pthread_mutex_lock(&out.lock);
	out.end = out.over = out.stuck = false;
	rc = pthread_create(&out.thread, NULL, write_gathered, NULL);
	out.running = rc == 0;
	pthread_mutex_unlock(&out.lock);
	if (rc != 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "cannot start a thread: %s", strerror(rc));
	return 0;
}

/* The lock is held. A thread whose write is not taken stays behind, and what is said from now on is lost. */
static void end_thread(void)
{
	out.end = true;
	pthread_cond_signal(&out.filled);
	while (!out.over && wait_a_little(&out.ended))
		;
	out.running = out.stuck = !out.over;
	if (!out.over)
		return;
	pthread_join(out.thread, NULL);
	/* What was said while it ended. */
	write_out(out.rooms[out.filling], out.len);
	out.len = 0;
}

void log_stop(void)
{
	pthread_mutex_lock(&out.lock);
	if (out.running)
		end_thread();
	pthread_mutex_unlock(&out.lock);
}

/*
 * The lock is held. Where the next line goes, of at most LINE bytes, or NULL: it is lost. What makes a line
 * writes it there at once: to read it again right away costs more than to make it.
 */
static char *begin_line(void)
{
	while (!out.stuck && out.len > ROOM - LINE)
		out.stuck = !wait_a_little(&out.emptied);
	if (out.len <= ROOM - LINE)
		return out.rooms[out.filling] + out.len;
	out.lost++;
	return NULL;
}

/* The lock is held. The line has len bytes, with its newline. */
static void end_line(size_t len)
{
	if (!out.running) {
		write_out(out.rooms[out.filling] + out.len, len);
		return;
	}
	if (out.len < out.wake && out.len + len >= out.wake)
		pthread_cond_signal(&out.filled);
	out.len += len;
}

static size_t say(char *line, const char *fmt, va_list ap)
{
	static const char prefix[] = "jmesh relay: ";
	size_t len = sizeof(prefix) - 1;
	int n;

	memcpy(line, prefix, len);
	n = vsnprintf(line + len, LINE - len, fmt, ap);
	if (n > 0)
		len += (size_t)n < LINE - len ? (size_t)n : LINE - len - 1;
	line[len++] = '\n';
	return len;
}

void log_say(const char *fmt, ...)
{
	char *line;
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&out.lock);
	line = begin_line();
	if (line != NULL)
		end_line(say(line, fmt, ap));
	pthread_mutex_unlock(&out.lock);
	va_end(ap);
}

/* The lock is held. */
static const char *date(void)
{
	time_t now = time(NULL);
	struct tm tm;

	if (now == out.second)
		return out.date;
	out.second = now;
	if (gmtime_r(&now, &tm) == NULL ||
		strftime(out.date, sizeof(out.date), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		strcpy(out.date, "-");
	return out.date;
}

static char *add(char *at, const char *text)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	at[len] = ' ';
	return at + len + 1;
}

static char *add_number(char *at, uint64_t n)
{
	char *end = at + 1;

	for (uint64_t rest = n; rest >= 10; rest /= 10)
		end++;
	*end = ' ';
	for (char *digit = end; digit > at; n /= 10)
		*--digit = (char)('0' + n % 10);
	return end + 1;
}

/* Formatted by hand: it is a good part of what a request costs. None of the texts is longer than 64. */
static size_t request_line(char *line, const struct peer *peer, const char *method,
	const char *route, int status, size_t bytes, int64_t microseconds)
{
	char *at = add(line, date());

	at += peer_format(peer, at);
	*at++ = ' ';
	at = add(at, method);
	at = add(at, route);
	at = status > 0 ? add_number(at, (uint64_t)status) : add(at, "-");
	at = add_number(at, bytes);
	at = add_number(at, microseconds > 0 ? (uint64_t)microseconds : 0);
	memcpy(at - 1, "us\n", 3);
	return (size_t)(at + 2 - line);
}

void log_request(const struct peer *peer, const char *method, const char *route, int status,
	size_t bytes, int64_t microseconds)
{
	char *line;

	pthread_mutex_lock(&out.lock);
	line = begin_line();
	if (line != NULL)
		end_line(request_line(line, peer, method, route, status, bytes, microseconds));
	pthread_mutex_unlock(&out.lock);
}
