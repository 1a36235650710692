/*
 * pf's texts (pf.conf(5), pfctl(8)): the rules of a jail, what pfctl prints of the rules, tables and state
 * in the kernel, and a pf.conf that is ours, Jailrun's or the administrator's. Pure. The rules:
 *
 *   what arrives on the overlay interface is dropped, but for replies to connections of our own and what
 *   comes from the table of allowed addresses; other interfaces are as they were
 *
 * The text is the one that Jailrun writes, so that whichever of the two wrote last, the rules are the same.
 * In an anchor they are quick, so that for the overlay interface no rule behind the anchor matters.
 */
#ifndef JMESH_RECONCILER_PF_H
#define JMESH_RECONCILER_PF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* Checked names, as struct mesh promises. */
struct pf_names {
	const char *interface, *table;
	bool anchor; /* the rules are in anchor PF_ANCHOR, and pf.conf is the administrator's */
};

#define PF_ANCHOR "jmesh"
#define PF_CONF "/etc/pf.conf"
#define PF_ANCHOR_CONF "/etc/pf.jmesh.conf" /* what the anchor loads at boot */

/* What pf.conf must have where an anchor is used. */
#define PF_LINE_ANCHOR "anchor \"" PF_ANCHOR "\""
#define PF_LINE_LOAD "load anchor \"" PF_ANCHOR "\" from \"" PF_ANCHOR_CONF "\""

/*
 * Addresses that left the table while the states of their connections may live on. pfctl makes it with the
 * first entry; it is in the kernel only, where the states are too.
 */
#define PF_ENDING "jmesh_ending"

enum {
	PF_TABLE_MAX = 65535, /* pfctl refuses to show more, or to load a file with more */
	PF_BATCH_MAX = 32000, /* of 32,768 that pfctl takes everywhere */
	PF_FILE_MAX = 8 * 1024 * 1024,
};

/* Whether `pfctl -si` says that pf is enabled: 1, 0, or -1 with ERR_SYSTEM. */
int pf_info_parse(const char *text, struct err *e);

/* NONE: nothing is filtered. */
enum pf_rules { PF_RULES_NONE, PF_RULES_OURS, PF_RULES_OTHER };

/* What `pfctl -sr` (with an anchor: `pfctl -a jmesh -sr`) printed, against what our text comes out as. */
enum pf_rules pf_rules_parse(const char *text, const struct pf_names *names);

/*
 * With an anchor: whether the rules of the main ruleset evaluate it before anything can let a packet of the
 * overlay interface in for good. *why, when not: what is wrong and what to do, for the user.
 */
bool pf_anchor_evaluated(
	const char *rules, const struct pf_names *names, struct arena *a, const char **why);

/* Whether a pf.conf has both lines that an anchor needs. */
bool pf_conf_has_anchor(const char *text, size_t len, struct arena *a);

/*
 * The line of a pf.conf, its blanks made one space each, by which pf lets everything pass on our interface,
 * whatever an anchor says: "set skip on" it, its group, or a macro that may be either. NULL: none.
 */
const char *pf_conf_skips(
	const char *text, size_t len, const struct pf_names *names, struct arena *a);

/*
 * What `pfctl -vsI` printed: the interface or group, by whose flag "skip" pf lets everything pass on our
 * interface at this time. NULL: none.
 */
const char *pf_skipped(const char *text, const struct pf_names *names, struct arena *a);

/*
 * The rule of those that `pfctl -sn` printed which lets a packet in on our interface before any filter is
 * asked ("rdr pass"). NULL: none. What other anchors translate is not in them.
 */
const char *pf_let_in_by(const char *translations, const struct pf_names *names, struct arena *a);

/* What a table holds. */
struct pf_table {
	struct addrs addrs; /* single IPv6 addresses; sorted */
	/* What is none of these, and so never ours, each as -T add and -T delete take it: "200::/7",
	 * "!201::1", "10.0.0.1". */
	struct strs others;
};

/* What `pfctl -t TABLE -T show` printed. ERR_SYSTEM on what is no entry. */
int pf_table_parse(const char *text, struct arena *a, struct pf_table *out, struct err *e);

/* Whether it is such an entry, in that one spelling. */
bool pf_entry_check(const char *text);

/* Whose a pf.conf is. An anchor's file is never Jailrun's. */
enum pf_owner { PF_FILE_EMPTY, PF_FILE_OURS, PF_FILE_JAILRUN, PF_FILE_OTHER };

struct pf_file {
	enum pf_owner owner;
	size_t other_line; /* OTHER: the first line that is neither jmesh's nor Jailrun's, from 1 */
	const char *other; /* its text, without its blanks and comment; "" from a NUL byte on */
	bool altered; /* ours or Jailrun's, but it is not as it was written; the addresses apart */
	struct addrs allowed;    /* of the table's definition; sorted */
	size_t table, table_end; /* where the definition stands in Jailrun's */
};

void pf_file_parse(const char *text, size_t len, const struct pf_names *names, struct arena *a,
	struct pf_file *out);

/*
 * The file anew, with these addresses: of Jailrun's only the table's definition is another, else it is our
 * own text. old may be NULL; it is never the administrator's.
 */
const char *pf_file_format(const char *old, size_t old_len, const struct pf_names *names,
	const struct addrs *allowed, struct arena *a);

/* Input for `pfctl -f -`: the rules, with a table that keeps what it has. */
const char *pf_rules_format(const struct pf_names *names, struct arena *a);

/* Input for `-T add -f -` and `-T delete -f -`: an address a line. */
const char *pf_addresses_format(const struct addr *v, size_t n, struct arena *a);

/* What pfctl complains of: the first line of its standard error that is no noise about ALTQ, without
 * "pfctl: "; "" when there is none. */
const char *pf_complaint(const char *err, struct arena *a);

#endif
