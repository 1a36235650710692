#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "pairing/client.h"
#include "tests/unit/pairing_lab.h"

TestSuite(pairing_trouble, .init = pair_setup, .fini = pair_teardown, .timeout = 120);

Test(pairing_trouble, a_relay_that_recovers_is_tried_again)
{
	struct handshake_result r;

	pair_relay.fails = 2;
	pair_relay.status = 503;
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_str_eq(r.code, "1-zephyr");
	pair_relay.fails = 1;
	pair_relay.status = 429;
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_eq(pair_relay.requests, 5);
}

static const char *busy(int seconds)
{
	return arena_printf(pair_arena,
		"HTTP/1.1 429 X\r\nRetry-After: %d\r\nContent-Length: 9\r\nConnection: close\r\n"
		"\r\ntoo many\n",
		seconds);
}

static bool answer_raw_once(struct rogue *r, const char *request, char *out, size_t size)
{
	r->answer = NULL;
	return pair_answer_raw(r, request, out, size);
}

static int64_t ms_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

Test(pairing_trouble, a_relay_is_not_asked_before_the_time_that_it_asked_for)
{
	int64_t began = ms_now();
	struct handshake_result r;

	pair_relay.answer = answer_raw_once;
	pair_relay.raw = busy(2);
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_eq(pair_relay.posts, 2);
	cr_assert_geq(ms_now() - began, 2000);
	pair_side_init(&pair_laptop, "patient", PAIR_OURS);
	began = ms_now();
	pair_relay.answer = answer_raw_once;
	pair_relay.raw = busy(7);
	r = pair_create(8);
	cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
	cr_assert_not_null(r.code);
	cr_assert_eq(pair_relay.posts, 4);
	cr_assert_geq(ms_now() - began, 7000);
	cr_assert_leq(ms_now() - began, 12000);
}

Test(pairing_trouble, a_relay_that_asks_for_more_time_than_there_is_is_said_so_at_once)
{
	static const struct {
		int asks, wait_s;
	} table[] = { { 60, 0 }, { 6, 0 }, { 60, 50 }, { 3000, 50 } };

	pair_relay.answer = pair_answer_raw;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int64_t began = ms_now();

		pair_relay.requests = 0;
		pair_relay.raw = busy(table[i].asks);
		pair_failed((struct handshake_result[]){ pair_create(table[i].wait_s) }, ERR_REMOTE,
			arena_printf(pair_arena,
				"answers 429: 'too many'; it asks to be tried again in %d s",
				table[i].asks));
		cr_expect_eq(pair_relay.requests, 1, "%d: %u requests", table[i].asks,
			pair_relay.requests);
		cr_expect_leq(ms_now() - began, 2000);
	}
}

Test(pairing_trouble, a_relay_that_stays_broken_is_said_so)
{
	struct handshake_result r;

	pair_relay.fails = 1000;
	pair_relay.status = 502;
	r = pair_create(0);
	pair_failed(&r, ERR_REMOTE,
		arena_printf(pair_arena, "relay %s answers 502: 'busy'; tried ", pair_relay.url));
	cr_assert_geq(pair_relay.requests, 3);
	cr_assert_leq(pair_relay.requests, 6);
}

Test(pairing_trouble, a_relay_that_is_down_is_said_so)
{
	time_t began = time(NULL);
	struct handshake_result r;

	pair_laptop.c.relay_url = "http://127.0.0.1:1";
	r = pair_create(0);
	pair_failed(&r, ERR_REMOTE,
		"relay http://127.0.0.1:1 cannot be reached: connection refused; tried ");
	cr_assert_leq(time(NULL) - began, 7);
}

Test(pairing_trouble, what_no_retry_mends_fails_at_once)
{
	static const struct {
		const char *raw, *says;
	} table[] = {
		{ "HTTP/1.1 400 X\r\nContent-Length: 12\r\n\r\nbad\033[2J\nmore",
			"answers 400: 'bad\033[2J'" },
		{ "HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n", "answers 413" },
		{ "HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n", "answers 405" },
		{ "HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nno", "answers 404: 'no'" },
		{ "HTTP/1.1 302 X\r\nLocation: /pair/x\r\nContent-Length: 0\r\n\r\n",
			"redirection is not followed" },
		{ "HTTP/1.1 301 X\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
			"redirection is not followed" },
		{ "SSH-2.0-OpenSSH_9.2\r\n", "cannot be used" },
	};

	pair_relay.answer = pair_answer_raw;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		pair_relay.requests = 0;
		pair_relay.raw = table[i].raw;
		pair_failed(
			(struct handshake_result[]){ pair_create(0) }, ERR_REMOTE, table[i].says);
		cr_expect_eq(pair_relay.requests, 1, "%s: %u requests", table[i].says,
			pair_relay.requests);
	}
}

Test(pairing_trouble, a_lost_answer_to_a_poll_is_asked_for_again)
{
	struct handshake_result r;

	pair_create(0);
	cr_assert_eq(pair_join("1-zephyr").status, HANDSHAKE_PAIRED);
	pair_relay.cut = 150;
	r = pair_create(0);
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	pair_has_roster(&pair_laptop, "office", PAIR_THEIRS);
}

Test(pairing_trouble, a_lost_answer_to_a_join_is_asked_for_again)
{
	struct handshake_result r;

	pair_create(0);
	pair_relay.cut = 20;
	r = pair_join("1-zephyr");
	cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
	pair_has_roster(&pair_server, "home", PAIR_OURS);
}

Test(pairing_trouble, a_lost_answer_from_a_plain_relay_needs_a_new_code)
{
	pair_relay.plain = true;
	pair_create(0);
	pair_relay.cut = 20;
	pair_failed((struct handshake_result[]){ pair_join("1-zephyr") }, ERR_REMOTE,
		"ask for a new one");
	cr_assert_eq(pair_pendings(&pair_server), 0);
}

/* One request, with short patience. */
static struct answer asked(int whole_ms)
{
	struct client_conf conf = {
		.url = pair_relay.url, .connect_ms = 500, .whole_ms = whole_ms
	};
	struct question q = { .path = "/pair/1-zephyr" };
	struct answer answer = { 0 };
	struct err e = ERR_INIT;
	struct client *c;

	cr_assert_eq(client_new(&c, &conf, &e), 0, "%s", e.text);
	cr_assert_eq(client_ask(c, &q, &conf, &e), 0, "%s", e.text);
	while (!client_answer(c, pair_arena, &answer))
		cr_assert_eq(client_work(c, 100, &e), 0, "%s", e.text);
	cr_assert_eq(answer.whose, &conf);
	cr_assert_eq(client_busy(c), 0);
	client_free(c);
	return answer;
}

Test(pairing_trouble, an_answer_that_was_cut_is_no_answer)
{
	const char *whole = pair_ok_body(PAIR_THEIRS);

	pair_relay.answer = pair_answer_raw;
	pair_relay.raw = whole;
	for (size_t n = 1; n < strlen(whole); n++) {
		struct answer answer;

		pair_relay.cut = n;
		answer = asked(2000);
		cr_expect_eq(answer.status, 0, "cut at %zu of %zu", n, strlen(whole));
		cr_expect_not_null(answer.why);
	}
	cr_assert_eq(asked(2000).status, 200);
}

Test(pairing_trouble, a_slow_answer_is_not_waited_for)
{
	struct answer answer;

	pair_relay.drip = true;
	answer = asked(300);
	cr_assert_eq(answer.status, 0);
	cr_assert(answer.again);
}

static bool answer_huge_body(struct rogue *r, const char *request, char *out, size_t size)
{
	(void)r;
	(void)request;
	memset(out, ' ', size);
	memcpy(out, "HTTP/1.1 200 OK\r\n\r\n{}", 21);
	out[size - 1] = '\0';
	return true;
}

static bool answer_huge_header(struct rogue *r, const char *request, char *out, size_t size)
{
	(void)r;
	(void)request;
	strcpy(out, "HTTP/1.1 200 OK\r\n");
	for (size_t i = 17; i + 8 < size; i += 6)
		memcpy(out + i, "X: 1\r\n", 7);
	return true;
}

static bool answer_long_header(struct rogue *r, const char *request, char *out, size_t size)
{
	(void)r;
	(void)request;
	memset(out, 'x', size);
	memcpy(out, "HTTP/1.1 200 OK\r\nX: ", 20);
	out[size - 1] = '\0';
	return true;
}

Test(pairing_trouble, an_answer_too_large_is_refused_and_not_tried_again)
{
	struct answer answer;

	pair_relay.answer = answer_huge_body;
	answer = asked(2000);
	cr_assert_eq(answer.status, 0);
	cr_assert_not(answer.again);
	cr_assert(strstr(answer.why, "larger") != NULL, "%s", answer.why);
	pair_relay.answer = answer_huge_header;
	answer = asked(2000);
	cr_assert_eq(answer.status, 0);
	cr_assert_not(answer.again);
	pair_failed((struct handshake_result[]){ pair_create(0) }, ERR_REMOTE,
		"cannot be used: the headers of its answer are larger than 64 KiB");
	pair_relay.answer = answer_long_header;
	pair_failed((struct handshake_result[]){ pair_create(0) }, ERR_REMOTE,
		"cannot be used: the headers of its answer are larger than 64 KiB");
	cr_assert_eq(pair_relay.requests, 4);
}

Test(pairing_trouble, only_http_and_https_are_spoken)
{
	struct client_conf conf = { .url = "file:///etc" };
	struct err e = ERR_INIT;
	struct client *c;

	cr_assert_eq(client_new(&c, &conf, &e), -1);
	cr_assert_eq(e.code, ERR_CONFIG);
}
