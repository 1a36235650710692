#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "redis_lab.h"
#include "relay/redis_link.h"

static struct arena *a;

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	a = arena_new();
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(redis_link, .init = setup, .fini = teardown, .timeout = 60);

static struct redis_word word(const char *s)
{
	return (struct redis_word){ s, strlen(s) };
}

static struct redis_where where(const char *url)
{
	struct err e = ERR_INIT;
	struct redis_where w;

	cr_assert_eq(redis_where_parse(url, &w, &e), 0, "%s", e.text);
	return w;
}

static struct redis_link *opened(const struct redis_where *w)
{
	struct err e = ERR_INIT;
	struct redis_link *l = NULL;

	cr_assert_eq(redis_link_open(&l, w, &e), 0, "%s", e.text);
	return l;
}

static void refused(const struct redis_where *w, const char *why)
{
	struct err e = ERR_INIT;
	struct redis_link *l = NULL;

	cr_assert_lt(redis_link_open(&l, w, &e), 0);
	cr_assert_not_null(strstr(e.text, why), "%s", e.text);
}

static const char *said(struct redis_link *l, const char *command, const char *arg)
{
	const struct redis_word words[] = { word(command), word(arg) };
	struct redis_said out;
	struct err e = ERR_INIT;

	cr_assert_eq(redis_link_call(l, words, 2, a, &out, &e), 0, "%s", e.text);
	return out.refusal ? arena_printf(a, "-%s", out.text) : out.text;
}

Test(redis_link, asks_a_real_one)
{
	struct redis_server server = redis_up(false, NULL);
	struct redis_where w = where(server.url);
	struct redis_link *l = opened(&w);
	struct redis_said out;
	struct err e = ERR_INIT;
	size_t n = 600 * 1024;
	char *large = calloc(1, n + 1);

	cr_assert_str_eq(said(l, "PING", "hello"), "hello");
	cr_assert_eq(strncmp(said(l, "NOTHING", ""), "-ERR", 4), 0);
	cr_assert_eq(redis_link_call(l, (struct redis_word[]){ word("ECHO"), { "a\0\r\nb", 5 } }, 2,
			     a, &out, &e),
		0);
	cr_assert(out.len == 5 && memcmp(out.text, "a\0\r\nb", 6) == 0);
	memset(large, 'x', n);
	cr_assert_str_eq(said(l, "ECHO", large), large);
	cr_assert_not(redis_link_is_stale(l));
	redis_stop(&server);
	while (!redis_link_is_stale(l))
		usleep(1000);
	cr_assert_lt(redis_link_call(l, (struct redis_word[]){ word("PING") }, 1, a, &out, &e), 0);
	redis_link_close(l);
	refused(&w, "refused");
	free(large);
	redis_start(&server);
	redis_down(&server);
}

Test(redis_link, gives_the_password_and_tells_nobody)
{
	struct redis_server server = redis_up(false, "hush hush");
	struct redis_where w = where(server.url);
	struct redis_link *l = opened(&w);

	cr_assert_eq(strncmp(said(l, "GET", "x"), "-NOAUTH", 7), 0);
	redis_link_close(l);
	strcpy(w.password, "hush");
	refused(&w, "it refuses the user or the password");
	strcpy(w.password, "hush hush");
	l = opened(&w);
	cr_assert_str_eq(said(l, "ECHO", "x"), "x");
	redis_link_close(l);
	strcpy(w.user, "default");
	redis_link_close(opened(&w));
	strcpy(w.user, "nobody");
	refused(&w, "it refuses the user or the password");
	w.user[0] = '\0';
	w.db = 15;
	redis_link_close(opened(&w));
	w.db = 16;
	refused(&w, "no database of that number");
	redis_down(&server);
}

static void not_believed(struct liar liar, const char *why)
{
	struct redis_where w = where(liar_up(&liar));
	struct redis_link *l = opened(&w);
	struct redis_said out;
	struct err e = ERR_INIT;
	int64_t start = clock_ms();

	cr_assert_lt(redis_link_call(l, (struct redis_word[]){ word("PING") }, 1, a, &out, &e), 0,
		"%.40s", liar.says);
	cr_assert_not_null(strstr(e.text, why), "%.40s: %s", liar.says, e.text);
	cr_assert_lt(clock_ms() - start, 2 * REDIS_COMMAND_MS);
	redis_link_close(l);
	liar_down(&liar);
}

Test(redis_link, believes_no_liar)
{
	static const struct {
		const char *says, *why;
	} cases[] = {
		{ "HTTP/1.1 400 Bad Request\r\n\r\n", "no Redis" },
		{ "*2147483647\r\n", "no Redis" },
		{ "*1\r\n*2147483647\r\n*2147483647\r\n", "no Redis" },
		{ "%2147483647\r\n", "no Redis" },
		{ ">2147483647\r\n", "no Redis" },
		{ "\x01\x02\x03", "no Redis" },
		{ "$x\r\n", "" },
		{ "$-2\r\n", "" },
		{ "$9223372036854775807\r\n", "" },
		{ "$99999999999999999999999\r\n", "" },
		{ "$-1\r\n", "of a kind that none has" },
		{ ":7\r\n", "of a kind that none has" },
		{ ":x\r\n", "" },
		{ "+PONG\r\n+PONG\r\n", "no Redis" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		not_believed((struct liar){ .says = cases[i].says, .len = strlen(cases[i].says) },
			cases[i].why);
	not_believed((struct liar){ .says = "\0", .len = 1 }, "no Redis");
}

Test(redis_link, bounds_what_it_reads)
{
	size_t n = 4 * REDIS_SAID_MAX;
	char *much = malloc(n);

	memset(much, '+', n);
	not_believed((struct liar){ .says = much, .len = n }, "too long");
	memcpy(much, "$500000000\r\n", 12);
	not_believed((struct liar){ .says = much, .len = n }, "too long");
	free(much);
}

Test(redis_link, waits_for_no_answer_longer_than_it_may)
{
	not_believed((struct liar){ .says = "", .len = 0 }, "no answer within 2 seconds");
	not_believed((struct liar){ .says = "$100\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
			     .len = 50,
			     .drip_ms = 100 },
		"no answer within 2 seconds");
}

Test(redis_link, is_not_told_what_a_liar_says_of_the_password)
{
	struct liar liar = { .says = "-WRONGPASS it was: hush\r\n", .len = 25 };
	struct redis_where w = where(liar_up(&liar));
	struct redis_link *l = NULL;
	struct err e = ERR_INIT;

	strcpy(w.password, "hush");
	cr_assert_lt(redis_link_open(&l, &w, &e), 0);
	cr_assert_null(strstr(e.text, "hush"), "%s", e.text);
	liar_down(&liar);
}
