/*
 * One connection to a Redis (or Valkey) that may be slow, gone, or something else altogether: every call ends
 * within its time, and no answer takes more memory than REDIS_SAID_MAX.
 */
#ifndef JMESH_RELAY_REDIS_LINK_H
#define JMESH_RELAY_REDIS_LINK_H

#include "base/arena.h"
#include "relay/redis_where.h"

enum {
	REDIS_CONNECT_MS = 1000, /* a name is resolved in the time that the system takes */
	REDIS_COMMAND_MS = 2000,
	REDIS_SAID_MAX = 1024 * 1024, /* bytes */
};

struct redis_link;

/* A word of a command: any bytes. */
struct redis_word {
	const char *s;
	size_t len;
};

/* An answer: a text, or a refusal, whose first word is the kind of it ("NOSCRIPT"). */
struct redis_said {
	bool refusal;
	const char *text; /* NUL behind it; in the arena */
	size_t len;
};

/* Connects, gives the password where there is one, and chooses the database. ERR_REMOTE. */
int redis_link_open(struct redis_link **out, const struct redis_where *where, struct err *e);
void redis_link_close(struct redis_link *l); /* NULL is fine */

/* Whether it was closed, or spoke unasked, since it was used last. */
bool redis_link_is_stale(const struct redis_link *l);

/*
 * Only for commands whose answer is no list. -1, ERR_REMOTE: whether the command was carried out is not known, and
 * the link is good for nothing more.
 */
int redis_link_call(struct redis_link *l, const struct redis_word *words, size_t n, struct arena *a,
	struct redis_said *said, struct err *e);

#endif
