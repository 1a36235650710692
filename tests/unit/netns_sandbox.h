/*
 * A machine for tests of the Linux platform: a process of its own in new namespaces (user namespaces where
 * it is not root), which end with it. It has the jails web and db, and a port to them.
 */
#ifndef JMESH_TESTS_UNIT_NETNS_SANDBOX_H
#define JMESH_TESTS_UNIT_NETNS_SANDBOX_H

#include <stdbool.h>

#include "base/port.h"

#define STATE "/run/state"

/* The sandbox's own. */
extern struct arena *arena;
extern struct err e;
extern struct port port;

/* A test whose body runs in there. */
#define SANDBOX(name)                     \
	static void body_##name(void);    \
	Test(netns, name, .timeout = 120) \
	{                                 \
		sandbox(body_##name);     \
	}                                 \
	static void body_##name(void)

void sandbox(void (*body)(void));

/* Criterion's own assertions do not work in a process that it did not make. */
#define CHECK(holds) sandbox_check((holds), __FILE__, __LINE__, #holds)
#define CHECK_TEXT(has, wanted) sandbox_check_text((has), (wanted), __FILE__, __LINE__)

void sandbox_check(bool holds, const char *file, int line, const char *what);
void sandbox_check_text(const char *has, const char *wanted, const char *file, int line);

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Runs a shell command of the test's own. */
int sandbox_sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void sandbox_write(const char *path, const char *text);

/* What a driver does before it starts a node. */
struct node_paths sandbox_configure(const char *node, const char *more);

/* An ordinary node; without an interface where this user may not make one. */
#define LISTENING (sandbox_can_tun() ? ",\"IfName\":\"ygg0\"" TCP : ",\"IfName\":\"none\"" TCP)
#define TCP ",\"Listen\":[\"tcp://127.0.0.1:19001\",\"tcp://[::1]:19002\"]"

bool sandbox_can_tun(void);
struct node_state sandbox_state(const char *node);
void sandbox_start(const char *node);
void sandbox_stop(const char *node);

#endif
