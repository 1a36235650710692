/* What the Linux platform sees, and its nodes' keys. */
#include <criterion/criterion.h>

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "tests/unit/netns_sandbox.h"

/* Made by openssl genpkey -algorithm ed25519, and by yggdrasil -genconf. */
#define PEM                                                                  \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MC4CAQAwBQYDK2VwBCIEIJWDQncI+AQ3Ra9Jg/fOyWXYQK0a39nOEnvZK2YUrWMw\n" \
	"-----END PRIVATE KEY-----\n"
#define PUBLIC "6845ae66a46d52cd7d70ad27ea56c4a8f7f0300f5878db6ceccff622aab1dbd6"
#define INLINE                                                             \
	"e5a4c1443634de95bcf0ee1e89246fa3a4918c850f058c8c70a4359fe8489ae2" \
	"42844f80cf629f4d5296be9029955283b9d364e7c040d574e68e9b5f009dd1bd"
#define KEY_FILE STATE "/nodes/web/key.pem"
#define CONF_FILE STATE "/nodes/web/yggdrasil.conf"

/* "file HEX" or "conf HEX", "none", or the error. */
static const char *key_of(const char *node)
{
	struct look v = { .kind = LOOK_KEY, .place = node };
	char hex[KEY_HEX];

	CHECK(port.ops->look(port.self, &v, 1, arena, &e) == 0);
	if (v.rc < 0)
		return arena_dup(arena, v.err.text);
	if (v.rc == 1)
		return "none";
	pubkey_format(&v.key.key, hex);
	return arena_printf(arena, "%s %s", v.key.in_file ? "file" : "conf", hex);
}

static void make_key(const char *node)
{
	CHECK(port.ops->key_make(port.self, node, &e) == 0);
}

static const char *text_of(const char *path)
{
	const char *text;
	size_t len;

	CHECK(file_read(path, 4096, arena, &text, &len, &e) == 0);
	return text;
}

SANDBOX(a_key_is_made_once_and_kept)
{
	const char *made, *first;

	CHECK_TEXT(key_of("web"), "none");
	make_key("web");
	CHECK(sandbox_sh("test $(stat -c %%a %s) = 600 && test $(stat -c %%a %s/nodes/web) = 700",
		      KEY_FILE, STATE) == 0);
	first = key_of("web");
	CHECK(strncmp(first, "file ", 5) == 0);
	made = text_of(KEY_FILE);
	make_key("web");
	CHECK_TEXT(text_of(KEY_FILE), made);
	CHECK_TEXT(key_of("web"), first);
	make_key("db");
	make_key(HOST_NODE);
	CHECK(strcmp(key_of("db"), first) != 0 && strcmp(key_of(HOST_NODE), key_of("db")) != 0);
	/* openssl reads it, and tells the same public key. */
	CHECK(sandbox_sh("openssl pkey -in %s -pubout -outform DER | tail -c 32 | od -An -v -tx1 | "
			 "tr -d ' \n' | grep -qx %s",
		      KEY_FILE, first + 5) == 0);
}

SANDBOX(a_key_that_is_open_wrong_or_not_ours_is_refused)
{
	CHECK(file_mkdirs(STATE "/nodes/web", 0700, &e) == 0);
	sandbox_write(KEY_FILE, PEM);
	CHECK_TEXT(key_of("web"), "file " PUBLIC);
	CHECK(chmod(KEY_FILE, 0640) == 0);
	CHECK_TEXT(key_of("web"),
		"the key file " KEY_FILE " is open to others (mode 0640): chmod 600 " KEY_FILE);
	CHECK(chmod(KEY_FILE, 0600) == 0);
	/* A user namespace may know one user only. */
	if (chown(KEY_FILE, 4711, 0) == 0)
		CHECK_TEXT(key_of("web"),
			"the key file " KEY_FILE " belongs to user 4711: chown root " KEY_FILE
			" if it is to be trusted");
	CHECK(chown(KEY_FILE, 0, 0) == 0);
	sandbox_write(KEY_FILE, "junk");
	CHECK(strstr(key_of("web"), "the key file " KEY_FILE " is wrong (restore it from a ") !=
		NULL);
	sandbox_write(KEY_FILE, "");
	CHECK(strstr(key_of("web"), "the key file " KEY_FILE " is wrong") != NULL);
	/* Nothing is overwritten, not even that. */
	make_key("web");
	CHECK_TEXT(text_of(KEY_FILE), "");
}

SANDBOX(the_key_of_a_configuration_is_adopted)
{
	CHECK(file_mkdirs(STATE "/nodes/web", 0700, &e) == 0);
	sandbox_write(CONF_FILE, "{\n  # mine\n  privatekey: " INLINE "\n}\n");
	CHECK_TEXT(key_of("web"), arena_printf(arena, "conf %s", &INLINE[64]));
	make_key("web");
	CHECK_TEXT(key_of("web"), arena_printf(arena, "file %s", &INLINE[64]));
	sandbox_write(CONF_FILE, "{ PrivateKey: \"\" }");
	CHECK_TEXT(key_of("web"), arena_printf(arena, "file %s", &INLINE[64]));
}

SANDBOX(two_identities_of_one_node_are_refused)
{
	CHECK(file_mkdirs(STATE "/nodes/web", 0700, &e) == 0);
	sandbox_write(KEY_FILE, PEM);
	sandbox_write(CONF_FILE, "{\"PrivateKey\":\"" INLINE "\"}");
	CHECK_TEXT(key_of("web"),
		"the node has two identities: " KEY_FILE " and the PrivateKey in " CONF_FILE
		" are different keys; remove the one that is not to be");
}

SANDBOX(no_key_is_made_beside_a_configuration_that_cannot_be_read)
{
	CHECK(file_mkdirs(STATE "/nodes/web", 0700, &e) == 0);
	sandbox_write(CONF_FILE, "{ PrivateKey: [");
	CHECK(strstr(key_of("web"), CONF_FILE " cannot be read as a configuration") != NULL);
	CHECK(port.ops->key_make(port.self, "web", &e) == -1);
	CHECK(strstr(e.text, CONF_FILE " cannot be read as a configuration") != NULL);
	sandbox_write(CONF_FILE, "{ PrivateKey: \"abc\" }");
	CHECK_TEXT(key_of("web"), CONF_FILE ": PrivateKey is not 128 hexadecimal digits");
	CHECK(port.ops->key_make(port.self, "web", &e) == -1);
	CHECK(access(KEY_FILE, F_OK) != 0);
	/* With a key file the identity is known, whatever the configuration looks like. */
	sandbox_write(KEY_FILE, PEM);
	sandbox_write(CONF_FILE, "{ PrivateKey: [");
	CHECK_TEXT(key_of("web"), "file " PUBLIC);
	sandbox_write(CONF_FILE, "{ PrivateKey: \"abc\" }");
	CHECK_TEXT(key_of("web"), CONF_FILE ": PrivateKey is not 128 hexadecimal digits");
}

SANDBOX(many_things_are_looked_at_at_once_and_no_key_is_seen)
{
	struct node_paths p = sandbox_configure("web", ",\"PrivateKey\":\"" INLINE "\"");
	struct look v[] = {
		{ .kind = LOOK_RUN,
			.cmd = { .jail = "web", .argv = ARGV("sh", "-c", "sleep 1; echo 1") } },
		{ .kind = LOOK_FILE, .path = p.conf, .max = 4096 },
		{ .kind = LOOK_RUN, .cmd = { .argv = ARGV("sh", "-c", "sleep 1; exit 2") } },
		{ .kind = LOOK_FILE, .path = STATE "/none", .max = 4096 },
		{ .kind = LOOK_KEY, .place = "web" },
		{ .kind = LOOK_ASK, .path = p.socket, .request = "{}" },
		{ .kind = LOOK_FILE, .path = p.conf, .max = 10 },
		{ .kind = LOOK_NODE, .place = "web" },
		{ .kind = LOOK_RUN, .cmd = { .jail = "nope", .argv = ARGV("true") } },
	};
	int64_t from = clock_ms();

	CHECK(port.ops->look(port.self, v, sizeof(v) / sizeof(v[0]), arena, &e) == 0);
	CHECK(clock_ms() - from < 1900);
	CHECK(v[0].rc == 0 && v[0].output.status == 0);
	CHECK_TEXT(v[0].output.out, "1\n");
	CHECK(v[1].rc == 0 && strstr(v[1].text, "\"PrivateKey\":\"xxxx") != NULL);
	CHECK(v[1].len == strlen(text_of(p.conf)) && strstr(v[1].text, "e5a4") == NULL);
	CHECK(strstr(v[1].text, p.socket) != NULL);
	CHECK(v[2].rc == 0 && v[2].output.status == 2);
	CHECK(v[3].rc == 1);
	CHECK(v[4].rc == 0 && !v[4].key.in_file);
	CHECK(v[5].rc == 1);
	CHECK(v[6].rc == -1 && strstr(v[6].err.text, "is larger than 10 bytes") != NULL);
	CHECK(v[7].rc == 0 && !v[7].state.running);
	CHECK(v[8].rc == 0 && v[8].output.status == -1);
}

/* A daemon that hangs is waited for once, not once a question. */
SANDBOX(a_silent_node_is_waited_for_once)
{
	struct node_paths p = sandbox_configure("web", LISTENING);
	struct look v[4];
	int64_t from;
	int pid;

	sandbox_start("web");
	pid = (int)sandbox_state("web").pid;
	CHECK(kill(pid, SIGSTOP) == 0);
	/* A thread that runs meanwhile may still answer. */
	CHECK(sandbox_sh("while grep -L '^State:.*T' /proc/%d/task/*/status | grep -q .; do "
			 "sleep 0.01; done",
		      pid) == 0);
	for (size_t i = 0; i < 4; i++)
		v[i] = (struct look){
			.kind = LOOK_ASK, .path = p.socket, .request = "{\"request\":\"getself\"}"
		};
	from = clock_ms();
	CHECK(port.ops->look(port.self, v, 4, arena, &e) == 0);
	CHECK(clock_ms() - from < 9000);
	for (size_t i = 0; i < 4; i++)
		CHECK(v[i].rc == -1 && strcmp(v[i].err.text, v[0].err.text) == 0);
	CHECK(kill(pid, SIGCONT) == 0);
	sandbox_stop("web");
}
