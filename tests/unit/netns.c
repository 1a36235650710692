/* The Linux platform with real namespaces and the real yggdrasil. */
#include <criterion/criterion.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/statelock.h"
#include "platform/netns.h"
#include "platform/netns_process.h"
#include "platform/platform.h"
#include "tests/unit/netns_sandbox.h"

/* How many processes of a program there are, not counting the dead that nobody has reaped. */
static int alive(const char *program)
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	int n = 0;

	CHECK(proc != NULL);
	while ((entry = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)atol(entry->d_name);
		const char *comm = arena_printf(arena, "/proc/%s/comm", entry->d_name), *text;
		size_t len;

		if (pid > 0 && file_read(comm, 64, arena, &text, &len, &e) == 0 &&
			strncmp(text, program, strlen(program)) == 0 && process_start(pid) != 0)
			n++;
	}
	closedir(proc);
	return n;
}

static struct output run(const char *jail, const char *const *argv)
{
	struct command c = { .jail = jail, .argv = argv };
	struct output o;

	CHECK(port.ops->run(port.self, &c, 1, arena, &o, &e) == 0);
	return o;
}

static const char *space_of(const char *pid)
{
	char *link = arena_alloc(arena, 64, 1);

	CHECK(readlink(arena_printf(arena, "/proc/%s/ns/net", pid), link, 63) > 0);
	return link;
}

static const char *joined(const struct strs *names)
{
	struct text t = text_new(arena);

	for (size_t i = 0; i < names->n; i++)
		text_addf(&t, "%s ", names->v[i]);
	return t.s;
}

static const char *jails(void)
{
	struct strs running, known;

	CHECK(port.ops->jails(port.self, arena, &running, &known, &e) == 0);
	return joined(&running);
}

static const char *known(void)
{
	struct strs running, nodes;

	CHECK(port.ops->jails(port.self, arena, &running, &nodes, &e) == 0);
	return joined(&nodes);
}

SANDBOX(jails_are_the_named_namespaces)
{
	CHECK_TEXT(jails(), "db web ");
	CHECK(sandbox_sh("ip netns add Mail; ip netns add _host; ip netns add a.b; ip netns add "
			 "x_1") == 0);
	CHECK(sandbox_sh("touch /run/netns/stale; mkdir /run/netns/folder") == 0);
	CHECK_TEXT(jails(), "db mail web x_1 ");
	CHECK_TEXT(run("mail", ARGV("true")).err, "");
	/* The namespace that we are in is the host. */
	CHECK(sandbox_sh("ip netns attach here $$") == 0);
	CHECK_TEXT(jails(), "db mail web x_1 ");
}

SANDBOX(without_the_folder_there_are_no_jails)
{
	CHECK(sandbox_sh(
		      "ip netns del web; ip netns del db; umount /run/netns; rmdir /run/netns") ==
		0);
	CHECK_TEXT(jails(), "");
}

SANDBOX(a_command_runs_in_its_jail_and_the_caller_stays)
{
	const char *before = space_of("self");
	struct output o = run("web", ARGV("readlink", "/proc/self/ns/net"));

	CHECK(o.status == 0);
	CHECK(strncmp(o.out, before, strlen(before)) != 0);
	CHECK_TEXT(space_of("self"), before);
	o = run(NULL, ARGV("readlink", "/proc/self/ns/net"));
	CHECK(strncmp(o.out, before, strlen(before)) == 0);
	CHECK_TEXT(run("web", ARGV("sh", "-c", "ip -br link | wc -l")).out, "1\n");
	CHECK(run("web", ARGV("jmesh-no-such-program")).status == -1);
	CHECK_TEXT(space_of("self"), before);
	CHECK_TEXT(space_of("thread-self"), before);
}

SANDBOX(a_jail_that_is_not_there_is_told)
{
	struct output o = run("nope", ARGV("true"));

	CHECK(o.status == -1);
	CHECK_TEXT(o.err, "no network namespace 'nope' (in /run/netns)");
	o = run("../netns/web", ARGV("true"));
	CHECK(o.status == -1);
	CHECK_TEXT(o.err, "'../netns/web' cannot be the name of a jail");
	CHECK(sandbox_sh("touch /run/netns/stale") == 0);
	o = run("stale", ARGV("true"));
	CHECK(o.status == -1);
	CHECK_TEXT(o.err, "'stale' in /run/netns is no network namespace (any more)");
}

SANDBOX(entering_needs_root)
{
	struct output o;

	if (setresuid(65534, 65534, 65534) < 0)
		return; /* a user namespace that knows one user */
	o = run("web", ARGV("true"));
	CHECK(o.status == -1);
	CHECK(strstr(o.err, "needs root") != NULL);
}

SANDBOX(programs_end_with_jmesh)
{
	pid_t pid = fork();

	if (pid == 0) {
		run("web", ARGV("sleep", "98765"));
		_exit(0);
	}
	for (int i = 0; i < 300 && alive("sleep") == 0; i++)
		clock_nap_us(10000);
	CHECK(alive("sleep") == 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 300 && alive("sleep") != 0; i++)
		clock_nap_us(10000);
	CHECK(alive("sleep") == 0);
}

SANDBOX(a_node_starts_answers_and_stops)
{
	struct node_paths p = sandbox_configure("web", LISTENING);
	const char *before = space_of("self"), *reply, *pid;
	struct node_state s;

	CHECK(sandbox_sh("ip netns exec web ip link set lo up") == 0);
	CHECK(!sandbox_state("web").running);
	CHECK(port_ask(&port, "web", p.socket, "{\"request\":\"getself\"}", arena, &reply, &e) ==
		1);
	sandbox_start("web");
	CHECK_TEXT(space_of("self"), before);
	CHECK(port_ask(&port, "web", p.socket, "{\"request\":\"getself\"}", arena, &reply, &e) ==
		0);
	CHECK(strstr(reply, "\"build_version\"") != NULL && strchr(reply, '\0')[-1] == '\n');
	s = sandbox_state("web");
	CHECK(s.running && s.pid > 1 && s.listening.n == 2);
	CHECK_TEXT(s.listening.v[0], "127.0.0.1:19001");
	CHECK_TEXT(s.listening.v[1], "[::1]:19002");
	pid = arena_printf(arena, "%ld", (long)s.pid);
	CHECK(strcmp(space_of(pid), before) != 0);
	/* Detached: a session and a folder that are nobody's, standard input empty, nothing inherited. */
	CHECK(getsid(s.pid) != getsid(0) && getsid(s.pid) != s.pid);
	CHECK(sandbox_sh("test $(readlink /proc/%s/cwd) = /", pid) == 0);
	CHECK(sandbox_sh("test $(readlink /proc/%s/fd/0) = /dev/null", pid) == 0);
	CHECK(sandbox_sh("test $(readlink /proc/%s/fd/2) = %s/yggdrasil.log", pid, p.dir) == 0);
	CHECK(sandbox_sh("! tr '\\0' '\\n' </proc/%s/environ | grep -v ^PATH=", pid) == 0);
	/* Started again it stays what it is. */
	sandbox_start("web");
	CHECK(sandbox_state("web").pid == s.pid);
	sandbox_stop("web");
	CHECK(!sandbox_state("web").running && sandbox_state("web").pid == 0);
	CHECK(access(p.socket, F_OK) != 0);
	CHECK(sandbox_sh("ls -A %s | tr '\\n' ' ' | grep -qx 'yggdrasil.conf yggdrasil.log '",
		      p.dir) == 0);
	sandbox_stop("web");
}

SANDBOX(nodes_are_those_with_files_also_without_a_jail)
{
	CHECK_TEXT(known(), "");
	sandbox_configure("web", LISTENING);
	sandbox_configure("gone", LISTENING);
	sandbox_configure(HOST_NODE, LISTENING);
	CHECK(sandbox_sh("mkdir %s/nodes/a.b", STATE) == 0);
	CHECK_TEXT(known(), "gone web ");
	CHECK_TEXT(jails(), "db web ");
}

SANDBOX(the_hosts_node_runs_on_the_host)
{
	sandbox_configure(HOST_NODE, LISTENING);
	sandbox_start(HOST_NODE);
	CHECK_TEXT(space_of(arena_printf(arena, "%ld", (long)sandbox_state(HOST_NODE).pid)),
		space_of("self"));
	CHECK(sandbox_state(HOST_NODE).listening.n == 2);
	sandbox_stop(HOST_NODE);
}

SANDBOX(a_killed_node_does_not_run_and_starts_again)
{
	struct node_paths p = sandbox_configure("web", LISTENING);
	pid_t first;

	sandbox_start("web");
	first = sandbox_state("web").pid;
	CHECK(kill(first, SIGKILL) == 0);
	/* Nobody reaps it here: a zombie is no node. */
	for (int i = 0; i < 200 && sandbox_state("web").running; i++)
		clock_nap_us(10000);
	CHECK(!sandbox_state("web").running);
	CHECK(access(p.socket, F_OK) == 0);
	sandbox_start("web");
	CHECK(sandbox_state("web").running && sandbox_state("web").pid != first);
	sandbox_stop("web");
}

SANDBOX(a_pid_that_is_anothers_now_is_not_the_node)
{
	struct node_paths p = sandbox_configure("web", LISTENING);
	const char *pid_file = arena_printf(arena, "%s/yggdrasil.pid", p.dir);
	static const char *const garbage[] = { "", "\n", "x", "1", "1 ", "1 0\n", "-1 5\n",
		"99999999999999999999 1\n", "1 1 1\n", "\0001 1\n",
		"1 1                                                                    \n" };
	pid_t other = fork();

	if (other == 0)
		for (;;)
			pause();
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		sandbox_write(pid_file, garbage[i]);
		CHECK(!sandbox_state("web").running);
		sandbox_stop("web");
	}
	/* The right start time, but not our program. */
	CHECK(sandbox_sh("echo %ld $(cut -d' ' -f22 /proc/%ld/stat) >%s", (long)other, (long)other,
		      pid_file) == 0);
	CHECK(!sandbox_state("web").running);
	sandbox_stop("web");
	CHECK(kill(other, 0) == 0 && waitpid(other, NULL, WNOHANG) == 0);
	sandbox_start("web");
	sandbox_stop("web");
}

SANDBOX(a_node_whose_pid_file_is_lost_or_spoilt_is_found)
{
	struct node_paths p = sandbox_configure("web", LISTENING);
	const char *pid_file = arena_printf(arena, "%s/yggdrasil.pid", p.dir);
	pid_t pid;

	sandbox_start("web");
	pid = sandbox_state("web").pid;
	CHECK(unlink(pid_file) == 0);
	CHECK(sandbox_state("web").pid == pid);
	sandbox_write(pid_file, "garbage");
	CHECK(sandbox_state("web").pid == pid);
	/* The start time is another's: the pid file is of a process that is gone. */
	sandbox_write(pid_file, arena_printf(arena, "%ld 1\n", (long)pid));
	CHECK(sandbox_state("web").pid == pid);
	sandbox_start("web");
	CHECK(sandbox_state("web").pid == pid);
	CHECK(!sandbox_state("db").running);
	sandbox_stop("web");
	CHECK(!sandbox_state("web").running);
}

SANDBOX(a_node_that_stayed_in_an_old_namespace_does_not_count)
{
	pid_t pid;

	sandbox_configure("web", LISTENING);
	sandbox_start("web");
	pid = sandbox_state("web").pid;
	CHECK(sandbox_sh("ip netns del web && ip netns add web") == 0);
	CHECK(!sandbox_state("web").running && sandbox_state("web").astray);
	sandbox_start("web");
	CHECK(sandbox_state("web").running && sandbox_state("web").pid != pid &&
		!sandbox_state("web").astray);
	CHECK(alive("yggdrasil") == 1);
	/* One whose jail is gone does count, for it must be stopped. */
	CHECK(sandbox_sh("ip netns del web") == 0);
	CHECK(sandbox_state("web").running);
	sandbox_stop("web");
	CHECK(!sandbox_state("web").running);
	CHECK(alive("yggdrasil") == 0);
}

SANDBOX(why_a_node_does_not_start_is_told)
{
	struct node_paths p = sandbox_configure("web", LISTENING);

	sandbox_write(p.conf, "{ \"PrivateKeyPath\": \"/nowhere\" }\n");
	CHECK(port.ops->node_start(port.self, "web", &e) == -1);
	CHECK(strstr(e.text, "start the node of web: yggdrasil ended: ") == e.text);
	CHECK(strstr(e.text, "/nowhere") != NULL);
	CHECK(!sandbox_state("web").running);
	CHECK(unlink(p.conf) == 0);
	CHECK(port.ops->node_start(port.self, "web", &e) == -1);
	CHECK(strstr(e.text, "yggdrasil.conf: No such file or directory") != NULL);
	sandbox_configure("gone", LISTENING);
	CHECK(port.ops->node_start(port.self, "gone", &e) == -1);
	CHECK_TEXT(e.text, "start the node of gone: no network namespace 'gone' (in /run/netns)");
	CHECK(!sandbox_state("gone").running);
	if (!sandbox_can_tun())
		return;
	/* The interface's name is taken: the admin socket has answered by then. */
	sandbox_configure("web", LISTENING);
	CHECK(sandbox_sh("ip netns exec web ip link add ygg0 type veth peer name other") == 0);
	CHECK(port.ops->node_start(port.self, "web", &e) == -1);
	CHECK(strstr(e.text, "start the node of web: yggdrasil ended: ") == e.text);
	CHECK(!sandbox_state("web").running);
}

SANDBOX(a_missing_yggdrasil_is_told)
{
	sandbox_configure("web", LISTENING);
	setenv("PATH", "/usr/bin", 1);
	CHECK(mount("none", "/usr/sbin", "tmpfs", 0, NULL) == 0);
	CHECK(mount("none", "/usr/local/sbin", "tmpfs", 0, NULL) == 0);
	CHECK(port.ops->node_start(port.self, "web", &e) == -1);
	CHECK_TEXT(e.text, "start the node of web: yggdrasil: no such program (is it installed?)");
	CHECK(access(STATE "/nodes/web/yggdrasil.pid", F_OK) != 0);
}

SANDBOX(a_state_folder_too_deep_for_a_socket_is_told)
{
	char deep[128];
	struct port far;

	snprintf(deep, sizeof(deep), "/run/%0100d", 0);
	CHECK(netns_open(&far, &(struct platform_conf){ .state_dir = deep }, arena, &e) == 0);
	CHECK(far.ops->node_start(far.self, "web", &e) == -1);
	CHECK(strstr(e.text, "choose a shorter host.state_dir") != NULL);
	CHECK(netns_open(&far, &(struct platform_conf){ .state_dir = "relative" }, arena, &e) ==
		-1);
}

SANDBOX(a_large_log_makes_room)
{
	struct node_paths p = sandbox_configure("web", LISTENING);

	CHECK(sandbox_sh("head -c 2000000 /dev/zero >%s/yggdrasil.log", p.dir) == 0);
	sandbox_start("web");
	CHECK(sandbox_sh("test $(stat -c %%s %s/yggdrasil.log.1) = 2000000", p.dir) == 0);
	CHECK(sandbox_sh("test $(stat -c %%s %s/yggdrasil.log) -lt 10000", p.dir) == 0);
	sandbox_stop("web");
}

/* At whatever moment jmesh dies while it starts a node: whoever has the lock next finds it or none. */
SANDBOX(killed_while_starting_no_node_is_lost)
{
	struct statelock l = STATELOCK_INIT;

	sandbox_configure("web", ",\"IfName\":\"none\"");
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (statelock_take(&l, STATE, 20, NULL, NULL, &e) == 0)
				port.ops->node_start(port.self, "web", &e);
			_exit(0);
		}
		clock_nap_us(200 + 250 * i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		CHECK(statelock_take(&l, STATE, 20, NULL, NULL, &e) == 0);
		CHECK(sandbox_state("web").running == (alive("yggdrasil") == 1));
		sandbox_start("web");
		CHECK(alive("yggdrasil") == 1);
		sandbox_stop("web");
		CHECK(alive("yggdrasil") == 0);
		statelock_drop(&l);
	}
	CHECK(sandbox_sh("ls -A %s/nodes/web | wc -l | grep -qx '[234]'", STATE) == 0);
}

Test(platform, knows_what_this_build_has)
{
	const struct platform *p;
	struct err er = ERR_INIT;

	cr_assert_eq(platform_find("auto", &p, &er), 0);
	cr_assert_str_eq(p->name, "netns");
	cr_assert_str_eq(p->defaults.state_dir, "/var/lib/jmesh");
	cr_assert_eq(platform_find("netns", &p, &er), 0);
	cr_assert_eq(platform_find("plan9", &p, &er), -1);
	cr_assert_eq(er.code, ERR_CONFIG);
	cr_assert_str_eq(er.text, "platform 'plan9' is not part of this build");
}
