/*
 * Yggdrasil's texts: admin answers, versions, and how the daemon spells URIs. Pure. Formats:
 * yggdrasil-go 0.5 (src/config, src/admin, src/core/link.go).
 */
#ifndef JMESH_RECONCILER_YGGDRASIL_H
#define JMESH_RECONCILER_YGGDRASIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* PrivateKeyPath came with this one. */
#define YGGDRASIL_OLDEST "0.5.10"

/* ERR_SYSTEM when version is older than YGGDRASIL_OLDEST or no version at all. */
int yggdrasil_version_check(const char *version, struct err *e);

/* The version in what `yggdrasil -version` prints; NULL: it is not there. */
const char *yggdrasil_version_find(const char *output, struct arena *a);

/*
 * What a listener's URI is seen as among the process's sockets: "tcp ADDR:PORT", IPv6 in brackets and
 * canonical. Both wildcards are "[::]", for the daemon opens one socket for both families. NULL: it
 * cannot be observed (a host name, port 0, a link-local address, quic or a Unix socket).
 */
const char *yggdrasil_listen_key(const char *uri, struct arena *a);

/* The same from "ADDR:PORT". */
const char *yggdrasil_socket_key(const char *socket, struct arena *a);

/* As getpeers prints the URI: scheme in lower case, without its query. */
const char *yggdrasil_peer_key(const char *uri, struct arena *a);

/* Whether a change of this overlay key restarts the node. */
bool yggdrasil_restarts(const char *key);

/*
 * The same with the values in sight (NULL: none): a "node" that runs, but not as it should; and
 * listeners of which only the query changes (a password, a priority), which cannot be seen live, so that
 * their change in the file must restart the node.
 */
bool yggdrasil_change_restarts(const char *key, const char *before, const char *after);

/* The strings of a JSON array; empty when it is none. */
struct strs yggdrasil_uris(const char *json, struct arena *a);

/* A request for the admin socket; uri may be NULL. */
const char *yggdrasil_request(const char *request, const char *uri, struct arena *a);

/* Answers of the admin socket. ERR_SYSTEM: not an answer, or one that says "error". */
struct yggdrasil_self {
	const char *version;
	struct pubkey key;
	struct addr addr;
};

struct yggdrasil_peering {
	const char *uri;
	bool up, inbound;
	const char *error; /* why it is down, or NULL */
	struct addr addr;  /* of the other side, when up */
};

int yggdrasil_self_parse(
	const char *reply, struct arena *a, struct yggdrasil_self *out, struct err *e);
int yggdrasil_peers_parse(const char *reply, struct arena *a, struct yggdrasil_peering **out,
	size_t *n, struct err *e);
/* The interface's name; "none" without one. */
int yggdrasil_tun_parse(const char *reply, struct arena *a, const char **out, struct err *e);
/* "off", or "on IFACE IFACE". */
int yggdrasil_multicast_parse(const char *reply, struct arena *a, const char **out, struct err *e);
/* addpeer and removepeer: that it was so already is no error. */
int yggdrasil_done_parse(const char *reply, struct err *e);

#endif
