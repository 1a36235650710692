/* Where a Redis is and how one is let in. Pure. */
#ifndef JMESH_RELAY_REDIS_WHERE_H
#define JMESH_RELAY_REDIS_WHERE_H

#include <stdbool.h>

#include "base/err.h"

struct redis_where {
	bool local;     /* path, a Unix socket; else host and port */
	char path[104]; /* the least that systems take, with its NUL */
	char host[256];
	int port, db;
	char user[128], password[512]; /* both empty: none is asked for */
	char name[320];                /* the URL without user and password, for messages */
};

/*
 * redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], an IPv6 address in brackets, or unix://[[USER]:PASSWORD@]/PATH. Percent
 * encoding (RFC 3986) is for user and password alone. ERR_USAGE; the sentence quotes nothing of the URL.
 */
int redis_where_parse(const char *url, struct redis_where *out, struct err *e);

#endif
