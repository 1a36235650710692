#include "relay/admin.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "relay/patience.h"

enum {
	/* Milliseconds that a connection has from its beginning, or its last answer, to its next answer. */
	PATIENCE = 10 * 1000,
	CONNECTION_MEMORY = 8 * 1024
};

struct admin {
	struct MHD_Daemon *daemon;
	struct patience *patience;
	struct service service;
};

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *type,
	const char *text, bool allow)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc = MHD_NO;

	if (response == NULL)
		return MHD_NO;
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
		MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") ==
			MHD_YES &&
		MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES &&
		(!allow ||
			MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") ==
				MHD_YES))
		rc = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result say_metrics(struct MHD_Connection *connection, const struct service *service)
{
	struct arena *a = arena_new();
	enum MHD_Result rc = say(connection, MHD_HTTP_OK, METRICS_TYPE,
		service_metrics(service, clock_ms(), a), false);

	arena_free(a);
	return rc;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **con_cls)
{
	static const char text[] = "text/plain; charset=utf-8";
	const struct admin *admin = cls;
	bool health = strcmp(url, "/healthz") == 0, metrics = strcmp(url, "/metrics") == 0;

	(void)version;
	(void)data;
	/* The headers alone are there at the first call; a body, which nobody needs, is thrown away. */
	if (*con_cls == NULL) {
		*con_cls = cls;
		return MHD_YES;
	}
	if (*size != 0) {
		*size = 0;
		return MHD_YES;
	}
	if (!health && !metrics)
		return say(connection, MHD_HTTP_NOT_FOUND, text,
			"nothing is here: try /healthz and /metrics\n", false);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, text,
			"this method is not allowed here\n", true);
	if (health && !service_is_up(&admin->service))
		return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text,
			"the store of pairings does not answer\n", false);
	if (health)
		return say(connection, MHD_HTTP_OK, text, "ok\n", false);
	return say_metrics(connection, &admin->service);
}

/* libmicrohttpd's own messages quote what clients sent. */
static void on_log(void *cls, const char *fmt, va_list ap)
{
	(void)cls;
	(void)fmt;
	(void)ap;
}

/* Who sends a byte now and then would hold one of few connections for ever. */
static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	const struct admin *a = cls;
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = malloc(sizeof(struct waited));
		if (*context == NULL || fd == NULL)
			abort();
		patience_add(a->patience, *context, fd->connect_fd, clock_ms() + PATIENCE);
	} else if (*context != NULL) {
		patience_remove(a->patience, *context);
		free(*context);
		*context = NULL;
	}
}

/* A request is answered, or given up. */
static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
	enum MHD_RequestTerminationCode why)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	(void)cls;
	(void)con_cls;
	if (why == MHD_REQUEST_TERMINATED_COMPLETED_OK && info != NULL &&
		info->socket_context != NULL)
		patience_until(info->socket_context, clock_ms() + PATIENCE);
}

int admin_start(struct admin **out, int listen_fd, const struct service *service, struct err *e)
{
	struct admin *a = calloc(1, sizeof(*a));

	if (a == NULL)
		abort();
	a->service = *service;
	if (patience_new(&a->patience, e) < 0) {
		close(listen_fd);
		free(a);
		return -1;
	}
	a->daemon = MHD_start_daemon(
		/* MHD_USE_ITC wakes it where all connections are taken and it waits for none. */
		MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, a, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, a, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, a, MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)ADMIN_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (a->daemon == NULL) {
		close(listen_fd);
		patience_free(a->patience);
		free(a);
		return err_set(e, ERR_SYSTEM, NOWHERE, "the HTTP server for --admin did not start");
	}
	*out = a;
	return 0;
}

void admin_stop(struct admin *a)
{
	if (a == NULL)
		return;
	MHD_stop_daemon(a->daemon);
	patience_free(a->patience);
	free(a);
}
