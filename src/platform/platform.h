/* The platforms that this build knows. Each is a port (base/port.h). */
#ifndef JMESH_PLATFORM_PLATFORM_H
#define JMESH_PLATFORM_PLATFORM_H

#include "base/port.h"

/* What a platform fills in where the mesh file says nothing. */
struct platform_defaults {
	const char *state_dir;
	const char *dns_include, *dns_config;
};

struct platform {
	const char *name;
	struct platform_defaults defaults;
	/* state_dir is absolute and must outlive the port. It touches nothing on disk. */
	int (*open)(struct port *out, const char *state_dir, struct arena *a, struct err *e);
};

/* By name; "auto" is the one that fits this machine. ERR_CONFIG when this build has it not. */
int platform_find(const char *name, const struct platform **out, struct err *e);

#endif
