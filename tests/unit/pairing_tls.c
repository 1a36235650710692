#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <microhttpd.h>

#include "pairing/client.h"

static struct arena *a;
static char dir[64];
static struct MHD_Daemon *daemon_;
static unsigned requests;

static enum MHD_Result answer_ok(void *user, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *len, void **state)
{
	static char body[] = "{\"joined\":false}";
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc = MHD_queue_response(c, 200, r);

	(void)user, (void)url, (void)method, (void)version, (void)data, (void)len, (void)state;
	requests++;
	MHD_destroy_response(r);
	return rc;
}

static char *text_of(const char *name)
{
	char *text = arena_alloc(a, 16384, 1);
	FILE *f = fopen(arena_printf(a, "%s/%s", dir, name), "r");

	cr_assert_not_null(f);
	cr_assert_gt(fread(text, 1, 16383, f), 0);
	fclose(f);
	return text;
}

/* A certificate for localhost that is its own authority. */
static void setup(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };

	a = arena_new();
	snprintf(dir, sizeof(dir), "/tmp/jmesh-tls-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(system(arena_printf(a,
			     "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
			     "-nodes -keyout %s/key -out %s/cert -days 2 -subj /CN=localhost "
			     "-addext subjectAltName=DNS:localhost 2>/dev/null",
			     dir, dir)),
		0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL,
		answer_ok, NULL, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_HTTPS_MEM_KEY,
		text_of("key"), MHD_OPTION_HTTPS_MEM_CERT, text_of("cert"), MHD_OPTION_END);
	cr_assert_not_null(daemon_);
}

static void teardown(void)
{
	MHD_stop_daemon(daemon_);
	cr_assert_eq(system(arena_printf(a, "rm -rf %s", dir)), 0);
	arena_free(a);
}

TestSuite(pairing_tls, .init = setup, .fini = teardown, .timeout = 60);

static struct answer asked(const char *scheme, const char *host, const char *ca_file)
{
	int port = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port;
	struct client_conf conf = { .url = arena_printf(a, "%s://%s:%d", scheme, host, port),
		.ca_file = ca_file };
	struct question q = { .path = "/pair/1-zephyr" };
	struct answer answer = { 0 };
	struct err e = ERR_INIT;
	struct client *c;

	cr_assert_eq(client_new(&c, &conf, &e), 0, "%s", e.text);
	cr_assert_eq(client_ask(c, &q, NULL, &e), 0, "%s", e.text);
	while (!client_answer(c, a, &answer))
		cr_assert_eq(client_work(c, 100, &e), 0, "%s", e.text);
	client_free(c);
	return answer;
}

Test(pairing_tls, a_private_authority_is_trusted_where_the_file_names_it)
{
	struct answer answer = asked("https", "localhost", arena_printf(a, "%s/cert", dir));

	cr_assert_eq(answer.status, 200, "%s", answer.why);
	cr_assert_str_eq(answer.body, "{\"joined\":false}");
}

Test(pairing_tls, an_unknown_authority_is_refused_before_anything_is_sent)
{
	struct answer answer = asked("https", "localhost", NULL);

	cr_assert_eq(answer.status, 0);
	cr_assert_not(answer.again);
	cr_assert(strstr(answer.why, "not trusted") != NULL, "%s", answer.why);
	cr_assert_eq(requests, 0);
}

Test(pairing_tls, a_certificate_for_another_host_is_refused)
{
	struct answer answer = asked("https", "127.0.0.1", arena_printf(a, "%s/cert", dir));

	cr_assert_eq(answer.status, 0);
	cr_assert_not(answer.again);
	cr_assert_eq(requests, 0);
}

Test(pairing_tls, a_missing_ca_file_is_an_error_and_not_the_systems_authorities)
{
	struct answer answer = asked("https", "localhost", arena_printf(a, "%s/none", dir));

	cr_assert_eq(answer.status, 0);
	cr_assert_not(answer.again);
	cr_assert(strstr(answer.why, "/none") != NULL, "%s", answer.why);
}
