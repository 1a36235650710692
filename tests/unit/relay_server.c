#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/roster.h"
#include "relay_lab.h"

static const char web[] = "{\"jails\":[{\"name\":\"Web\",\"ygg_address\":\"200::1\",\"x\":[1]}]}";
static const char db[] = "{\"jails\": [{\"ygg_address\":\"200::2\", \"name\":\"db\"}]}";
static const char web_again[] = "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}";
static const char db_joined[] =
	"{\"joined\":true,\"jails\":[{\"name\":\"db\",\"ygg_address\":\"200::2\"}]}";
static const char idempotent[] = "Idempotency-Key: 0123456789abcdef";

TestSuite(relay_server, .timeout = 60);

static struct made make(const struct relay *r)
{
	return make_pairing(r, web);
}

/* The status must be as expected, and the body too where one is given. */
static void expect(const struct relay *r, const char *method, const char *path, const char *headers,
	const char *body, long status, const char *answer)
{
	struct reply reply = ask(r, method, path, headers, body);

	cr_assert_eq(reply.status, status, "%s %s: %ld %s", method, path, reply.status, reply.body);
	if (answer != NULL)
		cr_assert_str_eq(reply.body, answer);
	cr_assert_not_null(strstr(reply.headers, "Cache-Control: no-store\r\n"));
	cr_assert_not_null(strstr(reply.headers,
		status == 200 ? "Content-Type: application/json\r\n" : "Content-Type: text/plain"));
	if (status != 200) {
		cJSON *json = cJSON_Parse(reply.body);

		cr_assert_null(json, "Jailrun takes it for an answer: %s", reply.body);
	}
	reply_free(&reply);
}

Test(relay_server, pairs_once_and_forgets)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make(&r);

	expect(&r, "GET", m.path, NULL, NULL, 200, "{\"joined\":false}");
	expect(&r, "POST", m.path, NULL, db, 200, web_again);
	expect(&r, "POST", m.path, NULL, db, 404, NULL);
	expect(&r, "GET", m.path, NULL, NULL, 200, db_joined);
	expect(&r, "GET", m.path, NULL, NULL, 404, NULL);
	expect(&r, "POST", m.path, NULL, db, 404, NULL);
	relay_down(&r);
}

Test(relay_server, a_token_reads_again)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make(&r), other = make(&r);

	expect(&r, "GET", m.path, m.bearer, NULL, 200, "{\"joined\":false}");
	expect(&r, "POST", m.path, NULL, db, 200, web_again);
	expect(&r, "GET", m.path, other.bearer, NULL, 404, NULL);
	expect(&r, "GET", m.path, "Authorization: Bearer", NULL, 200, db_joined);
	expect(&r, "GET", m.path, NULL, NULL, 404, NULL);
	expect(&r, "GET", m.path, m.bearer, NULL, 200, db_joined);
	expect(&r, "GET", m.path, m.bearer, NULL, 200, db_joined);
	relay_down(&r);
}

Test(relay_server, a_key_joins_again)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make(&r);

	expect(&r, "POST", m.path, "Idempotency-Key: short", db, 400, NULL);
	expect(&r, "POST", m.path, "Idempotency-Key: 0123456789abcde;", db, 400, NULL);
	expect(&r, "POST", m.path, idempotent, db, 200, web_again);
	expect(&r, "POST", m.path, idempotent, db, 200, web_again);
	expect(&r, "POST", m.path, idempotent, web, 404, NULL);
	expect(&r, "POST", m.path, "Idempotency-Key: 0123456789abcdeF", db, 404, NULL);
	expect(&r, "POST", m.path, NULL, db, 404, NULL);
	expect(&r, "GET", m.path, NULL, NULL, 200, db_joined);
	expect(&r, "POST", m.path, idempotent, db, 200, web_again);
	relay_down(&r);
}

Test(relay_server, pairings_expire)
{
	struct relay r = relay_up((struct relay_conf){ .ttl = 1 });
	struct made m = make(&r), joined = make(&r);

	expect(&r, "POST", joined.path, NULL, db, 200, web_again);
	usleep(1100 * 1000);
	expect(&r, "GET", m.path, NULL, NULL, 404, NULL);
	expect(&r, "POST", m.path, NULL, db, 404, NULL);
	expect(&r, "GET", joined.path, NULL, NULL, 404, NULL);
	relay_down(&r);
}

Test(relay_server, other_paths_and_methods_are_refused)
{
	static const char *const nowhere[] = { "//", "/index.html", "/pairs", "/pair/", "/pair//x",
		"//pair", "/pair/../pair", "/pair%2Fx", "/pair/x/", "/%zz", "/favicon.ico" };
	static const char *const other[] = { "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE",
		"get", "BREW" };
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make(&r);
	struct reply reply;

	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
		expect(&r, "GET", nowhere[i], NULL, NULL, 404, NULL);
	expect(&r, "POST", "/pair/", NULL, web, 404, NULL);
	expect(&r, "POST", m.path, NULL, db, 200, NULL);
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		reply = ask(&r, other[i], m.path, NULL, NULL);
		cr_assert_eq(reply.status, 405, "%s: %ld", other[i], reply.status);
		cr_assert_not_null(strstr(reply.headers, "\r\nAllow: GET, POST\r\n"));
		reply_free(&reply);
	}
	reply = ask(&r, "GET", "/pair", NULL, NULL);
	cr_assert_eq(reply.status, 405);
	cr_assert_not_null(strstr(reply.headers, "\r\nAllow: POST\r\n"));
	reply_free(&reply);
	expect(&r, "GET", m.path, NULL, NULL, 200, db_joined);
	relay_down(&r);
}

Test(relay_server, spellings_of_a_path_that_mean_the_same_are_the_same)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make(&r);
	char path[256];

	snprintf(path, sizeof(path), "/%%70air/%%3%c%s?a=b&c", m.path[6], m.path + 7);
	expect(&r, "GET", path, NULL, NULL, 200, "{\"joined\":false}");
	relay_down(&r);
}

Test(relay_server, bad_rosters_are_refused_and_cost_nothing)
{
	static const char *const bad[] = {
		"",
		"{",
		"null",
		"[]",
		"{}",
		"{\"jails\":[]}",
		"{\"jails\":{}}",
		"{\"jails\":[1]}",
		"{\"jails\":[{\"name\":\"a\"}]}",
		"{\"jails\":[{\"name\":\"a\",\"ygg_address\":\"::/0\"}]}",
		"{\"jails\":[{\"name\":\"a\",\"ygg_address\":\"2001:db8::1\"}]}",
		"{\"jails\":[{\"name\":\"a\",\"ygg_address\":\"300::1\"}]}",
		"{\"jails\":[{\"name\":\"a\",\"ygg_address\":\"200:0::1\"}]}",
		"{\"jails\":[{\"name\":\"a\",\"ygg_address\":\"200::1%eth0\"}]}",
		"{\"jails\":[{\"name\":\"a\",\"ygg_address\":[\"200::1\"]}]}",
		"{\"jails\":[{\"name\":\"a.b\",\"ygg_address\":\"200::1\"}]}",
		"{\"jails\":[{\"name\":\"a\\u0000b\",\"ygg_address\":\"200::1\"}]}",
		"{\"jails\":[{\"name\":\"\\u001b[31m\",\"ygg_address\":\"200::1\"}]}",
		"{\"jails\":[{\"name\":\"<script>\",\"ygg_address\":\"200::1\"}]}",
		"{\"jails\":[{\"name\":\"a\\\" }\\n pass all\",\"ygg_address\":\"200::1\"}]}",
		"{\"jails\":[{\"name\":\"$(id)`id`\",\"ygg_address\":\"200::1\"}]}",
		"{\"jails\":[{\"name\":\"a\",\"ygg_address\":\"200::1\"},"
		"{\"name\":\"A\",\"ygg_address\":\"200::2\"}]}",
		"{\"jails\":[{\"name\":\"a\",\"ygg_address\":\"200::1\"},"
		"{\"name\":\"b\",\"ygg_address\":\"200::1\"}]}",
		"{\"jails\":[{\"name\":\"a\",\"ygg_address\":\"200::1\"}]} x",
		"jails=1&name=2",
	};
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make(&r);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct reply reply = ask(&r, "POST", m.path, NULL, bad[i]);

		cr_assert_eq(reply.status, 400, "%s: %ld", bad[i], reply.status);
		for (const char *c = reply.body; *c != '\0'; c++)
			cr_assert((*c >= 0x20 && *c < 0x7f && strchr("<>$`\"", *c) == NULL) ||
					(*c == '\n' && c[1] == '\0'),
				"%s", reply.body);
		reply_free(&reply);
		expect(&r, "POST", "/pair", NULL, bad[i], 400, NULL);
	}
	expect(&r, "POST", m.path, NULL, db, 200, web_again);
	relay_down(&r);
}

/* A roster of n jails, padded with spaces to len bytes. */
static char *roster_of(size_t n, size_t len)
{
	size_t at = 0, cap = len + n * 64 + 64;
	char *text = malloc(cap);

	at += (size_t)snprintf(text, cap, "{\"jails\":[");
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, cap - at,
			"%s{\"name\":\"j%zu\",\"ygg_address\":\"200::%zx\"}", i > 0 ? "," : "", i,
			i + 1);
	at += (size_t)snprintf(text + at, cap - at, "]}");
	while (at < len)
		text[at++] = ' ';
	text[at] = '\0';
	return text;
}

Test(relay_server, bounds_bodies_and_jails)
{
	static const char *const ways[] = { "Expect:", "Expect: 100-continue",
		"Expect:\nTransfer-Encoding: chunked" };
	struct relay r = relay_up((struct relay_conf){ 0 });
	char *most = roster_of(ROSTER_JAILS_MAX, ROSTER_BYTES_MAX);
	char *jails = roster_of(ROSTER_JAILS_MAX + 1, 0);
	char *bytes = roster_of(1, ROSTER_BYTES_MAX + 1), *huge = roster_of(1, 1000 * 1000);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct made m = make(&r);
		struct reply reply;

		expect(&r, "POST", "/pair", ways[i], most, 200, NULL);
		expect(&r, "POST", m.path, ways[i], most, 200, web_again);
		reply = ask(&r, "GET", m.path, NULL, NULL);
		cr_assert_eq(reply.status, 200);
		cr_assert_not_null(strstr(reply.body, "\"j1023\""));
		reply_free(&reply);
		expect(&r, "POST", "/pair", ways[i], jails, 400, NULL);
		expect(&r, "POST", "/pair", ways[i], bytes, 413, NULL);
		expect(&r, "POST", "/pair", ways[i], huge, 413, NULL);
	}
	free(most);
	free(jails);
	free(bytes);
	free(huge);
	relay_down(&r);
}

Test(relay_server, refuses_an_announced_length_before_the_body_comes)
{
	static const char *const lengths[] = { "262145", "99999999999", "18446744073709551615" };
	struct relay r = relay_up((struct relay_conf){ 0 });

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		int fd = raw_open(&r);
		char request[256], *answer;
		bool closed;

		snprintf(request, sizeof(request),
			"POST /pair HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n", lengths[i]);
		raw_send(fd, request, strlen(request));
		answer = raw_read(fd, 2000, &closed);
		cr_assert_eq(strncmp(answer, "HTTP/1.1 413 ", 13), 0, "%s: %s", lengths[i], answer);
		cr_assert(closed);
		free(answer);
		close(fd);
	}
	relay_down(&r);
}

Test(relay_server, bounds_open_pairings_with_429)
{
	struct relay r = relay_up((struct relay_conf){ .max_pairings = 2 });
	struct made m = make(&r);
	struct reply reply;

	make(&r);
	reply = ask(&r, "POST", "/pair", NULL, web);
	cr_assert_eq(reply.status, 429);
	cr_assert_not_null(strstr(reply.headers, "\r\nRetry-After: 60\r\n"));
	reply_free(&reply);
	expect(&r, "POST", m.path, NULL, db, 200, NULL);
	expect(&r, "GET", m.path, NULL, NULL, 200, NULL);
	make(&r);
	relay_down(&r);
}

Test(relay_server, answers_pipelined_requests_in_order)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make(&r);
	char request[1024], *answer, *first, *second, *third;
	int fd = raw_open(&r);

	snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
		"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s"
		"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		m.path, m.path, strlen(db), db, m.path);
	raw_send(fd, request, strlen(request));
	answer = raw_read(fd, 3000, NULL);
	first = strstr(answer, "{\"joined\":false}");
	second = strstr(answer, web_again);
	third = strstr(answer, db_joined);
	cr_assert(first != NULL && second != NULL && third != NULL, "%s", answer);
	cr_assert(first < second && second < third);
	free(answer);
	close(fd);
	relay_down(&r);
}

Test(relay_server, refuses_what_can_be_read_in_two_ways)
{
	static const char *const heads[] = {
		"Content-Length: 5\r\nContent-Length: 6\r\n",
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: gzip\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
		"Content-Length: -1\r\n",
		"Content-Length: 5x\r\n",
	};
	struct relay r = relay_up((struct relay_conf){ 0 });

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		int fd = raw_open(&r);
		char request[512], *answer;
		bool closed;

		snprintf(request, sizeof(request),
			"POST /pair HTTP/1.1\r\nHost: x\r\n%s\r\n0\r\n\r\nGET /pair/x HTTP/1.1\r\n"
			"Host: x\r\n\r\n",
			heads[i]);
		raw_send(fd, request, strlen(request));
		answer = raw_read(fd, 2000, &closed);
		cr_assert_eq(strncmp(answer, "HTTP/1.1 400 ", 13), 0, "%s: %s", heads[i], answer);
		/* The request behind it, which has an answer of its own, is not served. */
		cr_assert_null(strstr(answer, "HTTP/1.1 404"), "%s: %s", heads[i], answer);
		cr_assert(closed);
		free(answer);
		close(fd);
	}
	relay_down(&r);
}

Test(relay_server, survives_half_slow_and_garbled_requests)
{
	static const char *const pieces[] = { "", "G", "GET /pair/x", "GET /pair/x HTTP/1.1\r\nHos",
		"POST /pair HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"jails\":",
		"POST /pair HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\r\n\r\n\r\n",
		"GET \033[31m /\xff HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /pair/x HTTP/1.1\r\nHost: x\r\n : y\r\n\r\n" };
	struct relay r = relay_up((struct relay_conf){ 0 });
	int fds[sizeof(pieces) / sizeof(pieces[0])];
	struct made m = make(&r);

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fds[i] = raw_open(&r);
		raw_send(fds[i], pieces[i], strlen(pieces[i]));
	}
	expect(&r, "GET", m.path, NULL, NULL, 200, "{\"joined\":false}");
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	expect(&r, "GET", m.path, NULL, NULL, 200, "{\"joined\":false}");
	relay_down(&r);
}

Test(relay_server, refuses_overlong_targets_and_headers)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	char *request = malloc(40000);

	for (int header = 0; header <= 1; header++) {
		int fd = raw_open(&r);
		char *answer;
		size_t at = (size_t)sprintf(
			request, header ? "GET /pair/x HTTP/1.1\r\nHost: x\r\nX: " : "GET /pair/");

		memset(request + at, 'a', 30000);
		raw_send(fd, request, at + 30000);
		answer = raw_read(fd, 2000, NULL);
		cr_assert_eq(strncmp(answer, header ? "HTTP/1.1 431 " : "HTTP/1.1 414 ", 13), 0,
			"%s", answer);
		free(answer);
		close(fd);
	}
	free(request);
	relay_down(&r);
}

Test(relay_server, one_of_two_joiners_wins)
{
	enum { ROUNDS = 20 };
	struct relay r = relay_up((struct relay_conf){ 0 });
	char from[32];

	for (int round = 0; round < ROUNDS; round++) {
		struct made m = make(&r);
		int fds[2], won = 0;
		char request[512];

		/* The loser's code is a wrong one, and an address has ten of those. */
		snprintf(from, sizeof(from), "127.0.1.%d", round + 1);
		r.from = from;
		snprintf(request, sizeof(request),
			"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
			"%zu\r\n\r\n%s",
			m.path, strlen(db), db);
		for (int i = 0; i < 2; i++) {
			fds[i] = raw_open(&r);
			raw_send(fds[i], request, strlen(request) - 1);
		}
		for (int i = 0; i < 2; i++)
			raw_send(fds[i], request + strlen(request) - 1, 1);
		for (int i = 0; i < 2; i++) {
			char *answer = raw_read(fds[i], 3000, NULL);

			won += strncmp(answer, "HTTP/1.1 200 ", 13) == 0;
			cr_assert(strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ||
				strncmp(answer, "HTTP/1.1 404 ", 13) == 0);
			free(answer);
			close(fds[i]);
		}
		cr_assert_eq(won, 1);
	}
	relay_down(&r);
}

Test(relay_server, logs_requests_without_codes_tokens_or_rosters)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make(&r);
	char *log;

	expect(&r, "POST", m.path, idempotent, db, 200, NULL);
	expect(&r, "GET", m.path, m.bearer, NULL, 200, NULL);
	expect(&r, "GET", "/x%1b", NULL, NULL, 404, NULL);
	cr_assert(relay_logged(&r, " 127.0.0.1 POST /pair 200 "));
	cr_assert(relay_logged(&r, " 127.0.0.1 POST /pair/CODE 200 49 "));
	cr_assert(relay_logged(&r, " 127.0.0.1 GET /pair/CODE 200 62 "));
	cr_assert(relay_logged(&r, " 127.0.0.1 GET - 404 "));
	log = relay_log(&r);
	cr_assert_null(strstr(log, m.path + 6));
	cr_assert_null(strstr(log, m.bearer + 22));
	cr_assert_null(strstr(log, idempotent + 17));
	cr_assert_null(strstr(log, "200::"));
	cr_assert_null(strstr(log, "%1b"));
	free(log);
	relay_down(&r);
}

Test(relay_server, stops_on_sigint_with_a_connection_open)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	int fd = raw_open(&r);

	raw_send(fd, "GET /pair/x HT", 14);
	kill(r.pid, SIGINT);
	cr_assert_eq(relay_wait(&r), 0);
	close(fd);
	close(r.log);
}

Test(relay_server, says_why_it_does_not_start)
{
	struct relay up = relay_up((struct relay_conf){ 0 });
	char taken[32];
	struct {
		struct relay_conf conf;
		const char *why;
	} cases[] = {
		{ { .listen = taken }, "the port is in use" },
		{ { .listen = "127.0.0.1" }, "write ADDR:PORT" },
		{ { .listen = "::1:80" }, "write ADDR:PORT" },
		{ { .listen = "[::1]" }, "write ADDR:PORT" },
		{ { .listen = "localhost:80" }, "write ADDR:PORT" },
		{ { .listen = "127.0.0.1:65536" }, "write ADDR:PORT" },
		{ { .listen = "127.0.0.1:-1" }, "write ADDR:PORT" },
		{ { .listen = "192.0.2.1:80" }, "does not have that address" },
		{ { .admin = taken }, "the port is in use" },
		{ { .admin = "127.0.0.1" }, "write ADDR:PORT" },
		{ { .admin = "65536" }, "write ADDR:PORT" },
		{ { .admin = "" }, "write ADDR:PORT" },
		{ { .ttl = -1 }, "--ttl" },
		{ { .ttl = 86401 }, "--ttl" },
		{ { .max_pairings = 1000001 }, "--max-pairings" },
		{ { .max_connections = 65537 }, "--max-connections" },
		{ { .workers = 257 }, "--workers" },
		{ { .max_memory = 1024 * 1024, .max_connections = 1024 },
			"or lower --max-connections" },
		{ { .trusted = (const char *const[]){ "localhost" }, .n_trusted = 1 },
			"write an address or a network" },
		{ { .trusted = (const char *const[]){ "::1", "10.0.0.1/8" }, .n_trusted = 2 },
			"bits are set behind the prefix" },
		{ { .node = "wss://127.0.0.1:1" }, "cannot listen on wss" },
		{ { .node = "http://127.0.0.1:1" }, "--node" },
		{ { .node = "tcp://127.0.0.1:1\",\"x\":\"" }, "--node" },
		{ { .node = "tcp://127.0.0.1" }, "--node" },
	};

	snprintf(taken, sizeof(taken), "127.0.0.1:%d", up.port);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct relay r = relay_up(cases[i].conf);

		cr_assert_eq(relay_wait(&r), 1, "%s", cases[i].why);
		cr_assert(relay_logged(&r, cases[i].why), "%s", cases[i].why);
		close(r.log);
	}
	relay_down(&up);
}
