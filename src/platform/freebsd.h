/*
 * A FreeBSD host: jails by jls(8) and jexec(8), their files by programs that run inside them, nodes as
 * services (service(8), sysrc(8)); directly or through ssh.
 */
#ifndef JMESH_PLATFORM_FREEBSD_H
#define JMESH_PLATFORM_FREEBSD_H

#include "platform/platform.h"

/* As struct platform's open. */
int freebsd_open(
	struct port *out, const struct platform_conf *conf, struct arena *a, struct err *e);

/*
 * What another platform of FreeBSD jails says otherwise: how the host knows a jail, and which jails there
 * are to be. All of it must outlive the port.
 */
struct freebsd_conf {
	const struct link_ssh *ssh; /* NULL: this machine */
	struct port_traits traits;
	const char *name; /* the port's */
	/* Said behind the error when the machine cannot be reached: "is it up?"; or NULL. */
	const char *unreachable;
	/* The names by which the host knows these jails; NULL: their own. n entries each. */
	const char *const *names, *const *system_names;
	size_t n;
};

int freebsd_open_as(
	struct port *out, const struct freebsd_conf *conf, struct arena *a, struct err *e);

#endif
