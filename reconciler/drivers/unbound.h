/*
 * The unbound driver: kind dns; its scopes are "live ZONE" and "saved ZONE". Its read also tells of another
 * zone that the include file names. Asked for no scope, it takes no zone and no file to be wanted, and asks
 * unbound only where there is a file of ours.
 */
#ifndef JMESH_RECONCILER_DRIVERS_UNBOUND_H
#define JMESH_RECONCILER_DRIVERS_UNBOUND_H

#include "reconciler/drivers/driver.h"

struct unbound_conf {
	const char *zone;      /* without a dot at the end */
	const char *config;    /* unbound's main configuration */
	const char *include;   /* the file that is jmesh's own */
	const char *control;   /* "unbound-control" */
	const char *checkconf; /* "unbound-checkconf" */
	/*
	 * The file is Jailrun's, and jmesh's is a block in it (unbound_block.h): the zone, the names beneath
	 * local.ZONE and every A record are Jailrun's, live as well.
	 */
	bool block;
};

/* All of it must outlive the driver. */
void unbound_driver(struct driver *out, const struct port *port, const struct unbound_conf *conf,
	struct arena *a);

#endif
