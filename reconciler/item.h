/*
 * Items: what is wanted and what is there, in one shape, so that comparing them is a merge of two
 * sorted lists (diff.h). The vocabulary of kinds, scopes and keys is told here, once:
 *
 *   kind      scope            key                         value
 *   identity  node             "key"                       "present"
 *   overlay   node             "conf NAME"                 the setting in the file, as compact JSON (saved)
 *   overlay   node             "conf PrivateKey"           "set", observed only: it belongs in the key file
 *   overlay   node             "node"                      "running", or why it must start anew when observed
 *   overlay   node             "live interface"            name of the interface, "none" without one (live)
 *   overlay   node             "live listen SOCKET"        "listening"; SOCKET is yggdrasil_listen_key(URI)
 *   overlay   node             "live multicast"            "off", or "on IFACE ..." when observed
 *   overlay   node             "peer URI"                  "configured" (live); URI is yggdrasil_peer_key(URI)
 *   overlay   node             "boot"                      "enabled"; where nodes are services (saved)
 *   firewall  node             "rules"                     "default-deny on IFACE", or "altered" or "fail-open"
 *                                                          (everything passes) when observed
 *   firewall  node             "address ADDR"              "allow", or "flows may live on" when observed
 *   firewall  node             "saved rules"               "default-deny on IFACE", or "altered" when observed;
 *                                                          this and the next two where the firewall has files
 *   firewall  node             "saved address ADDR"        "allow"
 *   firewall  node             "boot"                      "enabled"
 *   dns       "live ZONE"      "zone"                      "static"
 *   dns       "live ZONE"      "NAME A" or "NAME AAAA"     canonical address (NAME without a final dot)
 *   dns       "saved ZONE"     the same two, and "file"    "as generated", or "altered" when observed
 *   dns       "live OLDZONE"   "zone"                      its type, observed only: the include file tells it still
 *   dns       "saved OLDZONE"  "file"                      observed only, where no names are wanted at all
 *   pairing   peer             "roster"                    number of jails as text
 *   pairing   peer             "recorded JAIL"             canonical address, in Jailrun's own state (saved)
 *
 * What is live of a node is observed only where its "node" is "running", and wanted only there. A zone
 * that goes takes its records along, so they are no items.
 *
 * node is a jail's name or HOST_NODE. Names are lower case, addresses canonical.
 */
#ifndef JMESH_RECONCILER_ITEM_H
#define JMESH_RECONCILER_ITEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

enum item_kind { KIND_IDENTITY, KIND_OVERLAY, KIND_FIREWALL, KIND_DNS, KIND_PAIRING };

struct item {
	enum item_kind kind;
	const char *scope, *key, *value;
	const char *why; /* the peer and jail behind it ("office/postgres"), or NULL */
	int line;        /* in the mesh file, or 0 */
};

struct items {
	struct item *v;
	size_t n, cap;
	struct arena *arena;
};

/* A scope that could not be read, or a change that failed. */
struct failure {
	enum item_kind kind;
	const char *scope;
	const char *key; /* NULL: the whole scope */
	int line;        /* in the mesh file, or 0 */
	const char *text;
};

struct failures {
	struct failure *v;
	size_t n, cap;
	struct arena *arena;
};

const char *item_kind_name(enum item_kind kind);

/* Of kind firewall: whether a key is an address, live or saved; not the rules it enters by. */
bool item_is_address(const char *key);

/* Of kind pairing: whether a key is in another program's registry, and not in our lock. */
bool item_is_record(const char *key);

/* The strings are kept, not copied: they live in the arena, or longer. */
void items_add(struct items *list, enum item_kind kind, const char *scope, const char *key,
	const char *value, const char *why, int line);
void items_sort(struct items *list);

/* The first item of that kind, scope and key in a sorted list; NULL: there is none. */
const struct item *items_find(const struct items *list, const struct item *key);

/* By kind, scope and key; the value does not count. */
int item_cmp(const struct item *a, const struct item *b);

/* Copies the error's text. */
void failures_add(struct failures *list, enum item_kind kind, const char *scope, const char *key,
	int line, const struct err *e);
const struct failure *failures_find(
	const struct failures *list, enum item_kind kind, const char *scope);

/* Whether those from first on tell of this item, or of its whole scope (key NULL). */
bool failures_tell(const struct failures *list, size_t first, enum item_kind kind,
	const char *scope, const char *key);

#endif
