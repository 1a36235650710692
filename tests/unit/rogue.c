#include "tests/unit/rogue.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 1024 * 1024 };

static void reply(char *out, int status, const char *body)
{
	snprintf(out, SIZE,
		"HTTP/1.1 %d X\r\nContent-Length: %zu\r\nContent-Type: application/json\r\n"
		"Connection: close\r\n\r\n%s",
		status, strlen(body), body);
}

static bool header(const char *request, const char *name, const char *value)
{
	char line[256];

	snprintf(line, sizeof(line), "\r\n%s%s\r\n", name, value);
	return value[0] != '\0' && strstr(request, line) != NULL;
}

static struct pairing *by_code(struct rogue *r, const char *code)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->pairings[i].code, code) == 0)
			return &r->pairings[i];
	return NULL;
}

static struct pairing *find(struct rogue *r, const char *path)
{
	char code[128] = "";

	sscanf(path, "/pair/%127[^ ]", code);
	return by_code(r, code);
}

static void copy_key(char key[64], const char *request)
{
	const char *at = strstr(request, "\r\nIdempotency-Key: ");

	if (at != NULL)
		sscanf(at, "\r\nIdempotency-Key: %63[^\r]", key);
}

/* A code that the creator proposes; false: the relay is to make one. */
static bool proposed(const struct rogue *r, const char *body, char code[32])
{
	const char *at = strstr(body, "\"code\":\"");

	return !r->plain && at != NULL && sscanf(at, "\"code\":\"%31[a-z0-9-]", code) == 1;
}

static void create(struct rogue *r, const char *request, const char *body, char *out)
{
	char text[256], code[32] = "";
	struct pairing *p;

	if (proposed(r, body, code)) {
		p = by_code(r, code);
		if (p != NULL && !header(request, "Idempotency-Key: ", p->made_by)) {
			reply(out, 409, "this code is taken");
			return;
		}
		if (p != NULL)
			goto found;
	}
	p = &r->pairings[r->n++];
	memset(p, 0, sizeof(*p));
	snprintf(p->code, sizeof(p->code), "%zu-zephyr", r->n);
	if (code[0] != '\0')
		snprintf(p->code, sizeof(p->code), "%s", code);
	snprintf(p->token, sizeof(p->token), "tok.%zu", r->n);
	snprintf(p->creator, sizeof(p->creator), "%s", body);
	copy_key(p->made_by, request);
found:
	snprintf(text, sizeof(text),
		r->plain ? "{\"code\":\"%s\"}" : "{\"code\":\"%s\",\"token\":\"%s\"}", p->code,
		p->token);
	reply(out, 200, text);
}

static void honest(struct rogue *r, const char *request, char *out)
{
	const char *path = strchr(request, ' ') + 1, *body = strstr(request, "\r\n\r\n") + 4;
	bool post = strncmp(request, "POST ", 5) == 0;
	struct pairing *p = find(r, path);
	char text[9000];

	if (post && strncmp(path, "/pair ", 6) == 0) {
		create(r, request, body, out);
	} else if (p == NULL) {
		reply(out, 404, "not found or expired");
	} else if (post) {
		bool same = !r->plain && header(request, "Idempotency-Key: ", p->key);

		if (p->joined && !same) {
			reply(out, 404, "not found or expired");
			return;
		}
		copy_key(p->key, request);
		p->joined = true;
		snprintf(p->joiner, sizeof(p->joiner), "%s", body);
		reply(out, 200, p->creator);
	} else if (!p->joined) {
		reply(out, 200, "{\"joined\":false}");
	} else if (p->read && (r->plain || !header(request, "Authorization: Bearer ", p->token))) {
		reply(out, 404, "not found or expired");
	} else {
		p->read = true;
		snprintf(text, sizeof(text), "{\"joined\":true,%s", p->joiner + 1);
		reply(out, 200, text);
	}
}

/* The whole request, by its Content-Length. */
static bool take(int fd, char *request, size_t size)
{
	size_t len = 0, want = 0;

	for (;;) {
		ssize_t n = read(fd, request + len, size - 1 - len);
		const char *end, *length;

		if (n <= 0)
			return false;
		len += (size_t)n;
		request[len] = '\0';
		end = strstr(request, "\r\n\r\n");
		if (end == NULL)
			continue;
		length = strstr(request, "Content-Length: ");
		want = length == NULL ? 0 : strtoul(length + 16, NULL, 10);
		if (len >= (size_t)(end + 4 - request) + want)
			return true;
	}
}

static void send_all(struct rogue *r, int fd, const char *out)
{
	size_t len = strlen(out);

	if (r->cut != 0 && r->cut < len) {
		len = r->cut;
		r->cut = 0;
	}
	for (size_t i = 0; i < len;) {
		ssize_t n = send(fd, out + i, r->drip ? 1 : len - i, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		i += (size_t)n;
		if (r->drip)
			usleep(50000);
	}
}

static void serve(struct rogue *r, int fd)
{
	static char request[SIZE], out[SIZE];
	bool kills;

	if (!take(fd, request, sizeof(request)))
		return;
	pthread_mutex_lock(&r->mutex);
	r->requests++;
	r->posts += strncmp(request, "POST /pair ", 11) == 0;
	snprintf(r->last, sizeof(r->last), "%.16000s", request);
	kills = r->victim > 0 && r->requests == r->kill_at;
	if (kills && !r->kill_after)
		kill(r->victim, SIGKILL);
	if (r->fails > 0) {
		r->fails--;
		reply(out, r->status, "busy\nsecond line");
	} else if (r->answer == NULL || !r->answer(r, request, out, sizeof(out))) {
		honest(r, request, out);
	}
	pthread_mutex_unlock(&r->mutex);
	if (kills && r->kill_after)
		kill(r->victim, SIGKILL);
	else
		send_all(r, fd, out);
}

static void *run(void *user)
{
	struct rogue *r = user;

	for (;;) {
		int fd = accept(r->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		serve(r, fd);
		shutdown(fd, SHUT_WR);
		close(fd);
	}
}

void rogue_start(struct rogue *r)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(r->fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(r->fd, 64) < 0 ||
		getsockname(r->fd, (struct sockaddr *)&at, &len) < 0)
		abort();
	snprintf(r->url, sizeof(r->url), "http://127.0.0.1:%d", ntohs(at.sin_port));
	pthread_mutex_init(&r->mutex, NULL);
	pthread_create(&r->thread, NULL, run, r);
}

void rogue_stop(struct rogue *r)
{
	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->fd);
}
