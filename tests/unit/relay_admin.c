#include <criterion/criterion.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"
#include "relay/admin.h"
#include "relay_lab.h"

static const char web[] = "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}";
static const char unknown[] = "/pair/81-zephyr-night-climb";

TestSuite(relay_admin, .timeout = 60);

/* The same relay at its admin listener. */
static struct relay admin_of(const struct relay *r)
{
	static const char mark[] = "for Prometheus: http://127.0.0.1:";
	struct relay admin = *r;
	char *log = relay_log(r), *at = strstr(log, mark);

	cr_assert_not_null(at, "%s", log);
	admin.port = atoi(at + strlen(mark));
	admin.from = NULL;
	free(log);
	return admin;
}

static void expect(
	const struct relay *r, const char *method, const char *path, const char *body, long status)
{
	struct reply reply = ask(r, method, path, NULL, body);

	cr_assert_eq(reply.status, status, "%s %s: %ld %s", method, path, reply.status, reply.body);
	reply_free(&reply);
}

static char *metrics(const struct relay *admin)
{
	struct reply reply = ask(admin, "GET", "/metrics", NULL, NULL);

	cr_assert_eq(reply.status, 200);
	cr_assert_not_null(strstr(
		reply.headers, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	free(reply.headers);
	return reply.body;
}

/* The value of a sample, name and labels as they are printed; -1: there is none. */
static long long value_in(const char *text, const char *sample)
{
	size_t len = strlen(sample);

	for (const char *at = text; (at = strstr(at, sample)) != NULL; at += len)
		if ((at == text || at[-1] == '\n') && at[len] == ' ')
			return atoll(at + len + 1);
	return -1;
}

/* What is counted when a connection ends may come a moment after its answer. */
static void expect_value(const struct relay *admin, const char *sample, long long wanted)
{
	long long got = -1;

	for (int i = 0; i < 200 && got != wanted; i++) {
		char *text = metrics(admin);

		got = value_in(text, sample);
		free(text);
		if (got != wanted)
			usleep(10000);
	}
	cr_assert_eq(got, wanted, "%s: %lld, not %lld", sample, got, wanted);
}

Test(relay_admin, says_that_it_serves_and_refuses_the_rest)
{
	static const char *const nowhere[] = { "/", "/healthz/", "/metrics/x", "/pair", "/pair/x" };
	struct relay r = relay_up((struct relay_conf){ .admin = "0" }), admin = admin_of(&r);
	struct reply reply = ask(&admin, "GET", "/healthz", NULL, NULL);

	cr_assert_eq(reply.status, 200);
	cr_assert_str_eq(reply.body, "ok\n");
	reply_free(&reply);
	expect(&admin, "HEAD", "/healthz", NULL, 200);
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
		expect(&admin, "GET", nowhere[i], NULL, 404);
	reply = ask(&admin, "POST", "/metrics", NULL, web);
	cr_assert_eq(reply.status, 405);
	cr_assert_not_null(strstr(reply.headers, "\r\nAllow: GET, HEAD\r\n"));
	reply_free(&reply);
	expect(&r, "GET", "/healthz", NULL, 404);
	expect(&r, "GET", "/metrics", NULL, 404);
	relay_down(&r);
}

Test(relay_admin, is_off_where_nobody_asks_for_it_and_on_loopback_where_no_address_is_said)
{
	struct relay r = relay_up((struct relay_conf){ 0 }), other;
	char *log = relay_log(&r), taken[32];

	cr_assert_null(strstr(log, "Prometheus"), "%s", log);
	free(log);
	snprintf(taken, sizeof(taken), "%d", r.port);
	other = relay_up((struct relay_conf){ .admin = taken });
	cr_assert_eq(relay_wait(&other), 1);
	cr_assert(relay_logged(&other, "127.0.0.1:"), "no address is 127.0.0.1");
	cr_assert(relay_logged(&other, "the port is in use"));
	close(other.log);
	other = relay_up((struct relay_conf){ .admin = "127.0.0.2:0" });
	cr_assert(relay_logged(&other, "for Prometheus: http://127.0.0.2:"));
	relay_down(&other);
	other = relay_up((struct relay_conf){ .admin = "localhost:1" });
	cr_assert_eq(relay_wait(&other), 1);
	close(other.log);
	relay_down(&r);
}

static bool matches(const char *line, size_t len, const char *pattern)
{
	char copy[512];
	regex_t re;
	bool yes;

	cr_assert_lt(len, sizeof(copy));
	memcpy(copy, line, len);
	copy[len] = '\0';
	cr_assert_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	yes = regexec(&re, copy, 0, NULL, 0) == 0;
	regfree(&re);
	return yes;
}

/* A family: HELP, TYPE and its samples, and nothing of it anywhere else. Returns what is behind it. */
static const char *expect_family(const char *text, const char *at)
{
	const char *type = strchr(at, '\n'), *line;
	char name[128], kind[32], again[160];
	size_t samples = 0, len;

	cr_assert_not_null(type);
	cr_assert(matches(at, (size_t)(type - at), "^# HELP [a-z_]+ [^\\]+\\.$"), "%.60s", at);
	cr_assert_eq(sscanf(at, "# HELP %127s", name), 1);
	type++;
	cr_assert_eq(sscanf(type, "# TYPE %127s %31s\n", again, kind), 2, "%.60s", type);
	cr_assert_str_eq(again, name);
	len = strlen(name);
	if (strcmp(kind, "counter") == 0)
		cr_assert_str_eq(name + len - 6, "_total");
	else
		cr_assert(strcmp(kind, "gauge") == 0 && strstr(name, "_total") == NULL, "%s", name);
	snprintf(again, sizeof(again), "# TYPE %s ", name);
	cr_assert_null(strstr(strstr(text, again) + 1, again), "%s comes twice", name);
	for (line = strchr(type, '\n') + 1; *line != '\0' && *line != '#'; samples++) {
		const char *end = strchr(line, '\n');

		cr_assert_not_null(end);
		cr_assert(strncmp(line, name, len) == 0, "%.80s is not of %s", line, name);
		cr_assert(matches(line + len, (size_t)(end - line) - len,
				  "^(\\{[a-z]+=\"[^\"\\]+\"(,[a-z]+=\"[^\"\\]+\")*\\})? [0-9]+$"),
			"%.80s", line);
		line = end + 1;
	}
	cr_assert_gt(samples, 0, "%s", name);
	return line;
}

Test(relay_admin, metrics_are_in_prometheus_text_format)
{
	static const char *const names[] = { "store_errors_total", "pairings_open",
		"pairings_bytes", "pairings_created_total", "pairings_joined_total",
		"pairings_collected_total", "pairings_expired_total", "connections_open" };
	struct relay r = relay_up((struct relay_conf){ .admin = "127.0.0.1:0" });
	struct relay admin = admin_of(&r);
	char *text = metrics(&admin), name[128];
	size_t families = 0;

	for (const char *at = text; *at != '\0'; families++)
		at = expect_family(text, at);
	cr_assert_eq(families, 13, "%s", text);
	cr_assert_eq(value_in(text, "jmesh_relay_store_up"), 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "jmesh_relay_%s", names[i]);
		cr_assert_eq(value_in(text, name), 0, "%s", name);
	}
	free(text);
	relay_down(&r);
}

Test(relay_admin, counts_pairings_and_requests)
{
	static const char pair_ok[] = "jmesh_relay_requests_total{route=\"/pair\",class=\"2xx\"}";
	static const char pair_bad[] = "jmesh_relay_requests_total{route=\"/pair\",class=\"4xx\"}";
	static const char code_ok[] =
		"jmesh_relay_requests_total{route=\"/pair/CODE\",class=\"2xx\"}";
	static const char code_bad[] =
		"jmesh_relay_requests_total{route=\"/pair/CODE\",class=\"4xx\"}";
	static const char other[] = "jmesh_relay_requests_total{route=\"other\",class=\"4xx\"}";
	struct relay r = relay_up((struct relay_conf){ .admin = "0", .ttl = 2 });
	struct relay admin = admin_of(&r);
	struct made m = make_pairing(&r, web);
	char *text;

	make_pairing(&r, web);
	expect(&r, "POST", "/pair", "x", 400);
	expect(&r, "POST", m.path, web, 200);
	text = metrics(&admin);
	cr_assert_eq(value_in(text, "jmesh_relay_pairings_open"), 2);
	cr_assert_eq(value_in(text, "jmesh_relay_pairings_joined_total"), 1);
	cr_assert_gt(value_in(text, "jmesh_relay_pairings_bytes"), 3 * (long)sizeof(web) - 3);
	free(text);
	expect(&r, "GET", m.path, NULL, 200);
	expect(&r, "GET", m.path, NULL, 404);
	expect(&r, "GET", "/x", NULL, 404);
	expect_value(&admin, pair_ok, 2);
	expect_value(&admin, pair_bad, 1);
	expect_value(&admin, code_ok, 2);
	expect_value(&admin, code_bad, 1);
	expect_value(&admin, other, 1);
	expect_value(&admin, "jmesh_relay_pairings_created_total", 2);
	expect_value(&admin, "jmesh_relay_pairings_collected_total", 1);
	usleep(2000 * 1000);
	text = metrics(&admin);
	cr_assert_eq(value_in(text, "jmesh_relay_pairings_expired_total"), 1, "with no request");
	cr_assert_eq(value_in(text, "jmesh_relay_pairings_open"), 0);
	cr_assert_null(strstr(text, "127.0.0.1"));
	cr_assert_null(strstr(text, m.path + 6));
	free(text);
	relay_down(&r);
}

Test(relay_admin, counts_what_is_refused)
{
	static const char codes[] = "jmesh_relay_refused_total{limit=\"wrong_codes\"}";
	static const char pairings[] = "jmesh_relay_refused_total{limit=\"relay_pairings\"}";
	static const char connections[] = "jmesh_relay_refused_total{limit=\"client_connections\"}";
	struct relay r = relay_up(
		(struct relay_conf){ .admin = "0", .max_pairings = 1, .max_connections = 100 });
	struct relay admin = admin_of(&r);
	int fds[30];
	char *text;

	for (int i = 0; i < 12; i++)
		expect(&r, "GET", unknown, NULL, i < 11 ? 404 : 429);
	make_pairing(&r, web);
	expect(&r, "POST", "/pair", web, 429);
	expect_value(&admin, codes, 1);
	expect_value(&admin, pairings, 1);
	expect_value(&admin, "jmesh_relay_connections_open", 0);
	r.from = "127.0.0.2";
	for (size_t i = 0; i < 30; i++)
		fds[i] = raw_open(&r);
	expect_value(&admin, "jmesh_relay_connections_open", 25);
	expect_value(&admin, connections, 5);
	for (size_t i = 0; i < 30; i++)
		close(fds[i]);
	expect_value(&admin, "jmesh_relay_connections_open", 0);
	text = metrics(&admin);
	cr_assert_eq(value_in(text, "jmesh_relay_refused_total{limit=\"create\"}"), 0);
	free(text);
	relay_down(&r);
}

Test(relay_admin, who_sends_a_byte_now_and_then_is_cut_off)
{
	struct relay r = relay_up((struct relay_conf){ .admin = "0" }), admin = admin_of(&r);
	int fd = raw_open(&admin), seconds = 0;
	char byte;

	raw_send(fd, "GET /healthz HTTP/1.1\r\nX: ", 26);
	for (; seconds < 30 && recv(fd, &byte, 1, MSG_DONTWAIT) != 0; seconds++) {
		sleep(1);
		send(fd, "x", 1, MSG_NOSIGNAL);
	}
	cr_assert_lt(seconds, 20);
	close(fd);
	expect(&admin, "GET", "/healthz", NULL, 200);
	relay_down(&r);
}

/* Who holds all connections does not hold up the relay's end. */
Test(relay_admin, ends_at_once_where_all_connections_are_taken)
{
	struct relay r = relay_up((struct relay_conf){ .admin = "0" }), admin = admin_of(&r);
	int fds[ADMIN_CONNECTIONS + 4];
	int64_t start;

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fds[i] = raw_open(&admin);
	/* Until they are taken, which nobody can see from here. */
	usleep(500 * 1000);
	start = clock_ms();
	relay_down(&r);
	cr_assert_lt(clock_ms() - start, 5000);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
}
