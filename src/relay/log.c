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
	ROOM = 256 * 1024,  /* bytes that are gathered at most */
	LINE = 2048,        /* of one line */
	GATHER = 10 * 1000, /* microseconds */
	PATIENCE = 1,       /* seconds that a line waits for room, and the end for what is left */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied, ended;
	pthread_t thread;
	bool running, end;
	bool idle;  /* the thread waits for something to write */
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
	.filled = PTHREAD_COND_INITIALIZER,
	.emptied = PTHREAD_COND_INITIALIZER,
	.ended = PTHREAD_COND_INITIALIZER,
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

/* The lock is held. Whether it was signalled in time, by the clock that all systems can wait by. */
static bool wait_a_little(pthread_cond_t *cond)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE;
	return pthread_cond_timedwait(cond, &out.lock, &until) != ETIMEDOUT;
}

static void *write_gathered(void *arg)
{
	struct loss loss = { 0 };

	(void)arg;
	pthread_mutex_lock(&out.lock);
	for (;;) {
		const char *text = out.rooms[out.filling];
		size_t len;

		/* Whoever fills it signals only when this waits: not while lines keep coming. */
		out.idle = out.len == 0;
		while (out.len == 0 && !out.end)
			pthread_cond_wait(&out.filled, &out.lock);
		out.idle = false;
		if (out.len == 0)
			break;
		pthread_mutex_unlock(&out.lock);
		clock_nap_us(GATHER);
		pthread_mutex_lock(&out.lock);
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

int log_start(struct err *e)
{
	int rc;

	out.end = out.over = out.stuck = false;
	rc = pthread_create(&out.thread, NULL, write_gathered, NULL);
	if (rc != 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "cannot start a thread: %s", strerror(rc));
	out.running = true;
	return 0;
}

void log_stop(void)
{
	if (!out.running)
		return;
	pthread_mutex_lock(&out.lock);
	out.end = true;
	pthread_cond_signal(&out.filled);
	while (!out.over && wait_a_little(&out.ended))
		;
	/* A thread whose write is not taken stays behind, and what is said from now on is lost. */
	out.running = out.stuck = !out.over;
	pthread_mutex_unlock(&out.lock);
	if (!out.running)
		pthread_join(out.thread, NULL);
}

/* The lock is held. The line's newline is counted. */
static void put(const char *line, size_t len)
{
	if (!out.running) {
		write_out(line, len);
		return;
	}
	while (!out.stuck && out.len > ROOM - len)
		out.stuck = !wait_a_little(&out.emptied);
	if (out.len > ROOM - len) {
		out.lost++;
		return;
	}
	memcpy(out.rooms[out.filling] + out.len, line, len);
	if (out.idle && out.len == 0)
		pthread_cond_signal(&out.filled);
	out.len += len;
}

void log_say(const char *fmt, ...)
{
	static const char prefix[] = "jmesh relay: ";
	char line[LINE];
	size_t len = sizeof(prefix) - 1;
	va_list ap;
	int n;

	memcpy(line, prefix, len);
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n < sizeof(line) - len ? (size_t)n : sizeof(line) - len - 1;
	line[len++] = '\n';
	pthread_mutex_lock(&out.lock);
	put(line, len);
	pthread_mutex_unlock(&out.lock);
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
	char digits[20];
	size_t first = sizeof(digits);

	do
		digits[--first] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	memcpy(at, digits + first, sizeof(digits) - first);
	at += sizeof(digits) - first;
	*at = ' ';
	return at + 1;
}

/* Formatted by hand: it is a good part of what a request costs. None of the texts is longer than 64. */
void log_request(const char *peer, const char *method, const char *route, int status, size_t bytes,
	int64_t microseconds)
{
	char line[512], *at;

	pthread_mutex_lock(&out.lock);
	at = add(line, date());
	at = add(at, peer);
	at = add(at, method);
	at = add(at, route);
	at = status > 0 ? add_number(at, (uint64_t)status) : add(at, "-");
	at = add_number(at, bytes);
	at = add_number(at, microseconds > 0 ? (uint64_t)microseconds : 0);
	memcpy(at - 1, "us\n", 3);
	put(line, (size_t)(at + 2 - line));
	pthread_mutex_unlock(&out.lock);
}
