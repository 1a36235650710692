#include "relay/respond.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void responses_init(struct responses *r)
{
	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
}

void responses_free(struct responses *r)
{
	for (int i = 0; i < FIXED_ANSWERS; i++)
		if (r->fixed[i].response != NULL)
			MHD_destroy_response(r->fixed[i].response);
	pthread_mutex_destroy(&r->lock);
}

/* value NULL: it is not sent. */
static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
	return value == NULL || MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_headers(
	struct MHD_Response *response, const struct answer *answer, const char *date, bool last)
{
	char seconds[16];

	if (answer->retry_after != 0)
		snprintf(seconds, sizeof(seconds), "%d", answer->retry_after);
	return add_header(response, MHD_HTTP_HEADER_DATE, date) &&
		add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			answer->type != NULL ? answer->type : "text/plain; charset=utf-8") &&
		add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") &&
		add_header(response, "X-Content-Type-Options", "nosniff") &&
		add_header(response, "Content-Security-Policy", answer->policy) &&
		add_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow) &&
		add_header(response, MHD_HTTP_HEADER_RETRY_AFTER,
			answer->retry_after != 0 ? seconds : NULL) &&
		add_header(response, MHD_HTTP_HEADER_CONNECTION, last ? "close" : NULL);
}

/*
 * Copied unless fixed: the exchange may be gone before the last byte is sent. date NULL: libmicrohttpd writes
 * it when it sends the answer.
 */
static struct MHD_Response *make(const struct answer *answer, const char *date, bool last)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(answer->len,
		(void *)(uintptr_t)answer->body,
		answer->fixed != FIXED_NONE ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);

	if (response != NULL && !add_headers(response, answer, date, last)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	return response;
}

/*
 * The lock is held. With a date of its own, which is as right for all answers of one second, and cheaper than
 * one for each.
 */
static struct MHD_Response *fixed(struct responses *r, const struct answer *answer)
{
	struct MHD_Response **at = &r->fixed[answer->fixed].response;
	const time_t now = time(NULL);
	char date[32];
	struct tm tm;

	if (*at != NULL && r->fixed[answer->fixed].second == now)
		return *at;
	if (*at != NULL)
		MHD_destroy_response(*at);
	/* RFC 9110, 5.6.7; the locale is never another than C. */
	*at = gmtime_r(&now, &tm) != NULL &&
			strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) != 0
		? make(answer, date, false)
		: make(answer, NULL, false);
	r->fixed[answer->fixed].second = now;
	return *at;
}

/* Another thread must not make it anew before libmicrohttpd has it. */
static enum MHD_Result respond_fixed(
	struct responses *r, struct MHD_Connection *connection, const struct answer *answer)
{
	struct MHD_Response *response;
	enum MHD_Result rc = MHD_NO;

	pthread_mutex_lock(&r->lock);
	response = fixed(r, answer);
	if (response != NULL)
		rc = MHD_queue_response(connection, (unsigned)answer->status, response);
	pthread_mutex_unlock(&r->lock);
	return rc;
}

enum MHD_Result respond(struct responses *r, struct MHD_Connection *connection,
	const struct answer *answer, bool last)
{
	struct MHD_Response *response;
	enum MHD_Result rc;

	if (answer->fixed != FIXED_NONE && !last)
		return respond_fixed(r, connection, answer);
	response = make(answer, NULL, last);
	if (response == NULL)
		return MHD_NO;
	rc = MHD_queue_response(connection, (unsigned)answer->status, response);
	MHD_destroy_response(response);
	return rc;
}
