/* The nftables driver: kind firewall; a scope is a node. */
#ifndef JMESH_RECONCILER_DRIVERS_NFT_H
#define JMESH_RECONCILER_DRIVERS_NFT_H

#include "reconciler/drivers/driver.h"

/* The names are checked as struct mesh promises; all of it must outlive the driver. */
void nft_driver(struct driver *out, const struct port *port, const char *interface, const char *set,
	struct arena *a);

#endif
