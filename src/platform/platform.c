#include "platform/platform.h"

#include <string.h>

#include "platform/freebsd.h"
#include "platform/jailrun.h"
#ifdef __linux__
#include "platform/netns.h"
#endif

static const struct platform platforms[] = {
#ifdef __linux__
	{
		.name = "netns",
		.defaults = {
			.state_dir = "/var/lib/jmesh",
			.dns_include = "/etc/unbound/unbound.conf.d/jmesh.conf",
			.dns_config = "/etc/unbound/unbound.conf",
		},
		.dns_control = "unbound-control",
		.dns_checkconf = "unbound-checkconf",
		.open = netns_open,
	},
#endif
	{
		.name = "freebsd",
		.defaults = {
			.state_dir = "/var/db/jmesh",
			.dns_include = "/var/unbound/conf.d/jmesh.conf",
			.dns_config = "/var/unbound/unbound.conf",
		},
		.pf = true,
		.dns_control = "local-unbound-control",
		.dns_checkconf = "local-unbound-checkconf",
		.open = freebsd_open,
	},
	{
		.name = "jailrun",
		.defaults = {
			.dns_include = "/var/unbound/conf.d/jrun.conf",
			.dns_config = "/var/unbound/unbound.conf",
		},
		.pf = true,
		.dns_control = "local-unbound-control",
		.dns_checkconf = "local-unbound-checkconf",
		.dns_block = true,
		.open = jailrun_open,
	},
	{ .name = NULL },
};

#if defined(__linux__)
#define OWN "netns"
#elif defined(__FreeBSD__)
#define OWN "freebsd"
#else
#define OWN "" /* reached by ssh a host may have any platform; here there is none */
#endif

int platform_find(const char *name, const struct platform **out, struct err *e)
{
	bool own = strcmp(name, "auto") == 0;

	for (const struct platform *p = platforms; p->name != NULL; p++) {
		if (strcmp(p->name, own ? OWN : name) == 0) {
			*out = p;
			return 0;
		}
	}
	if (own)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"no platform of this build fits this machine; is the host of the jails "
			"another (host: ssh)?");
	return err_set(e, ERR_CONFIG, NOWHERE, "platform '%s' is not part of this build", name);
}
