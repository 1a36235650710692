/* Requests that are not as they should be, and each must get the answer that is its, or none. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay_hostile.h"

#define WEB "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}"
#define CHUNKED "POST /pair HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
#define SIZED "POST /pair HTTP/1.1\r\nHost: x\r\n"
#define BYTES(text) text, sizeof(text) - 1

TestSuite(relay_garbled, .timeout = 120);

struct garbled {
	const char *bytes;
	size_t len;
	/*
	 * What the first answer's status may be; "-": there is none. Some of it is libmicrohttpd's to
	 * say, and its versions differ.
	 */
	const char *answers;
	int pairings; /* that come of it */
};

/* The status of the first answer that is final, "-" where there is none. */
static void status_of(const char *text, char out[8])
{
	static const char more[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (strncmp(text, more, sizeof(more) - 1) == 0)
		text += sizeof(more) - 1;
	if (strncmp(text, "HTTP/1.", 7) != 0 || sscanf(text + 8, "%7[ 0-9]", out) != 1)
		strcpy(out, "-");
	else
		snprintf(out, 8, "%.3s", text + 9);
}

/* What comes back until the relay closes or is silent for a moment. */
static char *tell(const struct victim *v, const char *bytes, size_t len, bool apart)
{
	struct relay r = v->relay;
	char *answer;
	int fd;

	r.from = other_address();
	fd = raw_open(&r);
	for (size_t i = 0; apart && i < len; i++)
		raw_send(fd, bytes + i, 1);
	if (!apart)
		raw_send(fd, bytes, len);
	answer = raw_read(fd, 700, NULL);
	close(fd);
	return answer;
}

static void run(const struct garbled *cases, size_t n)
{
	struct victim v = victim_up((struct relay_conf){ .idle_s = 3, .request_s = 3 });
	long pairings = 0;

	for (size_t i = 0; i < n; i++) {
		/* In one piece, and a byte at a time where that is no matter of seconds. */
		for (int apart = 0; apart <= (cases[i].len < 2000); apart++) {
			char *answer = tell(&v, cases[i].bytes, cases[i].len, apart == 1), got[8];

			status_of(answer, got);
			cr_expect_not_null(strstr(cases[i].answers, got),
				"%zu %s: %.200s\nis answered: %s", i,
				apart == 1 ? "apart" : "at once", cases[i].bytes, answer);
			free(answer);
			pairings += cases[i].pairings;
			expect_served(&v);
		}
	}
	expect_recovered(&v, pairings);
	victim_down(&v);
}

#define RUN(cases) run(cases, sizeof(cases) / sizeof(cases[0]))

Test(relay_garbled, chunked_bodies)
{
	static const struct garbled cases[] = {
		{ BYTES(CHUNKED "31\r\n" WEB "\r\n0\r\n\r\n"), "200", 1 },
		{ BYTES(CHUNKED "000031\r\n" WEB "\r\n000\r\n\r\n"), "200", 1 },
		{ BYTES(CHUNKED "31;a=b;c=\"d\"\r\n" WEB "\r\n0;x\r\n\r\n"), "200", 1 },
		{ BYTES(CHUNKED "31\r\n" WEB "\r\n0\r\nA: b\r\nContent-Length: 3\r\n\r\n"), "200",
			1 },
		{ BYTES(CHUNKED "0\r\n\r\n"), "400", 0 },
		{ BYTES(CHUNKED "30\r\n" WEB "\r\n0\r\n\r\n"), "400", 0 },
		{ BYTES(CHUNKED "zz\r\n" WEB "\r\n0\r\n\r\n"), "400", 0 },
		{ BYTES(CHUNKED "-31\r\n" WEB "\r\n0\r\n\r\n"), "400", 0 },
		{ BYTES(CHUNKED "0x31\r\n" WEB "\r\n0\r\n\r\n"), "400", 0 },
		{ BYTES(CHUNKED "ffffffffffffffffff\r\n" WEB), "413", 0 },
		{ BYTES(CHUNKED "31\r\n" WEB), "-", 0 },
		{ BYTES(CHUNKED "31\r\n" WEB "\r\n"), "-", 0 },
		{ BYTES(SIZED "Content-Length: 49\r\nTransfer-Encoding: chunked\r\n\r\n"
			      "31\r\n" WEB "\r\n0\r\n\r\n"),
			"400", 0 },
		{ BYTES(SIZED "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
			      "31\r\n" WEB "\r\n0\r\n\r\n"),
			"400", 0 },
		{ BYTES(SIZED "Transfer-Encoding: xchunked\r\n\r\n31\r\n" WEB "\r\n0\r\n\r\n"),
			"400", 0 },
		{ BYTES(SIZED "Transfer-Encoding: gzip, chunked\r\n\r\n31\r\n" WEB "\r\n0\r\n\r\n"),
			"400", 0 },
		{ BYTES(SIZED "Transfer-Encoding: chunked\r\n x\r\n\r\n31\r\n" WEB "\r\n0\r\n\r\n"),
			"400", 0 },
		{ BYTES(SIZED "Transfer-Encoding:\r\n chunked\r\n\r\n31\r\n" WEB "\r\n0\r\n\r\n"),
			"400", 0 },
		{ BYTES("POST /pair HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n31\r\n" WEB
			"\r\n0\r\n\r\n"),
			"400", 0 },
	};

	RUN(cases);
}

/* Of all bytes those of a token (RFC 9110, 5.6.2) may be in the name of a header, and no others. */
Test(relay_garbled, characters_of_names)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct victim v = victim_up((struct relay_conf){ 0 });

	for (int c = 0; c < 256; c++) {
		const bool is_token = c != '\0' && strchr(token, c) != NULL;
		char request[128], *answer, got[8];
		int len;

		/* These end a name or a line. */
		if (c == ':' || c == '\r' || c == '\n')
			continue;
		len = snprintf(request, sizeof(request),
			"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX%cY: 1\r\n\r\n", c);
		answer = tell(&v, request, (size_t)len, false);
		status_of(answer, got);
		cr_expect_eq(strcmp(got, "200") == 0, is_token, "0x%02x: %s", (unsigned)c, got);
		free(answer);
	}
	expect_recovered(&v, 0);
	victim_down(&v);
}

Test(relay_garbled, a_body_in_chunks_of_a_byte)
{
	struct victim v = victim_up((struct relay_conf){ 0 });
	char *request = malloc(64 * 1024), *answer;
	size_t len = (size_t)sprintf(request, "%s", CHUNKED);

	for (const char *c = WEB; *c != '\0'; c++)
		len += (size_t)sprintf(request + len, "1\r\n%c\r\n", *c);
	for (int i = 0; i < 1000; i++)
		len += (size_t)sprintf(request + len, "1\r\n \r\n");
	len += (size_t)sprintf(request + len, "0\r\n\r\n");
	for (int apart = 0; apart < 2; apart++) {
		answer = tell(&v, request, len, apart == 1);
		cr_assert_eq(strncmp(answer, "HTTP/1.1 200 ", 13), 0, "%s", answer);
		free(answer);
	}
	free(request);
	expect_recovered(&v, 2);
	victim_down(&v);
}

Test(relay_garbled, lengths)
{
	static const struct garbled cases[] = {
		{ BYTES(SIZED "Content-Length: 49\r\nContent-Length: 49\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Content-Length: 49, 49\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Content-Length: -1\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Content-Length: +49\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Content-Length: 0x31\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Content-Length: 4 9\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Content-Length: \r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Content-Length: 18446744073709551616\r\n\r\n" WEB), "413", 0 },
		{ BYTES(SIZED "Content-Length: 18446744073709551665\r\n\r\n" WEB), "413", 0 },
		{ BYTES(SIZED "Content-Length: 262145\r\n\r\n" WEB), "413", 0 },
		{ BYTES(SIZED "Content-Length: 50\r\n\r\n" WEB), "-", 0 },
		{ BYTES(SIZED "Content-Length: 49\r\n 0\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Content-Length:\r\n 49\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "X: y\r\n\tContent-Length: 49\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Content-Length : 49\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Content-Length\t: 49\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "Transfer-Encoding : chunked\r\n\r\n31\r\n" WEB "\r\n0\r\n\r\n"),
			"400", 0 },
		{ BYTES("POST /pair HTTP/1.1\r\n Content-Length: 49\r\nHost: x\r\n\r\n" WEB), "400",
			0 },
		{ BYTES(SIZED "Content-Length: 49\r\n: x\r\n\r\n" WEB), "400", 0 },
		{ BYTES(SIZED "\r\n"), "400", 0 },
		{ BYTES(SIZED "Expect: 100-continue\r\nContent-Length: 262145\r\n\r\n"), "413", 0 },
		{ BYTES(SIZED "Expect: 100-continue\r\nContent-Length: 49\r\n\r\n" WEB), "200", 1 },
		{ BYTES(SIZED "Expect: x\r\nContent-Length: 49\r\n\r\n" WEB), "200", 1 },
	};

	RUN(cases);
}

Test(relay_garbled, lines)
{
	static const struct garbled cases[] = {
		{ BYTES("GET /nowhere HTTP/1.0\r\n\r\n"), "404", 0 },
		{ BYTES("GET /nowhere HTTP/1.1\r\n\r\n"), "400", 0 },
		{ BYTES("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"), "404", 0 },
		{ BYTES("GET /nowhere\r\n\r\n"), "400 505", 0 },
		{ BYTES("GET /nowhere HTTP/2.0\r\n\r\n"), "505", 0 },
		{ BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"), "505", 0 },
		{ BYTES("GET  /nowhere  HTTP/1.1\r\nHost: x\r\n\r\n"), "- 400 404", 0 },
		{ BYTES("GET /nowhere HTTP/1.1\nHost: x\n\n"), "404", 0 },
		{ BYTES("GET /no\0where HTTP/1.1\r\nHost: x\r\n\r\n"), "400 404", 0 },
		{ BYTES("GET /nowhere HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n"), "400 404", 0 },
		{ BYTES("GET /nowhere HTTP/1.1\r\nHost: x\r\nX\r\n\r\n"), "400", 0 },
		{ BYTES("GET /nowhere HTTP/1.1\r\nHost: x\r\n folded: x\r\n\r\n"), "400", 0 },
		{ BYTES("GET /nowhere HTTP/1.1\r\nHost: x\r\nX: y\r\n folded\r\n\r\n"), "400", 0 },
		{ BYTES("GET /nowhere HTTP/1.1\r\nHost: x\r\nX:\r\n\r\n"), "404", 0 },
		{ BYTES("GET /nowhere HTTP/1.1\r\nHost: x\r\nX:   \r\nY: z\r\n\r\n"), "404", 0 },
		{ BYTES("\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"), "404", 0 },
		{ BYTES("\0\0\0\0\0\0\0\0"), "-", 0 },
		{ BYTES("\xff\xff\xff\xff\r\n\r\n"), "- 400 505", 0 },
		{ BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n\r\n\r\n"), "- 400 505",
			0 },
		{ BYTES("SSH-2.0-OpenSSH_9.2\r\n"), "-", 0 },
	};

	RUN(cases);
}

static void expect_refused(
	const struct victim *v, const char *bytes, size_t len, const char *wanted)
{
	char *answer = tell(v, bytes, len, false), got[8];

	status_of(answer, got);
	/* What is still to come when it is refused may reset the connection before the answer is read. */
	cr_expect(strcmp(got, wanted) == 0 || strcmp(got, "-") == 0, "%s, not %s", got, wanted);
	free(answer);
	expect_served(v);
}

Test(relay_garbled, much_too_much)
{
	enum { MUCH = 1024 * 1024, HEADERS = 10000 };
	struct victim v = victim_up((struct relay_conf){ .idle_s = 3 });
	char *bytes = malloc(MUCH + 256);
	size_t len;

	memset(bytes, 'a', MUCH + 256);
	len = (size_t)sprintf(bytes, "GET /");
	bytes[len] = 'a';
	expect_refused(&v, bytes, MUCH, "414");
	len = (size_t)sprintf(bytes, "GET /nowhere HTTP/1.1\r\nHost: x\r\nX: ");
	bytes[len] = 'a';
	expect_refused(&v, bytes, MUCH, "431");
	len = (size_t)sprintf(bytes, "GET /nowhere HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < HEADERS; i++)
		len += (size_t)sprintf(bytes + len, "X-%d: y\r\n", i);
	len += (size_t)sprintf(bytes + len, "\r\n");
	expect_refused(&v, bytes, len, "431");
	memset(bytes, 'a', MUCH);
	expect_refused(&v, bytes, MUCH, "414");
	memset(bytes, '\n', MUCH);
	expect_refused(&v, bytes, MUCH, "414");
	free(bytes);
	expect_recovered(&v, 0);
	victim_down(&v);
}
