#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay_lab.h"

TestSuite(relay_page, .timeout = 60);

enum { PAGE_MAX = 8 * 1024 };

static void expect_header(const struct reply *reply, const char *line)
{
	cr_assert_not_null(strstr(reply->headers, line), "%s in %s", line, reply->headers);
}

Test(relay_page, tells_people_what_this_is_and_how_to_pair)
{
	static const char *const words[] = { "<title>jmesh relay</title>", "jmesh apply",
		"jmesh apply \\\n  --code &#39;laptop=", "jrun pair", "pair: create", "pair: join",
		"81-zephyr-night-climb#K7QF-", "never goes to a relay", "plain: true" };
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct reply reply = ask(&r, "GET", "/", NULL, NULL);

	cr_assert_eq(reply.status, 200);
	expect_header(&reply, "\r\nContent-Type: text/html; charset=utf-8\r\n");
	expect_header(&reply, "\r\nX-Content-Type-Options: nosniff\r\n");
	expect_header(&reply, "\r\nCache-Control: no-store\r\n");
	cr_assert_eq(strncmp(reply.body, "<!DOCTYPE html>\n", 16), 0);
	cr_assert_lt(reply.len, PAGE_MAX);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_assert_not_null(strstr(reply.body, words[i]), "%s", words[i]);
	reply_free(&reply);
	relay_down(&r);
}

static void expect_once(const char *text, const char *part)
{
	const char *first = strstr(text, part);

	cr_assert_not_null(first, "%s", part);
	cr_assert_null(strstr(first + 1, part), "%s", part);
}

Test(relay_page, loads_and_runs_nothing)
{
	static const char *const never[] = { "<script", "<img", "<iframe", "<form", "<object",
		"<a ", "src=", "style=", "@import", "javascript:", "http:", "https:", "http-equiv",
		"url(", " onload", " onclick" };
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct reply reply = ask(&r, "GET", "/", NULL, NULL);

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		cr_assert_null(strcasestr(reply.body, never[i]), "%s", never[i]);
	/* Without one, browsers ask for another file. */
	expect_once(reply.body, "<link rel=\"icon\" href=\"data:,\">");
	expect_once(reply.body, "<link");
	expect_once(reply.body, "href=");
	reply_free(&reply);
	relay_down(&r);
}

/* CSP Level 3, 8.4: the hash is of what stands between the tags. */
Test(relay_page, lets_in_its_own_style_alone)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char base64[64], policy[256];
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct reply reply = ask(&r, "GET", "/", NULL, NULL);
	const char *style, *end;

	expect_once(reply.body, "<style>");
	expect_once(reply.body, "<style");
	style = strstr(reply.body, "<style>") + strlen("<style>");
	end = strstr(style, "</style>");
	cr_assert_not_null(end);
	crypto_hash_sha256(hash, (const unsigned char *)style, (size_t)(end - style));
	sodium_bin2base64(
		base64, sizeof(base64), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
	snprintf(policy, sizeof(policy),
		"\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-%s'; "
		"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n",
		base64);
	expect_header(&reply, policy);
	reply_free(&reply);
	relay_down(&r);
}

/* Every element that is opened is closed in its turn; void elements are not. */
Test(relay_page, is_well_formed)
{
	char stack[32][16], name[16];
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct reply reply = ask(&r, "GET", "/", NULL, NULL);
	int depth = 0;

	for (const char *at = strchr(reply.body + 1, '<'); at != NULL; at = strchr(at + 1, '<')) {
		bool end = at[1] == '/';

		cr_assert_eq(sscanf(at + 1 + end, "%15[a-z0-9]", name), 1, "%.20s", at);
		if (strcmp(name, "meta") == 0 || strcmp(name, "link") == 0)
			continue;
		if (!end) {
			cr_assert_lt(depth, 32);
			strcpy(stack[depth++], name);
			continue;
		}
		cr_assert_gt(depth, 0, "%.20s", at);
		cr_assert_str_eq(stack[--depth], name);
	}
	cr_assert_eq(depth, 0);
	reply_free(&reply);
	relay_down(&r);
}

Test(relay_page, is_read_and_nothing_else)
{
	static const char *const other[] = { "POST", "PUT", "DELETE", "OPTIONS" };
	static const char *const same[] = { "/?x=%3Cscript%3E", "http://relay.example.net/" };
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct reply page = ask(&r, "GET", "/", NULL, NULL), reply;

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		reply = ask(&r, other[i], "/", NULL, NULL);
		cr_assert_eq(reply.status, 405, "%s: %ld", other[i], reply.status);
		expect_header(&reply, "\r\nAllow: GET, HEAD\r\n");
		cr_assert_null(strstr(reply.headers, "Content-Security-Policy"));
		reply_free(&reply);
	}
	reply = ask(&r, "HEAD", "/", NULL, NULL);
	cr_assert_eq(reply.status, 200);
	cr_assert_eq(reply.len, 0);
	expect_header(&reply, "\r\nContent-Type: text/html; charset=utf-8\r\n");
	reply_free(&reply);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		char request[256], *answer;
		int fd = raw_open(&r);

		snprintf(request, sizeof(request),
			"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", same[i]);
		raw_send(fd, request, strlen(request));
		answer = raw_read(fd, 2000, NULL);
		cr_assert_not_null(strstr(answer, page.body), "%s", answer);
		free(answer);
		close(fd);
	}
	cr_assert(relay_logged(&r, " 127.0.0.1 GET / 200 "));
	reply_free(&page);
	relay_down(&r);
}
