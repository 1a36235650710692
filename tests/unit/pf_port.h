/*
 * FreeBSD's pf in memory: a port over places that each have one, as strict as the real pfctl (FACTS). What
 * changes something, or checks it, is in a log, in order:
 *
 *   "web$ pfctl -f -\n" and the standard input, each line of it behind "  < "; the host's name is "host"
 *   "web$ replace PATH\n" and the text, likewise
 *   "round\n" before each call that runs something
 */
#ifndef JMESH_TESTS_UNIT_PF_PORT_H
#define JMESH_TESTS_UNIT_PF_PORT_H

#include "base/port.h"

struct pf_port {
	struct arena *arena;
	struct pf_place *places;
	size_t n, cap;
	struct text log;
	size_t looks; /* round trips of looking */
	/* A command whose words contain this fails so; NULL: none. */
	const char *failing, *err;
	int status;
	const char *boot_file; /* pf_rules of rc.conf, everywhere; NULL: the default */
	int rounds_left;       /* until every command fails; -1: no end */
};

struct pf_port *pf_port_new(struct arena *a);
struct port pf_port_port(struct pf_port *p);
const char *pf_port_log(struct pf_port *p); /* since the last call */

/* place NULL: the host; anchor "": the main ruleset. */
void pf_port_enable(struct pf_port *p, const char *place, bool on);
void pf_port_boot(struct pf_port *p, const char *place);
void pf_port_rule(struct pf_port *p, const char *place, const char *anchor, const char *listed);
void pf_port_skip(struct pf_port *p, const char *place, const char *name);
void pf_port_translation(struct pf_port *p, const char *place, const char *listed);
void pf_port_entry(struct pf_port *p, const char *place, const char *anchor, const char *table,
	const char *entry);
void pf_port_state(struct pf_port *p, const char *place, const char *from, const char *to);
void pf_port_file(struct pf_port *p, const char *place, const char *path, const char *text);

const char *pf_port_text(struct pf_port *p, const char *place, const char *path); /* NULL: none */
const char *pf_port_rules(struct pf_port *p, const char *place, const char *anchor);
const char *pf_port_table(
	struct pf_port *p, const char *place, const char *anchor, const char *table);
bool pf_port_boots(struct pf_port *p, const char *place);
/* "FROM>TO\n"... */
const char *pf_port_states(struct pf_port *p, const char *place);

#endif
