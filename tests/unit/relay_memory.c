#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/memory.h"
#include "relay_lab.h"

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

enum { MEBIBYTE = 1024 * 1024, JAILS = 1024 };

static const char tiny[] = "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}";

TestSuite(relay_memory, .timeout = 120);

Test(relay_memory, each_use_leaves_room_for_those_behind_it)
{
	struct memory m = { .max = 1600 };

	cr_assert_not(memory_take(&m, 1301, MEMORY_CREATE));
	cr_assert(memory_take(&m, 1300, MEMORY_CREATE));
	cr_assert_not(memory_take(&m, 1, MEMORY_CREATE));
	cr_assert(memory_take(&m, 100, MEMORY_JOIN));
	cr_assert_not(memory_take(&m, 1, MEMORY_JOIN));
	cr_assert(memory_take(&m, 100, MEMORY_REQUEST));
	cr_assert_not(memory_take(&m, 1, MEMORY_REQUEST));
	cr_assert_not(memory_take(&m, (size_t)-1, MEMORY_ANSWER));
	cr_assert(memory_take(&m, 100, MEMORY_ANSWER));
	cr_assert_not(memory_take(&m, 1, MEMORY_ANSWER));
	memory_give(&m, 1600);
	cr_assert_eq(memory_used(&m), 0);
	cr_assert(memory_take(&m, 1300, MEMORY_CREATE));
}

struct crowd {
	struct memory m;
	atomic_bool exceeded;
};

static void *take_and_give(void *arg)
{
	struct crowd *c = arg;

	for (int i = 0; i < 100000; i++) {
		if (!memory_take(&c->m, 40, MEMORY_ANSWER))
			continue;
		if (memory_used(&c->m) > 100)
			atomic_store(&c->exceeded, true);
		memory_give(&c->m, 40);
	}
	return NULL;
}

Test(relay_memory, threads_never_exceed_it)
{
	struct crowd c = { .m.max = 100 };
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, take_and_give, &c), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert_not(atomic_load(&c.exceeded));
	cr_assert_eq(memory_used(&c.m), 0);
}

static const char *const proxies[] = { "127.0.0.1" };

/* The most that a roster may take. */
static char *large_roster(void)
{
	char *text = malloc((size_t)JAILS * 160), *at = text;

	at += sprintf(at, "{\"jails\":[");
	for (int i = 0; i < JAILS; i++)
		at += sprintf(at,
			"%s{\"name\":\"a%062d\",\"ygg_address\":\"200:1111:2222:3333:4444:5555:"
			"6666:%x\"}",
			i > 0 ? "," : "", i, i + 1);
	strcpy(at, "]}");
	return text;
}

/* Each n is a client of its own. */
static struct reply ask_as(
	const struct relay *r, int n, const char *method, const char *path, const char *body)
{
	char header[64];

	snprintf(header, sizeof(header), "X-Forwarded-For: 10.%d.%d.%d", n >> 16 & 255,
		n >> 8 & 255, n & 255);
	return ask(r, method, path, header, body);
}

static long long gauge(const struct relay *admin, const char *name)
{
	struct reply reply = ask(admin, "GET", "/metrics", NULL, NULL);
	char line[128];
	const char *at;
	long long value;

	snprintf(line, sizeof(line), "\njmesh_relay_%s ", name);
	at = strstr(reply.body, line);
	cr_assert_not_null(at, "%s", name);
	value = atoll(at + strlen(line));
	reply_free(&reply);
	return value;
}

static struct relay admin_of(const struct relay *r)
{
	char *log = relay_log(r);
	struct relay admin = *r;

	cr_assert_eq(sscanf(strstr(log, "http://127"), "http://127.0.0.1:%d", &admin.port), 1);
	free(log);
	return admin;
}

/* Bytes, now or at most so far. */
static long long resident(const struct relay *r, const char *which)
{
	char path[64], line[256];
	long long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)r->pid);
	f = fopen(path, "re");
	cr_assert_not_null(f);
	while (kib < 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, which, strlen(which)) == 0)
			kib = atoll(line + strlen(which) + 1);
	fclose(f);
	cr_assert_geq(kib, 0);
	return kib * 1024;
}

/* Creates until the relay has no memory left; how many, and the path of the first one. */
static int fill(const struct relay *r, int from, const char *roster, char path[64])
{
	for (int n = 0;; n++) {
		struct reply reply = ask_as(r, from + n, "POST", "/pair", roster);
		long status = reply.status;

		cr_assert(status == 200 || status == 503, "%ld %s", status, reply.body);
		if (status == 503) {
			cr_assert_not_null(strstr(reply.headers, "\r\nRetry-After: 30\r\n"));
			cr_assert_not_null(strstr(reply.body, "no memory"));
		} else if (n == 0) {
			char *code = json_text(reply.body, "code");

			snprintf(path, 64, "/pair/%s", code);
			free(code);
		}
		reply_free(&reply);
		if (status == 503)
			return n;
	}
}

/* Bodies of which most is there and the end is not. */
static void stall(const struct relay *r, int *fds, size_t n, const char *body, size_t len)
{
	char head[256];

	for (size_t i = 0; i < n; i++) {
		fds[i] = raw_open(r);
		snprintf(head, sizeof(head),
			"POST /pair HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 11.0.%zu.%zu\r\n"
			"Content-Length: 262144\r\n\r\n",
			i / 256, i % 256);
		raw_send(fds[i], head, strlen(head));
		raw_send(fds[i], body, len);
	}
}

static void status_is(const struct relay *r, int n, const char *method, const char *path,
	const char *body, long status)
{
	struct reply reply = ask_as(r, n, method, path, body);

	cr_assert_eq(reply.status, status, "%s: %ld %s", method, reply.status, reply.body);
	reply_free(&reply);
}

/* Whether it is so within a minute. */
static bool settles(const struct relay *admin, const char *name, long long low, long long high)
{
	for (int i = 0; i < 6000; i++) {
		long long now = gauge(admin, name);

		if (now >= low && now < high)
			return true;
		usleep(10000);
	}
	return false;
}

Test(relay_memory, is_bounded_whatever_many_clients_send_and_free_again_when_it_expires)
{
	enum { MAX = 64 * MEBIBYTE, OVERHEAD = 16 * MEBIBYTE, STALLED = 300 };
	struct relay r = relay_up((struct relay_conf){ .admin = "0",
		.ttl = SANITIZED ? 30 : 10,
		.trusted = proxies,
		.n_trusted = 1,
		.max_connections = 512,
		.max_memory = MAX });
	struct relay admin = admin_of(&r);
	char *roster = large_roster(), path[64];
	long long before = resident(&r, "VmRSS:"), idle = gauge(&admin, "memory_bytes");
	int fds[STALLED], n = fill(&r, 0, roster, path);

	cr_assert_gt(n, 100);
	cr_assert_eq(gauge(&admin, "memory_max_bytes"), MAX);
	/* While it reads a roster, that takes memory as well. */
	cr_assert_gt(gauge(&admin, "memory_bytes"), MAX / 16 * 10);
	/* Those that are there can be polled and joined, and the next is refused again. */
	status_is(&r, 0, "GET", path, NULL, 200);
	status_is(&r, 1, "POST", path, tiny, 200);
	cr_assert_leq(fill(&r, n, roster, path), 1);
	stall(&r, fds, STALLED, roster, strlen(roster));
	cr_assert(settles(&admin, "memory_bytes", MAX / 16 * 14, MAX), "no body was held");
	status_is(&r, 0, "GET", "/pair/81-zephyr-night-climb", NULL, 404);
	if (!SANITIZED)
		cr_assert_lt(resident(&r, "VmHWM:"), before + MAX + OVERHEAD,
			"%lld MiB before, %lld", before / MEBIBYTE,
			resident(&r, "VmHWM:") / MEBIBYTE);
	for (size_t i = 0; i < STALLED; i++)
		close(fds[i]);
	/* The one that was joined stays for a minute. */
	cr_assert(settles(&admin, "memory_bytes", idle, idle + MEBIBYTE), "%lld before, %lld after",
		idle, gauge(&admin, "memory_bytes"));
	cr_assert_gt(fill(&r, 100000, roster, path), n - 2);
	free(roster);
	relay_down(&r);
}

Test(relay_memory, a_body_that_finds_none_is_answered_and_the_connection_goes_on)
{
	enum { MAX = 40 * MEBIBYTE, STALLED = 400 };
	struct relay r = relay_up((struct relay_conf){
		.trusted = proxies, .n_trusted = 1, .max_connections = 512, .max_memory = MAX });
	char *roster = large_roster(), *answer;
	char head[256], path[64];
	int fds[STALLED], fd;

	fill(&r, 0, roster, path);
	stall(&r, fds, STALLED, roster, strlen(roster));
	fd = raw_open(&r);
	snprintf(head, sizeof(head),
		"POST /pair HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 12.0.0.1\r\n"
		"Content-Length: %zu\r\n\r\n",
		strlen(roster));
	raw_send(fd, head, strlen(head));
	raw_send(fd, roster, strlen(roster));
	snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		path);
	raw_send(fd, head, strlen(head));
	answer = raw_read(fd, 5000, NULL);
	cr_assert_eq(strncmp(answer, "HTTP/1.1 503 ", 13), 0, "%s", answer);
	cr_assert_not_null(strstr(answer + 13, "HTTP/1.1 200 "), "%s", answer);
	free(answer);
	close(fd);
	for (size_t i = 0; i < STALLED; i++)
		close(fds[i]);
	free(roster);
	relay_down(&r);
}
