/*
 * The nftables table of jmesh: the text that makes it and the JSON that nft lists (nft(8),
 * libnftables-json(5)). Pure. Its shape:
 *
 *   input    what arrives on the overlay interface is dropped, but for replies to connections of our
 *            own and what comes from the set of allowed addresses
 *   forward  nothing that arrives there goes on, but for such replies
 *   output   towards an address that is not in the set go connections of our own alone, never answers
 *
 * Output is there so that no revoked flow lives on. Connection tracking takes a TCP packet from the
 * middle of a stream for a new connection (nf_conntrack_tcp_loose), and what our side keeps sending
 * would turn into a connection of our own whose replies are let in: so only a SYN begins one. Other
 * protocols have no such mark: for ten minutes nothing but TCP begins towards a revoked address.
 */
#ifndef JMESH_RECONCILER_NFT_H
#define JMESH_RECONCILER_NFT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/text.h"

#define NFT_TABLE "jmesh"

/* Checked names, as struct mesh promises. */
struct nft_names {
	const char *interface, *set;
};

struct nft_state {
	bool altered;         /* something differs from what nft_table makes */
	struct addrs allowed; /* sorted, no duplicates; single addresses only */
	struct addrs ending;  /* sorted: revoked, not allowed, and some flow of it may be left */
};

/* What `nft -j list table inet jmesh` printed. ERR_SYSTEM when it is not such a listing. */
int nft_parse(const char *json, size_t len, const struct nft_names *names, struct arena *a,
	struct nft_state *out, struct err *e);

/* Whether `nft -j list tables` names our table: 1, 0, or -1 with ERR_SYSTEM. */
int nft_lists_table(const char *json, size_t len, struct err *e);

/* Input for `nft -f -`: the whole table anew, in one transaction. */
const char *nft_table(const struct nft_names *names, const struct addrs *allowed,
	const struct addrs *revoked, struct arena *a);

/* Input for `nft -f -`: addresses enter the set. */
const char *nft_grant(const struct nft_names *names, const struct addrs *addrs, struct arena *a);

/*
 * Input for `nft -f -`: addresses leave the set, whether or not they are (still) there, and are marked:
 * until nft_revoked takes the mark away, the kernel itself remembers whose flows must still be ended.
 */
const char *nft_revoke(const struct nft_names *names, const struct addrs *addrs, struct arena *a);

/* Input for `nft -f -`: the flows of these addresses have ended. */
const char *nft_revoked(const struct nft_names *names, const struct addrs *addrs, struct arena *a);

/*
 * Input for `conntrack -R -` that forgets every flow of the addresses (sorted), out of what `conntrack
 * -L -f ipv6` printed (conntrack(8)): a deletion walks through the whole of the kernel's table, so only
 * those are asked for that find something. No line, no flow.
 */
void nft_forget(const char *flows, const struct addrs *addrs, struct arena *a, struct strs *lines);

/* The same for every TCP stream of the overlay, 200::/7: which may have been taken up in the middle,
 * with the wrong side as the one that began it, while other rules stood. */
const char *nft_forget_streams(void);

#endif
