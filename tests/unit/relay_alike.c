#include <criterion/criterion.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "relay_lab.h"

static const char web[] = "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}";
static const char db[] = "{\"jails\":[{\"name\":\"db\",\"ygg_address\":\"200::2\"}]}";
static const char idempotent[] = "Idempotency-Key: 0123456789abcdef";

TestSuite(relay_alike, .timeout = 60);

static void expect(
	const struct relay *r, const char *method, const char *path, const char *body, long status)
{
	struct reply reply = ask(r, method, path, NULL, body);

	cr_assert_eq(reply.status, status, "%s %s: %ld", method, path, reply.status);
	reply_free(&reply);
}

/* All that a client sees of an answer but its date. */
static char *seen(const struct relay *r, const char *method, const char *path, const char *headers)
{
	const char *body = strcmp(method, "POST") == 0 ? db : NULL;
	struct reply reply = ask(r, method, path, headers, body);
	char *date = strstr(reply.headers, "\r\nDate: "), *text;

	cr_assert_not_null(date);
	memset(date + 2, 'x', strcspn(date + 2, "\r"));
	text = malloc(strlen(reply.headers) + reply.len + 1);
	sprintf(text, "%s%s", reply.headers, reply.body);
	reply_free(&reply);
	return text;
}

Test(relay_alike, unknown_expired_and_used_codes_look_alike)
{
	static const struct {
		const char *method, *headers;
	} ways[] = { { "GET", NULL }, { "GET", "Authorization: Bearer x" }, { "POST", NULL },
		{ "POST", idempotent }, { "POST", "Expect: 100-continue" } };
	struct relay r = relay_up((struct relay_conf){ .ttl = 1 });
	struct made expired = make_pairing(&r, web), late = make_pairing(&r, web),
		    used = make_pairing(&r, web);
	const char *const paths[] = { "/pair/81-zephyr-night-climb", expired.path, late.path,
		used.path, "/pair/%00%ff" };
	char from[32];

	expect(&r, "POST", late.path, db, 200);
	expect(&r, "POST", used.path, db, 200);
	expect(&r, "GET", used.path, NULL, 200);
	usleep(1100 * 1000);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		char *unknown = NULL;

		/* No address may try so many wrong codes in a row. */
		snprintf(from, sizeof(from), "127.0.1.%zu", i + 1);
		r.from = from;
		for (size_t j = 0; j < sizeof(paths) / sizeof(paths[0]); j++) {
			char *text = seen(&r, ways[i].method, paths[j], ways[i].headers);

			unknown = unknown != NULL ? unknown : strdup(text);
			cr_assert_not_null(strstr(text, "HTTP/1.1 404 "), "%s", text);
			cr_assert_str_eq(text, unknown);
			free(text);
		}
		free(unknown);
	}
	relay_down(&r);
}

/* Once in an answer, be the answer made once for all or for one request alone. */
Test(relay_alike, dates_are_the_time)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make_pairing(&r, web);
	const char *const paths[] = { m.path, "/", "/pair/81-zephyr-night-climb", "/nothing" };

	for (int seconds = 0; seconds < 3; seconds++) {
		for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			const time_t before = time(NULL);
			struct reply reply = ask(&r, "GET", paths[i], NULL, NULL);
			char *date = strstr(reply.headers, "\r\nDate: ");
			time_t said;

			cr_assert_not_null(date, "%s", reply.headers);
			cr_assert_null(strstr(date + 2, "\r\nDate: "), "%s", reply.headers);
			date[2 + strcspn(date + 2, "\r")] = '\0';
			said = curl_getdate(date + 8, NULL);
			cr_assert(
				said >= before && said <= time(NULL), "%s: %s", paths[i], date + 8);
			cr_assert_str_eq(date + strlen(date) - 4, " GMT");
			reply_free(&reply);
		}
		usleep(700 * 1000);
	}
	relay_down(&r);
}
