#include "cli/words.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

enum {
	VALIDATE = 1,
	DIFF = 2,
	APPLY = 4,
	STATUS = 8,
	ROSTER = 16,
	TEARDOWN = 32,
	RELAY = 64,
	INIT = 128,
	SECRET = 256,
	HOST = DIFF | APPLY | STATUS | ROSTER | TEARDOWN,
};

static const struct command_words commands[] = {
	{ "init", INIT, cmd_init, "write a mesh file from what another program set up",
		"Reads ~/.jrun/state.json and writes its jails and peers down, after which diff "
		"says in sync.\n"
		"Never replaces a file.\n"
		"Exit status: 0 written; 1 an error.\n",
		true },
	{ "validate", VALIDATE, cmd_validate, "check the mesh file; touch nothing",
		"Prints every problem with its place, the line and a caret.\n"
		"Exit status: 0 the file is good; 1 it is not.\n",
		true },
	{ "diff", DIFF, cmd_diff, "show what apply would change; change nothing",
		"Compares the mesh file and its lock with the live firewall, resolver and nodes, "
		"and with\n"
		"what is saved for the next start.\n"
		"Exit status: 0 in sync; 2 there are differences; 1 an error.\n",
		true },
	{ "apply", APPLY, cmd_apply, "make it so, then read again and verify",
		"Revokes first and grants last; runs a pairing handshake only where a roster is "
		"missing or\n"
		"its code has changed; restarts nothing that need not restart.\n"
		"Exit status: 0 converged; 1 something failed; 3 converged but for a pairing that "
		"still\n"
		"waits; 130 interrupted.\n",
		true },
	{ "status", STATUS, cmd_status, "nodes, addresses, peerings, pairings, what is allowed",
		"Exit status: 0; 1 an error.\n", true },
	{ "roster", ROSTER, cmd_roster, "this instance's jails, as YAML for a peer's jails:",
		"Exit status: 0; 1 an error, or a jail that has no key yet.\n", true },
	{ "teardown", TEARDOWN, cmd_teardown, "take back everything that the file granted",
		"Revokes addresses and their established flows, removes the names, stops the "
		"nodes. Keys\n"
		"and the lock stay, so that apply brings all of it back, unless --forget is "
		"given.\n"
		"Exit status: 0 done; 1 an error.\n",
		true },
	{ "secret", SECRET, cmd_secret, "make a secret for two sides that pair by rendezvous",
		"Prints 128 random bits, for secret_file or secret_env on both sides.\n"
		"Exit status: 0; 1 an error.\n",
		false },
	{ "relay", RELAY, cmd_relay, "serve the pairing endpoints to other machines",
		"Keeps pairings in memory alone, or in a Redis, so that several relays are one. A "
		"line a\n"
		"request goes to standard error, without codes and rosters. Runs until SIGTERM. "
		"What one\n"
		"address may do is bounded, and wrong codes slow it down. JMESH_STORE in the "
		"environment stands\n"
		"for --store, and may have a password: redis://:PASSWORD@HOST.\n"
		"Exit status: 0 stopped; 1 an error.\n",
		false },
};

#define FIELD(name) offsetof(struct options, name)

static const struct option_words options[] = {
	{ "--json", NULL, "print one JSON object instead of text", VALIDATE | HOST, OPTION_SET,
		FIELD(json), 0, 0, NULL },
	{ "--verbose", NULL, "also tell how often the host was asked, on standard error", HOST,
		OPTION_SET, FIELD(verbose), 0, 0, NULL },
	{ "--lock", "FILE", "the lock file (default: mesh.lock beside the mesh file)", HOST,
		OPTION_TEXT, FIELD(lock), 0, 0, "--lock needs the name of a file%s" },
	{ "--wait", "SECONDS", "how long to wait for others to join; 0: ask once (default 600)",
		APPLY, OPTION_NUMBER, FIELD(wait), 0, 7 * 86400,
		"--wait takes seconds from 0 to 604800, not '%s'" },
	{ "--no-pair", NULL, "run no pairing handshake", APPLY, OPTION_UNSET, FIELD(pair), 0, 0,
		NULL },
	{ "--yes", NULL, "let in whatever an unauthenticated pairing (plain: true) brings, unasked",
		APPLY, OPTION_SET, FIELD(yes), 0, 0, NULL },
	{ "--code", "PEER=CODE", "the code to join PEER with; may be given again for another peer",
		DIFF | APPLY, OPTION_LIST, FIELD(code), 0, 0, NULL },
	{ "--peer", "NAME", "only this peer's grants and names", TEARDOWN, OPTION_TEXT, FIELD(peer),
		0, 0, "--peer needs the name of a peer%s" },
	{ "--forget", NULL, "also forget its roster; without --peer the keys and the lock as well",
		TEARDOWN, OPTION_SET, FIELD(forget), 0, 0, NULL },
	{ "--from-jailrun", NULL, "from the jails and pairings of this user's Jailrun", INIT,
		OPTION_SET, FIELD(from_jailrun), 0, 0, NULL },
	{ "--listen", "ADDR:PORT",
		"where to serve, as 0.0.0.0:8080 or [::]:8080 (default 127.0.0.1:8080)", RELAY,
		OPTION_TEXT, FIELD(listen), 0, 0, "--listen needs ADDR:PORT%s" },
	{ "--admin", "ADDR:PORT",
		"also serve /healthz and /metrics there; PORT alone: on 127.0.0.1 (default: off)",
		RELAY, OPTION_TEXT, FIELD(admin), 0, 0, "--admin needs ADDR:PORT%s" },
	{ "--node", "URI", "also run a Yggdrasil node that listens there, as tcp://0.0.0.0:37100",
		RELAY, OPTION_TEXT, FIELD(node), 0, 0, "--node needs a URI%s" },
	{ "--tls-cert", "FILE", "serve HTTPS with this certificate and its chain (PEM)", RELAY,
		OPTION_TEXT, FIELD(tls_cert), 0, 0, "--tls-cert needs the name of a file%s" },
	{ "--tls-key", "FILE", "the certificate's key (PEM); SIGHUP reads both files again", RELAY,
		OPTION_TEXT, FIELD(tls_key), 0, 0, "--tls-key needs the name of a file%s" },
	{ "--trusted-proxy", "ADDR",
		"believe X-Forwarded-For of this address or network; may be given again", RELAY,
		OPTION_LIST, FIELD(trusted_proxy), 0, 0, NULL },
	{ "--store", "URL",
		"keep pairings in that Redis, as redis://HOST[:PORT][/DB] or unix:///PATH", RELAY,
		OPTION_TEXT, FIELD(store), 0, 0, "--store needs a URL%s" },
	{ "--ttl", "SECONDS", "how long a pairing may wait (default 3600)", RELAY, OPTION_NUMBER,
		FIELD(ttl), 1, 86400, "--ttl takes seconds from 1 to 86400, not '%s'" },
	{ "--max-pairings", "N", "how many pairings may be open (default 10000)", RELAY,
		OPTION_NUMBER, FIELD(max_pairings), 1, 1000000,
		"--max-pairings takes a number from 1 to 1000000, not '%s'" },
	{ "--max-connections", "N", "how many connections may be open (default 1024)", RELAY,
		OPTION_NUMBER, FIELD(max_connections), 1, 65536,
		"--max-connections takes a number from 1 to 65536, not '%s'" },
	{ "--max-memory", "SIZE", "how much memory requests and pairings may take (default 512M)",
		RELAY, OPTION_SIZE, FIELD(max_memory), 1024 * 1024, LONG_MAX,
		"--max-memory takes a size from 1M, in bytes or with K, M or G, not '%s'" },
	{ "--workers", "N", "threads that serve (default: one for each processor)", RELAY,
		OPTION_NUMBER, FIELD(workers), 1, 256,
		"--workers takes a number from 1 to 256, not '%s'" },
};

enum {
	N_COMMANDS = sizeof(commands) / sizeof(commands[0]),
	N_OPTIONS = sizeof(options) / sizeof(options[0]),
};

const struct command_words *words_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const struct option_words *words_option(const struct command_words *c, const char *name, size_t len)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if ((options[i].commands & c->bit) != 0 && strlen(options[i].name) == len &&
			memcmp(options[i].name, name, len) == 0)
			return &options[i];
	return NULL;
}

void words_help(FILE *to)
{
	fputs("jmesh: a private mesh between the jails of machines that trust each other, from one "
	      "file\n\n"
	      "usage: jmesh COMMAND [OPTION...] [FILE]\n\n"
	      "FILE is the mesh file: mesh.yaml where none is named, - for standard input.\n\n",
		to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\njmesh COMMAND --help tells a command's options; jmesh --version the version;\n"
	      "jmesh --completion prints a completion script for bash.\n",
		to);
}

void words_help_command(FILE *to, const struct command_words *c)
{
	bool any = false;

	fprintf(to, "jmesh %s: %s\n\nusage: jmesh %s [OPTION...]%s\n\n%s", c->name, c->help,
		c->name, c->takes_file ? " [FILE]" : "", c->detail);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		char name[64];

		if ((options[i].commands & c->bit) == 0)
			continue;
		snprintf(name, sizeof(name), "%s%s%s", options[i].name,
			options[i].value == NULL ? "" : " ",
			options[i].value == NULL ? "" : options[i].value);
		fprintf(to, "%s  %-20s  %s\n", any ? "" : "\n", name, options[i].help);
		any = true;
	}
}

void words_completion(FILE *to)
{
	fputs("_jmesh() {\n"
	      "\tlocal word=${COMP_WORDS[COMP_CWORD]} words=\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	      "\t\twords='",
		to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "%s ", commands[i].name);
	fputs("--help --version --completion'\n"
	      "\telse\n"
	      "\t\tcase ${COMP_WORDS[1]} in\n",
		to);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		fprintf(to, "\t\t%s) words='", commands[i].name);
		for (size_t j = 0; j < N_OPTIONS; j++)
			if ((options[j].commands & commands[i].bit) != 0)
				fprintf(to, "%s ", options[j].name);
		fputs("--help' ;;\n", to);
	}
	fputs("\t\tesac\n"
	      "\tfi\n"
	      "\tcase $word in\n"
	      "\t-*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\") ;;\n"
	      "\t*)\n"
	      "\t\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	      "\t\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
	      "\t\telse\n"
	      "\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
	      "\t\tfi ;;\n"
	      "\tesac\n"
	      "}\n"
	      "complete -F _jmesh jmesh\n",
		to);
}
