/* jmesh's pf rules, each as pf.conf has it and as pfctl -sr lists it. Private to reconciler/pf*.c. */
#ifndef JMESH_RECONCILER_PF_RULES_H
#define JMESH_RECONCILER_PF_RULES_H

#include "reconciler/pf.h"

/* How a file of ours begins. */
#define PF_MARK "# Written by jmesh, which owns this file and writes it anew.\n"

/* In both texts $i is the interface and $t the table. */
struct pf_rule {
	const char *text, *listed;
};

/* Ends with a NULL text. */
const struct pf_rule *pf_rules_of(const struct pf_names *names);

const char *pf_rule_fill(const char *text, const struct pf_names *names, struct arena *a);

/* The next line of *text, its blanks made one space each, without those at its ends; *text is behind it. */
const char *pf_next_line(const char **text, struct arena *a);

/* The same without a comment. */
const char *pf_next_rule(const char **text, struct arena *a);

/* "table <T> persist", with the addresses in braces where there are some; no newline. */
void pf_table_define(struct text *t, const struct pf_names *names, const struct addrs *addrs);

#endif
