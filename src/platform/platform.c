#include "platform/platform.h"

#include <string.h>

#ifdef __linux__
#include "platform/netns.h"
#endif

/* In the order in which "auto" takes them. */
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
	{ .name = NULL },
};

int platform_find(const char *name, const struct platform **out, struct err *e)
{
	bool any = strcmp(name, "auto") == 0;

	for (const struct platform *p = platforms; p->name != NULL; p++) {
		if (any || strcmp(p->name, name) == 0) {
			*out = p;
			return 0;
		}
	}
	if (any)
		return err_set(
			e, ERR_CONFIG, NOWHERE, "no platform of this build fits this machine");
	return err_set(e, ERR_CONFIG, NOWHERE, "platform '%s' is not part of this build", name);
}
