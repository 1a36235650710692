#include "os/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "os/clock.h"

/* Some systems lack it; whoever asks here ignores SIGPIPE anyway. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* Where one JSON object or array ends, without judging it: a parser will. */
struct scan {
	size_t depth;
	bool begun, string, escape;
};

int sock_path_fits(const char *path, struct err *e)
{
	struct sockaddr_un sun;
	size_t max = sizeof(sun.sun_path) - 1;

	if (strlen(path) <= max)
		return 0;
	return err_set(e, ERR_CONFIG, NOWHERE,
		"the path of the socket %s has %zu bytes; the system allows %zu: choose a shorter "
		"host.state_dir",
		path, strlen(path), max);
}

/* Feeds bytes. 1: the value is complete. -1: it is no object or array, so only the end is the end. */
static int scan_feed(struct scan *s, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];

		if (s->string) {
			if (s->escape)
				s->escape = false;
			else if (c == '\\')
				s->escape = true;
			else if (c == '"')
				s->string = false;
		} else if (c == '{' || c == '[') {
			s->begun = true;
			s->depth++;
		} else if (!s->begun) {
			if (strchr(" \t\r\n", c) == NULL || c == '\0')
				return -1;
		} else if (c == '"') {
			s->string = true;
		} else if ((c == '}' || c == ']') && --s->depth == 0) {
			return 1;
		}
	}
	return 0;
}

/* 0: connected. 1: nobody listens. -1: errno. */
static int reach(int fd, const char *path, int64_t until)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memcpy(sun.sun_path, path, strlen(path) + 1);
	while (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return 1;
		if (errno == EINTR || errno == EISCONN)
			return 0;
		if (errno != EAGAIN) /* its queue is full */
			return -1;
		if (clock_ms() > until) {
			errno = ETIMEDOUT;
			return -1;
		}
		clock_nap_us(5000);
	}
	return 0;
}

/* 0: ready. -1: errno, ETIMEDOUT when it is too late. */
static int await(int fd, short events, int64_t until)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int n;

	do {
		left = until - clock_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 ? 0 : -1;
}

static int put(int fd, const char *bytes, size_t len, int64_t until)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n >= 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (await(fd, POLLOUT, until) < 0)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

static int get(int fd, int64_t until, size_t max, struct text *t)
{
	struct scan scan = { 0 };
	char chunk[65536];
	int value = 0;

	while (value < 1) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n == 0)
			return 0;
		if (n < 0 && errno == EAGAIN) {
			if (await(fd, POLLIN, until) < 0)
				return -1;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if ((size_t)n > max - t->len) {
			errno = EMSGSIZE;
			return -1;
		}
		text_addn(t, chunk, (size_t)n);
		if (value == 0)
			value = scan_feed(&scan, chunk, (size_t)n);
		/* One that talks without an end must not outlive the limit either. */
		if (value < 1 && clock_ms() > until) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	return 0;
}

int sock_ask(const char *path, const char *request, int limit_ms, size_t max, struct arena *a,
	const char **reply, struct err *e)
{
	int64_t until = clock_ms() + limit_ms;
	struct text t = text_new(a);
	int fd, rc = -1;

	if (sock_path_fits(path, e) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		rc = reach(fd, path, until);
	if (rc == 0)
		rc = put(fd, request, strlen(request), until);
	if (rc == 0)
		rc = get(fd, until, max, &t);
	if (rc < 0 && errno == ETIMEDOUT)
		err_set(e, ERR_SYSTEM, NOWHERE, "%s did not answer within %.3g s", path,
			limit_ms / 1000.0);
	else if (rc < 0 && errno == EMSGSIZE)
		err_set(e, ERR_SYSTEM, NOWHERE, "%s answered with more than %zu bytes", path, max);
	else if (rc < 0)
		err_sys(e, "ask %s", path);
	close(fd);
	*reply = t.s;
	return rc;
}
