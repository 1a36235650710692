#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay_lab.h"

enum { CONNECTIONS = 100, SHARE = CONNECTIONS / 4 };

TestSuite(relay_connections, .timeout = 60);

static int open_from(const struct relay *r, const char *from)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	cr_assert_eq(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &yes, sizeof(yes)), 0);
	cr_assert_eq(inet_pton(AF_INET6, from, &at.sin6_addr), 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0, "%s", from);
	at.sin6_port = htons((uint16_t)r->port);
	cr_assert_eq(
		inet_pton(AF_INET6,
			strncmp(from, "::ffff:", 7) == 0 ? "::ffff:127.0.0.1" : "2001:db8:9::1",
			&at.sin6_addr),
		1);
	cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0, "%s", from);
	return fd;
}

/* Whether a request gets an answer; the connection stays open. */
static bool is_served(int fd)
{
	static const char get[] = "GET /pair/x HTTP/1.1\r\nHost: x\r\n\r\n";
	char c;

	raw_send(fd, get, sizeof(get) - 1);
	return recv(fd, &c, 1, 0) == 1 && c == 'H';
}

static bool is_served_within(const struct relay *r, const char *from)
{
	for (int i = 0; i < 200; i++) {
		int fd = open_from(r, from);
		bool served = is_served(fd);

		close(fd);
		if (served)
			return true;
		usleep(10000);
	}
	return false;
}

/* The share is taken from several addresses in turn; then each of them is refused. */
static void one_network_has_its_share(
	const struct relay *r, const char *const *from, size_t n, const char *other)
{
	int fds[SHARE], fd;

	for (size_t i = 0; i < SHARE; i++) {
		fds[i] = open_from(r, from[i % n]);
		cr_assert(is_served(fds[i]), "%s: connection %zu", from[i % n], i);
	}
	for (size_t i = 0; i < n; i++) {
		fd = open_from(r, from[i]);
		cr_expect_not(is_served(fd), "%s has more than its share", from[i]);
		close(fd);
	}
	fd = open_from(r, other);
	cr_expect(is_served(fd), "%s", other);
	close(fd);
	close(fds[0]);
	cr_expect(is_served_within(r, from[n - 1]), "%s after one was closed", from[n - 1]);
	for (size_t i = 1; i < SHARE; i++)
		close(fds[i]);
}

static void tell(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
	close(fd);
}

/* A network of this test's own, in which every address of 2001:db8::/32 is the machine's. */
static void own_network(void)
{
	char uid[32], gid[32];

	snprintf(uid, sizeof(uid), "0 %ld 1", (long)getuid());
	snprintf(gid, sizeof(gid), "0 %ld 1", (long)getgid());
	if (geteuid() != 0) {
		cr_assert_eq(unshare(CLONE_NEWUSER), 0);
		tell("/proc/self/setgroups", "deny");
		tell("/proc/self/uid_map", uid);
		tell("/proc/self/gid_map", gid);
	}
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	cr_assert_eq(system("PATH=$PATH:/usr/sbin:/sbin; ip link set lo up &&"
			    " ip -6 route add local 2001:db8::/32 dev lo"),
		0);
}

Test(relay_connections, a_network_gets_a_quarter_whatever_its_addresses)
{
	static const char *const slash64[] = { "2001:db8:1::1", "2001:db8:1::2",
		"2001:db8:1::ffff:1", "2001:db8:1:0:8000::1" };
	static const char *const v4[] = { "::ffff:127.0.0.2" };
	struct relay r;

	own_network();
	r = relay_up((struct relay_conf){ .listen = "[::]:0", .max_connections = CONNECTIONS });
	cr_assert_neq(r.port, 0);
	one_network_has_its_share(&r, slash64, 4, "2001:db8:1:1::1");
	one_network_has_its_share(&r, v4, 1, "::ffff:127.0.0.3");
	relay_down(&r);
}

Test(relay_connections, a_small_limit_is_one_clients_to_use)
{
	struct relay r;
	int fds[10];

	own_network();
	r = relay_up((struct relay_conf){ .listen = "[::]:0", .max_connections = 10 });
	for (size_t i = 0; i < 10; i++) {
		fds[i] = open_from(&r, "2001:db8:1::1");
		cr_assert(is_served(fds[i]), "connection %zu", i);
	}
	for (size_t i = 0; i < 10; i++)
		close(fds[i]);
	cr_expect(is_served_within(&r, "2001:db8:2::1"));
	relay_down(&r);
}
