/* A real redis-server in a folder of its own, on a Unix socket, with a clock that the test sets where it wants one. */
#ifndef JMESH_TESTS_REDIS_LAB_H
#define JMESH_TESTS_REDIS_LAB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct redis_server {
	pid_t pid;
	char dir[32], url[64];
	const char *password;   /* NULL: none */
	_Atomic int64_t *clock; /* NULL: the machine's */
	int64_t zero;           /* what the clock shows at redis_at(…, 0) */
};

/* password NULL: everybody is let in. It answers before this returns, and ends with this process. */
struct redis_server redis_up(bool own_clock, const char *password);
void redis_down(struct redis_server *r);

/* Stops it as a crash would, and starts it again, empty, at the same place. */
void redis_stop(struct redis_server *r);
void redis_start(struct redis_server *r);

/* Sets its clock, in milliseconds since zero. */
void redis_at(const struct redis_server *r, int64_t now);

/* What it answers to one line in the form of redis-cli, to be freed. */
char *redis_ask(const struct redis_server *r, const char *line);

/* Something that listens, and says one thing to whatever it hears. */
struct liar {
	const char *says;
	size_t len;
	int drip_ms; /* between two bytes; 0: all at once */
	int fd;
	char url[64];
	pthread_t thread;
};

/* Its URL; up is both. A process that is forked while the thread begins may inherit a lock of its. */
const char *liar_listen(struct liar *liar);
void liar_answer(struct liar *liar);
const char *liar_up(struct liar *liar);
void liar_down(struct liar *liar);

#endif
