/*
 * The mesh file in types (DESIGN section 3). Everything lives in the arena that mesh_load was handed.
 * Text is checked: what a field's comment promises holds.
 */
#ifndef JMESH_SCHEMA_MESH_H
#define JMESH_SCHEMA_MESH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/roster.h"
#include "base/text.h"

enum mesh_platform { PLATFORM_AUTO, PLATFORM_FREEBSD, PLATFORM_JAILRUN, PLATFORM_NETNS };
enum mesh_firewall { FIREWALL_AUTO, FIREWALL_PF, FIREWALL_NFTABLES };
enum mesh_manage { MANAGE_AUTO, MANAGE_RULESET, MANAGE_ANCHOR };
enum mesh_become { BECOME_NONE, BECOME_DOAS, BECOME_SUDO };
enum mesh_dns { DNS_UNBOUND, DNS_NONE };
enum mesh_pair { PAIR_NONE, PAIR_CREATE, PAIR_JOIN, PAIR_RENDEZVOUS };

struct mesh_jail {
	const char *name;    /* a label in lower case, no duplicates */
	const char *address; /* canonical IPv4, or NULL */
	int line;
};

struct mesh_peer {
	const char *name; /* a label in lower case, not "local", no duplicates */
	enum mesh_pair pair;
	bool plain; /* Jailrun's own, unauthenticated protocol; only with PAIR_CREATE and PAIR_JOIN */
	/* At most one is set, and only with PAIR_JOIN. code is a pass (code.h): with a secret unless plain. */
	const char *code, *code_env, *code_file;
	const char *secret_env, *secret_file; /* exactly one with PAIR_RENDEZVOUS, else none */
	bool has_roster;                      /* jails: was given */
	struct roster roster;
	int line;
};

struct mesh {
	const char *name; /* a label in lower case */
	struct {
		enum mesh_platform platform;
		const char *state_dir; /* absolute, or NULL: the platform's default */
		/*
		 * "user@host" or "host", of letters, digits, '_', '-', '.', ':' and one '@', no '-' at the
		 * beginning of either; NULL: the jails are on this machine. The three others only with it.
		 */
		const char *ssh;
		int ssh_port;        /* 1 to 65535; 0: as ssh is configured */
		const char *ssh_key; /* absolute, or beginning with "~/"; or NULL */
		enum mesh_become become;
		int line;
	} host;
	struct {
		const char *
			url; /* http:// or https://, no slash at the end; default https://relay.jail.run */
		const char *ca_file; /* or NULL */
		int line;
	} relay;
	struct {
		const char *listen;    /* default tcp://10.17.89.1:19001 */
		struct strs peers;     /* default tcp://relay.jail.run:37100; may be [] */
		const char *interface; /* 1 to 15 of letters, digits, '_', '-', '.'; default ygg0 */
		bool protect_host;     /* default true */
		int line;
	} yggdrasil;
	struct {
		enum mesh_firewall backend;
		enum mesh_manage manage; /* with pf only: MANAGE_AUTO elsewhere */
		const char *table;       /* 1 to 31 of letters, digits, '_'; default mesh_peers */
		int line;
	} firewall;
	struct {
		enum mesh_dns server;
		const char *
			zone; /* labels with dots between, lower case, no dot at the end; default jrun */
		const char *include, *config; /* absolute, or NULL: the platform's defaults */
		int line;
	} dns;
	bool has_jails; /* false: every running jail */
	struct mesh_jail *jails;
	size_t n_jails;
	struct mesh_peer *peers;
	size_t n_peers;
};

/* One thing that is wrong with the file. */
struct problem {
	struct loc at;
	const char *text; /* not escaped */
	const char *hint; /* "did you mean 'address'?", or NULL */
};

struct problems {
	struct problem *v;
	size_t n, cap;
};

enum { MESH_BYTES_MAX = 32 * 1024 * 1024 };

/*
 * Parses and checks a mesh file. 0: *out is whole. -1: problems holds at least one, sorted by place.
 * with_lines fills the line fields; they cost a second pass over the text, so validate leaves them out.
 * The text needs no NUL at its end.
 */
int mesh_load(const char *text, size_t len, bool with_lines, struct arena *a, struct mesh *out,
	struct problems *problems);

#endif
