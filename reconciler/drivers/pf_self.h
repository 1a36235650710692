/* What the parts of the pf driver share. Private to reconciler/drivers/pf*.c. */
#ifndef JMESH_RECONCILER_DRIVERS_PF_SELF_H
#define JMESH_RECONCILER_DRIVERS_PF_SELF_H

#include "reconciler/drivers/pf.h"
#include "reconciler/pf.h"

/* What the last read saw in a scope, and what was done since. */
struct pf_seen {
	const char *scope;
	struct pf_names names;
	bool enabled;
	enum pf_rules rules;
	bool skipped;    /* pf looks at nothing on our interface */
	bool translated; /* it has translations, of which ours has none */
	/* Our rules cannot stand there, and pf_look told why. What was granted is taken away all the same, and
	 * nothing else is done. */
	bool barred;
	struct pf_table allowed, ending;
	const char *file; /* the text of the file that is ours; NULL: there is none */
	size_t file_len;
	struct pf_file saved;
	bool boot;
};

struct pf {
	const struct port *port;
	const char *interface, *table;
	enum pf_manage manage;
	struct arena *arena;
	struct pf_seen *seen;
	size_t n_seen, cap_seen;
};

/* Entries of a table: addresses, and whatever else is in it. */
struct pf_leaving {
	struct addrs addrs;
	struct strs others;
};

#define PF_ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* "the host" or "jail web". */
const char *pf_place(const char *scope, struct arena *a);

/* pfctl's argv; anchor: as it is for the anchor's rules and tables. */
const char *const *pf_argv(bool anchor, const char *const *args, struct arena *a);

/* Why pfctl failed: "pfctl: Invalid argument." */
int pf_refused(const struct output *out, struct arena *a, struct err *e);

/* Whether a table command failed for want of the table. */
bool pf_no_table(const struct output *out);

/* What was seen of all scopes, in one look. */
void pf_look(struct pf *p, const struct strs *scopes, struct arena *a, struct failures *failed);
struct pf_seen *pf_seen_of(struct pf *p, const char *scope);

/* Whether strangers are kept out. */
bool pf_is_closed(const struct pf_seen *s);

/* Loads the rules, enables pf, and ends what came in while others stood. */
int pf_protect(struct pf *p, struct pf_seen *s, struct arena *a, struct err *e);

/* Entries leave the table, then their states end. An error tells the first thing that failed; the rest was
 * done all the same. */
int pf_revoke(struct pf *p, struct pf_seen *s, const struct pf_leaving *leaving, struct arena *a,
	struct err *e);

int pf_grant(
	struct pf *p, struct pf_seen *s, const struct addrs *addrs, struct arena *a, struct err *e);

/* The file anew with these addresses; has pf started at boot. */
int pf_save(
	struct pf *p, struct pf_seen *s, const struct addrs *addrs, struct arena *a, struct err *e);
int pf_boot(struct pf *p, struct pf_seen *s, struct arena *a, struct err *e);

#endif
