#include "tests/unit/os_tmp.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "os/clock.h"
#include "os/sock.h"

TestSuite(sock, .init = setup, .fini = teardown, .timeout = 60);

/* A server of one connection: says the parts, 30 ms apart, and then closes, or not. */
struct server {
	int fd;
	const char *parts[8];
	bool keep;
	char heard[256];
};

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->fd, NULL, NULL);

	if (recv(fd, s->heard, sizeof(s->heard) - 1, 0) < 0)
		return NULL;
	for (int i = 0; s->parts[i] != NULL; i++) {
		clock_nap_us(30000);
		send(fd, s->parts[i], strlen(s->parts[i]), MSG_NOSIGNAL);
	}
	if (s->keep)
		poll(NULL, 0, 1500);
	close(fd);
	return NULL;
}

static void listen_at(struct server *s, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(s->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	cr_assert_eq(listen(s->fd, 1), 0);
}

static int ask(struct server *s, const char **reply, int limit_ms, size_t max)
{
	pthread_t thread;
	int rc;

	listen_at(s, in_dir("s"));
	pthread_create(&thread, NULL, serve, s);
	rc = sock_ask(in_dir("s"), "{\"request\":1}", limit_ms, max, arena, reply, &e);
	pthread_join(thread, NULL);
	close(s->fd);
	cr_assert_str_eq(s->heard, "{\"request\":1}");
	return rc;
}

Test(sock, reads_to_the_end_of_the_connection)
{
	struct server s = { .parts = { "local-data ", "{ok\n" } };
	const char *reply;

	cr_assert_eq(ask(&s, &reply, 5000, 100), 0, "%s", e.text);
	cr_assert_str_eq(reply, "local-data {ok\n");
}

Test(sock, reads_to_the_end_of_one_value_where_the_connection_stays)
{
	struct server s = { .parts = { " {\"a\":\"}\\", "\"}\"", ",\"b\":[{}]", "}\n" },
		.keep = true };
	const char *reply;
	int64_t before = clock_ms();

	cr_assert_eq(ask(&s, &reply, 60000, 100), 0, "%s", e.text);
	cr_assert_eq(strncmp(reply, " {\"a\":\"}\\\"}\",\"b\":[{}]}", 22), 0, "%s", reply);
	cr_assert_lt(clock_ms() - before, 5000);
}

Test(sock, an_answer_that_does_not_end_is_an_error)
{
	struct server s = { .parts = { "{\"a\":1" }, .keep = true };
	const char *reply;

	cr_assert_eq(ask(&s, &reply, 300, 100), -1);
	cr_assert_str_eq(
		e.text, arena_printf(arena, "%s did not answer within 0.3 s", in_dir("s")));
}

Test(sock, an_answer_that_is_too_long_is_an_error)
{
	struct server s = { .parts = { "{\"a\":1", "2345678" } };
	const char *reply;

	cr_assert_eq(ask(&s, &reply, 5000, 10), -1);
	cr_assert_str_eq(
		e.text, arena_printf(arena, "%s answered with more than 10 bytes", in_dir("s")));
}

Test(sock, nobody_there_is_told_apart_from_an_error)
{
	struct server s = { 0 };
	const char *reply;

	cr_assert_eq(sock_ask(in_dir("none"), "x", 1000, 10, arena, &reply, &e), 1);
	listen_at(&s, in_dir("s"));
	close(s.fd);
	cr_assert_eq(sock_ask(in_dir("s"), "x", 1000, 10, arena, &reply, &e), 1);
	cr_assert_eq(mkdir(in_dir("d"), 0700), 0);
	cr_assert_eq(sock_ask(in_dir("d/s/x"), "x", 1000, 10, arena, &reply, &e), 1);
}

Test(sock, a_path_that_is_too_long_says_what_to_do)
{
	char path[200];
	const char *reply;

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[SOCK_PATH_BYTES] = '\0';
	cr_assert_eq(sock_ask(path, "x", 1000, 10, arena, &reply, &e), 1);
	path[SOCK_PATH_BYTES] = 'x';
	path[SOCK_PATH_BYTES + 1] = '\0';
	cr_assert_eq(sock_ask(path, "x", 1000, 10, arena, &reply, &e), -1);
	cr_assert_not_null(strstr(e.text, "choose a shorter host.state_dir"));
}
