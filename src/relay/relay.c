#include "relay/relay.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/text.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/processors.h"
#include "relay/admin.h"
#include "relay/listen.h"
#include "relay/log.h"
#include "relay/node.h"
#include "relay/server.h"
#include "relay/signals.h"
#include "relay/store_redis.h"
#include "relay/tls.h"

enum {
	IDLE_SECONDS = 15,
	REQUEST_SECONDS = 45,
	NODE_SECONDS = 10,      /* until the node listens */
	OWN_FILES = 48,         /* open files besides the connections, with those of the admin */
	WORKER_FILES = 3,       /* of each: what it waits with and is woken by */
	STORE_FILES = 64,       /* and of a store that is elsewhere */
	CLIENT_PAIRINGS = 1000, /* that one address may have open */
	MEBIBYTE = 1024 * 1024,
	ROOM = 16 *
		MEBIBYTE, /* of the memory, beside what is set aside: a roster and what reads it */
};

/* Generous for a person and for many behind one address, and 40 bits of a code are far beyond it. */
static struct limits limits_of(const struct relay_conf *c)
{
	return (struct limits){
		.rates = {
			[BUDGET_CREATE] = { .per_second = 10, .burst = 500 },
			[BUDGET_JOIN] = { .per_second = 10, .burst = 500 },
			[BUDGET_POLL] = { .per_second = 200, .burst = 2000 },
			[BUDGET_OTHER] = { .per_second = 20, .burst = 500 },
		},
		.open = CLIENT_PAIRINGS,
		.idle_max = 16384,
		/* One client must not hold all connections; a small limit is left as it is. */
		.connected = c->max_connections > 64 ? c->max_connections / 4 : c->max_connections,
	};
}

static int check_store(const struct relay_conf *c, struct redis_where *where, struct err *e)
{
	if (c->store == NULL)
		return 0;
	if (redis_where_parse(c->store, where, e) < 0)
		return -1;
	if (c->store_seen && where->password[0] != '\0')
		return err_set(e, ERR_USAGE, NOWHERE,
			"--store has a password in it, which everybody on this machine can read "
			"there: put the URL into the environment as JMESH_STORE");
	return 0;
}

/*
 * Bytes that are there without a pairing, and that all connections may take: they are set aside, so that a relay
 * whose memory is full can still say so.
 */
static size_t set_aside(const struct relay_conf *c)
{
	const struct limits limits = limits_of(c);

	return server_memory(c->max_connections, c->tls_cert != NULL) + clients_memory(&limits) +
		store_memory_least(c->max_pairings);
}

static size_t memory_of(const struct relay_conf *c)
{
	return c->max_memory != 0 ? c->max_memory : RELAY_MEMORY;
}

static int check_memory(const struct relay_conf *c, struct err *e)
{
	size_t need = set_aside(c) + ROOM;

	if (memory_of(c) >= need)
		return 0;
	return err_set(e, ERR_USAGE, NOWHERE,
		"--max-memory: %zuM is too little for %u connections and %u pairings: give %zuM "
		"or more, or lower --max-connections or --max-pairings",
		memory_of(c) / MEBIBYTE, c->max_connections, c->max_pairings, need / MEBIBYTE + 1);
}

/* trusted: the proxies, parsed; where: the store. */
static int check(const struct relay_conf *c, struct proxies *trusted, struct redis_where *where,
	struct err *e)
{
	if (c->ttl < 1 || c->ttl > 86400)
		return err_set(
			e, ERR_USAGE, NOWHERE, "--ttl %d: it must be 1 to 86400 seconds", c->ttl);
	if (c->max_pairings < 1 || c->max_pairings > 1000000)
		return err_set(e, ERR_USAGE, NOWHERE, "--max-pairings %u: it must be 1 to 1000000",
			c->max_pairings);
	if (c->max_connections < 1 || c->max_connections > 65536)
		return err_set(e, ERR_USAGE, NOWHERE, "--max-connections %u: it must be 1 to 65536",
			c->max_connections);
	if (c->workers > RELAY_WORKERS_MAX)
		return err_set(e, ERR_USAGE, NOWHERE, "--workers %u: it must be 1 to %d",
			c->workers, RELAY_WORKERS_MAX);
	if ((c->tls_cert == NULL) != (c->tls_key == NULL))
		return err_set(e, ERR_USAGE, NOWHERE,
			"--tls-cert and --tls-key go together: a certificate needs its key");
	for (size_t i = 0; i < c->n_trusted; i++)
		if (proxies_add(trusted, c->trusted[i], e) < 0)
			return -1;
	if (check_store(c, where, e) < 0 || check_memory(c, e) < 0)
		return -1;
	return c->node != NULL ? node_check_uri(c->node, e) : 0;
}

static unsigned workers_of(const struct relay_conf *c)
{
	unsigned n = processors_online();

	if (c->workers != 0)
		return c->workers;
	return n < RELAY_WORKERS_MAX ? n : RELAY_WORKERS_MAX;
}

/* Every connection is an open file; the usual soft limit is 1024. */
static int allow_files(const struct relay_conf *c, struct err *e)
{
	unsigned connections = c->max_connections;
	rlim_t need = (rlim_t)connections + (rlim_t)workers_of(c) * WORKER_FILES + OWN_FILES +
		(c->store != NULL ? STORE_FILES : 0);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_sys(e, "cannot ask for the limit of open files");
	if (limit.rlim_cur >= need)
		return 0;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < need)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"this system allows %llu open files and %u connections need %llu: lower "
			"--max-connections or raise the limit (ulimit -n)",
			(unsigned long long)limit.rlim_max, connections, (unsigned long long)need);
	limit.rlim_cur = need;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_sys(e, "cannot raise the limit of open files to %llu",
			(unsigned long long)need);
	return 0;
}

/* A pair that is no good is no reason to stop: the former one stays. */
static void reload(const struct relay_conf *c)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;

	if (c->tls_cert == NULL)
		log_say("nothing to read again: there is no certificate");
	else if (tls_load(c->tls_cert, c->tls_key, &e) < 0)
		log_say("the certificate was not exchanged: %s",
			text_safe(a, e.text, strlen(e.text), false));
	else
		log_say("the certificate was read again");
	arena_free(a);
}

/* Whether it is to stop. */
static bool on_signals(const struct relay_conf *c)
{
	struct signals taken = signals_taken();

	if (taken.reload && !taken.stop)
		reload(c);
	return taken.stop;
}

/* Passes on the node's log. 1: it listens. -1: it refuses to or ended. */
static int on_node(struct node *node, struct err *e)
{
	switch (node_pump(node, e)) {
	case NODE_LISTENS:
		return 1;
	case NODE_REFUSES:
		return -1;
	case NODE_ENDED:
		return err_set(e, ERR_SYSTEM, NOWHERE, "the Yggdrasil node ended");
	case NODE_NOTHING:
		break;
	}
	return 0;
}

/*
 * Takes signals and the node's log until it is to stop (1), the node listens (0, only where a deadline is
 * given) or something is wrong (-1). deadline 0: there is none.
 */
static int watch(
	const struct relay_conf *c, int signals, struct node *node, int64_t deadline, struct err *e)
{
	for (;;) {
		struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
			{ .fd = node->log, .events = POLLIN } };
		int64_t left = deadline == 0 ? -1 : deadline - clock_ms();
		int rc;

		if (deadline != 0 && left <= 0)
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"the Yggdrasil node did not listen within %d seconds",
				NODE_SECONDS);
		if (poll(fds, 2, (int)left) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, "poll");
		}
		if (fds[0].revents != 0 && on_signals(c))
			return 1;
		if (fds[1].revents == 0)
			continue;
		rc = on_node(node, e);
		if (rc < 0)
			return -1;
		if (rc == 1 && deadline != 0)
			return 0;
	}
}

/* 0: it listens, or none is wanted. 1: stopped meanwhile. */
static int bring_up_node(const struct relay_conf *c, int signals, struct node *node, struct err *e)
{
	int rc;

	if (c->node == NULL)
		return 0;
	if (node_start(node, c->node, e) < 0)
		return -1;
	rc = watch(c, signals, node, clock_ms() + NODE_SECONDS * 1000, e);
	if (rc == 0)
		log_say("node: it has no network interface: the overlay cannot reach this machine");
	return rc;
}

struct listener {
	int fd; /* -1: there is none */
	char bound[LISTEN_TEXT];
};

#define LISTENER_NONE ((struct listener){ .fd = -1 })

struct listeners {
	struct listener public, admin;
};

static void listener_close(struct listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static int listen_all(const struct relay_conf *c, struct listeners *l, struct err *e)
{
	if (listen_open(c->listen, &l->public.fd, l->public.bound, e) < 0)
		return -1;
	return c->admin != NULL ? listen_open_local(c->admin, &l->admin.fd, l->admin.bound, e) : 0;
}

/* The servers take over the listeners. */
static int serve_both(const struct relay_conf *c, const struct server_conf *conf,
	const struct service *service, struct listeners *l, int signals, struct node *node,
	struct err *e)
{
	struct server *server = NULL;
	struct admin *admin = NULL;
	int fd = l->public.fd, admin_fd = l->admin.fd, rc;

	l->public.fd = -1;
	rc = server_start(&server, fd, service, conf, e);
	if (rc == 0 && admin_fd >= 0) {
		l->admin.fd = -1;
		rc = admin_start(&admin, admin_fd, service, e);
		if (rc == 0)
			log_say("for Prometheus: http://%s/metrics", l->admin.bound);
	}
	if (rc == 0) {
		log_say("listening on %s://%s", conf->tls ? "https" : "http", l->public.bound);
		rc = watch(c, signals, node, 0, e);
	}
	admin_stop(admin);
	server_stop(server);
	return rc;
}

static int serve(const struct relay_conf *c, const struct proxies *trusted,
	const struct redis_where *where, struct listeners *l, int signals, struct node *node,
	struct err *e)
{
	const struct server_conf conf = { .max_connections = c->max_connections,
		.workers = workers_of(c),
		.idle_s = c->idle_s != 0 ? c->idle_s : IDLE_SECONDS,
		.request_s = c->request_s != 0 ? c->request_s : REQUEST_SECONDS,
		.tls = c->tls_cert != NULL,
		.trusted = *trusted };
	const struct limits limits = limits_of(c);
	struct memory memory = { .max = memory_of(c), .used = set_aside(c) };
	const struct store_conf store = {
		.ttl = (int64_t)c->ttl * 1000, .open_max = c->max_pairings, .memory = &memory
	};
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct metrics metrics = { 0 };
	struct service service = { .metrics = &metrics, .lock = &lock, .memory = &memory };
	int rc;

	service.clients = clients_new(&limits);
	service.store = c->store != NULL ? store_redis_new(&store, where, service.clients, &lock)
					 : store_memory_new(&store, service.clients);
	rc = log_start(e);
	if (rc == 0)
		rc = serve_both(c, &conf, &service, l, signals, node, e);
	log_stop();
	store_free(service.store);
	clients_free(service.clients);
	pthread_mutex_destroy(&lock);
	return rc;
}

/* Behind a firewall it may be what is meant. */
static void warn_of_everybody(const struct proxies *trusted)
{
	for (size_t i = 0; i < trusted->n; i++)
		if (trusted->v[i].bits == 0 ||
			(trusted->v[i].bits == 96 && peer_is_v4(&trusted->v[i].net))) {
			log_say("--trusted-proxy trusts everybody: whoever reaches the relay past "
				"its "
				"proxy can say that he is another, and is under no limit");
			return;
		}
}

int relay_serve(const struct relay_conf *c, struct err *e)
{
	struct listeners listeners = { LISTENER_NONE, LISTENER_NONE };
	struct proxies trusted = { .n = 0 };
	struct redis_where where = { .local = false };
	struct node node = NODE_NONE;
	int signals = -1, rc = -1;
	bool reloads;

	heap_share();
	/* Seeded by the kernel, which is not asked for every code and token. */
	if (randombytes_set_implementation(&randombytes_internal_implementation) < 0 ||
		sodium_init() < 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "libsodium did not start");
	if (check(c, &trusted, &where, e) < 0 || allow_files(c, e) < 0)
		return -1;
	if (c->tls_cert != NULL && tls_load(c->tls_cert, c->tls_key, e) < 0)
		return -1;
	warn_of_everybody(&trusted);
	/* On a terminal SIGHUP says that it is gone, in a service that it is to be read again. */
	reloads = c->tls_cert != NULL || isatty(STDIN_FILENO) == 0;
	if (listen_all(c, &listeners, e) < 0 || signals_catch(reloads, &signals, e) < 0)
		goto out;
	rc = bring_up_node(c, signals, &node, e);
	if (rc == 0)
		rc = serve(c, &trusted, &where, &listeners, signals, &node, e);
	if (rc == 1) {
		log_say("stopped");
		rc = 0;
	}
out:
	node_stop(&node);
	listener_close(&listeners.public);
	listener_close(&listeners.admin);
	signals_release();
	tls_unload();
	sodium_memzero(&where, sizeof(where));
	return rc;
}
