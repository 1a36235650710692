#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/proxy.h"
#include "relay_lab.h"

TestSuite(relay_proxy, .timeout = 60);

Test(relay_proxy, takes_addresses_and_networks_and_nothing_like_them)
{
	static const char *const good[] = { "127.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32",
		"::1", "::/0", "2001:db8::/33", "::ffff:10.0.0.0/104" };
	static const char *const bad[] = { "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08",
		"10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ", " 10.0.0.0", "10.0.0.0/8/8", "10.0.0",
		"10.0.0.01", "10.0.0.0/1000", "10.0.0.1/31", "::1/127", "::/129", "fe80::1%lo",
		"[::1]", "127.0.0.1:80", "localhost",
		"2001:db8::1::", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000" };
	struct proxies list = { .n = 0 };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect_eq(proxies_add(&list, good[i], &e), 0, "%s: %s", good[i], e.text);
	cr_assert_eq(list.n, sizeof(good) / sizeof(good[0]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(proxies_add(&list, bad[i], &e), -1, "%s", bad[i]);
	cr_assert_eq(list.n, sizeof(good) / sizeof(good[0]));
	while (list.n < PROXIES_MAX)
		cr_assert_eq(proxies_add(&list, "::1", &e), 0);
	cr_assert_eq(proxies_add(&list, "::1", &e), -1);
}

static bool trusts(const char *network, const char *address)
{
	struct proxies list = { .n = 0 };
	struct err e = ERR_INIT;
	struct peer p;

	cr_assert_eq(proxies_add(&list, network, &e), 0, "%s", e.text);
	cr_assert(peer_parse(address, strlen(address), &p), "%s", address);
	return proxies_have(&list, &p);
}

Test(relay_proxy, a_network_ends_with_its_last_bit)
{
	cr_expect(trusts("10.0.0.0/9", "10.127.255.255"));
	cr_expect_not(trusts("10.0.0.0/9", "10.128.0.0"));
	cr_expect(trusts("0.0.0.0/0", "255.255.255.255"));
	cr_expect_not(trusts("0.0.0.0/0", "2001:db8::1"));
	cr_expect(trusts("::ffff:10.0.0.0/104", "10.1.2.3"));
	cr_expect(trusts("10.0.0.0/8", "::ffff:10.1.2.3"));
	cr_expect(trusts("2001:db8::/33", "2001:db8:7fff::1"));
	cr_expect_not(trusts("2001:db8::/33", "2001:db8:8000::1"));
	cr_expect(trusts("::1", "::1"));
	cr_expect_not(trusts("::1", "::2"));
}

static const char *const trusted[] = { "127.0.0.1", "10.0.0.0/8" };

static struct relay relay_behind_proxies(void)
{
	return relay_up((struct relay_conf){
		.trusted = trusted, .n_trusted = sizeof(trusted) / sizeof(trusted[0]) });
}

static void get(const struct relay *r, const char *path, const char *headers, long status)
{
	struct reply reply = ask(r, "GET", path, headers, NULL);

	cr_assert_eq(reply.status, status, "%s: %ld", headers, reply.status);
	reply_free(&reply);
}

/* The log has so many requests of that client, not one more. */
static void expect_in_log(const struct relay *r, const char *client, int times)
{
	char line[PEER_TEXT + 16];

	snprintf(line, sizeof(line), " %s GET - 404 ", client);
	cr_assert_eq(relay_logged_times(r, line, times), times, "%s", client);
}

Test(relay_proxy, the_right_most_address_that_is_not_trusted_is_the_clients)
{
	static const struct {
		const char *headers, *client;
	} cases[] = {
		{ "X-Forwarded-For: 203.0.113.1", "203.0.113.1" },
		{ "X-Forwarded-For: 198.51.100.1, 203.0.113.2", "203.0.113.2" },
		{ "X-Forwarded-For: 203.0.113.3,10.1.2.3 ,\t10.2.3.4", "203.0.113.3" },
		{ "x-forwarded-for: 203.0.113.99\nX-FORWARDED-FOR: 203.0.113.4", "203.0.113.4" },
		{ "X-Forwarded-For: 203.0.113.5\nX-Forwarded-For: 10.1.2.3", "203.0.113.5" },
		{ "X-Forwarded-For: nonsense, 203.0.113.6", "203.0.113.6" },
		{ "X-Forwarded-For: 203.0.113.7, , ,", "203.0.113.7" },
		{ "X-Forwarded-For: 2001:DB8:0:0::0001", "2001:db8::1" },
		{ "X-Forwarded-For: ::ffff:203.0.113.8", "203.0.113.8" },
		{ "X-Forwarded-For: 203.0.113.98, ::ffff:203.0.113.9, ::ffff:10.1.1.1",
			"203.0.113.9" },
	};
	struct relay r = relay_behind_proxies();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		get(&r, "/nowhere", cases[i].headers, 404);
		expect_in_log(&r, cases[i].client, 1);
	}
	relay_down(&r);
}

Test(relay_proxy, what_is_no_bare_address_is_believed_by_nobody_and_is_not_logged)
{
	static const char *const hostile[] = { "unknown", "_hidden", "203.0.113.1:80",
		"[2001:db8::1]", "2001:db8::1%eth0", "203.0.113.1 203.0.113.2", "203.0.113.01",
		"203.0.113.0/24", "\x1b[31mred", "%0d%0aevil", "\"203.0.113.1\"", "for=203.0.113.1",
		"203.0.113.1, evil", "203.0.113.1, evil, 10.1.2.3", "10.1.2.3", "\xff\xfe", "," };
	struct relay r = relay_behind_proxies();
	char header[8192], *log;
	int n = 0;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		snprintf(header, sizeof(header), "X-Forwarded-For: %s", hostile[i]);
		get(&r, "/nowhere", header, 404);
		expect_in_log(&r, "127.0.0.1", ++n);
	}
	memset(header + 17, '7', 6000);
	header[6017] = '\0';
	get(&r, "/nowhere", header, 404);
	expect_in_log(&r, "127.0.0.1", ++n);
	log = relay_log(&r);
	cr_assert_null(strstr(log, "203.0."));
	cr_assert_null(strstr(log, "evil"));
	cr_assert_null(strchr(log, '\x1b'));
	cr_assert_null(strstr(log, "77777777"));
	free(log);
	relay_down(&r);
}

Test(relay_proxy, nobody_else_can_say_for_whom_he_asks)
{
	struct relay r = relay_behind_proxies(), none = relay_up((struct relay_conf){ 0 });

	r.from = "127.0.0.2";
	get(&r, "/nowhere", "X-Forwarded-For: 203.0.113.1", 404);
	expect_in_log(&r, "127.0.0.2", 1);
	get(&none, "/nowhere", "X-Forwarded-For: 203.0.113.1", 404);
	expect_in_log(&none, "127.0.0.1", 1);
	relay_down(&r);
	relay_down(&none);
}

Test(relay_proxy, limits_are_the_clients_and_an_ipv6_client_is_its_64)
{
	static const struct {
		const char *guesser, *same, *other;
	} cases[] = {
		{ "X-Forwarded-For: 2001:db8:1::1", "X-Forwarded-For: 2001:db8:1:0:8000::2",
			"X-Forwarded-For: 2001:db8:1:1::1" },
		{ "X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: ::ffff:203.0.113.1",
			"X-Forwarded-For: 203.0.113.2" },
	};
	struct relay r = relay_behind_proxies();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int n = 0; n <= MISSES_FREE; n++)
			get(&r, "/pair/x", cases[i].guesser, 404);
		get(&r, "/pair/x", cases[i].same, 429);
		get(&r, "/pair/x", cases[i].other, 404);
	}
	get(&r, "/pair/x", NULL, 404);
	relay_down(&r);
}

Test(relay_proxy, a_trusted_proxy_has_more_than_a_clients_share_of_connections)
{
	enum { CONNECTIONS = 100 };
	struct relay r = relay_up((struct relay_conf){
		.trusted = trusted, .n_trusted = 1, .max_connections = CONNECTIONS });
	static const char request[] = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
	int fds[CONNECTIONS / 2];

	for (size_t i = 0; i < CONNECTIONS / 2; i++) {
		char c;

		fds[i] = raw_open(&r);
		raw_send(fds[i], request, sizeof(request) - 1);
		cr_assert_eq(recv(fds[i], &c, 1, 0), 1, "connection %zu", i);
	}
	for (size_t i = 0; i < CONNECTIONS / 2; i++)
		close(fds[i]);
	relay_down(&r);
}

Test(relay_proxy, an_address_is_written_as_the_c_library_writes_it)
{
	static const char *const texts[] = { "0.0.0.0", "9.10.99.100", "255.200.19.1", "127.0.0.1",
		"2001:db8::1", "202:90bc:2ab6:34c1:3e3f:e723:783f:ab2" };
	const struct peer unknown = { 0 };
	char text[PEER_TEXT];
	struct peer p;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert(peer_parse(texts[i], strlen(texts[i]), &p));
		peer_format(&p, text);
		cr_assert_str_eq(text, texts[i]);
	}
	for (int n = 0; n < 256; n++) {
		char wanted[PEER_TEXT];

		snprintf(wanted, sizeof(wanted), "%d.%d.%d.%d", n, 255 - n, n, n / 2);
		cr_assert(peer_parse(wanted, strlen(wanted), &p));
		peer_format(&p, text);
		cr_assert_str_eq(text, wanted);
	}
	peer_format(&unknown, text);
	cr_assert_str_eq(text, "-");
}

Test(relay_proxy, says_that_everybody_is_trusted)
{
	static const char *const lists[][2] = { { "10.0.0.0/8", "0.0.0.0/0" },
		{ "127.0.0.1", "::/0" }, { "10.0.0.0/8", "127.0.0.1" } };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct relay r =
			relay_up((struct relay_conf){ .trusted = lists[i], .n_trusted = 2 });

		char *log = relay_log(&r);

		cr_assert_eq(strstr(log, "trusts everybody") != NULL, i < 2, "%s", log);
		free(log);
		relay_down(&r);
	}
}
