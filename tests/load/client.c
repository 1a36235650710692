#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"

enum {
	JAILS = 10,
	TEXT_MAX = 4096,  /* of a request, a roster and an answer */
	ROUNDS = 50,      /* pairings on one connection */
	PATIENCE = 20000, /* milliseconds without any answer */
	EVENTS = 64,
};

/* What a client does, in this order and again; those that fill do the first alone. */
enum step { CREATE, WAIT, POLL_KEPT, JOIN, READ, READ_AGAIN, GONE, STEPS };

struct client {
	int fd;
	enum step step;
	bool busy;
	unsigned rounds;
	uint32_t number; /* of its pairing: both addresses and both rosters come from it */
	struct kept own;
	size_t kept; /* which of those is polled */
	char in[TEXT_MAX];
	size_t len;
};

struct crowd {
	int epoll, port;
	struct client *clients;
	unsigned n, busy;
	struct kept *kept;
	size_t n_kept, created; /* created: so many of them are there or under way */
	size_t polled;          /* at the end: so many of them are polled or under way */
	bool filling, warming, finishing;
	uint32_t number;
	uint64_t requests, pairings;
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *fmt, ...)
{
	va_list ap;

	fputs("load: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* As the relay writes it, so that what comes back can be compared as text. */
static void roster(uint32_t number, char side, char out[TEXT_MAX])
{
	int at = snprintf(out, TEXT_MAX, "{\"jails\":[");

	for (int i = 0; i < JAILS; i++)
		at += snprintf(out + at, (size_t)(TEXT_MAX - at),
			"%s{\"name\":\"%c%u-%d\",\"ygg_address\":\"200:%x:%x:%c::%x\"}",
			i > 0 ? "," : "", side, number, i, number >> 16 | 0x1000,
			(number & 0xffff) | 0x1000, side, i + 1);
	snprintf(out + at, (size_t)(TEXT_MAX - at), "]}");
}

static void enter(struct crowd *c, struct client *cl)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)c->port) };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = cl };
	int yes = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cl->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (cl->fd < 0 || connect(cl->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		setsockopt(cl->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0 ||
		epoll_ctl(c->epoll, EPOLL_CTL_ADD, cl->fd, &ev) < 0)
		fail("cannot connect: %s", strerror(errno));
	cl->rounds = 0;
}

static void leave(struct client *cl)
{
	if (cl->fd >= 0)
		close(cl->fd);
	cl->fd = -1;
}

/* The joiner asks from another address than the creator. */
static void ask(
	struct crowd *c, struct client *cl, const char *code, const char *token, const char *body)
{
	char request[2 * TEXT_MAX], bearer[TOKEN + 32] = "";
	uint32_t n = cl->number;
	int len;

	if (token != NULL)
		snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s\r\n", token);
	len = snprintf(request, sizeof(request),
		"%s /pair%s%s HTTP/1.1\r\nHost: relay\r\nX-Forwarded-For: %d.%u.%u.%u\r\n%s"
		"Content-Length: %zu\r\n\r\n%s",
		body != NULL ? "POST" : "GET", code != NULL ? "/" : "", code != NULL ? code : "",
		cl->step == JOIN ? 11 : 10, n >> 16 & 255, n >> 8 & 255, n & 255, bearer,
		body != NULL ? strlen(body) : 0, body != NULL ? body : "");
	if (send(cl->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		fail("cannot send a request: %s", strerror(errno));
	cl->len = 0;
	cl->busy = true;
	c->busy++;
}

static void ask_step(struct crowd *c, struct client *cl)
{
	const struct kept *own = &cl->own, *kept = &c->kept[cl->kept];
	char body[TEXT_MAX];

	switch (cl->step) {
	case CREATE:
		roster(cl->number, 'a', body);
		ask(c, cl, NULL, NULL, body);
		break;
	case JOIN:
		roster(cl->number, 'b', body);
		ask(c, cl, own->code, NULL, body);
		break;
	case POLL_KEPT:
		ask(c, cl, kept->code, kept->token, NULL);
		break;
	default:
		ask(c, cl, own->code, cl->step == GONE ? NULL : own->token, NULL);
		break;
	}
}

/* The next request of that client, if there is one. */
static void next(struct crowd *c, struct client *cl)
{
	if (c->filling && c->created == c->n_kept)
		return;
	if (c->finishing) {
		if (c->polled == c->n_kept)
			return;
		cl->step = POLL_KEPT;
		cl->kept = c->polled++;
	} else if (cl->step == CREATE) {
		if (cl->rounds++ == ROUNDS) {
			leave(cl);
			enter(c, cl);
		}
		cl->number = c->number++;
		cl->kept = c->filling ? c->created++ : cl->number % c->n_kept;
	}
	ask_step(c, cl);
}

static void copy_text(const char *json, const char *name, char *out, size_t size)
{
	const char *at = strstr(json, name);
	size_t len = at != NULL ? strcspn(at + strlen(name), "\"") : 0;

	if (len == 0 || len >= size)
		fail("no %s in %s", name, json);
	memcpy(out, at + strlen(name), len);
	out[len] = '\0';
}

static void expect(
	const struct client *cl, int status, const char *body, int wanted, const char *wanted_body)
{
	if (status != wanted || (wanted_body != NULL && strcmp(body, wanted_body) != 0))
		fail("a wrong answer in step %d: %d %s\nexpected: %d %s", cl->step, status, body,
			wanted, wanted_body != NULL ? wanted_body : "");
}

static enum step following(const struct crowd *c, enum step step)
{
	if (c->filling || (c->warming && step == READ))
		return CREATE;
	if (c->warming && step == CREATE)
		return JOIN;
	return (enum step)((step + 1) % STEPS);
}

static void check(struct crowd *c, struct client *cl, int status, const char *body)
{
	char text[TEXT_MAX], answer[TEXT_MAX + 32];

	switch (cl->step) {
	case CREATE:
		expect(cl, status, body, 200, NULL);
		copy_text(body, "\"code\":\"", cl->own.code, sizeof(cl->own.code));
		copy_text(body, "\"token\":\"", cl->own.token, sizeof(cl->own.token));
		if (c->filling)
			c->kept[cl->kept] = cl->own;
		break;
	case WAIT:
	case POLL_KEPT:
		expect(cl, status, body, 200, "{\"joined\":false}");
		break;
	case JOIN:
		roster(cl->number, 'a', text);
		expect(cl, status, body, 200, text);
		break;
	case READ:
	case READ_AGAIN:
		roster(cl->number, 'b', text);
		snprintf(answer, sizeof(answer), "{\"joined\":true,%s", text + 1);
		expect(cl, status, body, 200, answer);
		break;
	default:
		expect(cl, status, body, 404, NULL);
		break;
	}
	c->requests++;
	cl->step = following(c, cl->step);
	c->pairings += cl->step == CREATE && !c->filling;
}

/* The answer's body when all of it is there, else NULL. */
static char *whole(struct client *cl, int *status)
{
	static const char length[] = "\r\nContent-Length: ";
	char *end = strstr(cl->in, "\r\n\r\n"), *at;
	size_t head, body;

	if (end == NULL)
		return NULL;
	head = (size_t)(end + 4 - cl->in);
	at = strstr(cl->in, length);
	if (at == NULL || at > end || sscanf(cl->in, "HTTP/1.1 %d ", status) != 1)
		fail("not an answer: %s", cl->in);
	body = strtoul(at + sizeof(length) - 1, NULL, 10);
	if (cl->len > head + body)
		fail("more than an answer: %s", cl->in);
	return cl->len == head + body ? cl->in + head : NULL;
}

static void on_readable(struct crowd *c, struct client *cl)
{
	ssize_t n = recv(cl->fd, cl->in + cl->len, sizeof(cl->in) - 1 - cl->len, 0);
	char *body;
	int status;

	if (n <= 0)
		fail("the relay closed a connection in step %d: %s", cl->step,
			n < 0 ? strerror(errno) : "there was no answer");
	cl->len += (size_t)n;
	cl->in[cl->len] = '\0';
	body = whole(cl, &status);
	if (body == NULL)
		return;
	cl->busy = false;
	c->busy--;
	check(c, cl, status, body);
}

/* One wait; whoever has got his answer asks again if more is true. */
static void turn(struct crowd *c, bool more)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(c->epoll, events, EVENTS, PATIENCE);

	if (n == 0)
		fail("no answer within %d seconds", PATIENCE / 1000);
	for (int i = 0; i < n; i++) {
		struct client *cl = events[i].data.ptr;

		on_readable(c, cl);
		if (more && !cl->busy)
			next(c, cl);
	}
}

static void start(struct crowd *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (!c->clients[i].busy)
			next(c, &c->clients[i]);
}

static void drain(struct crowd *c)
{
	while (c->busy > 0)
		turn(c, false);
}

struct crowd *crowd_new(int port, unsigned clients, struct kept *kept, size_t n_kept)
{
	struct crowd *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->clients = calloc(clients, sizeof(*c->clients))) == NULL)
		abort();
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->port = port;
	c->n = clients;
	c->kept = kept;
	c->n_kept = n_kept;
	for (unsigned i = 0; i < clients; i++)
		enter(c, &c->clients[i]);
	return c;
}

void crowd_free(struct crowd *c)
{
	for (unsigned i = 0; i < c->n; i++)
		leave(&c->clients[i]);
	close(c->epoll);
	free(c->clients);
	free(c);
}

void crowd_fill(struct crowd *c)
{
	c->filling = true;
	start(c);
	while (c->busy > 0)
		turn(c, true);
	c->filling = false;
}

void crowd_warm(struct crowd *c, uint64_t pairings)
{
	c->warming = true;
	start(c);
	while (c->pairings < pairings)
		turn(c, true);
	c->warming = false;
}

void crowd_run(struct crowd *c, int64_t until)
{
	start(c);
	while (clock_ms() < until)
		turn(c, true);
}

void crowd_finish(struct crowd *c)
{
	drain(c);
	/* A pairing in the middle is ended, so that those that are kept are all that is open. */
	for (unsigned i = 0; i < c->n; i++)
		while (c->clients[i].step != CREATE) {
			ask_step(c, &c->clients[i]);
			drain(c);
		}
	c->finishing = true;
	start(c);
	while (c->busy > 0)
		turn(c, true);
	for (unsigned i = 0; i < c->n; i++)
		leave(&c->clients[i]);
}

uint64_t crowd_requests(const struct crowd *c)
{
	return c->requests;
}

uint64_t crowd_pairings(const struct crowd *c)
{
	return c->pairings;
}
