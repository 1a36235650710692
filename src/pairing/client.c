#include "pairing/client.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/roster.h"
#include "base/text.h"

enum {
	CONNECT_MS = 5000,
	WHOLE_MS = 15000,
	/* A roster, and the words that a poll puts around it. */
	BODY_MAX = ROSTER_BYTES_MAX + 4096,
	HEADERS_MAX = 64 * 1024,
};

struct request {
	struct request *next;
	CURL *easy;
	struct curl_slist *headers;
	struct arena *arena; /* what was sent, what comes */
	struct text body;
	size_t headers_len;
	bool headers_end; /* libcurl takes a connection that ends within the headers for an answer */
	const char *too_large; /* what is, as a sentence; NULL: nothing */
	void *whose;
	char error[CURL_ERROR_SIZE];
};

static const char body_too_large[] = "its answer is larger than any roster may be";
static const char headers_too_large[] = "the headers of its answer are larger than 64 KiB";

struct client {
	struct client_conf conf;
	CURLM *multi;
	struct request *requests;
	size_t busy;
};

int client_new(struct client **out, const struct client_conf *conf, struct err *e)
{
	struct client *c;

	*out = NULL;
	if (strncmp(conf->url, "https://", 8) != 0 && strncmp(conf->url, "http://", 7) != 0)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the relay's url '%s' begins with neither https:// nor http://", conf->url);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, ERR_SYSTEM, NOWHERE, "libcurl does not start");
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		abort();
	c->conf = *conf;
	c->multi = curl_multi_init();
	if (c->multi == NULL) {
		client_free(c);
		return err_set(e, ERR_SYSTEM, NOWHERE, "libcurl does not start");
	}
	*out = c;
	return 0;
}

static void request_free(struct client *c, struct request *r)
{
	struct request **at = &c->requests;

	while (*at != NULL && *at != r)
		at = &(*at)->next;
	if (*at == r) {
		*at = r->next;
		c->busy--;
	}
	if (r->easy != NULL) {
		curl_multi_remove_handle(c->multi, r->easy);
		curl_easy_cleanup(r->easy);
	}
	curl_slist_free_all(r->headers);
	arena_free(r->arena);
	free(r);
}

void client_free(struct client *c)
{
	if (c == NULL)
		return;
	while (c->requests != NULL)
		request_free(c, c->requests);
	if (c->multi != NULL)
		curl_multi_cleanup(c->multi);
	free(c);
	curl_global_cleanup();
}

static size_t take_body(char *bytes, size_t size, size_t n, void *user)
{
	struct request *r = user;

	n *= size;
	if (n > BODY_MAX - r->body.len) {
		r->too_large = body_too_large;
		return 0;
	}
	text_addn(&r->body, bytes, n);
	return n;
}

static size_t take_header(char *bytes, size_t size, size_t n, void *user)
{
	struct request *r = user;

	n *= size;
	r->headers_len += n;
	r->headers_end = n <= 2 && (bytes[0] == '\r' || bytes[0] == '\n');
	if (r->headers_len > HEADERS_MAX) {
		r->too_large = headers_too_large;
		return 0;
	}
	return n;
}

static bool add_header(struct request *r, const char *line)
{
	struct curl_slist *more = curl_slist_append(r->headers, line);

	if (more == NULL)
		return false;
	r->headers = more;
	return true;
}

static bool set_headers(struct request *r, const struct question *q)
{
	if (!add_header(r, "Accept: application/json"))
		return false;
	if (q->body != NULL && !add_header(r, "Content-Type: application/json"))
		return false;
	/* No "100 Continue" dance: simple servers do not know it. */
	if (q->body != NULL && !add_header(r, "Expect:"))
		return false;
	if (q->header != NULL &&
		!add_header(r, arena_printf(r->arena, "%s: %s", q->header, q->word)))
		return false;
	return true;
}

static bool set_options(const struct client_conf *conf, struct request *r, const struct question *q)
{
	const char *scheme = strncmp(conf->url, "https://", 8) == 0 ? "https" : "http";
	long connect_ms = conf->connect_ms != 0 ? conf->connect_ms : CONNECT_MS;
	long whole_ms = conf->whole_ms != 0 ? conf->whole_ms : WHOLE_MS;
	CURL *h = r->easy;
	bool ok = true;

#define SET(option, value) (ok = ok && curl_easy_setopt(h, option, value) == CURLE_OK)
	SET(CURLOPT_URL, arena_printf(r->arena, "%s%s", conf->url, q->path));
	SET(CURLOPT_PROTOCOLS_STR, scheme);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (conf->ca_file != NULL)
		SET(CURLOPT_CAINFO, conf->ca_file);
	SET(CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
	SET(CURLOPT_TIMEOUT_MS, whole_ms);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_USERAGENT, "jmesh/" JMESH_VERSION);
	SET(CURLOPT_ERRORBUFFER, r->error);
	SET(CURLOPT_PRIVATE, r);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, r);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, r);
	SET(CURLOPT_HTTPHEADER, r->headers);
	if (q->body != NULL) {
		SET(CURLOPT_POSTFIELDS, arena_dup(r->arena, q->body));
		SET(CURLOPT_POSTFIELDSIZE, (long)strlen(q->body));
	}
#undef SET
	return ok;
}

int client_ask(struct client *c, const struct question *q, void *whose, struct err *e)
{
	struct request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		abort();
	r->arena = arena_new();
	r->body = text_new(r->arena);
	r->whose = whose;
	r->next = c->requests;
	c->requests = r;
	c->busy++;
	r->easy = curl_easy_init();
	if (r->easy == NULL || !set_headers(r, q) || !set_options(&c->conf, r, q) ||
		curl_multi_add_handle(c->multi, r->easy) != CURLM_OK) {
		request_free(c, r);
		return err_set(e, ERR_SYSTEM, NOWHERE, "libcurl refuses a request to %s%s",
			c->conf.url, q->path);
	}
	return 0;
}

size_t client_busy(const struct client *c)
{
	return c->busy;
}

int client_work(struct client *c, int ms, struct err *e)
{
	int running = 0;
	CURLMcode rc = curl_multi_perform(c->multi, &running);

	/* With nothing under way curl_multi_poll sleeps for ms all the same (since 7.66). */
	if (rc == CURLM_OK && (size_t)running == c->busy)
		rc = curl_multi_poll(c->multi, NULL, 0, ms, NULL);
	if (rc == CURLM_OK)
		rc = curl_multi_perform(c->multi, &running);
	if (rc != CURLM_OK)
		return err_set(e, ERR_SYSTEM, NOWHERE, "libcurl: %s", curl_multi_strerror(rc));
	return 0;
}

/* A line of the headers beyond libcurl's own limit, 100 KiB, never comes to take_header. */
static bool is_overlong_line(CURLcode rc)
{
#if LIBCURL_VERSION_NUM >= 0x080600
	if (rc == CURLE_TOO_LARGE)
		return true;
#endif
	return rc == CURLE_OUT_OF_MEMORY;
}

/* Whether it may go better the next time. What a certificate, a URL or a limit refuses will not. */
static bool is_passing(CURLcode rc)
{
	switch (rc) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_AGAIN:
		return true;
	default:
		return false;
	}
}

static const char *why_not(const struct request *r, CURLcode rc, struct arena *a)
{
	long errnum = 0;

	if (r->too_large != NULL)
		return r->too_large;
	if (rc == CURLE_COULDNT_CONNECT &&
		curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &errnum) == CURLE_OK && errnum > 0) {
		char *text = arena_dup(a, strerror((int)errnum));

		/* It stands in the middle of a sentence. */
		if (text[0] >= 'A' && text[0] <= 'Z')
			text[0] = (char)(text[0] - 'A' + 'a');
		return text;
	}
	if (rc == CURLE_PEER_FAILED_VERIFICATION)
		return arena_printf(a,
			"its certificate is not trusted: %s (relay.ca_file names "
			"the authority of a private relay)",
			r->error);
	return arena_dup(a, r->error[0] != '\0' ? r->error : curl_easy_strerror(rc));
}

bool client_answer(struct client *c, struct arena *a, struct answer *out)
{
	struct request *r = NULL;
	CURLMsg *msg;
	CURLcode rc;
	int left;

	do {
		msg = curl_multi_info_read(c->multi, &left);
		if (msg == NULL)
			return false;
	} while (msg->msg != CURLMSG_DONE);
	rc = msg->data.result;
	curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &r);
	if (is_overlong_line(rc))
		r->too_large = headers_too_large;
	if (rc == CURLE_OK && !r->headers_end)
		rc = CURLE_PARTIAL_FILE;
	*out = (struct answer){ .whose = r->whose };
	if (rc == CURLE_OK) {
		curl_off_t retry = 0;

		curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &out->status);
		curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &retry);
		out->retry_after = retry > 3600 ? 3600 : (int)retry;
		out->again = out->status >= 500 || out->status == 429 || out->status == 408;
	} else {
		out->again = r->too_large == NULL && is_passing(rc);
		out->why = why_not(r, rc, a);
	}
	out->len = r->body.len;
	out->body = arena_dupn(a, r->body.s, r->body.len);
	request_free(c, r);
	return true;
}
