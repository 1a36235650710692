#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/node.h"
#include "relay_lab.h"

TestSuite(relay_node, .timeout = 60);

/* The node's pid, of which the relay is the parent; 0: none. */
static pid_t node_of(const struct relay *r)
{
	char path[64];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)r->pid, (int)r->pid);
	f = fopen(path, "r");
	if (f != NULL) {
		if (fscanf(f, "%d", &pid) != 1)
			pid = 0;
		fclose(f);
	}
	return pid;
}

static bool gone_soon(pid_t pid)
{
	for (int i = 0; i < 300; i++) {
		char path[64], state = 'Z';
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "r");
		if (f == NULL)
			return true;
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z') {
			fclose(f);
			return true;
		}
		fclose(f);
		usleep(10 * 1000);
	}
	return false;
}

Test(relay_node, runs_and_ends_with_the_relay)
{
	struct relay r = relay_up((struct relay_conf){ .node = "tcp://127.0.0.1:0" });
	pid_t node = node_of(&r);

	cr_assert_gt(r.port, 0);
	cr_assert_gt(node, 0);
	cr_assert(relay_logged(&r, "jmesh relay: node: it has no network interface"));
	relay_down(&r);
	cr_assert(gone_soon(node));
}

Test(relay_node, ends_with_a_relay_that_is_killed)
{
	struct relay r = relay_up((struct relay_conf){ .node = "tcp://127.0.0.1:0" });
	pid_t node = node_of(&r);

	cr_assert_gt(node, 0);
	kill(r.pid, SIGKILL);
	cr_assert_eq(relay_wait(&r), 128 + SIGKILL);
	cr_assert(gone_soon(node));
	close(r.log);
}

Test(relay_node, takes_the_relay_with_it)
{
	struct relay r = relay_up((struct relay_conf){ .node = "tcp://127.0.0.1:0" });
	pid_t node = node_of(&r);

	cr_assert_gt(node, 0);
	kill(node, SIGKILL);
	cr_assert_eq(relay_wait(&r), 1);
	cr_assert(relay_logged(&r, "error: the Yggdrasil node ended"));
	close(r.log);
}

Test(relay_node, that_cannot_listen_is_an_error)
{
	struct relay r = relay_up((struct relay_conf){ .node = "tcp://192.0.2.1:5000" });

	cr_assert_eq(relay_wait(&r), 1);
	cr_assert(relay_logged(&r, "error: the Yggdrasil node does not listen: "));
	close(r.log);
}

/* A folder with a program yggdrasil that says version, in front of PATH. */
static void pretend(const char *version)
{
	char dir[] = "/tmp/jmesh-test-XXXXXX", path[64];
	FILE *f;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/yggdrasil", dir);
	f = fopen(path, "w");
	fprintf(f, "#!/bin/sh\necho 'Build name: yggdrasil'\necho 'Build version: %s'\n", version);
	fchmod(fileno(f), 0755);
	fclose(f);
	setenv("PATH", dir, 1);
}

Test(relay_node, that_is_too_old_is_an_error)
{
	static const struct {
		const char *version, *why;
	} cases[] = {
		{ "0.4.7", "error: --node: yggdrasil is version 0.4.7: install 0.5.10 or newer" },
		{ "0.5.9", "error: --node: yggdrasil is version 0.5.9: install 0.5.10 or newer" },
		{ "unknown", "error: --node: yggdrasil -version does not say its version" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char made[80];

		pretend(cases[i].version);
		struct relay r = relay_up((struct relay_conf){ .node = "tcp://127.0.0.1:0" });

		cr_assert_eq(relay_wait(&r), 1);
		cr_assert(relay_logged(&r, cases[i].why), "%s", cases[i].why);
		close(r.log);
		snprintf(made, sizeof(made), "%s/yggdrasil", getenv("PATH"));
		unlink(made);
		rmdir(getenv("PATH"));
	}
}
