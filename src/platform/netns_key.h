/* Keys of nodes, which never leave this platform. The contracts are those of struct port_ops. */
#ifndef JMESH_PLATFORM_NETNS_KEY_H
#define JMESH_PLATFORM_NETNS_KEY_H

#include "base/port.h"

/*
 * LOOK_KEY. The key file must belong to root or to us and be closed to others. The key in the
 * configuration counts where there is no key file, and must not contradict one.
 */
int netns_key_look(const char *state_dir, const char *node, struct arena *a, struct key_seen *out,
	struct err *e);

/* LOOK_SIGN, with the key that LOOK_KEY tells of. *hex is in the arena. */
int netns_key_sign(const char *state_dir, const char *node, const char *line, struct arena *a,
	const char **hex, struct err *e);

int netns_key_make(const char *state_dir, const char *node, struct err *e);

#endif
