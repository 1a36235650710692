#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "relay/redis_where.h"

static struct redis_where good(const char *url)
{
	struct err e = ERR_INIT;
	struct redis_where w;

	cr_assert_eq(redis_where_parse(url, &w, &e), 0, "%s: %s", url, e.text);
	return w;
}

Test(redis_where, is_a_host_a_port_and_a_database)
{
	static const struct {
		const char *url, *host;
		int port, db;
		const char *name;
	} cases[] = {
		{ "redis://localhost", "localhost", 6379, 0, "redis://localhost:6379/0" },
		{ "redis://localhost/", "localhost", 6379, 0, "redis://localhost:6379/0" },
		{ "redis://10.0.0.7:7000/3", "10.0.0.7", 7000, 3, "redis://10.0.0.7:7000/3" },
		{ "redis://[fd00::1]:7000", "fd00::1", 7000, 0, "redis://[fd00::1]:7000/0" },
		{ "redis://[::1]/15", "::1", 6379, 15, "redis://[::1]:6379/15" },
		{ "redis://cache_1.example.net:65535/65535", "cache_1.example.net", 65535, 65535,
			"redis://cache_1.example.net:65535/65535" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct redis_where w = good(cases[i].url);

		cr_assert_not(w.local);
		cr_assert_str_eq(w.host, cases[i].host);
		cr_assert_eq(w.port, cases[i].port);
		cr_assert_eq(w.db, cases[i].db);
		cr_assert_str_eq(w.name, cases[i].name);
		cr_assert_str_empty(w.password);
	}
}

Test(redis_where, has_a_password_that_is_not_in_its_name)
{
	struct redis_where w = good("redis://:s%40cr%2Fet:@h:1");

	cr_assert_str_empty(w.user);
	cr_assert_str_eq(w.password, "s@cr/et:");
	cr_assert_str_eq(w.name, "redis://h:1/0");
	w = good("redis://re%6cay:a@b@h");
	cr_assert_str_eq(w.user, "relay");
	cr_assert_str_eq(w.password, "a@b");
	cr_assert_str_eq(w.host, "h");
	w = good("unix://:hush@/run/redis.sock");
	cr_assert(w.local);
	cr_assert_str_eq(w.path, "/run/redis.sock");
	cr_assert_str_eq(w.password, "hush");
	cr_assert_str_eq(w.name, "unix:///run/redis.sock");
}

Test(redis_where, may_be_a_socket)
{
	struct redis_where w = good("unix:///run/redis/redis.sock");

	cr_assert(w.local);
	cr_assert_str_eq(w.path, "/run/redis/redis.sock");
	w = good("unix:///a@b");
	cr_assert_str_eq(w.path, "/a@b");
}

Test(redis_where, refuses_everything_else_and_quotes_nothing_of_it)
{
	static const char *const bad[] = { "", "redis", "redis:", "redis:/", "redis://",
		"http://xyz", "REDIS://xyz", "localhost:6379", "/run/redis.sock", "rediss://xyz",
		"redis:///1", "redis://:6379", "redis://xyz:", "redis://xyz:0", "redis://xyz:65536",
		"redis://xyz:123456789012345678901", "redis://xyz:6379x", "redis://xyz:-1",
		"redis://xyz:+1", "redis://xyz/x", "redis://xyz/-1", "redis://xyz/65536",
		"redis://xyz/1/2", "redis://xyz?db=1", "redis://xyz#1", "redis://x yz",
		"redis://xyz\n", "redis://x\x80yz", "redis://[xyz]", "redis://[::1",
		"redis://[::1]6379", "redis://[]", "redis://xyz@h", "redis://xyz:@h", "redis://@h",
		"redis://:@h", "redis://:x%yz@h", "redis://:xyz%00@h", "redis://:xyz%4@h",
		"redis://:xyz@", "redis://:xyz@/1", "unix://", "unix:///", "unix://xyz",
		"unix://./xyz", "unix://:xyz@run" };
	char url[1024];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;
		struct redis_where w;

		cr_assert_lt(redis_where_parse(bad[i], &w, &e), 0, "%s", bad[i]);
		cr_assert_eq(e.code, ERR_USAGE);
		cr_assert_null(strstr(e.text, "xyz"), "%s", e.text);
		cr_assert_not_null(strstr(e.text, "the URL of the store is refused: "));
	}
	for (size_t n = 80; n < 900; n += 20) {
		struct err e = ERR_INIT;
		struct redis_where w;

		memset(url, 'x', sizeof(url));
		memcpy(url, "unix:///", 8);
		url[n] = '\0';
		cr_assert_eq(redis_where_parse(url, &w, &e) == 0, n - 7 < sizeof(w.path), "%zu", n);
		memcpy(url, "redis://", 8);
		cr_assert_eq(redis_where_parse(url, &w, &e) == 0, n - 8 < sizeof(w.host), "%zu", n);
		memcpy(url, "redis://:", 9);
		memcpy(url + n - 2, "@h", 2);
		cr_assert_eq(
			redis_where_parse(url, &w, &e) == 0, n - 11 < sizeof(w.password), "%zu", n);
	}
}
