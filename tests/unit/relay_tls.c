#include <criterion/criterion.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay_hostile.h"

static const char web[] = "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}";

static char dir[] = "/tmp/jmesh-relay-tls-XXXXXX";
static char cert[64], key[64], first[64], second[64], missing[64];

/* In the directory of this test, where the relay's files are cert and key. */
static void run(const char *words)
{
	char command[1024];

	snprintf(command, sizeof(command), "cd %s && %s", dir, words);
	cr_assert_eq(system(command), 0, "%s", words);
}

/* Two certificates for 127.0.0.1, each its own authority; the relay is given copies of the first. */
static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(cert, sizeof(cert), "%s/cert", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(first, sizeof(first), "%s/cert1", dir);
	snprintf(second, sizeof(second), "%s/cert2", dir);
	snprintf(missing, sizeof(missing), "%s/missing", dir);
	run("for i in 1 2; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	    "-keyout key$i -out cert$i -days 2 -subj /CN=relay$i "
	    "-addext subjectAltName=IP:127.0.0.1 2>/dev/null || exit 1; done");
	run("cp cert1 cert && cp key1 key");
}

static void teardown(void)
{
	run("rm -rf \"$PWD\"");
}

TestSuite(relay_tls, .init = setup, .fini = teardown, .timeout = 60);

static struct relay relay_with_tls(void)
{
	struct relay r = relay_up((struct relay_conf){ .tls_cert = cert, .tls_key = key });

	cr_assert_gt(r.port, 0);
	r.ca = first;
	return r;
}

static void expect(const struct relay *r, const char *path, long status)
{
	struct reply reply = ask(r, "GET", path, NULL, NULL);

	cr_assert_eq(reply.status, status, "%s by %s: %ld", path, r->ca, reply.status);
	reply_free(&reply);
}

static void expect_said(const struct relay *r, const char *text, int n)
{
	cr_assert_eq(relay_logged_times(r, text, n), n, "%s", text);
}

Test(relay_tls, serves_by_tls_and_nothing_in_the_clear)
{
	struct relay r = relay_with_tls(), clear = r, other = r;
	struct made m = make_pairing(&r, web);

	cr_assert(relay_logged(&r, "listening on https://127.0.0.1:"));
	expect(&r, m.path, 200);
	clear.ca = NULL;
	expect(&clear, m.path, 0);
	other.ca = second;
	expect(&other, m.path, 0);
	expect(&r, m.path, 200);
	relay_down(&r);
}

Test(relay_tls, speaks_no_protocol_that_is_out_of_use)
{
	static const char ask_in[] = "openssl s_client -connect 127.0.0.1:%s -cipher "
				     "ALL:@SECLEVEL=0 %s </dev/null >/dev/null 2>&1";
	static const char *const versions[] = { "-tls1", "-tls1_1", "-tls1_2", "-tls1_3" };
	struct relay r = relay_with_tls();
	char port[16], command[512];

	snprintf(port, sizeof(port), "%d", r.port);
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		snprintf(command, sizeof(command), ask_in, port, versions[i]);
		cr_expect_eq(system(command) == 0, i >= 2, "%s", versions[i]);
	}
	relay_down(&r);
}

Test(relay_tls, sighup_exchanges_the_certificate_and_drops_no_pairing)
{
	struct relay r = relay_with_tls(), renewed = r;
	struct made m = make_pairing(&r, web);

	renewed.ca = second;
	expect(&r, m.path, 200);
	run("cp cert2 cert && cp key2 key");
	expect(&r, m.path, 200);
	kill(r.pid, SIGHUP);
	expect_said(&r, "the certificate was read again", 1);
	expect(&r, m.path, 0);
	expect(&renewed, m.path, 200);
	relay_down(&r);
}

static size_t drop(char *bytes, size_t size, size_t n, void *to)
{
	(void)bytes, (void)to;
	return size * n;
}

/* Asks once more on one handle; the number of connections that it had to open for it. */
static long ask_again(CURL *curl, long status)
{
	long got = 0, opened = -1;

	cr_assert_eq(curl_easy_perform(curl), CURLE_OK);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &got);
	curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &opened);
	cr_assert_eq(got, status);
	return opened;
}

Test(relay_tls, a_connection_that_is_open_outlives_the_exchange)
{
	struct relay r = relay_with_tls();
	struct made m = make_pairing(&r, web);
	CURL *curl = curl_easy_init();
	char url[256];

	snprintf(url, sizeof(url), "https://127.0.0.1:%d%s", r.port, m.path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CAINFO, first);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
	cr_assert_eq(ask_again(curl, 200), 1);
	run("cp cert2 cert && cp key2 key");
	kill(r.pid, SIGHUP);
	expect_said(&r, "the certificate was read again", 1);
	cr_assert_eq(ask_again(curl, 200), 0);
	curl_easy_cleanup(curl);
	relay_down(&r);
}

Test(relay_tls, no_connection_is_refused_while_it_is_exchanged)
{
	struct relay r = relay_with_tls();
	struct made m = make_pairing(&r, web);

	for (int i = 1; i <= 40; i++) {
		kill(r.pid, SIGHUP);
		expect(&r, m.path, 200);
	}
	cr_assert(relay_logged(&r, "the certificate was read again"));
	relay_down(&r);
}

Test(relay_tls, a_pair_that_is_no_good_leaves_the_former_one)
{
	static const char *const spoilt[] = {
		"cp cert2 cert && cp key1 key",
		"cp cert1 cert && : >key",
		"echo nonsense >cert && cp key1 key",
		"cp cert1 cert && "
		"openssl ec -in key1 -aes128 -passout pass:x -out key 2>/dev/null",
		"for i in $(seq 40); do cat cert1; done >cert && cp key1 key",
		"cp cert1 cert && rm key",
	};
	struct relay r = relay_with_tls();
	struct made m = make_pairing(&r, web);
	char *log;

	for (int i = 0; i < (int)(sizeof(spoilt) / sizeof(spoilt[0])); i++) {
		run(spoilt[i]);
		kill(r.pid, SIGHUP);
		expect_said(&r, "the certificate was not exchanged: ", i + 1);
		expect(&r, m.path, 200);
	}
	log = relay_log(&r);
	cr_assert_null(strstr(log, "read again"));
	free(log);
	run("cp cert2 cert && cp key2 key");
	kill(r.pid, SIGHUP);
	expect_said(&r, "the certificate was read again", 1);
	r.ca = second;
	expect(&r, m.path, 200);
	relay_down(&r);
}

static void expect_no_start(const char *cert_file, const char *key_file, const char *why)
{
	struct relay r =
		relay_up((struct relay_conf){ .tls_cert = cert_file, .tls_key = key_file });

	cr_assert_eq(relay_wait(&r), 1, "%s", why);
	cr_assert(relay_logged(&r, why), "%s", why);
	close(r.log);
}

Test(relay_tls, does_not_start_with_half_a_pair_or_a_bad_one)
{
	expect_no_start(cert, NULL, "--tls-cert and --tls-key go together");
	expect_no_start(NULL, key, "--tls-cert and --tls-key go together");
	expect_no_start(missing, key, "there is no file /tmp/jmesh-relay-tls-");
	expect_no_start(dir, key, "is a folder");
	expect_no_start(second, key, "the certificate ");
	expect_no_start(key, key, "the certificate ");
	expect_no_start(cert, cert, "the certificate ");
	run("openssl pkey -in key1 -aes128 -passout pass:x -out key");
	expect_no_start(cert, key, "is encrypted");
}

/* Plain HTTP, and a handshake that stops anywhere: neither is answered in HTTP, and others are served. */
Test(relay_tls, survives_what_is_no_handshake)
{
	static const char plain[] = "POST /pair HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx";
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	struct victim v = victim_up((struct relay_conf){
		.tls_cert = cert, .tls_key = key, .idle_s = 3, .request_s = 3 });
	char *answer;
	int fds[sizeof(hello)];

	v.relay.ca = first;
	fds[0] = raw_open(&v.relay);
	raw_send(fds[0], plain, sizeof(plain) - 1);
	answer = raw_read(fds[0], 1000, NULL);
	cr_assert_null(strstr(answer, "HTTP/1."), "%s", answer);
	free(answer);
	for (size_t n = 1; n < sizeof(hello); n++) {
		fds[n] = raw_open(&v.relay);
		raw_send(fds[n], hello, n);
	}
	expect_served(&v);
	/* They are cut off, though they still hold their ends. */
	expect_recovered(&v, 0);
	for (size_t n = 0; n < sizeof(hello); n++)
		close(fds[n]);
	victim_down(&v);
}
