#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/seal.h"
#include "relay_lab.h"

#define SEALED(text) "{\"jails\":[],\"sealed\":\"" text "\"}"
#define PROPOSED(text, code) "{\"jails\":[],\"sealed\":\"" text "\",\"code\":\"" code "\"}"
#define CODE "81-zephyr-night-climb"
#define WEB "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}"

static const char ours[] = SEALED("b3Vycw=="), theirs[] = SEALED("dGhlaXJz");
static const char theirs_joined[] = "{\"joined\":true,\"jails\":[],\"sealed\":\"dGhlaXJz\"}";
static const char proposed[] = PROPOSED("b3Vycw==", CODE), path[] = "/pair/" CODE;
static const char key[] = "Idempotency-Key: 0123456789abcdef";

TestSuite(relay_sealed, .timeout = 120);

/* The status must be as expected, and the body too where one is given; the body, to be freed. */
static char *expect(const struct relay *r, const char *method, const char *where,
	const char *headers, const char *body, long status, const char *answer)
{
	struct reply reply = ask(r, method, where, headers, body);

	cr_assert_eq(
		reply.status, status, "%s %s: %ld %.200s", method, where, reply.status, reply.body);
	if (answer != NULL)
		cr_assert_str_eq(reply.body, answer);
	cr_assert_not_null(strstr(reply.headers,
		status == 200 ? "Content-Type: application/json\r\n" : "Content-Type: text/plain"));
	free(reply.headers);
	return reply.body;
}

static void see(const struct relay *r, const char *method, const char *where, const char *headers,
	const char *body, long status, const char *answer)
{
	free(expect(r, method, where, headers, body, status, answer));
}

Test(relay_sealed, rosters_go_both_ways_written_again)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make_pairing(&r, " {\"x\":{}, \"sealed\":\"b3Vycw\\u003d=\",\"jails\":[]}");

	see(&r, "GET", m.path, NULL, NULL, 200, "{\"joined\":false}");
	see(&r, "POST", m.path, NULL, "{\"jails\": [ ],\"sealed\":\"dGhlaXJz\",\"jail\":1}", 200,
		ours);
	see(&r, "POST", m.path, NULL, theirs, 404, NULL);
	see(&r, "GET", m.path, NULL, NULL, 200, theirs_joined);
	see(&r, "GET", m.path, NULL, NULL, 404, NULL);
	see(&r, "GET", m.path, m.bearer, NULL, 200, theirs_joined);
	relay_down(&r);
}

Test(relay_sealed, the_joiner_does_not_get_the_code_that_was_proposed)
{
	struct relay r = relay_up((struct relay_conf){ 0 });

	see(&r, "POST", "/pair", NULL, proposed, 200, NULL);
	see(&r, "POST", path, NULL, PROPOSED("dGhlaXJz", "12-other-code"), 200, ours);
	see(&r, "GET", path, NULL, NULL, 200, theirs_joined);
	relay_down(&r);
}

/* The sealed body with so many characters of base64. */
static char *sealed_of(size_t n)
{
	char *text = malloc(n + 64);
	size_t at = (size_t)sprintf(text, "{\"jails\":[],\"sealed\":\"");

	memset(text + at, 'A', n);
	strcpy(text + at + n, "\"}");
	return text;
}

Test(relay_sealed, the_largest_passes_and_a_larger_one_is_refused)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	char *most = sealed_of(SEAL_TEXT_MAX), *more = sealed_of(SEAL_TEXT_MAX + 4);
	char *huge = sealed_of((size_t)256 * 1024), *got;
	struct made m = make_pairing(&r, most);

	see(&r, "POST", m.path, NULL, more, 400, NULL);
	see(&r, "POST", m.path, NULL, huge, 413, NULL);
	see(&r, "POST", "/pair", NULL, more, 400, NULL);
	see(&r, "POST", "/pair", NULL, huge, 413, NULL);
	see(&r, "POST", m.path, NULL, most, 200, most);
	got = expect(&r, "GET", m.path, NULL, NULL, 200, NULL);
	cr_assert_eq(strncmp(got, "{\"joined\":true,", 15), 0);
	cr_assert_str_eq(got + 15, most + 1);
	free(got);
	free(most);
	free(more);
	free(huge);
	relay_down(&r);
}

Test(relay_sealed, what_is_no_parcel_is_refused)
{
	static const char *const bad[] = { SEALED(""), SEALED("AAA"), SEALED("<id>"),
		SEALED("AA\\u0000A"), "{\"sealed\":\"AAAA\"}",
		"{\"sealed\":\"AAAA\",\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}",
		"{\"jails\":[],\"sealed\":\"AAAA\",\"sealed\":\"AAAA\"}" };
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made m = make_pairing(&r, ours);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *why = expect(&r, "POST", m.path, NULL, bad[i], 400, NULL);

		cr_assert_eq(strncmp(why, "roster refused: ", 16), 0, "%s", why);
		free(why);
		see(&r, "POST", "/pair", NULL, bad[i], 400, NULL);
	}
	see(&r, "POST", m.path, NULL, theirs, 200, ours);
	relay_down(&r);
}

Test(relay_sealed, a_code_is_proposed_for_a_sealed_roster_alone)
{
	struct relay r = relay_up((struct relay_conf){ 0 });

	see(&r, "POST", "/pair", NULL,
		"{\"code\":\"" CODE "\",\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}",
		400,
		"roster refused: 'code' is for sealed rosters; without it the relay chooses one\n");
	see(&r, "GET", path, NULL, NULL, 404, NULL);
	relay_down(&r);
}

Test(relay_sealed, a_code_is_proposed_as_the_relay_makes_them)
{
	static const char *const bad[] = { PROPOSED("AAAA", ".."), PROPOSED("AAAA", "%2f"),
		PROPOSED("AAAA", "81-zephyr-night/../.."), PROPOSED("AAAA", "81-zephyr-%2fnight"),
		PROPOSED("AAAA", "81-Zephyr-night-climb"), PROPOSED("AAAA", "12345678901"),
		PROPOSED("AAAA", "12345678901234567890123456789012"),
		PROPOSED("AAAA", "81-zephyr-night\\u0000"), PROPOSED("AAAA", ""),
		"{\"jails\":[],\"sealed\":\"AAAA\",\"code\":null}" };
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct reply reply;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		see(&r, "POST", "/pair", key, bad[i], 400, NULL);
	see(&r, "POST", "/pair", "Idempotency-Key: short", proposed, 400, NULL);
	see(&r, "POST", "/pair", "Idempotency-Key: short", ours, 200, NULL);
	see(&r, "POST", "/pair", NULL, PROPOSED("AAAA", "123456789012"), 200, NULL);
	reply = ask(&r, "POST", "/pair", NULL, PROPOSED("AAAA", "1234567890123456789012345678901"));
	cr_assert_eq(reply.status, 200);
	cr_assert_eq(strncmp(reply.body, "{\"code\":\"1234567890123456789012345678901\",", 42), 0);
	reply_free(&reply);
	relay_down(&r);
}

Test(relay_sealed, the_key_creates_again_and_others_find_the_code_taken)
{
	static const char taken[] = "this code is taken: another pairing has it\n";
	struct relay r = relay_up((struct relay_conf){ .ttl = 3 });
	char *first = expect(&r, "POST", "/pair", key, proposed, 200, NULL), *token;
	char bearer[96];

	cr_assert_eq(strncmp(first, "{\"code\":\"" CODE "\",\"token\":\"", 41), 0, "%s", first);
	token = json_text(first, "token");
	snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", token);
	see(&r, "POST", "/pair", key, proposed, 200, first);
	see(&r, "POST", "/pair", NULL, proposed, 409, taken);
	see(&r, "POST", "/pair", "Idempotency-Key: 0123456789abcdeF", proposed, 409, taken);
	see(&r, "POST", "/pair", key, PROPOSED("dGhlaXJz", CODE), 409, taken);
	see(&r, "POST", path, NULL, theirs, 200, ours);
	see(&r, "POST", "/pair", key, proposed, 200, first);
	see(&r, "POST", "/pair", NULL, proposed, 409, taken);
	see(&r, "GET", path, bearer, NULL, 200, theirs_joined);
	see(&r, "POST", "/pair", key, proposed, 200, first);
	see(&r, "POST", "/pair", NULL, proposed, 409, taken);
	free(first);
	free(token);
	relay_down(&r);
}

Test(relay_sealed, a_code_is_free_again_when_its_pairing_is_gone)
{
	struct relay r = relay_up((struct relay_conf){ .ttl = 1 });
	char *first = expect(&r, "POST", "/pair", key, proposed, 200, NULL), *second;

	usleep(1100 * 1000);
	second = expect(&r, "POST", "/pair", key, proposed, 200, NULL);
	cr_assert_str_neq(first, second);
	see(&r, "POST", path, NULL, theirs, 200, ours);
	free(first);
	free(second);
	relay_down(&r);
}

Test(relay_sealed, who_proposes_taken_codes_is_guessing)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	char *why;

	see(&r, "POST", "/pair", key, proposed, 200, NULL);
	r.from = "127.0.0.2";
	for (int i = 0; i < 11; i++)
		see(&r, "POST", "/pair", NULL, proposed, 409, NULL);
	/* Paused, it is not told whether a code is taken, nor whether one to join is right. */
	why = expect(&r, "POST", "/pair", NULL, proposed, 429, NULL);
	see(&r, "POST", "/pair", NULL, PROPOSED("AAAA", "81-zephyr-night-climc"), 429, why);
	see(&r, "POST", path, NULL, theirs, 429, why);
	see(&r, "POST", "/pair", NULL, ours, 200, NULL);
	r.from = NULL;
	see(&r, "POST", path, NULL, theirs, 200, ours);
	free(why);
	relay_down(&r);
}

Test(relay_sealed, a_join_of_the_other_kind_is_told_which_and_uses_nothing_up)
{
	struct relay r = relay_up((struct relay_conf){ 0 });
	struct made sealed = make_pairing(&r, ours), plain = make_pairing(&r, WEB);

	/* More often than wrong codes are forgiven: it is none. */
	for (int i = 0; i < 12; i++) {
		see(&r, "POST", sealed.path, i % 2 == 0 ? NULL : key, WEB, 409,
			"this pairing is sealed: join it with jmesh and the secret behind the "
			"'#'\n");
		see(&r, "POST", plain.path, i % 2 == 0 ? NULL : key, theirs, 409,
			"this pairing is not sealed: its creator has plain: true, which had better "
			"go there; else join it with plain: true and the code alone\n");
	}
	see(&r, "POST", sealed.path, NULL, theirs, 200, ours);
	see(&r, "POST", plain.path, NULL, WEB, 200, WEB);
	/* What is used looks like what never was. */
	see(&r, "POST", sealed.path, NULL, WEB, 404, NULL);
	see(&r, "POST", plain.path, NULL, theirs, 404, NULL);
	see(&r, "GET", sealed.path, NULL, NULL, 200, theirs_joined);
	relay_down(&r);
}

enum { RACERS = 100 };

/* So many clients propose the same code at the same time; how many are answered by each status. */
static void race(struct relay *r, bool apart, int *won, int *taken, int *paused)
{
	int fds[RACERS];
	char request[512], from[32];

	snprintf(request, sizeof(request),
		"POST /pair HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n"
		"%s",
		strlen(proposed), proposed);
	for (int i = 0; i < RACERS; i++) {
		snprintf(from, sizeof(from), "127.0.1.%d", i + 1);
		r->from = apart ? from : NULL;
		fds[i] = raw_open(r);
	}
	for (int i = 0; i < RACERS; i++)
		raw_send(fds[i], request, strlen(request));
	for (int i = 0; i < RACERS; i++) {
		char *answer = raw_read(fds[i], 10000, NULL);
		int *n = strncmp(answer, "HTTP/1.1 200 ", 13) == 0  ? won
			: strncmp(answer, "HTTP/1.1 409 ", 13) == 0 ? taken
			: strncmp(answer, "HTTP/1.1 429 ", 13) == 0 ? paused
								    : NULL;

		cr_assert_not_null(n, "%s", answer);
		++*n;
		free(answer);
		close(fds[i]);
	}
	r->from = NULL;
}

Test(relay_sealed, of_a_hundred_that_propose_a_code_one_has_it)
{
	for (int apart = 0; apart <= 1; apart++) {
		struct relay r = relay_up((struct relay_conf){ .max_connections = 512 });
		int won = 0, taken = 0, paused = 0;

		race(&r, apart, &won, &taken, &paused);
		cr_assert_eq(won, 1, "%d %d %d", won, taken, paused);
		cr_assert_eq(taken + paused, RACERS - 1);
		cr_assert(apart ? paused == 0 : paused >= RACERS - 12, "%d %d", taken, paused);
		relay_down(&r);
	}
}
