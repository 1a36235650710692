/* The platforms that this build knows. Each is a port (base/port.h). */
#ifndef JMESH_PLATFORM_PLATFORM_H
#define JMESH_PLATFORM_PLATFORM_H

#include "base/port.h"
#include "os/link.h"

/* What a platform fills in where the mesh file says nothing. */
struct platform_defaults {
	const char *
		state_dir; /* on the machine that has the jails; reached otherwise, the user's own */
	const char *dns_include, *dns_config;
};

/* What the mesh file says of the host. All of it must outlive the port. */
struct platform_conf {
	const char *state_dir;      /* absolute; on the machine where jmesh runs */
	const struct link_ssh *ssh; /* NULL: the jails are on this machine */
	const char *jrun;           /* jailrun: Jailrun's folder, ~/.jrun; absolute */
};

struct platform {
	const char *name;
	struct platform_defaults defaults;
	bool pf;                   /* its firewall; else nftables */
	const char *dns_control;   /* "unbound-control" */
	const char *dns_checkconf; /* "unbound-checkconf" */
	bool dns_block;            /* the names are a marked block in a file of Jailrun's */
	/* It touches nothing on disk. */
	int (*open)(
		struct port *out, const struct platform_conf *conf, struct arena *a, struct err *e);
};

/*
 * By name; "auto" is the one that fits this machine, and so means nothing for a host that is another.
 * ERR_CONFIG when this build has it not.
 */
int platform_find(const char *name, const struct platform **out, struct err *e);

#endif
