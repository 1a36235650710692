/*
 * Every answer of the real relay, cut at every byte, for whoever creates and whoever joins: a lost answer loses
 * nothing. Between the two stands a proxy that hangs up after so many bytes of one answer.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "relay_lab.h"
#include "tests/unit/pairing_lab.h"

enum {
	ANSWER_MAX = 4096, /* bytes of the longest answer here */
	SIDE_BY_SIDE = 128,
	BUFFER = 16384,
};

static struct relay relay;
static int proxy_fd, proxy_port;

/* Of the pairing of that number: how many bytes of its next answer pass, and how long the last one was. */
static atomic_int passes[ANSWER_MAX], whole[ANSWER_MAX];

enum { ALL = -1 };

static bool read_message(int fd, char *out)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, out + len, BUFFER - 1 - len);
		const char *end, *length;

		if (n <= 0)
			return false;
		len += (size_t)n;
		out[len] = '\0';
		end = strstr(out, "\r\n\r\n");
		if (end == NULL)
			continue;
		length = strcasestr(out, "\r\nContent-Length: ");
		if (len >= (size_t)(end + 4 - out) +
				(length != NULL ? strtoul(length + 18, NULL, 10) : 0))
			return true;
	}
}

/* Each pairing comes from an address of its own: what one address may do is not what is tested. */
static int connect_as(int number)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(0x7f010001 + (uint32_t)number);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		abort();
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)relay.port);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		abort();
	return fd;
}

/* "POST /7/pair" is "POST /pair" of pairing 7. */
static void pass_on(int fd, char *message)
{
	char *slash = strchr(message, '/'), *rest;
	int number = (int)strtol(slash + 1, &rest, 10);
	int upstream = connect_as(number), wanted;
	size_t len;

	memmove(slash, rest, strlen(rest) + 1);
	if (write(upstream, message, strlen(message)) < 0 || !read_message(upstream, message))
		abort();
	close(upstream);
	len = strlen(message);
	atomic_store(&whole[number], (int)len);
	wanted = atomic_exchange(&passes[number], ALL);
	if (wanted != ALL && (size_t)wanted < len)
		len = (size_t)wanted;
	if (len > 0 && send(fd, message, len, MSG_NOSIGNAL) < 0)
		return;
}

static void *serve(void *user)
{
	int fd = (int)(intptr_t)user;
	char *message = malloc(BUFFER);

	if (message == NULL)
		abort();
	if (read_message(fd, message))
		pass_on(fd, message);
	shutdown(fd, SHUT_WR);
	close(fd);
	free(message);
	return NULL;
}

static void *run_proxy(void *user)
{
	(void)user;
	for (;;) {
		int fd = accept4(proxy_fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (fd < 0)
			return NULL;
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
			abort();
		pthread_detach(thread);
	}
}

static pthread_t proxy;

static void setup(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);

	relay = relay_up((struct relay_conf){ .max_connections = 1000, .max_pairings = 100000 });
	pair_setup();
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	proxy_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(proxy_fd, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(listen(proxy_fd, 1024), 0);
	cr_assert_eq(getsockname(proxy_fd, (struct sockaddr *)&at, &len), 0);
	proxy_port = ntohs(at.sin_port);
	for (int i = 0; i < ANSWER_MAX; i++)
		atomic_store(&passes[i], ALL);
	pthread_create(&proxy, NULL, run_proxy, NULL);
}

static void teardown(void)
{
	shutdown(proxy_fd, SHUT_RDWR);
	pthread_join(proxy, NULL);
	close(proxy_fd);
	pair_teardown();
	relay_down(&relay);
}

TestSuite(pairing_cut, .init = setup, .fini = teardown, .timeout = 300);

/* One pairing, both of its sides on this machine, and what one of them does. */
struct couple {
	struct side creator, joiner;
	char text[PASS_TEXT];
	enum handshake_role role;
	bool plain;
	enum handshake_status status;
	char why[1100];
	pthread_t thread;
};

static void *shake(void *user)
{
	struct couple *c = user;
	struct side *side = c->role == HANDSHAKE_CREATE ? &c->creator : &c->joiner;
	struct handshake_want want = { .peer = c->role == HANDSHAKE_CREATE ? "office" : "home",
		.role = c->role,
		.plain = c->plain };
	struct arena *own = arena_new();
	struct handshake_result result;
	struct err e = ERR_INIT;
	struct pass pass;

	if (c->role == HANDSHAKE_JOIN) {
		if (pass_parse(c->text, &pass, &e) < 0)
			abort();
		want.code = pass.code;
		want.secret = c->plain ? NULL : &pass.secret;
	}
	c->status = HANDSHAKE_FAILED;
	if (handshake_run(&side->c, &want, 1, 0, own, &result, &e) < 0) {
		snprintf(c->why, sizeof(c->why), "%s", e.text);
	} else {
		c->status = result.status;
		snprintf(c->why, sizeof(c->why), "%s",
			result.status == HANDSHAKE_FAILED ? result.err.text : "");
		if (result.code != NULL)
			snprintf(c->text, sizeof(c->text), "%s", result.code);
	}
	arena_free(own);
	return NULL;
}

/* All couples take one step, the answer to pairing i cut behind i bytes; or none is cut. */
static void step(struct couple *couples, int n, enum handshake_role role, bool cuts,
	enum handshake_status wanted)
{
	for (int from = 0; from < n; from += SIDE_BY_SIDE) {
		int to = from + SIDE_BY_SIDE < n ? from + SIDE_BY_SIDE : n;

		for (int i = from; i < to; i++) {
			couples[i].role = role;
			atomic_store(&passes[i], cuts ? i : ALL);
			pthread_create(&couples[i].thread, NULL, shake, &couples[i]);
		}
		for (int i = from; i < to; i++)
			pthread_join(couples[i].thread, NULL);
	}
	for (int i = 0; i < n; i++) {
		cr_expect_eq(couples[i].status, wanted, "cut at %d: %d, not %d: %s", i,
			couples[i].status, wanted, couples[i].why);
		cr_expect_eq(atomic_load(&passes[i]), ALL, "nothing was cut at %d", i);
	}
}

static struct couple *couples_new(const char *name, int n, bool plain)
{
	struct couple *v = arena_alloc(pair_arena, (size_t)n, sizeof(*v));

	for (int i = 0; i < n; i++) {
		struct couple *c = &v[i];

		pair_side_init(&c->creator, arena_printf(pair_arena, "%s-c%d", name, i), PAIR_OURS);
		pair_side_init(
			&c->joiner, arena_printf(pair_arena, "%s-j%d", name, i), PAIR_THEIRS);
		c->creator.c.relay_url = c->joiner.c.relay_url =
			arena_printf(pair_arena, "http://127.0.0.1:%d/%d", proxy_port, i);
		c->plain = plain;
		if (!plain) {
			pair_side_keys(&c->creator);
			pair_side_keys(&c->joiner);
		}
	}
	return v;
}

static int longest(int n)
{
	int max = 0;

	for (int i = 0; i < n; i++)
		max = atomic_load(&whole[i]) > max ? atomic_load(&whole[i]) : max;
	return max;
}

/* How long the longest of the three answers is. */
static int measure(bool plain)
{
	struct couple *v = couples_new("measured", 1, plain);
	int max, n;

	step(v, 1, HANDSHAKE_CREATE, false, HANDSHAKE_WAITING);
	max = longest(1);
	step(v, 1, HANDSHAKE_JOIN, false, HANDSHAKE_PAIRED);
	n = longest(1);
	max = n > max ? n : max;
	step(v, 1, HANDSHAKE_CREATE, false, HANDSHAKE_PAIRED);
	n = longest(1);
	max = n > max ? n : max;
	cr_assert(max > 100 && max < ANSWER_MAX, "%d", max);
	return max;
}

static void are_paired(const struct couple *v, int n)
{
	for (int i = 0; i < n; i++) {
		pair_has_roster(
			&v[i].creator, "office", roster_format(&v[i].joiner.ours, pair_arena));
		pair_has_roster(
			&v[i].joiner, "home", roster_format(&v[i].creator.ours, pair_arena));
		cr_expect_eq(pair_pendings(&v[i].creator), 0);
		cr_expect_eq(pair_pendings(&v[i].joiner), 0);
	}
}

static void cut_everywhere(bool plain)
{
	int n = measure(plain);
	struct couple *v = couples_new("cut", n, plain);

	step(v, n, HANDSHAKE_CREATE, true, HANDSHAKE_WAITING);
	step(v, n, HANDSHAKE_JOIN, true, HANDSHAKE_PAIRED);
	step(v, n, HANDSHAKE_CREATE, true, HANDSHAKE_PAIRED);
	are_paired(v, n);
}

Test(pairing_cut, a_sealed_pairing_survives_a_cut_at_every_byte)
{
	cut_everywhere(false);
}

Test(pairing_cut, a_plain_pairing_survives_a_cut_at_every_byte)
{
	cut_everywhere(true);
}
