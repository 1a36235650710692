#include "relay/respond.h"

#include <stdint.h>
#include <stdio.h>

/* value NULL: it is not sent. */
static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
	return value == NULL || MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_headers(struct MHD_Response *response, const struct answer *answer, bool last)
{
	char seconds[16];

	if (answer->retry_after != 0)
		snprintf(seconds, sizeof(seconds), "%d", answer->retry_after);
	return add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
		       answer->type != NULL ? answer->type : "text/plain; charset=utf-8") &&
		add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") &&
		add_header(response, "X-Content-Type-Options", "nosniff") &&
		add_header(response, "Content-Security-Policy", answer->policy) &&
		add_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow) &&
		add_header(response, MHD_HTTP_HEADER_RETRY_AFTER,
			answer->retry_after != 0 ? seconds : NULL) &&
		add_header(response, MHD_HTTP_HEADER_CONNECTION, last ? "close" : NULL);
}

/* Copied unless fixed: the exchange may be gone before the last byte is sent. */
static struct MHD_Response *make(const struct answer *answer, bool last)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(answer->len,
		(void *)(uintptr_t)answer->body,
		answer->fixed != FIXED_NONE ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);

	if (response != NULL && !add_headers(response, answer, last)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	return response;
}

/* Whoever needs one first makes it. */
static struct MHD_Response *fixed(struct responses *r, const struct answer *answer)
{
	struct MHD_Response *found = atomic_load(&r->fixed[answer->fixed]), *made;

	if (found != NULL)
		return found;
	made = make(answer, false);
	if (made == NULL || atomic_compare_exchange_strong(&r->fixed[answer->fixed], &found, made))
		return made;
	MHD_destroy_response(made);
	return found;
}

enum MHD_Result respond(struct responses *r, struct MHD_Connection *connection,
	const struct answer *answer, bool last)
{
	bool is_fixed = answer->fixed != FIXED_NONE && !last;
	struct MHD_Response *response = is_fixed ? fixed(r, answer) : make(answer, last);
	enum MHD_Result rc;

	if (response == NULL)
		return MHD_NO;
	rc = MHD_queue_response(connection, (unsigned)answer->status, response);
	if (!is_fixed)
		MHD_destroy_response(response);
	return rc;
}

void responses_free(struct responses *r)
{
	for (int i = 0; i < FIXED_ANSWERS; i++)
		if (r->fixed[i] != NULL)
			MHD_destroy_response(r->fixed[i]);
}
