/* The rules of jmesh's table, each as nft reads it and as nft lists it. Private to reconciler/nft*.c. */
#ifndef JMESH_RECONCILER_NFT_RULES_H
#define JMESH_RECONCILER_NFT_RULES_H

#include "reconciler/nft.h"

/* What the name of the set of revoked addresses ends in, and how long they stay there. */
#define NFT_REVOKED "_revoked"
/* The comment on an address whose flows are still to be ended. */
#define NFT_ENDING "flows"

enum {
	NFT_CHAINS = 3,
	NFT_PRIORITY = -10, /* before the filters of others (0), which still see what we accept */
	NFT_REVOKED_SECONDS = 600,
};

/* In both texts $i is the interface and $s the set; the JSON has ' for ". */
struct nft_rule {
	const char *text, *json;
};

/* A chain has the name of its hook; its rules end with a NULL text. */
struct nft_chain {
	const char *name;
	const struct nft_rule *rules;
};

extern const struct nft_chain nft_chains[NFT_CHAINS];

const char *nft_rule_fill(const char *text, const struct nft_names *names, struct arena *a);

#endif
