/*
 * The session of a link: one ssh process, and one sh(1) of the far side that it leads to (link.c calls
 * this, nobody else).
 */
#ifndef JMESH_OS_LINK_SSH_H
#define JMESH_OS_LINK_SSH_H

#include "os/link.h"

struct session;

/* limit_ms: for each command, and for the connection to come about twice that. Lives in the arena. */
struct session *session_new(const struct link_ssh *ssh, int limit_ms, struct arena *a);
void session_close(struct session *s); /* it may be used again */

/*
 * As link_run. A command that takes too long is killed there, with its offspring; a far side that does not even
 * do that in time: 0, and every status is -1.
 */
int session_run(struct session *s, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e);

/* As link_reached. */
int session_reached(const struct session *s, struct err *e);

/* The ssh process, or 0: not connected. */
pid_t session_pid(const struct session *s);

/* The words that ssh is called with, and a NULL (link_argv.c). -1: any host key, but not on loopback. */
int link_argv(const struct link_ssh *ssh, struct arena *a, struct strs *v, struct err *e);

/*
 * What the far sh reads (link_script.c).
 */

enum { SCRIPT_AT_ONCE = 16, SCRIPT_FRAME = 100, SCRIPT_ERR_MAX = 4096 };
#define SCRIPT_OUT_MAX ((size_t)64 << 20)

/* The statuses of commands that did not run, or whose output is not told. */
enum {
	SCRIPT_NO_PROGRAM = 'n',
	SCRIPT_NO_ROOM = 'f', /* the temporary folder is full */
	SCRIPT_TOO_MUCH = 'b',
	SCRIPT_TOO_LONG = 't',
};

/*
 * What comes first; answered by the line "NONCE ready". The nonce is of letters and digits; limit_ms, for each
 * command, is rounded up to whole seconds.
 */
const char *script_hello(struct arena *a, const char *nonce, int limit_ms);

/*
 * One compound command that runs the commands side by side and answers in frames of at most SCRIPT_FRAME:
 * the line "NONCE FIRST", a line "STATUS OUT_LEN ERR_LEN" for each, then what they printed, in the same
 * order. Input must have no NUL; where skip says so, the command is left out and answers nothing of use.
 */
const char *script_batch(
	struct arena *a, const struct command *cmds, size_t n, const bool *skip, size_t *len);

/*
 * Sentences (link_why.c). said is what ssh has said on standard error; both set the error and return -1.
 */
int why_unreachable(const struct link_ssh *ssh, const char *said, struct err *e);
int why_lost(const struct link_ssh *ssh, const char *said, struct err *e);

#endif
