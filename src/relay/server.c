#include "relay/server.h"

#include <microhttpd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/roster.h"
#include "os/clock.h"
#include "relay/headers.h"
#include "relay/log.h"
#include "relay/patience.h"
#include "relay/respond.h"
#include "relay/tls.h"

enum {
	/* Of a connection: its headers, and the body in pieces. */
	CONNECTION_MEMORY = 8 * 1024,
	/* And what libmicrohttpd, the request, a constant answer and its client in the table take. */
	CONNECTION_OTHER = 4 * 1024,
	/* And a session of GnuTLS, with its buffers. */
	CONNECTION_TLS = 48 * 1024,
	/* While a body is read: of JSON two bytes can be a value, which cJSON keeps in 80. */
	READ_FACTOR = 48,
	/* While an answer is made: a roster twice, and the arena around it. */
	ANSWER_MEMORY = 2 * ROSTER_BYTES_MAX + 128 * 1024,
	/* What is read and thrown away of a body that is too large, so that its sender hears why. */
	DISCARD_MAX = 4 * ROSTER_BYTES_MAX,
};

struct server {
	struct MHD_Daemon *daemon;
	struct patience *patience;
	struct responses responses;
	struct service service;
	struct proxies trusted;
	int64_t idle, longest; /* milliseconds: see server_conf */
	/* One that is ready for the next answer, so that most find its memory warm; or NULL. */
	_Atomic(struct arena *) spare;
	atomic_bool stopping;
};

/* One request. */
struct exchange {
	struct server *server;
	struct link *link;
	const char *method; /* a constant */
	struct peer peer;   /* the client, also where a trusted proxy asks for it */
	int64_t started;    /* of clock_us */
	struct request request;
	bool begun, queued;
	struct answer answer;
	char *body;
	size_t len, cap, discarded;
	size_t taken; /* bytes of the relay's memory */
	struct arena *arena;
};

/* One connection. */
struct link {
	struct peer peer;
	struct client *client; /* it is counted for */
	bool is_proxy;         /* one that is trusted */
	bool over;             /* one too many of its client: nothing on it is answered */
	struct waited waited;
	/* Of its requests one at a time is under way. */
	struct exchange exchange;
};

/* The request takes so much in all from now on. False, and nothing changes, where there is not as much. */
static bool take(struct exchange *x, size_t n, enum memory_use use)
{
	struct memory *m = x->server->service.memory;

	if (n > x->taken && !memory_take(m, n - x->taken, use))
		return false;
	if (n < x->taken)
		memory_give(m, x->taken - n);
	x->taken = n;
	return true;
}

static struct arena *arena_take(struct server *s)
{
	struct arena *a = atomic_exchange(&s->spare, NULL);

	return a != NULL ? a : arena_new();
}

static void arena_give(struct server *s, struct arena *a)
{
	if (a == NULL)
		return;
	arena_reset(a);
	arena_free(atomic_exchange(&s->spare, a));
}

/* What was needed to make the answer; the answer itself, of n bytes, is with libmicrohttpd. */
static void release(struct exchange *x, size_t n)
{
	arena_give(x->server, x->arena);
	free(x->body);
	x->arena = NULL;
	x->body = NULL;
	x->len = x->cap = 0;
	take(x, n < x->taken ? n : x->taken, MEMORY_ANSWER);
}

/* A trusted proxy connects for many clients, so that one client's share is not its. */
static enum MHD_Result on_accept(void *cls, const struct sockaddr *sa, socklen_t len)
{
	const struct peer peer = peer_of(sa);
	const struct network net = peer_network(&peer);
	const struct server *s = cls;

	(void)len;
	if (atomic_load(&s->stopping))
		return MHD_NO;
	if (proxies_have(&s->trusted, &peer) || service_may_connect(&s->service, &net, clock_ms()))
		return MHD_YES;
	return MHD_NO;
}

static struct link *link_new(const struct server *s, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *at =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct link *l = calloc(1, sizeof(*l));
	const int64_t now = clock_ms();
	struct network net;

	if (l == NULL || fd == NULL)
		abort();
	l->peer = peer_of(at != NULL ? at->client_addr : NULL);
	l->is_proxy = proxies_have(&s->trusted, &l->peer);
	net = peer_network(&l->peer);
	l->client = service_connect(&s->service, &net, l->is_proxy, now, &l->over);
	patience_add(s->patience, &l->waited, fd->connect_fd, now + s->idle);
	if (l->over)
		shutdown(fd->connect_fd, SHUT_RDWR);
	return l;
}

static void link_free(const struct server *s, struct link *l)
{
	patience_remove(s->patience, &l->waited);
	service_disconnect(&s->service, l->client);
	free(l);
}

/*
 * Counted here and not in on_accept: a connection that libmicrohttpd gives up in between, for want of
 * memory or beyond its own limit, is not told of.
 */
static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	const struct server *s = cls;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = link_new(s, connection);
	} else if (*context != NULL) {
		link_free(s, *context);
		*context = NULL;
	}
}

/* More of the request may be to come. */
static void wait_for_more(struct exchange *x, int64_t now)
{
	const int64_t idle = now + x->server->idle, end = x->started / 1000 + x->server->longest;

	patience_until(&x->link->waited, idle < end ? idle : end);
}

/* The request line is there, the headers are not: the exchange begins. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct link *l = info != NULL ? info->socket_context : NULL;
	struct exchange *x;

	if (l == NULL || l->over)
		return NULL;
	x = &l->exchange;
	*x = (struct exchange){ .server = cls,
		.link = l,
		.method = method_name(NULL),
		.peer = l->peer,
		.started = clock_us() };
	route_of(target, &x->request.route);
	patience_busy(&l->waited, true);
	wait_for_more(x, x->started / 1000);
	return x;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
	enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *con_cls;
	int64_t now;

	(void)cls;
	(void)connection;
	(void)why;
	if (x == NULL)
		return;
	now = clock_us();
	patience_until(&x->link->waited, now / 1000 + x->server->idle);
	patience_busy(&x->link->waited, false);
	if (!x->queued)
		x->answer = (struct answer){ 0 };
	metrics_request(x->server->service.metrics, x->request.route.kind, x->answer.status);
	log_request(&x->peer, x->method, route_name(x->request.route.kind), x->answer.status,
		x->answer.len, now - x->started);
	release(x, 0);
	*con_cls = NULL;
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct exchange *x, bool last)
{
	enum MHD_Result rc = respond(&x->server->responses, connection, &x->answer, last);

	x->queued = rc == MHD_YES;
	patience_until(&x->link->waited, x->started / 1000 + x->server->longest);
	/* The answer itself is with libmicrohttpd now. */
	release(x, memory_block(x->answer.len));
	return rc;
}

/*
 * What it takes to make an answer, of a body that is read before; false, and the answer says so, where that is
 * not there. Before a pairing is used up, so that an answer that cannot be sent loses none.
 */
static bool prepare(struct exchange *x)
{
	const enum memory_use use =
		x->request.method == METHOD_GET ? MEMORY_ANSWER : MEMORY_REQUEST;

	if (!take(x, memory_block(x->cap) + x->len * READ_FACTOR + ANSWER_MEMORY, use)) {
		answer_no_memory(&x->server->service, &x->answer);
		return false;
	}
	x->arena = arena_take(x->server);
	return true;
}

/* Who asks, and what for. */
static void read_request(struct exchange *x, const char *method, const struct headers *h)
{
	struct request *r = &x->request;

	x->method = method_name(method);
	r->method = method_of(method);
	r->token = h->token;
	r->key = h->key;
	if (h->forwarded.found)
		x->peer = h->forwarded.client;
	else
		r->client = x->link->client;
	r->from = peer_network(&x->peer);
}

/* The headers are there. Answers at once what does not wait for a body. */
static enum MHD_Result begin(struct exchange *x, struct MHD_Connection *connection,
	const char *method, const char *version)
{
	const struct proxies *trusted = x->link->is_proxy ? &x->server->trusted : NULL;
	/* Not when it started: its headers may have taken their time, and the clock must not go back. */
	const int64_t now = clock_ms();
	struct headers h;
	const char *problem;

	x->begun = true;
	wait_for_more(x, now);
	headers_read(connection, trusted, &h);
	read_request(x, method, &h);
	service_begin(&x->server->service, &x->request, h.length, now, &x->answer);
	problem = headers_problem(&h, version);
	if (problem != NULL)
		answer_bad_request(&x->answer, problem);
	if (problem != NULL || h.length > ROSTER_BYTES_MAX)
		return send_answer(connection, x, true);
	return MHD_YES;
}

/* Room for n bytes more. */
static bool grow(struct exchange *x, size_t n)
{
	size_t cap = x->cap == 0 ? 1024 : x->cap * 2;
	char *body;

	while (cap - x->len < n)
		cap *= 2;
	/* Both may be there while one is copied into the other. */
	if (!take(x, memory_block(x->cap) + memory_block(cap), MEMORY_REQUEST))
		return false;
	body = realloc(x->body, cap);
	if (body == NULL)
		return false;
	x->body = body;
	x->cap = cap;
	return take(x, memory_block(cap), MEMORY_REQUEST);
}

static enum MHD_Result receive(struct exchange *x, const char *data, size_t *size)
{
	size_t n = *size;

	*size = 0;
	wait_for_more(x, clock_ms());
	if (x->answer.status != 0 || n > ROSTER_BYTES_MAX - x->len) {
		if (x->answer.status == 0)
			answer_too_large(&x->answer);
		x->discarded += n;
		return x->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
	}
	if (n > x->cap - x->len && !grow(x, n)) {
		release(x, 0);
		answer_no_memory(&x->server->service, &x->answer);
		x->discarded += n;
		return MHD_YES;
	}
	memcpy(x->body + x->len, data, n);
	x->len += n;
	return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **con_cls)
{
	struct exchange *x = *con_cls;

	(void)cls;
	(void)url;
	if (x == NULL)
		return MHD_NO;
	if (!x->begun)
		return begin(x, connection, method, version);
	if (*size != 0)
		return receive(x, data, size);
	if (x->answer.status == 0 && prepare(x))
		service_answer(&x->server->service, &x->request, x->body != NULL ? x->body : "",
			x->len, clock_ms(), x->arena, &x->answer);
	return send_answer(connection, x, false);
}

/* libmicrohttpd's own messages quote what clients sent. */
static void on_log(void *cls, const char *fmt, va_list ap)
{
	(void)cls;
	(void)fmt;
	(void)ap;
}

/* TLS 1.0 and 1.1 must not be spoken any more (RFC 8996). */
static const char priorities[] = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1";

static struct MHD_Daemon *start(struct server *s, int listen_fd, const struct server_conf *c)
{
	/* Each worker has its share of the connections, and must have one. */
	const unsigned workers = c->workers < c->max_connections ? c->workers : c->max_connections;
	const unsigned flags = MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC |
		MHD_USE_ERROR_LOG | (c->tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_show },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)priorities },
		{ MHD_OPTION_END, 0, NULL },
	};

	return MHD_start_daemon(flags, 0, on_accept, s, on_request, s, MHD_OPTION_EXTERNAL_LOGGER,
		on_log, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		c->max_connections, MHD_OPTION_THREAD_POOL_SIZE, workers,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, s, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, NULL, MHD_OPTION_ARRAY, c->tls ? tls : &tls[2], MHD_OPTION_END);
}

size_t server_memory(unsigned connections, bool tls)
{
	size_t one = CONNECTION_MEMORY + CONNECTION_OTHER;

	if (tls)
		one += CONNECTION_TLS;
	return connections * one;
}

int server_start(struct server **out, int listen_fd, const struct service *service,
	const struct server_conf *c, struct err *e)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	if (c->tls && MHD_is_feature_supported(MHD_FEATURE_HTTPS_CERT_CALLBACK2) != MHD_YES) {
		close(listen_fd);
		free(s);
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"the libmicrohttpd of this machine cannot serve TLS");
	}
	s->service = *service;
	s->trusted = c->trusted;
	s->idle = (int64_t)c->idle_s * 1000;
	s->longest = (int64_t)c->request_s * 1000;
	atomic_init(&s->spare, NULL);
	atomic_init(&s->stopping, false);
	if (patience_new(&s->patience, e) < 0) {
		close(listen_fd);
		free(s);
		return -1;
	}
	s->daemon = start(s, listen_fd, c);
	if (s->daemon == NULL) {
		close(listen_fd);
		patience_free(s->patience);
		free(s);
		return err_set(e, ERR_SYSTEM, NOWHERE, "the HTTP server did not start");
	}
	*out = s;
	return 0;
}

void server_stop(struct server *s)
{
	const struct timespec tick = { .tv_nsec = 10 * 1000 * 1000 };

	if (s == NULL)
		return;
	/*
	 * MHD_quiesce_daemon is not for this: in libmicrohttpd 0.9.75 it takes the listener from a worker's
	 * epoll without a lock, and ends the process when the worker, then full, has just done so itself.
	 */
	atomic_store(&s->stopping, true);
	for (int i = 0; i < 100 && patience_any_busy(s->patience); i++)
		nanosleep(&tick, NULL);
	MHD_stop_daemon(s->daemon);
	patience_free(s->patience);
	responses_free(&s->responses);
	arena_free(s->spare);
	free(s);
}
