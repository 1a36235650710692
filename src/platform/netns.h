/*
 * The Linux platform: a jail is a named network namespace in /run/netns (ip-netns(8)); its files are
 * the host's. Linux only.
 */
#ifndef JMESH_PLATFORM_NETNS_H
#define JMESH_PLATFORM_NETNS_H

#include "platform/platform.h"

/* As struct platform's open. */
int netns_open(struct port *out, const struct platform_conf *conf, struct arena *a, struct err *e);

#endif
