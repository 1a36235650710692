#include "relay/node.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/text.h"
#include "os/spawn.h"
#include "relay/log.h"
#include "relay/program.h"

enum { URI_MAX = 512, CONF_MAX = 2048, LOG_LINE_MAX = 1024 };

static const char program[] = "yggdrasil";

int node_check_uri(const char *uri, struct err *e)
{
	static const char *const schemes[] = { "tcp://", "tls://", "quic://", "ws://" };
	/* RFC 3986's characters: nothing that JSON would have to escape. */
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._~:/?#[]@!$&'()*+,;=%";
	size_t len = strlen(uri);

	if (strncmp(uri, "wss://", 6) == 0)
		return err_set(e, ERR_USAGE, NOWHERE,
			"--node '%s': Yggdrasil cannot listen on wss; use ws:// behind a reverse "
			"proxy with TLS",
			uri);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i]);

		if (len <= URI_MAX && len > n && strncmp(uri, schemes[i], n) == 0 &&
			strspn(uri, allowed) == len && strchr(uri + n, ':') != NULL)
			return 0;
	}
	return err_set(e, ERR_USAGE, NOWHERE,
		"--node '%s': write a URI that Yggdrasil can listen on, as in tcp://0.0.0.0:37100 "
		"(tcp, tls, quic or ws)",
		uri);
}

/* The first line of `yggdrasil -version` that names a number; older ones say "Build version: 0.4.7". */
static int check_version(struct err *e)
{
	static const char *const argv[] = { program, "-version", NULL };
	static const char label[] = "Build version: ";
	unsigned major = 0, minor = 0, patch = 0;
	char text[1024];
	size_t len = 0;
	const char *at;
	pid_t pid;
	int out, in = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (in < 0)
		return err_sys(e, "cannot open /dev/null");
	if (program_start(argv, in, &pid, &out, e) < 0)
		return -1;
	while (len < sizeof(text) - 1) {
		struct pollfd p = { .fd = out, .events = POLLIN };
		int ready = poll(&p, 1, 5000);
		ssize_t n = ready > 0 ? read(out, text + len, sizeof(text) - 1 - len) : ready;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	close(out);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	at = strstr(text, label);
	if (at == NULL || sscanf(at + strlen(label), "%u.%u.%u", &major, &minor, &patch) != 3)
		return err_set(
			e, ERR_SYSTEM, NOWHERE, "%s -version does not say its version", program);
	if (major > 0 || minor > 5 || (minor == 5 && patch >= 10))
		return 0;
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"%s is version %u.%u.%u: install 0.5.10 or newer (Debian 12 has it in "
		"bookworm-backports)",
		program, major, minor, patch);
}

/* A pipe that holds the configuration, closed for writing: it is small enough to fit. */
static int configuration(const char *uri, int *fd, struct err *e)
{
	unsigned char public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
	char hex[2 * sizeof(secret) + 1], conf[CONF_MAX];
	int ends[2], n, rc = -1;

	*fd = -1;
	if (spawn_pipe(ends) < 0)
		return err_sys(e, "cannot make a pipe");
	/* Yggdrasil's PrivateKey is libsodium's secret key: the seed and the public key. */
	crypto_sign_keypair(public, secret);
	sodium_bin2hex(hex, sizeof(hex), secret, sizeof(secret));
	n = snprintf(conf, sizeof(conf),
		"{\"PrivateKey\":\"%s\",\"Listen\":[\"%s\"],\"Peers\":[],\"IfName\":\"none\","
		"\"AdminListen\":\"none\",\"MulticastInterfaces\":[],\"NodeInfoPrivacy\":true}\n",
		hex, uri);
	if (n < 0 || n >= (int)sizeof(conf))
		err_set(e, ERR_USAGE, NOWHERE, "--node: the URI is too long");
	else if (write(ends[1], conf, (size_t)n) != n)
		err_sys(e, "cannot hand its configuration to %s", program);
	else
		rc = 0;
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(hex, sizeof(hex));
	sodium_memzero(conf, sizeof(conf));
	close(ends[1]);
	if (rc < 0)
		close(ends[0]);
	else
		*fd = ends[0];
	return rc;
}

int node_start(struct node *n, const char *uri, struct err *e)
{
	static const char *const argv[] = { program, "-useconf", NULL };
	int conf, flags;

	*n = NODE_NONE;
	if (node_check_uri(uri, e) < 0)
		return -1;
	if (check_version(e) < 0 || configuration(uri, &conf, e) < 0 ||
		program_start(argv, conf, &n->pid, &n->log, e) < 0)
		return err_wrap(e, "--node");
	flags = fcntl(n->log, F_GETFL);
	if (flags >= 0)
		fcntl(n->log, F_SETFL, flags | O_NONBLOCK);
	return 0;
}

static enum node_event pass_on(struct node *n, struct err *e)
{
	struct arena *a = arena_new();
	enum node_event event = NODE_NOTHING;

	n->line[n->len] = '\0';
	log_say("node: %s", text_safe(a, n->line, n->len, false));
	arena_free(a);
	if (strstr(n->line, " listener started on ") != NULL) {
		event = NODE_LISTENS;
	} else if (strstr(n->line, "Failed to start listener ") != NULL ||
		strstr(n->line, "Invalid listener URI ") != NULL) {
		event = NODE_REFUSES;
		err_set(e, ERR_SYSTEM, NOWHERE, "the Yggdrasil node does not listen: %s", n->line);
	}
	n->len = 0;
	return event;
}

enum node_event node_pump(struct node *n, struct err *e)
{
	enum node_event event = NODE_NOTHING, of_line;
	char bytes[1024];
	ssize_t got = read(n->log, bytes, sizeof(bytes));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? NODE_NOTHING : NODE_ENDED;
	for (ssize_t i = 0; i < got; i++) {
		if (bytes[i] != '\n')
			n->line[n->len++] = bytes[i];
		if (bytes[i] == '\n' || n->len == sizeof(n->line) - 1) {
			of_line = pass_on(n, e);
			if (of_line != NODE_NOTHING)
				event = of_line;
		}
	}
	if (got != 0)
		return event;
	if (n->len != 0)
		pass_on(n, e);
	return NODE_ENDED;
}

void node_stop(struct node *n)
{
	const struct timespec tick = { .tv_nsec = 10 * 1000 * 1000 };

	if (n->pid > 0) {
		kill(n->pid, SIGTERM);
		for (int i = 0; i < 300; i++) {
			if (waitpid(n->pid, NULL, WNOHANG) != 0)
				break;
			if (i == 299) {
				kill(n->pid, SIGKILL);
				waitpid(n->pid, NULL, 0);
			} else {
				nanosleep(&tick, NULL);
			}
		}
	}
	if (n->log >= 0)
		close(n->log);
	*n = NODE_NONE;
}
