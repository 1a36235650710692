/*
 * The mesh file as a table: which keys there are, of which type, and which must be there. libcyaml loads
 * by it into the raw structs below, and shape.h checks by the same table, so the two cannot disagree.
 *
 * How the table is read: a field without CYAML_FLAG_OPTIONAL is required; a text is never empty; a
 * list has at least `min` and at most `max` entries. The value 0 of every enumeration is "not given".
 */
#ifndef JMESH_SCHEMA_TABLE_H
#define JMESH_SCHEMA_TABLE_H

#include <cyaml/cyaml.h>

enum raw_bool { RAW_UNSET, RAW_TRUE, RAW_FALSE };
enum raw_platform { RAW_PLATFORM_UNSET, RAW_AUTO, RAW_FREEBSD, RAW_JAILRUN, RAW_NETNS };
enum raw_backend { RAW_BACKEND_UNSET, RAW_BACKEND_AUTO, RAW_PF, RAW_NFTABLES };
enum raw_become { RAW_BECOME_UNSET, RAW_BECOME_NONE, RAW_DOAS, RAW_SUDO };
enum raw_manage { RAW_MANAGE_UNSET, RAW_RULESET, RAW_ANCHOR };
enum raw_server { RAW_SERVER_UNSET, RAW_UNBOUND, RAW_SERVER_NONE };
enum raw_pair { RAW_PAIR_UNSET, RAW_NONE, RAW_CREATE, RAW_JOIN, RAW_RENDEZVOUS };

struct raw_jail {
	const char *name, *address;
};

struct raw_roster_jail {
	const char *name, *address, *public_key;
};

struct raw_peer {
	const char *name;
	enum raw_pair pair;
	enum raw_bool plain;
	const char *code, *code_env, *code_file, *secret_env, *secret_file;
	struct raw_roster_jail *jails;
	unsigned n_jails;
};

struct raw_host {
	enum raw_platform platform;
	const char *state_dir, *ssh, *ssh_port, *ssh_key;
	enum raw_become become;
};

struct raw_relay {
	const char *url, *ca_file;
};

struct raw_yggdrasil {
	const char *listen;
	const char **peers;
	unsigned n_peers;
	const char *interface;
	enum raw_bool protect_host;
};

struct raw_firewall {
	enum raw_backend backend;
	enum raw_manage manage;
	const char *table;
};

struct raw_dns {
	enum raw_server server;
	const char *zone, *include, *config;
};

struct raw_mesh {
	const char *version, *name;
	struct raw_host host;
	struct raw_relay relay;
	struct raw_yggdrasil yggdrasil;
	struct raw_firewall firewall;
	struct raw_dns dns;
	struct raw_jail *jails;
	unsigned n_jails;
	struct raw_peer *peers;
	unsigned n_peers;
};

enum { MESH_PEERS_MAX = 10000 };

extern const struct cyaml_schema_value mesh_table; /* a struct raw_mesh */

#endif
