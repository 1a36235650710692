/*
 * The Linux platform with real namespaces and the real yggdrasil. Each test runs in a process of its own
 * inside new namespaces (user namespaces where it is not root), which end with it.
 */
#include <criterion/criterion.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/statelock.h"
#include "platform/netns.h"
#include "platform/netns_process.h"
#include "platform/platform.h"

#define STATE "/run/state"

static struct arena *arena;
static struct err e;
static struct port port;

/* Criterion's own assertions do not work in a process that it did not make. */
static void check(bool holds, int line, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "tests/unit/netns.c:%d: does not hold: %s (error: %s)\n", line, what,
		e.text);
	_exit(1);
}

#define CHECK(holds) check((holds), __LINE__, #holds)
#define CHECK_TEXT(has, wanted) check_text((has), (wanted), __LINE__)

static void check_text(const char *has, const char *wanted, int line)
{
	check(strcmp(has, wanted) == 0, line, arena_printf(arena, "'%s' is '%s'", has, wanted));
}

/* Runs a shell command of the test's own. */
static int sh(const char *fmt, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command);
}

static void inside(void (*body)(void))
{
	CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0);
	CHECK(mount("none", "/run", "tmpfs", 0, NULL) == 0);
	CHECK(sh("mkdir /run/netns && ip link set lo up && ip netns add web && ip netns add db") ==
		0);
	CHECK(netns_open(&port, &(struct platform_conf){ .state_dir = STATE }, arena, &e) == 0);
	body();
	_exit(0);
}

static void write_text(const char *path, const char *text)
{
	CHECK(file_replace(path, text, strlen(text), 0600, &e) == 0);
}

static void tell(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && file_write_all(fd, text, strlen(text)) == 0);
	close(fd);
}

/* A new first process of new namespaces. */
static void become_root_of_all(void (*body)(void))
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	int status;
	pid_t pid;

	arena = arena_new();
	e = ERR_INIT;
	if (geteuid() != 0) {
		CHECK(unshare(CLONE_NEWUSER) == 0);
		tell("/proc/self/setgroups", "deny");
		tell("/proc/self/uid_map", arena_printf(arena, "0 %ld 1", (long)uid));
		tell("/proc/self/gid_map", arena_printf(arena, "0 %ld 1", (long)gid));
	}
	CHECK(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID) == 0);
	pid = fork();
	if (pid == 0)
		inside(body);
	waitpid(pid, &status, 0);
	_exit(status == 0 ? 0 : 1);
}

static void sandbox(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		become_root_of_all(body);
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0);
}

/* A test whose body runs in there. */
#define SANDBOX(name)                     \
	static void body_##name(void);    \
	Test(netns, name, .timeout = 120) \
	{                                 \
		sandbox(body_##name);     \
	}                                 \
	static void body_##name(void)

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

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

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
	CHECK(sh("ip netns add Mail; ip netns add _host; ip netns add a.b; ip netns add x_1") == 0);
	CHECK(sh("touch /run/netns/stale; mkdir /run/netns/folder") == 0);
	CHECK_TEXT(jails(), "db mail web x_1 ");
	CHECK_TEXT(run("mail", ARGV("true")).err, "");
	/* The namespace that we are in is the host. */
	CHECK(sh("ip netns attach here $$") == 0);
	CHECK_TEXT(jails(), "db mail web x_1 ");
}

SANDBOX(without_the_folder_there_are_no_jails)
{
	CHECK(sh("ip netns del web; ip netns del db; umount /run/netns; rmdir /run/netns") == 0);
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
	CHECK(sh("touch /run/netns/stale") == 0);
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

/* What a driver does before it starts a node. */
static struct node_paths configure(const char *node, const char *more)
{
	struct node_paths p;

	port.ops->node_paths(port.self, node, arena, &p);
	CHECK(file_mkdirs(p.dir, 0700, &e) == 0);
	write_text(p.conf,
		arena_printf(arena,
			"{\"AdminListen\":\"unix://%s\","
			"\"MulticastInterfaces\":[]%s}\n",
			p.socket, more));
	return p;
}

/* An ordinary node; without an interface where this user may not make one. */
#define LISTENING (can_tun() ? ",\"IfName\":\"ygg0\"" TCP : ",\"IfName\":\"none\"" TCP)
#define TCP ",\"Listen\":[\"tcp://127.0.0.1:19001\",\"tcp://[::1]:19002\"]"

static bool can_tun(void)
{
	return access("/dev/net/tun", R_OK | W_OK) == 0;
}

static struct node_state state(const char *node)
{
	struct node_state s;

	CHECK(port_node_state(&port, node, arena, &s, &e) == 0);
	CHECK(s.at_boot); /* there is no such thing here: nothing is amiss */
	return s;
}

static void start(const char *node)
{
	CHECK(port.ops->node_start(port.self, node, &e) == 0);
}

static void stop(const char *node)
{
	CHECK(port.ops->node_stop(port.self, node, &e) == 0);
}

SANDBOX(a_node_starts_answers_and_stops)
{
	struct node_paths p = configure("web", LISTENING);
	const char *before = space_of("self"), *reply, *pid;
	struct node_state s;

	CHECK(sh("ip netns exec web ip link set lo up") == 0);
	CHECK(!state("web").running);
	CHECK(port_ask(&port, "web", p.socket, "{\"request\":\"getself\"}", arena, &reply, &e) ==
		1);
	start("web");
	CHECK_TEXT(space_of("self"), before);
	CHECK(port_ask(&port, "web", p.socket, "{\"request\":\"getself\"}", arena, &reply, &e) ==
		0);
	CHECK(strstr(reply, "\"build_version\"") != NULL && strchr(reply, '\0')[-1] == '\n');
	s = state("web");
	CHECK(s.running && s.pid > 1 && s.listening.n == 2);
	CHECK_TEXT(s.listening.v[0], "127.0.0.1:19001");
	CHECK_TEXT(s.listening.v[1], "[::1]:19002");
	pid = arena_printf(arena, "%ld", (long)s.pid);
	CHECK(strcmp(space_of(pid), before) != 0);
	/* Detached: a session and a folder that are nobody's, standard input empty, nothing inherited. */
	CHECK(getsid(s.pid) != getsid(0) && getsid(s.pid) != s.pid);
	CHECK(sh("test $(readlink /proc/%s/cwd) = /", pid) == 0);
	CHECK(sh("test $(readlink /proc/%s/fd/0) = /dev/null", pid) == 0);
	CHECK(sh("test $(readlink /proc/%s/fd/2) = %s/yggdrasil.log", pid, p.dir) == 0);
	CHECK(sh("! tr '\\0' '\\n' </proc/%s/environ | grep -v ^PATH=", pid) == 0);
	/* Started again it stays what it is. */
	start("web");
	CHECK(state("web").pid == s.pid);
	stop("web");
	CHECK(!state("web").running && state("web").pid == 0);
	CHECK(access(p.socket, F_OK) != 0);
	CHECK(sh("ls -A %s | tr '\\n' ' ' | grep -qx 'yggdrasil.conf yggdrasil.log '", p.dir) == 0);
	stop("web");
}

SANDBOX(nodes_are_those_with_files_also_without_a_jail)
{
	CHECK_TEXT(known(), "");
	configure("web", LISTENING);
	configure("gone", LISTENING);
	configure(HOST_NODE, LISTENING);
	CHECK(sh("mkdir %s/nodes/a.b", STATE) == 0);
	CHECK_TEXT(known(), "gone web ");
	CHECK_TEXT(jails(), "db web ");
}

SANDBOX(the_hosts_node_runs_on_the_host)
{
	configure(HOST_NODE, LISTENING);
	start(HOST_NODE);
	CHECK_TEXT(
		space_of(arena_printf(arena, "%ld", (long)state(HOST_NODE).pid)), space_of("self"));
	CHECK(state(HOST_NODE).listening.n == 2);
	stop(HOST_NODE);
}

SANDBOX(a_killed_node_does_not_run_and_starts_again)
{
	struct node_paths p = configure("web", LISTENING);
	pid_t first;

	start("web");
	first = state("web").pid;
	CHECK(kill(first, SIGKILL) == 0);
	/* Nobody reaps it here: a zombie is no node. */
	for (int i = 0; i < 200 && state("web").running; i++)
		clock_nap_us(10000);
	CHECK(!state("web").running);
	CHECK(access(p.socket, F_OK) == 0);
	start("web");
	CHECK(state("web").running && state("web").pid != first);
	stop("web");
}

SANDBOX(a_pid_that_is_anothers_now_is_not_the_node)
{
	struct node_paths p = configure("web", LISTENING);
	const char *pid_file = arena_printf(arena, "%s/yggdrasil.pid", p.dir);
	static const char *const garbage[] = { "", "\n", "x", "1", "1 ", "1 0\n", "-1 5\n",
		"99999999999999999999 1\n", "1 1 1\n", "\0001 1\n",
		"1 1                                                                    \n" };
	pid_t other = fork();

	if (other == 0)
		for (;;)
			pause();
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		write_text(pid_file, garbage[i]);
		CHECK(!state("web").running);
		stop("web");
	}
	/* The right start time, but not our program. */
	CHECK(sh("echo %ld $(cut -d' ' -f22 /proc/%ld/stat) >%s", (long)other, (long)other,
		      pid_file) == 0);
	CHECK(!state("web").running);
	stop("web");
	CHECK(kill(other, 0) == 0 && waitpid(other, NULL, WNOHANG) == 0);
	start("web");
	stop("web");
}

SANDBOX(a_node_whose_pid_file_is_lost_or_spoilt_is_found)
{
	struct node_paths p = configure("web", LISTENING);
	const char *pid_file = arena_printf(arena, "%s/yggdrasil.pid", p.dir);
	pid_t pid;

	start("web");
	pid = state("web").pid;
	CHECK(unlink(pid_file) == 0);
	CHECK(state("web").pid == pid);
	write_text(pid_file, "garbage");
	CHECK(state("web").pid == pid);
	/* The start time is another's: the pid file is of a process that is gone. */
	write_text(pid_file, arena_printf(arena, "%ld 1\n", (long)pid));
	CHECK(state("web").pid == pid);
	start("web");
	CHECK(state("web").pid == pid);
	CHECK(!state("db").running);
	stop("web");
	CHECK(!state("web").running);
}

SANDBOX(a_node_that_stayed_in_an_old_namespace_does_not_count)
{
	pid_t pid;

	configure("web", LISTENING);
	start("web");
	pid = state("web").pid;
	CHECK(sh("ip netns del web && ip netns add web") == 0);
	CHECK(!state("web").running && state("web").astray);
	start("web");
	CHECK(state("web").running && state("web").pid != pid && !state("web").astray);
	CHECK(alive("yggdrasil") == 1);
	/* One whose jail is gone does count, for it must be stopped. */
	CHECK(sh("ip netns del web") == 0);
	CHECK(state("web").running);
	stop("web");
	CHECK(!state("web").running);
	CHECK(alive("yggdrasil") == 0);
}

SANDBOX(why_a_node_does_not_start_is_told)
{
	struct node_paths p = configure("web", LISTENING);

	write_text(p.conf, "{ \"PrivateKeyPath\": \"/nowhere\" }\n");
	CHECK(port.ops->node_start(port.self, "web", &e) == -1);
	CHECK(strstr(e.text, "start the node of web: yggdrasil ended: ") == e.text);
	CHECK(strstr(e.text, "/nowhere") != NULL);
	CHECK(!state("web").running);
	CHECK(unlink(p.conf) == 0);
	CHECK(port.ops->node_start(port.self, "web", &e) == -1);
	CHECK(strstr(e.text, "yggdrasil.conf: No such file or directory") != NULL);
	configure("gone", LISTENING);
	CHECK(port.ops->node_start(port.self, "gone", &e) == -1);
	CHECK_TEXT(e.text, "start the node of gone: no network namespace 'gone' (in /run/netns)");
	CHECK(!state("gone").running);
	if (!can_tun())
		return;
	/* The interface's name is taken: the admin socket has answered by then. */
	configure("web", LISTENING);
	CHECK(sh("ip netns exec web ip link add ygg0 type veth peer name other") == 0);
	CHECK(port.ops->node_start(port.self, "web", &e) == -1);
	CHECK(strstr(e.text, "start the node of web: yggdrasil ended: ") == e.text);
	CHECK(!state("web").running);
}

SANDBOX(a_missing_yggdrasil_is_told)
{
	configure("web", LISTENING);
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
	CHECK(sh("test $(stat -c %%a %s) = 600 && test $(stat -c %%a %s/nodes/web) = 700", KEY_FILE,
		      STATE) == 0);
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
	CHECK(sh("openssl pkey -in %s -pubout -outform DER | tail -c 32 | od -An -v -tx1 | "
		 "tr -d ' \n' | grep -qx %s",
		      KEY_FILE, first + 5) == 0);
}

SANDBOX(a_key_that_is_open_wrong_or_not_ours_is_refused)
{
	CHECK(file_mkdirs(STATE "/nodes/web", 0700, &e) == 0);
	write_text(KEY_FILE, PEM);
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
	write_text(KEY_FILE, "junk");
	CHECK(strstr(key_of("web"), "the key file " KEY_FILE " is wrong (restore it from a ") !=
		NULL);
	write_text(KEY_FILE, "");
	CHECK(strstr(key_of("web"), "the key file " KEY_FILE " is wrong") != NULL);
	/* Nothing is overwritten, not even that. */
	make_key("web");
	CHECK_TEXT(text_of(KEY_FILE), "");
}

SANDBOX(the_key_of_a_configuration_is_adopted)
{
	CHECK(file_mkdirs(STATE "/nodes/web", 0700, &e) == 0);
	write_text(CONF_FILE, "{\n  # mine\n  privatekey: " INLINE "\n}\n");
	CHECK_TEXT(key_of("web"), arena_printf(arena, "conf %s", &INLINE[64]));
	make_key("web");
	CHECK_TEXT(key_of("web"), arena_printf(arena, "file %s", &INLINE[64]));
	write_text(CONF_FILE, "{ PrivateKey: \"\" }");
	CHECK_TEXT(key_of("web"), arena_printf(arena, "file %s", &INLINE[64]));
}

SANDBOX(two_identities_of_one_node_are_refused)
{
	CHECK(file_mkdirs(STATE "/nodes/web", 0700, &e) == 0);
	write_text(KEY_FILE, PEM);
	write_text(CONF_FILE, "{\"PrivateKey\":\"" INLINE "\"}");
	CHECK_TEXT(key_of("web"),
		"the node has two identities: " KEY_FILE " and the PrivateKey in " CONF_FILE
		" are different keys; remove the one that is not to be");
}

SANDBOX(no_key_is_made_beside_a_configuration_that_cannot_be_read)
{
	CHECK(file_mkdirs(STATE "/nodes/web", 0700, &e) == 0);
	write_text(CONF_FILE, "{ PrivateKey: [");
	CHECK(strstr(key_of("web"), CONF_FILE " cannot be read as a configuration") != NULL);
	CHECK(port.ops->key_make(port.self, "web", &e) == -1);
	CHECK(strstr(e.text, CONF_FILE " cannot be read as a configuration") != NULL);
	write_text(CONF_FILE, "{ PrivateKey: \"abc\" }");
	CHECK_TEXT(key_of("web"), CONF_FILE ": PrivateKey is not 128 hexadecimal digits");
	CHECK(port.ops->key_make(port.self, "web", &e) == -1);
	CHECK(access(KEY_FILE, F_OK) != 0);
	/* With a key file the identity is known, whatever the configuration looks like. */
	write_text(KEY_FILE, PEM);
	write_text(CONF_FILE, "{ PrivateKey: [");
	CHECK_TEXT(key_of("web"), "file " PUBLIC);
	write_text(CONF_FILE, "{ PrivateKey: \"abc\" }");
	CHECK_TEXT(key_of("web"), CONF_FILE ": PrivateKey is not 128 hexadecimal digits");
}

SANDBOX(many_things_are_looked_at_at_once_and_no_key_is_seen)
{
	struct node_paths p = configure("web", ",\"PrivateKey\":\"" INLINE "\"");
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
	struct node_paths p = configure("web", LISTENING);
	struct look v[4];
	int64_t from;

	start("web");
	CHECK(kill(state("web").pid, SIGSTOP) == 0);
	for (size_t i = 0; i < 4; i++)
		v[i] = (struct look){
			.kind = LOOK_ASK, .path = p.socket, .request = "{\"request\":\"getself\"}"
		};
	from = clock_ms();
	CHECK(port.ops->look(port.self, v, 4, arena, &e) == 0);
	CHECK(clock_ms() - from < 9000);
	for (size_t i = 0; i < 4; i++)
		CHECK(v[i].rc == -1 && strcmp(v[i].err.text, v[0].err.text) == 0);
	CHECK(kill(state("web").pid, SIGCONT) == 0);
	stop("web");
}

SANDBOX(a_large_log_makes_room)
{
	struct node_paths p = configure("web", LISTENING);

	CHECK(sh("head -c 2000000 /dev/zero >%s/yggdrasil.log", p.dir) == 0);
	start("web");
	CHECK(sh("test $(stat -c %%s %s/yggdrasil.log.1) = 2000000", p.dir) == 0);
	CHECK(sh("test $(stat -c %%s %s/yggdrasil.log) -lt 10000", p.dir) == 0);
	stop("web");
}

/* At whatever moment jmesh dies while it starts a node: whoever has the lock next finds it or none. */
SANDBOX(killed_while_starting_no_node_is_lost)
{
	struct statelock l = STATELOCK_INIT;

	configure("web", ",\"IfName\":\"none\"");
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
		CHECK(state("web").running == (alive("yggdrasil") == 1));
		start("web");
		CHECK(alive("yggdrasil") == 1);
		stop("web");
		CHECK(alive("yggdrasil") == 0);
		statelock_drop(&l);
	}
	CHECK(sh("ls -A %s/nodes/web | wc -l | grep -qx '[234]'", STATE) == 0);
}

Test(platform, knows_what_this_build_has)
{
	const struct platform *p;
	struct err er = ERR_INIT;

	cr_assert_eq(platform_find("auto", &p, &er), 0);
	cr_assert_str_eq(p->name, "netns");
	cr_assert_str_eq(p->defaults.state_dir, "/var/lib/jmesh");
	cr_assert_eq(platform_find("netns", &p, &er), 0);
	cr_assert_eq(platform_find("freebsd", &p, &er), -1);
	cr_assert_eq(er.code, ERR_CONFIG);
	cr_assert_str_eq(er.text, "platform 'freebsd' is not part of this build");
}
