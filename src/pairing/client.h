/*
 * HTTP to the relay: several requests at once, each bounded in time and size, certificates always
 * verified, no redirect followed, only the scheme that the URL says. The one place that knows libcurl.
 */
#ifndef JMESH_PAIRING_CLIENT_H
#define JMESH_PAIRING_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct client;

struct client_conf {
	const char *url;     /* http:// or https://, no slash at the end */
	const char *ca_file; /* instead of the system's authorities; or NULL */
	int connect_ms;      /* 0: 5,000 */
	int whole_ms;        /* from the start to the last byte; 0: 15,000 */
};

/* conf's strings must outlive the client. */
int client_new(struct client **out, const struct client_conf *conf, struct err *e);
void client_free(struct client *c); /* ends what is under way; NULL is fine */

struct question {
	const char *path; /* behind the URL: "/pair" */
	const char *body; /* JSON to POST; NULL: GET */
	const char *header,
		*word; /* one more header and its value, no control characters; or NULL */
};

/* Sends it. whose comes back with its answer. */
int client_ask(struct client *c, const struct question *q, void *whose, struct err *e);

size_t client_busy(const struct client *c); /* requests under way */

/* Works until something is answered or ms have passed. */
int client_work(struct client *c, int ms, struct err *e);

struct answer {
	void *whose;
	long status;      /* of HTTP; 0: there was no whole answer, and why says so */
	bool again;       /* a later try may fare better: no connection, a timeout, 408, 429, 5xx */
	int retry_after;  /* seconds that the relay asked to wait; 0: none */
	const char *body; /* NUL-terminated */
	size_t len;
	const char *why;
};

/* The next answer that has come, if there is one; it lives in a. */
bool client_answer(struct client *c, struct arena *a, struct answer *out);

#endif
