#include "schema/table.h"

#include "base/roster.h"

#define REQUIRED CYAML_FLAG_DEFAULT
#define OPTIONAL CYAML_FLAG_OPTIONAL
#define TEXT(key, flags, type, member) \
	CYAML_FIELD_STRING_PTR(key, flags, struct type, member, 0, CYAML_UNLIMITED)
#define CHOICE(key, type, member, words)                                                           \
	CYAML_FIELD_ENUM(key, CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct type, member, words, \
		CYAML_ARRAY_LEN(words))
#define SECTION(key, member, fields) \
	CYAML_FIELD_MAPPING(key, CYAML_FLAG_OPTIONAL, struct raw_mesh, member, fields)
#define LIST(key, type, member, count, entry, min, max)                                        \
	CYAML_FIELD_SEQUENCE_COUNT(key, CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct type, \
		member, count, entry, min, max)

static const cyaml_strval_t bools[] = { { "true", RAW_TRUE }, { "false", RAW_FALSE } };
static const cyaml_strval_t platforms[] = {
	{ "auto", RAW_AUTO },
	{ "freebsd", RAW_FREEBSD },
	{ "jailrun", RAW_JAILRUN },
	{ "netns", RAW_NETNS },
};
static const cyaml_strval_t backends[] = {
	{ "auto", RAW_BACKEND_AUTO },
	{ "pf", RAW_PF },
	{ "nftables", RAW_NFTABLES },
};
static const cyaml_strval_t becomes[] = {
	{ "doas", RAW_DOAS },
	{ "sudo", RAW_SUDO },
	{ "none", RAW_BECOME_NONE },
};
static const cyaml_strval_t manages[] = {
	{ "ruleset", RAW_RULESET },
	{ "anchor", RAW_ANCHOR },
};
static const cyaml_strval_t servers[] = { { "unbound", RAW_UNBOUND }, { "none", RAW_SERVER_NONE } };
static const cyaml_strval_t pairs[] = {
	{ "create", RAW_CREATE },
	{ "join", RAW_JOIN },
	{ "rendezvous", RAW_RENDEZVOUS },
	{ "none", RAW_NONE },
};

static const cyaml_schema_field_t jail_fields[] = {
	TEXT("name", REQUIRED, raw_jail, name),
	TEXT("address", OPTIONAL, raw_jail, address),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t jail = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_jail, jail_fields),
};

static const cyaml_schema_field_t roster_jail_fields[] = {
	TEXT("name", REQUIRED, raw_roster_jail, name),
	TEXT("address", REQUIRED, raw_roster_jail, address),
	TEXT("public_key", OPTIONAL, raw_roster_jail, public_key),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t roster_jail = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_roster_jail, roster_jail_fields),
};

static const cyaml_schema_field_t peer_fields[] = {
	TEXT("name", REQUIRED, raw_peer, name),
	CHOICE("pair", raw_peer, pair, pairs),
	CHOICE("plain", raw_peer, plain, bools),
	TEXT("code", OPTIONAL, raw_peer, code),
	TEXT("code_env", OPTIONAL, raw_peer, code_env),
	TEXT("code_file", OPTIONAL, raw_peer, code_file),
	TEXT("secret_env", OPTIONAL, raw_peer, secret_env),
	TEXT("secret_file", OPTIONAL, raw_peer, secret_file),
	LIST("jails", raw_peer, jails, n_jails, &roster_jail, 1, ROSTER_JAILS_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t peer = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_peer, peer_fields),
};

static const cyaml_schema_field_t host_fields[] = {
	CHOICE("platform", raw_host, platform, platforms),
	TEXT("state_dir", OPTIONAL, raw_host, state_dir),
	TEXT("ssh", OPTIONAL, raw_host, ssh),
	TEXT("ssh_port", OPTIONAL, raw_host, ssh_port),
	TEXT("ssh_key", OPTIONAL, raw_host, ssh_key),
	CHOICE("become", raw_host, become, becomes),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t relay_fields[] = {
	TEXT("url", OPTIONAL, raw_relay, url),
	TEXT("ca_file", OPTIONAL, raw_relay, ca_file),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t uri = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};
static const cyaml_schema_field_t yggdrasil_fields[] = {
	TEXT("listen", OPTIONAL, raw_yggdrasil, listen),
	LIST("peers", raw_yggdrasil, peers, n_peers, &uri, 0, 1024),
	TEXT("interface", OPTIONAL, raw_yggdrasil, interface),
	CHOICE("protect_host", raw_yggdrasil, protect_host, bools),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t firewall_fields[] = {
	CHOICE("backend", raw_firewall, backend, backends),
	CHOICE("manage", raw_firewall, manage, manages),
	TEXT("table", OPTIONAL, raw_firewall, table),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t dns_fields[] = {
	CHOICE("server", raw_dns, server, servers),
	TEXT("zone", OPTIONAL, raw_dns, zone),
	TEXT("include", OPTIONAL, raw_dns, include),
	TEXT("config", OPTIONAL, raw_dns, config),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t mesh_fields[] = {
	TEXT("version", REQUIRED, raw_mesh, version),
	TEXT("name", REQUIRED, raw_mesh, name),
	SECTION("host", host, host_fields),
	SECTION("relay", relay, relay_fields),
	SECTION("yggdrasil", yggdrasil, yggdrasil_fields),
	SECTION("firewall", firewall, firewall_fields),
	SECTION("dns", dns, dns_fields),
	LIST("jails", raw_mesh, jails, n_jails, &jail, 1, ROSTER_JAILS_MAX),
	LIST("peers", raw_mesh, peers, n_peers, &peer, 0, MESH_PEERS_MAX),
	CYAML_FIELD_END,
};

/* libcyaml wants a pointer at the top. */
const cyaml_schema_value_t mesh_table = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_mesh, mesh_fields),
};
