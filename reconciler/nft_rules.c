#include "reconciler/nft_rules.h"

#include "base/text.h"

#define MATCH(op, left, right) "{'match':{'op':'" op "','left':" left ",'right':" right "}}"
#define META(key) "{'meta':{'key':'" key "'}}"
#define FIELD(protocol, field) "{'payload':{'protocol':'" protocol "','field':'" field "'}}"
#define STATE(states) MATCH("in", "{'ct':{'key':'state'}}", states)
#define FLAG(flag) MATCH("in", FIELD("tcp", "flags"), "'" flag "'")
#define ACCEPT "{'accept':null}"
#define DROP "{'drop':null}"

#define DIRECTION(which) MATCH("==", "{'ct':{'key':'direction'}}", "'" which "'")
#define KNOWN STATE("['established','related']")

/*
 * The direction counts: who began a connection is asked for with every packet, so a connection that an
 * address began ends when the address leaves the set, whatever connection tracking remembers of it.
 */
static const struct nft_rule input[] = {
	{ "iifname != \"$i\" accept", "[" MATCH("!=", META("iifname"), "'$i'") "," ACCEPT "]" },
	{ "ct state invalid drop", "[" STATE("'invalid'") "," DROP "]" },
	{ "ct direction reply ct state established,related accept",
		"[" DIRECTION("reply") "," KNOWN "," ACCEPT "]" },
	{ "ip6 saddr @$s accept", "[" MATCH("==", FIELD("ip6", "saddr"), "'@$s'") "," ACCEPT "]" },
	{ "drop", "[" DROP "]" },
	{ NULL, NULL },
};

static const struct nft_rule forward[] = {
	{ "oifname \"$i\" ct state invalid drop",
		"[" MATCH("==", META("oifname"), "'$i'") "," STATE("'invalid'") "," DROP "]" },
	{ "oifname \"$i\" ct direction reply drop",
		"[" MATCH("==", META("oifname"), "'$i'") "," DIRECTION("reply") "," DROP "]" },
	{ "oifname \"$i\" ct state new tcp flags ack drop",
		"[" MATCH("==", META("oifname"), "'$i'") "," STATE("'new'") "," FLAG("ack") "," DROP
											    "]" },
	{ "iifname != \"$i\" accept", "[" MATCH("!=", META("iifname"), "'$i'") "," ACCEPT "]" },
	{ "ct direction reply ct state established,related accept",
		"[" DIRECTION("reply") "," KNOWN "," ACCEPT "]" },
	{ "drop", "[" DROP "]" },
	{ NULL, NULL },
};

/*
 * An allowed address needs none of this, and its streams go on when tracked flows are forgotten. What
 * is left of TCP after the established has an ACK only in the middle of a stream.
 */
static const struct nft_rule output[] = {
	{ "oifname != \"$i\" accept", "[" MATCH("!=", META("oifname"), "'$i'") "," ACCEPT "]" },
	{ "ip6 daddr @$s accept", "[" MATCH("==", FIELD("ip6", "daddr"), "'@$s'") "," ACCEPT "]" },
	{ "ct state invalid drop", "[" STATE("'invalid'") "," DROP "]" },
	{ "ct direction reply drop", "[" DIRECTION("reply") "," DROP "]" },
	{ "ct state established,related accept", "[" KNOWN "," ACCEPT "]" },
	{ "tcp flags ack drop", "[" FLAG("ack") "," DROP "]" },
	{ "tcp flags syn accept", "[" FLAG("syn") "," ACCEPT "]" },
	{ "ip6 daddr @$s" NFT_REVOKED " drop",
		"[" MATCH("==", FIELD("ip6", "daddr"), "'@$s" NFT_REVOKED "'") "," DROP "]" },
	{ NULL, NULL },
};

const struct nft_chain nft_chains[NFT_CHAINS] = {
	{ "input", input },
	{ "forward", forward },
	{ "output", output },
};

const char *nft_rule_fill(const char *text, const struct nft_names *names, struct arena *a)
{
	struct text t = text_new(a);

	for (const char *p = text; *p != '\0'; p++) {
		if (p[0] == '$') {
			p++;
			text_add(&t, *p == 'i' ? names->interface : names->set);
		} else {
			text_addn(&t, *p == '\'' ? "\"" : p, 1);
		}
	}
	return t.s;
}
