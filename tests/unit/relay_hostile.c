#include "relay_hostile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char web[] = "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}";
static const char db[] = "{\"jails\":[{\"name\":\"db\",\"ygg_address\":\"200::2\"}]}";

TestSuite(relay_hostile, .timeout = 120);

static int open_other(const struct victim *v)
{
	struct relay r = v->relay;

	r.from = other_address();
	return raw_open(&r);
}

/* Sends it in a connection of its own, ends it there if so wanted, and reads until the relay closes. */
static char *talk(
	const struct victim *v, const char *bytes, size_t len, bool half_close, bool *closed)
{
	int fd = open_other(v);
	char *answer;

	raw_send(fd, bytes, len);
	if (half_close)
		shutdown(fd, SHUT_WR);
	answer = raw_read(fd, 3000, closed);
	close(fd);
	return answer;
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
		n++;
	return n;
}

struct request {
	char text[1024];
	size_t len;
};

static struct request post(const char *path, const char *body)
{
	struct request r;

	r.len = (size_t)snprintf(r.text, sizeof(r.text),
		"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(body),
		body);
	return r;
}

/* The connection ends at every byte of it, in order or by a reset. */
static void hang_up_everywhere(const struct victim *v, const struct request *r, size_t end)
{
	const struct linger reset = { .l_onoff = 1 };

	for (size_t n = 0; n < end; n++) {
		int fd = open_other(v);

		raw_send(fd, r->text, n);
		if (n % 2 == 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
}

/* An end that comes together with bytes is noticed when the relay looks at the connection next. */
Test(relay_hostile, a_hang_up_at_any_byte_leaves_nothing)
{
	struct victim v = victim_up((struct relay_conf){ .max_connections = 256, .idle_s = 2 });
	struct request create = post("/pair", web), join, poll;
	struct made m;
	struct reply reply;

	hang_up_everywhere(&v, &create, create.len);
	expect_recovered(&v, 0);
	m = make_pairing(&v.relay, web);
	join = post(m.path, db);
	hang_up_everywhere(&v, &join, join.len);
	expect_recovered(&v, 1);
	poll.len = (size_t)snprintf(
		poll.text, sizeof(poll.text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", m.path);
	hang_up_everywhere(&v, &poll, poll.len);
	expect_recovered(&v, 1);
	reply = ask(&v.relay, "GET", m.path, m.bearer, NULL);
	cr_assert_str_eq(reply.body, "{\"joined\":false}", "nobody has joined: %s", reply.body);
	reply_free(&reply);
	/* A whole one counts, whoever waits for its answer. */
	hang_up_everywhere(&v, &create, 1);
	for (size_t i = 0; i < 2; i++) {
		int fd = open_other(&v);

		raw_send(fd, create.text, create.len);
		shutdown(fd, SHUT_WR);
		free(raw_read(fd, 3000, NULL));
		close(fd);
	}
	expect_recovered(&v, 3);
	victim_down(&v);
}

Test(relay_hostile, an_end_that_comes_with_bytes_is_seen_long_before_silence_is)
{
	struct victim v = victim_up((struct relay_conf){ .idle_s = 60, .request_s = 60 });

	for (int i = 0; i < 3; i++) {
		int fd = open_other(&v);
		bool closed = false;

		cr_assert_eq(send(fd, "G", 1, MSG_MORE | MSG_NOSIGNAL), 1);
		cr_assert_eq(shutdown(fd, SHUT_WR), 0);
		free(raw_read(fd, 5000, &closed));
		cr_assert(closed);
		close(fd);
	}
	expect_recovered(&v, 0);
	victim_down(&v);
}

/* A byte now and then, at each part of a request; others are served meanwhile, and they are cut off. */
Test(relay_hostile, slow_clients_are_cut_off_and_hold_up_nobody)
{
	enum { SLOW = 48, SECONDS = 3 };
	static const char *const begins[] = { "", "GET /pa",
		"GET /pair/x HTTP/1.1\r\nHost: x\r\nX: ",
		"POST /pair HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
		"POST /pair HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
		"POST /pair HTTP/1.1\r\nHost: x\r\nContent-Length: 262145\r\nX: " };
	struct victim v = victim_up(
		(struct relay_conf){ .max_connections = 64, .request_s = SECONDS, .idle_s = 10 });
	int fds[SLOW], open = SLOW;

	for (size_t i = 0; i < SLOW; i++) {
		const char *begin = begins[i % (sizeof(begins) / sizeof(begins[0]))];

		fds[i] = open_other(&v);
		raw_send(fds[i], begin, strlen(begin));
	}
	for (int second = 0; second < 3 * SECONDS + 5 && open > 0; second++) {
		expect_served(&v);
		for (size_t i = 0; i < SLOW; i++) {
			char c;

			if (fds[i] < 0)
				continue;
			raw_send(fds[i], "a", 1);
			if (recv(fds[i], &c, 1, MSG_DONTWAIT) == 0 ||
				send(fds[i], "a", 1, MSG_NOSIGNAL) < 0) {
				close(fds[i]);
				fds[i] = -1;
				open--;
			}
		}
		cr_assert(second > 0 || open > SLOW / 2, "they were not slow");
		sleep(1);
	}
	cr_assert_eq(open, 0, "%d were not cut off", open);
	expect_recovered(&v, 0);
	victim_down(&v);
}

/* Whether the relay ended it, in order or not; what it said before is thrown away. */
static bool is_closed(int fd)
{
	char bytes[512];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		;
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Silence ends a connection wherever a request is, and what comes on may take longer. */
Test(relay_hostile, silent_clients_are_cut_off_and_who_comes_on_is_served)
{
	enum { SILENCE = 2, PARTS = 8 };
	static const char *const begins[] = { "", "GET /pa",
		"GET /pair/x HTTP/1.1\r\nHost: x\r\nX: ",
		"POST /pair HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
		"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" };
	enum { SILENT = sizeof(begins) / sizeof(begins[0]) };
	struct victim v = victim_up((struct relay_conf){ .request_s = 60, .idle_s = SILENCE });
	struct request create = post("/pair", web);
	const size_t head = create.len - strlen(web), part = (strlen(web) + PARTS - 1) / PARTS;
	int fds[SILENT], slow = open_other(&v);
	char *answer;

	for (size_t i = 0; i < SILENT; i++) {
		fds[i] = open_other(&v);
		raw_send(fds[i], begins[i], strlen(begins[i]));
	}
	raw_send(slow, create.text, head);
	for (size_t sent = head; sent < create.len; sent += part) {
		usleep(500 * 1000);
		for (size_t i = 0; sent == head && i < SILENT; i++)
			cr_assert_not(is_closed(fds[i]), "%s: too soon", begins[i]);
		raw_send(slow, create.text + sent,
			create.len - sent < part ? create.len - sent : part);
	}
	answer = raw_read(slow, 1000, NULL);
	cr_assert_eq(strncmp(answer, "HTTP/1.1 200 ", 13), 0, "%s", answer);
	free(answer);
	for (size_t i = 0; i < SILENT; i++) {
		cr_assert(is_closed(fds[i]), "%s: still open", begins[i]);
		close(fds[i]);
	}
	close(slow);
	expect_recovered(&v, 1);
	victim_down(&v);
}

/* A roster of 1,024 jails, and the request that joins with it. */
static char *large_join(const char *path, size_t *len)
{
	char *body = malloc(1024 * 160), *request = malloc(1024 * 160 + 256), *at = body;

	at += sprintf(at, "{\"jails\":[");
	for (int i = 0; i < 1024; i++)
		at += sprintf(at,
			"%s{\"name\":\"a%062d\",\"ygg_address\":\"200:1111:2222:3333:4444:5555:"
			"6666:%x\"}",
			i > 0 ? "," : "", i, i + 1);
	strcpy(at, "]}");
	*len = (size_t)sprintf(request,
		"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(body),
		body);
	free(body);
	return request;
}

/* Reads of a large answer again and again, pipelined, of which a byte now and then is taken. */
Test(relay_hostile, slow_readers_are_cut_off_and_hold_up_nobody)
{
	enum { SLOW = 32, SECONDS = 3, READS = 40 };
	struct victim v = victim_up(
		(struct relay_conf){ .max_connections = 64, .request_s = SECONDS, .idle_s = 60 });
	struct made m = make_pairing(&v.relay, web);
	int fds[SLOW], size = 2048;
	char get[256], c;
	size_t len;
	char *join = large_join(m.path, &len);

	free(talk(&v, join, len, true, NULL));
	snprintf(get, sizeof(get), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", m.path, m.bearer);
	for (size_t i = 0; i < SLOW; i++) {
		fds[i] = open_other(&v);
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		for (int n = 0; n < READS; n++)
			raw_send(fds[i], get, strlen(get));
	}
	for (int second = 0; second < 2 * SECONDS; second++) {
		expect_served(&v);
		for (size_t i = 0; i < SLOW; i++)
			cr_assert(second > 0 || recv(fds[i], &c, 1, 0) == 1, "reader %zu", i);
		sleep(1);
	}
	/* Though they still hold their ends. */
	expect_recovered(&v, 0);
	for (size_t i = 0; i < SLOW; i++)
		close(fds[i]);
	free(join);
	victim_down(&v);
}

Test(relay_hostile, a_thousand_pipelined_requests_are_answered)
{
	enum { N = 1000 };
	struct victim v = victim_up((struct relay_conf){ 0 });
	struct made m = make_pairing(&v.relay, web);
	size_t cap = (size_t)N * 128, len = 0;
	char *requests = malloc(cap), *answer = NULL, *all = calloc(1, 1);
	int fd = raw_open(&v.relay);
	bool closed = false;

	for (int i = 0; i < N; i++)
		len += (size_t)snprintf(requests + len, cap - len,
			"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", m.path,
			i == N - 1 ? "Connection: close\r\n" : "");
	raw_send(fd, requests, len);
	len = 0;
	while (!closed) {
		size_t n;

		answer = raw_read(fd, 3000, &closed);
		n = strlen(answer);
		cr_assert(n > 0 || closed, "%zu answers", count(all, "{\"joined\":false}"));
		all = realloc(all, len + n + 1);
		memcpy(all + len, answer, n + 1);
		len += n;
		free(answer);
	}
	cr_assert_eq(count(all, "HTTP/1.1 200 OK\r\n"), N);
	cr_assert_eq(count(all, "\r\n\r\n{\"joined\":false}"), N);
	close(fd);
	free(all);
	free(requests);
	expect_recovered(&v, 1);
	victim_down(&v);
}

Test(relay_hostile, what_follows_a_body_is_a_request)
{
	static const char *const bodies[] = { "Content-Length: 49\r\n\r\n%s",
		"Transfer-Encoding: chunked\r\n\r\n31;x=y\r\n%s\r\n0\r\nX: y\r\n\r\n" };
	struct victim v = victim_up((struct relay_conf){ 0 });
	char request[2048], body[512], *answer;

	cr_assert_eq(strlen(web), 0x31);
	for (size_t i = 0; i < 2; i++) {
		snprintf(body, sizeof(body), bodies[i], web);
		snprintf(request, sizeof(request),
			"POST /pair HTTP/1.1\r\nHost: x\r\n%sPOST /pair HTTP/1.1\r\nHost: x\r\n%s"
			"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			body, body);
		answer = talk(&v, request, strlen(request), false, NULL);
		cr_assert_eq(count(answer, "{\"code\":\""), 2, "%s", answer);
		cr_assert_eq(count(answer, "HTTP/1.1 404 "), 1, "%s", answer);
		free(answer);
		expect_recovered(&v, 2 * ((long)i + 1));
	}
	victim_down(&v);
}

/* Thousands of connections that say nothing. */
Test(relay_hostile, idle_connections_hold_up_nobody)
{
	enum { IDLE = 3000 };
	struct rlimit limit;
	struct victim v;
	static int fds[IDLE];

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 2 * IDLE)
		cr_skip_test("this system allows too few open files");
	limit.rlim_cur = limit.rlim_cur < 2 * IDLE ? 2 * IDLE : limit.rlim_cur;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	v = victim_up((struct relay_conf){ .max_connections = IDLE + 100 });
	for (size_t i = 0; i < IDLE; i++) {
		fds[i] = open_other(&v);
		if (i % 2 == 0)
			raw_send(fds[i], "GET /", 5);
	}
	expect_served(&v);
	for (int i = 0; i < 1000 && gauge_of(&v, "connections_open") < IDLE; i++)
		usleep(10000);
	cr_assert_geq(gauge_of(&v, "connections_open"), IDLE);
	expect_served(&v);
	for (size_t i = 0; i < IDLE; i++)
		close(fds[i]);
	expect_recovered(&v, 0);
	victim_down(&v);
}
