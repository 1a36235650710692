/*
 * constant: the least that libmicrohttpd can do, to hold the relay against. It answers every request
 * with the bytes and the headers that the relay answers for a pairing which nobody joined yet, from one
 * response that is made once. Flags and options are those of the relay, without its callbacks. It prints
 * where it listens, at a free port of 127.0.0.1, and no log.
 */
#include <microhttpd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "relay/listen.h"

/* Bytes of a connection, as the relay allows them. */
enum { CONNECTION_MEMORY = 8 * 1024 };

static const char body[] = "{\"joined\":false}";

static const char *const headers[][2] = {
	{ MHD_HTTP_HEADER_CONTENT_TYPE, "application/json" },
	{ MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
	{ "X-Content-Type-Options", "nosniff" },
};

static struct MHD_Response *make(void)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		sizeof(body) - 1, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);

	for (size_t i = 0; response != NULL && i < sizeof(headers) / sizeof(headers[0]); i++)
		if (MHD_add_response_header(response, headers[i][0], headers[i][1]) != MHD_YES)
			return NULL;
	return response;
}

/* Called with a request's headers, with the pieces of a body, and when all is read. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **con_cls)
{
	static int begun;

	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (*con_cls == NULL) {
		*con_cls = &begun;
		return MHD_YES;
	}
	if (*size != 0) {
		*size = 0;
		return MHD_YES;
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, cls);
}

static struct MHD_Daemon *start(int listen_fd, struct MHD_Response *response)
{
	return MHD_start_daemon(
		MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, response, MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, 1024, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

int main(void)
{
	struct MHD_Response *response = make();
	struct MHD_Daemon *daemon;
	char bound[LISTEN_TEXT];
	struct err e = ERR_INIT;
	sigset_t stop;
	int fd, signal;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	if (listen_open("127.0.0.1:0", &fd, bound, &e) < 0) {
		fprintf(stderr, "constant: %s\n", e.text);
		return 1;
	}
	daemon = response != NULL ? start(fd, response) : NULL;
	if (daemon == NULL) {
		fputs("constant: libmicrohttpd did not start\n", stderr);
		return 1;
	}
	printf("listening on http://%s\n", bound);
	fflush(stdout);
	sigwait(&stop, &signal);
	MHD_stop_daemon(daemon);
	MHD_destroy_response(response);
	return 0;
}
