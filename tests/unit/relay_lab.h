/* A relay in a process of its own, and clients for it: libcurl, and bytes on a socket. */
#ifndef JMESH_TESTS_RELAY_LAB_H
#define JMESH_TESTS_RELAY_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "relay/relay.h"

struct relay {
	pid_t pid;
	int log; /* what it wrote to standard error */
	int port;
	/* ask goes by TLS and trusts this file alone; NULL: plain HTTP */
	const char *ca;
	const char *
		from; /* ask and raw_open connect from this IPv4 address of loopback; NULL: 127.0.0.1 */
};

/* Starts one and waits for its first line; listen NULL: a port of its own on 127.0.0.1. */
struct relay relay_up(struct relay_conf conf);

/* Waits until it ends; its exit status, or 128 + signal. */
int relay_wait(struct relay *r);

/* SIGTERM, and it must end with 0. */
void relay_down(struct relay *r);

/* All that it has logged, to be freed. */
char *relay_log(const struct relay *r);

/* How often the log has text; waits up to five seconds for the n-th. */
int relay_logged_times(const struct relay *r, const char *text, int n);

/* Whether the log has text now or within that time. */
bool relay_logged(const struct relay *r, const char *text);

struct reply {
	long status; /* 0: there was no answer */
	char *headers, *body;
	size_t len;
};

/* headers are lines separated by '\n', or NULL; body NULL: none is sent. */
struct reply ask(const struct relay *r, const char *method, const char *path, const char *headers,
	const char *body);
void reply_free(struct reply *r);

/* A pairing that waits: its path, and its token as a header. */
struct made {
	char path[64], bearer[96];
};

struct made make_pairing(const struct relay *r, const char *roster);

/* The string of that name in a JSON object, to be freed. */
char *json_text(const char *json, const char *name);

/* A connection, bytes on it, and all that comes back until it closes or ms pass without a byte. */
int raw_open(const struct relay *r);
void raw_send(int fd, const char *bytes, size_t len);
char *raw_read(int fd, int ms, bool *closed);

#endif
