#include "os/link.h"

#include "os/link_ssh.h"
#include "os/proc.h"

struct link {
	struct session *session; /* NULL: this machine */
	size_t trips;
};

struct link *link_open(const struct link_ssh *ssh, struct arena *a)
{
	struct link *l = arena_alloc(a, 1, sizeof(*l));

	if (ssh != NULL)
		l->session = session_new(ssh, PROC_CONF.limit_ms, a);
	return l;
}

void link_close(struct link *l)
{
	if (l->session != NULL)
		session_close(l->session);
}

int link_run(struct link *l, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e)
{
	struct proc_conf conf = PROC_CONF;

	if (n == 0)
		return 0;
	l->trips++;
	if (l->session != NULL)
		return session_run(l->session, cmds, n, a, outs, e);
	proc_run(cmds, n, &conf, a, outs);
	return 0;
}

int link_reached(const struct link *l, struct err *e)
{
	return l->session == NULL ? 0 : session_reached(l->session, e);
}

size_t link_trips(const struct link *l)
{
	return l->trips;
}
