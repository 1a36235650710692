/*
 * The pf driver: kind firewall; a scope is a node.
 *
 * It never opens what it has closed: withdraw empties the tables, in the kernel and in the file, and leaves
 * the default-deny, for at the next boot a node may come up behind it. Rules in an anchor protect only
 * where the administrator's pf.conf evaluates it: a scope where it does not is one that cannot be read, and
 * the error has the lines that are missing.
 */
#ifndef JMESH_RECONCILER_DRIVERS_PF_H
#define JMESH_RECONCILER_DRIVERS_PF_H

#include "reconciler/drivers/driver.h"

/* Who owns pf.conf: what firewall.manage says; PF_MANAGE_AUTO looks whose it is, place by place. */
enum pf_manage { PF_MANAGE_AUTO, PF_MANAGE_RULESET, PF_MANAGE_ANCHOR };

/* The names are checked as struct mesh promises; all of it must outlive the driver. */
void pf_driver(struct driver *out, const struct port *port, const char *interface,
	const char *table, enum pf_manage manage, struct arena *a);

#endif
