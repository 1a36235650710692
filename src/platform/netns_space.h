/* Named network namespaces. */
#ifndef JMESH_PLATFORM_NETNS_SPACE_H
#define JMESH_PLATFORM_NETNS_SPACE_H

#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/*
 * The names, in lower case and sorted. Left out: what is no DNS label, `_host`, a file that is no
 * namespace (any more), and the namespace that we ourselves are in: that one is the host.
 */
int netns_list(struct arena *a, struct strs *out, struct err *e);

/* A descriptor of the jail's namespace, or of our own with NULL; -1: the error says why not. */
int netns_space(const char *jail, struct err *e);

/* Takes the caller into the namespace: only ever called in a child. jail as reported in errors. */
int netns_enter(int fd, const char *jail, struct err *e);

#endif
