#include <criterion/criterion.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "redis_lab.h"
#include "relay/store_redis.h"
#include "relay_lab.h"

#define WEB "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}"
#define DB "{\"jails\":[{\"name\":\"db\",\"ygg_address\":\"200::2\"}]}"
#define CODE "81-zephyr-night-climb"

static const char db_joined[] =
	"{\"joined\":true,\"jails\":[{\"name\":\"db\",\"ygg_address\":\"200::2\"}]}";
static const char proposed[] = "{\"jails\":[],\"sealed\":\"b3Vycw==\",\"code\":\"" CODE "\"}";
static const char key[] = "Idempotency-Key: 0123456789abcdef";

TestSuite(relay_redis, .timeout = 120);

/* Two relays and what they share. */
struct fleet {
	struct redis_server redis;
	struct relay one, two;
};

static struct fleet fleet_up(struct relay_conf conf)
{
	struct fleet f = { .redis = redis_up(false, NULL) };

	conf.store = f.redis.url;
	f.one = relay_up(conf);
	f.two = relay_up(conf);
	return f;
}

static void fleet_down(struct fleet *f)
{
	relay_down(&f->one);
	relay_down(&f->two);
	redis_down(&f->redis);
}

/* The status must be as expected, and the body too where one is given. */
static void expect(const struct relay *r, const char *method, const char *path, const char *headers,
	const char *body, long status, const char *answer)
{
	struct reply reply = ask(r, method, path, headers, body);

	cr_assert_eq(reply.status, status, "%s %s: %ld %s", method, path, reply.status, reply.body);
	if (answer != NULL)
		cr_assert_str_eq(reply.body, answer);
	if (status == 503) {
		cr_assert_not_null(strstr(reply.headers, "\r\nRetry-After: 5\r\n"));
		cr_assert_not_null(strstr(reply.headers, "\r\nContent-Type: text/plain"));
		cr_assert_not_null(strstr(reply.body, "cannot reach its store"));
	}
	reply_free(&reply);
}

/* Until it is answered so, ten seconds at most. */
static void await(
	const struct relay *r, const char *method, const char *path, const char *body, long status)
{
	long got = 0;

	for (int i = 0; i < 200 && got != status; i++) {
		struct reply reply = ask(r, method, path, NULL, body);

		got = reply.status;
		reply_free(&reply);
		if (got != status)
			usleep(50 * 1000);
	}
	cr_assert_eq(got, status, "%s: %ld, not %ld", path, got, status);
}

static struct relay admin_of(const struct relay *r)
{
	static const char mark[] = "for Prometheus: http://127.0.0.1:";
	struct relay admin = *r;
	char *log = relay_log(r), *at = strstr(log, mark);

	cr_assert_not_null(at, "%s", log);
	admin.port = atoi(at + strlen(mark));
	free(log);
	return admin;
}

static int times_in_log(const struct relay *r, const char *text)
{
	char *log = relay_log(r);
	int n = 0;

	for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
		n++;
	free(log);
	return n;
}

Test(relay_redis, two_relays_are_one)
{
	struct fleet f = fleet_up((struct relay_conf){ 0 });
	struct made m = make_pairing(&f.one, WEB);

	expect(&f.two, "GET", m.path, NULL, NULL, 200, "{\"joined\":false}");
	expect(&f.two, "POST", m.path, key, DB, 200, WEB);
	expect(&f.one, "POST", m.path, NULL, DB, 404, NULL);
	expect(&f.one, "POST", m.path, key, DB, 200, WEB);
	expect(&f.one, "GET", m.path, NULL, NULL, 200, db_joined);
	expect(&f.two, "GET", m.path, NULL, NULL, 404, NULL);
	expect(&f.two, "GET", m.path, m.bearer, NULL, 200, db_joined);
	expect(&f.two, "POST", m.path, key, DB, 200, WEB);
	fleet_down(&f);
}

Test(relay_redis, a_proposed_code_is_taken_everywhere)
{
	struct fleet f = fleet_up((struct relay_conf){ 0 });
	struct reply first = ask(&f.one, "POST", "/pair", key, proposed);

	cr_assert_eq(first.status, 200);
	expect(&f.two, "POST", "/pair", key, proposed, 200, first.body);
	expect(&f.two, "POST", "/pair", NULL, proposed, 409, NULL);
	expect(&f.two, "POST", "/pair/" CODE, NULL, WEB, 409, NULL);
	expect(&f.two, "POST", "/pair/" CODE, NULL, "{\"jails\":[],\"sealed\":\"AAAA\"}", 200,
		"{\"jails\":[],\"sealed\":\"b3Vycw==\"}");
	expect(&f.one, "GET", "/pair/" CODE, NULL, NULL, 200,
		"{\"joined\":true,\"jails\":[],\"sealed\":\"AAAA\"}");
	reply_free(&first);
	fleet_down(&f);
}

Test(relay_redis, what_is_no_pairing_is_not_found_and_not_replaced)
{
	struct fleet f = fleet_up((struct relay_conf){ 0 });
	char *kept;

	free(redis_ask(&f.redis, "SET jmesh:pairing:" CODE " kept"));
	expect(&f.one, "GET", "/pair/" CODE, NULL, NULL, 404, NULL);
	expect(&f.one, "POST", "/pair/" CODE, NULL, DB, 404, NULL);
	expect(&f.one, "POST", "/pair", key, proposed, 409, NULL);
	kept = redis_ask(&f.redis, "GET jmesh:pairing:" CODE);
	cr_assert_str_eq(kept, "$4\r\nkept\r\n");
	free(kept);
	fleet_down(&f);
}

Test(relay_redis, pairings_expire_for_all)
{
	struct fleet f = fleet_up((struct relay_conf){ .ttl = 1 });
	struct made m = make_pairing(&f.one, WEB);

	expect(&f.two, "GET", m.path, m.bearer, NULL, 200, "{\"joined\":false}");
	usleep(1100 * 1000);
	expect(&f.one, "GET", m.path, m.bearer, NULL, 404, NULL);
	expect(&f.two, "POST", m.path, NULL, DB, 404, NULL);
	fleet_down(&f);
}

Test(relay_redis, all_together_have_no_more_pairings_than_may_be_open)
{
	struct fleet f = fleet_up((struct relay_conf){ .max_pairings = 2, .ttl = 2 });
	struct made m = make_pairing(&f.one, WEB);

	make_pairing(&f.two, WEB);
	expect(&f.one, "POST", "/pair", NULL, WEB, 429, NULL);
	expect(&f.two, "POST", "/pair", NULL, WEB, 429, NULL);
	expect(&f.two, "POST", m.path, NULL, DB, 200, NULL);
	expect(&f.two, "GET", m.path, NULL, NULL, 200, NULL);
	make_pairing(&f.one, WEB);
	expect(&f.two, "POST", "/pair", NULL, WEB, 429, NULL);
	usleep(2100 * 1000);
	make_pairing(&f.one, WEB);
	make_pairing(&f.two, WEB);
	fleet_down(&f);
}

Test(relay_redis, who_polls_his_own_pairing_is_known_everywhere)
{
	struct fleet f = fleet_up((struct relay_conf){ 0 });
	struct made m = make_pairing(&f.one, WEB);

	for (int i = 0; i < 11; i++)
		expect(&f.two, "GET", "/pair/" CODE, NULL, NULL, 404, NULL);
	expect(&f.two, "GET", "/pair/" CODE, NULL, NULL, 429, NULL);
	expect(&f.two, "GET", m.path, NULL, NULL, 200, "{\"joined\":false}");
	expect(&f.two, "POST", m.path, NULL, DB, 429, NULL);
	fleet_down(&f);
}

enum { RACERS = 100 };

/* So many requests at the same time, to one relay and the other by turns; how many get 200. */
static int race(struct fleet *f, const char *path, const char *body)
{
	char request[1024], from[32];
	int fds[RACERS], won = 0;

	snprintf(request, sizeof(request),
		"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
		path, strlen(body), body);
	for (int i = 0; i < RACERS; i++) {
		struct relay r = i % 2 == 0 ? f->one : f->two;

		snprintf(from, sizeof(from), "127.0.1.%d", i + 1);
		r.from = from;
		fds[i] = raw_open(&r);
	}
	for (int i = 0; i < RACERS; i++)
		raw_send(fds[i], request, strlen(request));
	for (int i = 0; i < RACERS; i++) {
		char *answer = raw_read(fds[i], 10000, NULL);

		won += strncmp(answer, "HTTP/1.1 200 ", 13) == 0;
		cr_assert(strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ||
				strncmp(answer, "HTTP/1.1 404 ", 13) == 0 ||
				strncmp(answer, "HTTP/1.1 409 ", 13) == 0,
			"%s", answer);
		free(answer);
		close(fds[i]);
	}
	return won;
}

Test(relay_redis, of_a_hundred_one_joins_and_one_proposes)
{
	struct fleet f = fleet_up((struct relay_conf){ .max_connections = 512 });

	for (int i = 0; i < 5; i++) {
		struct made m = make_pairing(&f.two, WEB);

		cr_assert_eq(race(&f, m.path, DB), 1);
		expect(&f.one, "GET", m.path, NULL, NULL, 200, db_joined);
	}
	cr_assert_eq(race(&f, "/pair", proposed), 1);
	fleet_down(&f);
}

enum { THREADS = 8, CODES = 100 };

/* Threads of one relay that all do the same to the same pairings. */
struct crowd {
	struct store *store;
	struct ticket tickets[CODES];
	atomic_int joined[CODES], read[CODES], down;
};

static void *be_one_of(void *arg)
{
	static struct roster_jail db = { .name = "db", .addr = { { 2, [15] = 2 } } };
	static const struct parcel side = { .roster = { &db, 1 } };
	struct crowd *c = arg;

	for (int i = 0; i < CODES; i++) {
		struct arena *a = arena_new();
		const char *got, *code = c->tickets[i].code;
		enum store_status joined = store_join(c->store, code, &side, NULL, 0, a, &got);
		enum store_status read = store_read(c->store, code, NULL, 0, a, &got);

		atomic_fetch_add(&c->joined[i], joined == STORE_OK);
		atomic_fetch_add(&c->read[i], read == STORE_OK);
		atomic_fetch_add(&c->down, joined == STORE_DOWN || read == STORE_DOWN);
		arena_free(a);
	}
	return NULL;
}

Test(relay_redis, threads_ask_side_by_side)
{
	const struct rate rate = { 10, 20 };
	const struct limits limits = { { rate, rate, rate, rate }, CODES, 4, 3 };
	struct memory memory = { .max = 1 << 20 };
	const struct store_conf conf = { 60000, CODES, &memory };
	struct roster_jail web = { .name = "web", .addr = { { 2, [15] = 1 } } };
	const struct parcel side = { .roster = { &web, 1 } };
	const struct network from = { { 1 } };
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct redis_server redis = redis_up(false, NULL);
	struct clients *clients;
	struct redis_where where;
	struct err e = ERR_INIT;
	static struct crowd c;
	pthread_t threads[THREADS];
	struct ticket one_more;

	cr_assert_geq(sodium_init(), 0);
	clients = clients_new(&limits);
	cr_assert_eq(redis_where_parse(redis.url, &where, &e), 0);
	c.store = store_redis_new(&conf, &where, clients, &lock);
	for (int i = 0; i < CODES; i++)
		cr_assert_eq(store_create(c.store, &from, &side, NULL, 0, &c.tickets[i]), STORE_OK);
	cr_assert_eq(store_create(c.store, &from, &side, NULL, 0, &one_more), STORE_FULL);
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, be_one_of, &c), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(c.down, 0);
	for (int i = 0; i < CODES; i++)
		cr_assert(c.joined[i] == 1 && c.read[i] == 1, "%d %d", c.joined[i], c.read[i]);
	/* Nobody has a pairing open any more. */
	for (int i = 0; i < CODES; i++)
		cr_assert_eq(store_create(c.store, &from, &side, NULL, 0, &one_more), STORE_OK);
	store_free(c.store);
	clients_free(clients);
	redis_down(&redis);
}

Test(relay_redis, what_is_counted_does_not_leak)
{
	enum { N = 250 };
	struct fleet f = fleet_up((struct relay_conf){ .ttl = 3, .admin = "0" });
	struct relay admin = admin_of(&f.one);
	char *got;

	for (int i = 0; i < N; i++) {
		struct made m = make_pairing(&f.one, WEB);

		if (i % 3 == 0)
			continue;
		expect(&f.two, "POST", m.path, NULL, DB, 200, NULL);
		if (i % 3 == 1)
			expect(&f.two, "GET", m.path, NULL, NULL, 200, NULL);
	}
	got = redis_ask(&f.redis, "ZCARD jmesh:again");
	cr_assert_eq(atoi(got + 1), N / 3);
	free(got);
	got = redis_ask(&f.redis, "GET jmesh:bytes");
	cr_assert_gt(atoi(strchr(got, '\n')), N * 50);
	free(got);
	/* Deleted behind our back, as a Redis may that is short of memory. */
	free(redis_ask(&f.redis, "DEL jmesh:again"));
	usleep(3100 * 1000);
	for (int i = 0; i < 3; i++)
		expect(&admin, "GET", "/metrics", NULL, NULL, 200, NULL);
	/* Those that were joined and not read have a minute more. */
	got = redis_ask(&f.redis, "ZCARD jmesh:open");
	cr_assert_eq(atoi(got + 1), N - N / 3 - (N + 2) / 3, "%s", got);
	free(got);
	free(redis_ask(&f.redis, "DEL jmesh:open"));
	expect(&admin, "GET", "/metrics", NULL, NULL, 200, NULL);
	got = redis_ask(&f.redis, "EXISTS jmesh:open jmesh:again jmesh:bytes");
	cr_assert_str_eq(got, ":0\r\n");
	free(got);
	fleet_down(&f);
}

Test(relay_redis, a_redis_that_forgot_the_script_is_told_again)
{
	struct fleet f = fleet_up((struct relay_conf){ 0 });
	struct made m = make_pairing(&f.one, WEB);

	free(redis_ask(&f.redis, "SCRIPT FLUSH"));
	expect(&f.two, "POST", m.path, NULL, DB, 200, WEB);
	free(redis_ask(&f.redis, "SCRIPT FLUSH"));
	expect(&f.one, "GET", m.path, NULL, NULL, 200, db_joined);
	cr_assert_eq(times_in_log(&f.one, "is not there"), 0);
	fleet_down(&f);
}

Test(relay_redis, without_redis_it_says_so_and_goes_on_when_redis_is_back)
{
	struct fleet f = fleet_up((struct relay_conf){ .admin = "0" });
	struct relay admin = admin_of(&f.one);
	struct made m = make_pairing(&f.one, WEB);
	struct reply reply;

	expect(&admin, "GET", "/healthz", NULL, NULL, 200, "ok\n");
	redis_stop(&f.redis);
	for (int i = 0; i < 20; i++) {
		expect(&f.one, "POST", "/pair", NULL, WEB, 503, NULL);
		expect(&f.one, "POST", "/pair", NULL, proposed, 503, NULL);
		expect(&f.one, "GET", m.path, NULL, NULL, 503, NULL);
		expect(&f.one, "POST", m.path, NULL, DB, 503, NULL);
	}
	/* None of it was a wrong code; what needs no store is served. */
	expect(&f.one, "GET", "/", NULL, NULL, 200, NULL);
	reply = ask(&admin, "GET", "/healthz", NULL, NULL);
	cr_assert_eq(reply.status, 503);
	reply_free(&reply);
	reply = ask(&admin, "GET", "/metrics", NULL, NULL);
	cr_assert_eq(reply.status, 200);
	cr_assert_not_null(strstr(reply.body, "\njmesh_relay_store_up 0\n"));
	cr_assert_not_null(strstr(reply.body, "\njmesh_relay_store_errors_total 81\n"), "%s",
		strstr(reply.body, "store_errors_total "));
	cr_assert_null(strstr(reply.body, "pairings_open"));
	reply_free(&reply);
	usleep(2200 * 1000);
	cr_assert_eq(times_in_log(&f.one, "is not there"), 1);
	redis_start(&f.redis);
	await(&f.one, "GET", m.path, NULL, 404);
	await(&admin, "GET", "/healthz", NULL, 200);
	await(&f.two, "POST", "/pair", WEB, 200);
	m = make_pairing(&f.two, WEB);
	expect(&f.one, "POST", m.path, NULL, DB, 200, WEB);
	/* Once at the start, and once when it was back. */
	cr_assert_eq(times_in_log(&f.one, "is there\n"), 2);
	cr_assert_eq(times_in_log(&f.one, "is not there"), 1);
	fleet_down(&f);
}

Test(relay_redis, need_not_be_there_in_the_beginning)
{
	struct redis_server redis = redis_up(false, NULL);
	struct relay r;

	redis_stop(&redis);
	r = relay_up((struct relay_conf){ .store = redis.url });
	expect(&r, "POST", "/pair", NULL, WEB, 503, NULL);
	redis_start(&redis);
	await(&r, "POST", "/pair", WEB, 200);
	relay_down(&r);
	redis_down(&redis);
}

Test(relay_redis, a_redis_that_keeps_nothing_more_is_not_there)
{
	struct fleet f = fleet_up((struct relay_conf){ 0 });
	struct made m = make_pairing(&f.one, WEB);

	free(redis_ask(&f.redis, "CONFIG SET maxmemory 1"));
	expect(&f.one, "POST", m.path, NULL, DB, 503, NULL);
	cr_assert(relay_logged(&f.one, "is not there: it refuses: OOM;"));
	usleep(1200 * 1000);
	expect(&f.one, "POST", m.path, NULL, DB, 503, NULL);
	free(redis_ask(&f.redis, "CONFIG SET maxmemory 0"));
	await(&f.one, "POST", m.path, DB, 200);
	await(&f.two, "POST", "/pair", WEB, 200);
	expect(&f.two, "GET", m.path, NULL, NULL, 200, db_joined);
	fleet_down(&f);
}

Test(relay_redis, what_is_no_redis_is_not_there_and_nobody_waits_for_it)
{
	static const struct {
		const char *says;
		int drip_ms;
	} lies[] = { { "HTTP/1.1 400 Bad Request\r\n\r\n", 0 }, { "*2147483647\r\n", 0 },
		{ "+OK\r\n", 0 }, { "$5\r\nok 0\n\r\n", 0 }, { "$3\r\nx y\r\n", 0 },
		{ "$11\r\nok 0\n{}\x1b[31m\r\n", 0 }, { "-ERR \x1b[31m no\r\n", 0 }, { "", 0 },
		{ "$100\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 100 } };

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct liar liar = { .says = lies[i].says,
			.len = strlen(lies[i].says),
			.drip_ms = lies[i].drip_ms };
		struct relay r;
		int64_t start;
		char *log;

		liar_listen(&liar);
		r = relay_up((struct relay_conf){ .store = liar.url });
		liar_answer(&liar);
		/* One of them is what a Redis that is well would say when it is looked at. */
		start = clock_ms();
		for (int j = 0; j < 5; j++) {
			expect(&r, "POST", "/pair", NULL, WEB, 503, NULL);
			expect(&r, "POST", "/pair/" CODE, NULL, DB, 503, NULL);
			expect(&r, "GET", "/pair/" CODE, NULL, NULL, 503, NULL);
		}
		cr_assert_lt(clock_ms() - start, 2500, "%s", lies[i].says);
		log = relay_log(&r);
		cr_assert_null(strchr(log, '\x1b'));
		free(log);
		relay_down(&r);
		liar_down(&liar);
	}
}

Test(relay_redis, the_password_is_told_to_redis_alone)
{
	struct redis_server redis = redis_up(false, "hush-hush");
	char with[128], wrong[128];
	struct relay r;
	char *log;

	snprintf(with, sizeof(with), "unix://:hush-hush@%s", redis.url + strlen("unix://"));
	snprintf(wrong, sizeof(wrong), "unix://:hush-hush-%s@%s", "not",
		redis.url + strlen("unix://"));
	r = relay_up((struct relay_conf){ .store = with });
	make_pairing(&r, WEB);
	log = relay_log(&r);
	cr_assert_null(strstr(log, "hush"), "%s", log);
	free(log);
	relay_down(&r);
	r = relay_up((struct relay_conf){ .store = wrong });
	expect(&r, "POST", "/pair", NULL, WEB, 503, NULL);
	log = relay_log(&r);
	cr_assert_not_null(strstr(log, "it refuses the user or the password"));
	cr_assert_null(strstr(log, "hush"), "%s", log);
	free(log);
	relay_down(&r);
	r = relay_up((struct relay_conf){ .store = redis.url });
	expect(&r, "POST", "/pair", NULL, WEB, 503, NULL);
	cr_assert(relay_logged(&r, "it wants a password"));
	relay_down(&r);
	r = relay_up((struct relay_conf){ .store = with, .store_seen = true });
	cr_assert_eq(relay_wait(&r), 1);
	cr_assert(relay_logged(&r, "as JMESH_STORE"));
	log = relay_log(&r);
	cr_assert_null(strstr(log, "hush"), "%s", log);
	free(log);
	close(r.log);
	redis_down(&redis);
}

Test(relay_redis, a_url_that_is_none_is_an_error_at_the_start)
{
	static const char *const bad[] = { "", "localhost", "redis://", "redis://x:y:z",
		"rediss://localhost", "http://localhost" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct relay r = relay_up((struct relay_conf){ .store = bad[i] });

		cr_assert_eq(relay_wait(&r), 1, "%s", bad[i]);
		cr_assert(relay_logged(&r, "the URL of the store is refused: "));
		close(r.log);
	}
}
