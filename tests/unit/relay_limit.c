#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay_lab.h"

static const char web[] = "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}";
static const char unknown[] = "/pair/81-zephyr-night-climb";

TestSuite(relay_limits, .timeout = 60);

static struct made make(const struct relay *r)
{
	return make_pairing(r, web);
}

/* The status, which with 429 must come with that Retry-After; 0: with any. */
static void expect(const struct relay *r, const char *method, const char *path, const char *headers,
	const char *body, long status, int retry_after)
{
	struct reply reply = ask(r, method, path, headers, body);
	char line[64];

	cr_assert_eq(reply.status, status, "%s %s: %ld %s", method, path, reply.status, reply.body);
	snprintf(line, sizeof(line), "\r\nRetry-After: %d\r\n", retry_after);
	cr_assert((strstr(reply.headers, retry_after == 0 ? "\r\nRetry-After: " : line) != NULL) ==
			(status == 429),
		"%s", reply.headers);
	reply_free(&reply);
}

/* Sends one request again and again, until it is refused. */
static void flood(const struct relay *r, const char *request)
{
	size_t n = strlen(request);
	bool limited = false;

	for (int round = 0; round < 60 && !limited; round++) {
		char *many = malloc(100 * n), *answer;
		int fd = raw_open(r);

		for (size_t i = 0; i < 100; i++)
			memcpy(many + i * n, request, n);
		raw_send(fd, many, 100 * n);
		answer = raw_read(fd, 100, NULL);
		limited = strstr(answer, "HTTP/1.1 429 ") != NULL &&
			strstr(answer, "\r\nRetry-After: 1\r\n") != NULL;
		free(answer);
		free(many);
		close(fd);
	}
	cr_assert(limited, "%s", request);
}

enum { CREATES = 1, JOINS = 2, POLLS = 4, OTHERS = 8 };

/* Requests of the kinds that are named are served, to a pairing that waits. */
static void expect_served(const struct relay *r, const struct made *m, int kinds)
{
	/* A roster that is refused costs as much as one that is not, and leaves the pairing alone. */
	if ((kinds & CREATES) != 0)
		expect(r, "POST", "/pair", NULL, "x", 400, 0);
	if ((kinds & JOINS) != 0)
		expect(r, "POST", m->path, NULL, "x", 400, 0);
	if ((kinds & POLLS) != 0)
		expect(r, "GET", m->path, NULL, NULL, 200, 0);
	if ((kinds & OTHERS) != 0)
		expect(r, "GET", "/nowhere", NULL, NULL, 404, 0);
}

Test(relay_limits, a_flood_of_one_kind_leaves_the_others)
{
	static const struct {
		const char *method;
		int kind;
	} cases[] = { { "POST /pair", CREATES }, { "POST /pair/", JOINS }, { "GET /pair/", POLLS },
		{ "PUT /pair/", OTHERS } };
	static const char *const from[] = { "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5" };
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make(&r);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *at = strrchr(cases[i].method, '/');
		char request[256];

		snprintf(request, sizeof(request),
			"%s%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", cases[i].method,
			at[1] == '\0' ? m.path + 6 : "");
		r.from = from[i];
		flood(&r, request);
		expect_served(&r, &m, (CREATES | JOINS | POLLS | OTHERS) & ~cases[i].kind);
		r.from = NULL;
		expect_served(&r, &m, CREATES | JOINS | POLLS | OTHERS);
	}
	relay_down(&r);
}

static void miss(const struct relay *r, int times)
{
	for (int i = 0; i < times; i++)
		expect(r, i % 2 == 0 ? "POST" : "GET", unknown, NULL, i % 2 == 0 ? web : NULL, 404,
			0);
}

Test(relay_limits, wrong_codes_slow_an_address_more_and_more)
{
	struct relay r = relay_up((struct relay_conf){ 0 }), guesser = r;
	struct made m = make(&r);

	guesser.from = "127.0.0.2";
	miss(&guesser, 11);
	for (int pause = 1; pause <= 2; pause++) {
		expect(&guesser, "POST", unknown, NULL, web, 429, pause);
		expect(&guesser, "GET", unknown, NULL, NULL, 429, pause);
		expect(&guesser, "POST", m.path, NULL, web, 429, pause);
		expect(&guesser, "GET", m.path, NULL, NULL, 429, pause);
		expect(&guesser, "GET", "/pair/NO%20CODE", NULL, NULL, 429, pause);
		usleep((useconds_t)pause * 1000 * 1000 + 100 * 1000);
		expect(&guesser, "POST", unknown, NULL, web, 404, 0);
	}
	expect(&guesser, "POST", unknown, NULL, web, 429, 4);
	expect(&r, "POST", unknown, NULL, web, 404, 0);
	expect(&r, "POST", m.path, NULL, web, 200, 0);
	relay_down(&r);
}

Test(relay_limits, who_polls_his_own_pairing_waits_for_nobodys_wrong_codes)
{
	struct relay r = relay_up((struct relay_conf){ 0 }), shared = r;
	struct made ours, theirs = make(&r);

	shared.from = "127.0.0.2";
	ours = make(&shared);
	miss(&shared, 11);
	expect(&shared, "GET", ours.path, NULL, NULL, 200, 0);
	expect(&shared, "GET", ours.path, ours.bearer, NULL, 200, 0);
	expect(&shared, "GET", theirs.path, theirs.bearer, NULL, 200, 0);
	expect(&shared, "GET", theirs.path, NULL, NULL, 429, 1);
	expect(&shared, "GET", theirs.path, ours.bearer, NULL, 429, 1);
	make(&shared);
	expect(&r, "POST", ours.path, NULL, web, 200, 0);
	expect(&shared, "GET", ours.path, NULL, NULL, 200, 0);
	expect(&shared, "GET", ours.path, ours.bearer, NULL, 200, 0);
	relay_down(&r);
}

Test(relay_limits, reads_that_began_together_are_not_all_looked_up)
{
	enum { READS = 30, FREE = 11 };
	static const char head[] = "GET /pair/81-zephyr-night-climb HTTP/1.1\r\nHost: x\r\n"
				   "Connection: close\r\nContent-Length: 2\r\n\r\nx";
	struct relay r = relay_up((struct relay_conf){ .max_connections = 200 });
	int fds[READS], looked_up = 0;

	for (int i = 0; i < READS; i++) {
		fds[i] = raw_open(&r);
		raw_send(fds[i], head, sizeof(head) - 1);
	}
	/* They have all begun when this one, which came behind them, is answered. */
	expect(&r, "GET", "/nowhere", NULL, NULL, 404, 0);
	for (int i = 0; i < READS; i++)
		raw_send(fds[i], "x", 1);
	for (int i = 0; i < READS; i++) {
		char *answer = raw_read(fds[i], 3000, NULL);

		looked_up += strncmp(answer, "HTTP/1.1 404 ", 13) == 0;
		cr_assert(strncmp(answer, "HTTP/1.1 404 ", 13) == 0 ||
				strncmp(answer, "HTTP/1.1 429 ", 13) == 0,
			"%s", answer);
		free(answer);
		close(fds[i]);
	}
	cr_assert_leq(looked_up, FREE);
	relay_down(&r);
}

Test(relay_limits, what_can_be_no_code_is_no_wrong_code)
{
	struct relay r = relay_up((struct relay_conf){ 0 });

	for (int i = 0; i < 30; i++)
		expect(&r, "GET", "/pair/NO%20CODE", NULL, NULL, 404, 0);
	relay_down(&r);
}
