/* Programs run through ssh, by a real sshd, and without. */
#include "tests/unit/os_tmp.h"

#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/link_ssh.h"
#include "os/proc.h"
#include "tests/unit/sshd.h"

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct sshd sshd;
static struct link_ssh ssh;
static struct link *far;

static void connect_to(const char *lines)
{
	sshd_start(&sshd, dir, lines, arena);
	ssh = sshd_ssh(&sshd);
	far = link_open(&ssh, arena);
}

static void link_teardown(void)
{
	if (far != NULL)
		link_close(far);
	sshd_stop(&sshd);
	teardown();
}

TestSuite(link, .init = setup, .fini = link_teardown, .timeout = 120);

static struct output one(const char *const *argv, const char *input, size_t len)
{
	struct command c = { .argv = argv, .input = input, .input_len = len };
	struct output o = { 0 };

	cr_assert_eq(link_run(far, &c, 1, arena, &o, &e), 0, "%s", e.text);
	return o;
}

static struct output sh(const char *script)
{
	return one(ARGV("sh", "-c", script), NULL, 0);
}

/* The error of a run that must fail as a whole. */
static const char *refusal(void)
{
	struct command c = { .argv = ARGV("true") };
	struct output o;

	cr_assert_eq(link_run(far, &c, 1, arena, &o, &e), -1);
	return e.text;
}

/* What holds with and without ssh, and with every shell at the other end. */
static void assert_runs_programs(void)
{
	struct output o = sh("echo out; echo err >&2; echo >&2; exit 7");

	cr_assert_eq(o.status, 7);
	cr_assert_str_eq(o.out, "out\n");
	cr_assert_eq(o.out_len, 4);
	cr_assert_str_eq(o.err, "err");
	o = one(ARGV("printf", "%s|", "$(id)", "a b", "", "'\"\n;", "\xff\x81"), NULL, 0);
	cr_assert_str_eq(o.out, "$(id)|a b||'\"\n;|\xff\x81|");
	o = one(ARGV("cat"), NULL, 0);
	cr_assert_eq(o.status, 0);
	cr_assert_eq(o.out_len, 0);
	o = one(ARGV("cat"), "-n %s\\n'", 8);
	cr_assert_str_eq(o.out, "-n %s\\n'");
	o = one(ARGV("cat"), "no end here", 2);
	cr_assert_str_eq(o.out, "no");
	o = one(ARGV("jmesh-no-such-program", "x"), "y", 1);
	cr_assert_eq(o.status, -1);
	cr_assert_str_eq(o.err, "no such program (is it installed?)");
	o = one(ARGV("/no/such/program"), NULL, 0);
	cr_assert_eq(o.status, -1);
	cr_assert_eq(sh("kill -9 $$").status, 137);
	cr_assert_eq(sh("kill -15 $$").status, 143);
	cr_assert_str_eq(sh("printf %s \"$LC_ALL\"").out, "C");
	/* A program, though the shell has a command of that name. */
	cr_assert_eq(one(ARGV("test", "1", "=", "2"), NULL, 0).status, 1);
	cr_assert_eq(one(ARGV("exit", "0"), NULL, 0).status, -1);
}

static void assert_passes_bytes(void)
{
	enum { LEN = 5 << 20 };
	char *text = arena_alloc(arena, LEN, 1);
	struct output o;

	for (size_t i = 0; i < LEN; i++)
		text[i] = (char)(1 + (i * 7 + i / 255) % 255);
	o = one(ARGV("cat"), text, LEN);
	cr_assert_eq(o.status, 0, "%s", o.err);
	cr_assert_eq(o.out_len, LEN);
	cr_assert_arr_eq(o.out, text, LEN);
	/* What comes back may have any byte. */
	o = one(ARGV("dd", "if=/dev/zero", "bs=1000", "count=3"), NULL, 0);
	cr_assert_eq(o.out_len, 3000);
	cr_assert(o.out[0] == '\0' && memcmp(o.out, o.out + 1, 2999) == 0);
}

static void assert_runs_many(void)
{
	enum { MANY = 256 };
	struct command cmds[MANY];
	struct output outs[MANY];
	size_t before = link_trips(far);

	for (int i = 0; i < MANY; i++) {
		const char **argv = arena_alloc(arena, 5, sizeof(*argv));
		const char *input = arena_printf(arena, "input %d", i);

		argv[0] = "sh";
		argv[1] = "-c";
		argv[2] = "cat; echo \"$0\" >&2; exit \"$0\"";
		argv[3] = arena_printf(arena, "%d", i);
		cmds[i] = (struct command){
			.argv = argv, .input = input, .input_len = strlen(input)
		};
	}
	cr_assert_eq(link_run(far, cmds, MANY, arena, outs, &e), 0, "%s", e.text);
	cr_assert_eq(link_trips(far), before + 1);
	for (int i = 0; i < MANY; i++) {
		cr_assert_eq(
			outs[i].status, i, "status %d of %d: %s", outs[i].status, i, outs[i].err);
		cr_assert_str_eq(outs[i].out, cmds[i].input);
		cr_assert_str_eq(outs[i].err, cmds[i].argv[3]);
	}
}

Test(link, without_ssh_runs_programs_here)
{
	far = link_open(NULL, arena);
	assert_runs_programs();
	assert_passes_bytes();
	assert_runs_many();
}

Test(link, through_ssh_they_run_just_the_same)
{
	connect_to("");
	assert_runs_programs();
	assert_passes_bytes();
	assert_runs_many();
}

Test(link, the_far_shell_may_be_bash)
{
	connect_to("ForceCommand exec bash --posix\n");
	cr_assert_str_neq(sh("ps -o args= -p $(ps -o ppid= -p $PPID)").out, "");
	assert_runs_programs();
	assert_passes_bytes();
	assert_runs_many();
}

Test(link, the_far_shell_may_be_busybox)
{
	if (access("/usr/bin/busybox", X_OK) != 0)
		cr_skip_test("there is no busybox");
	connect_to("ForceCommand exec busybox sh\n");
	assert_runs_programs();
	assert_passes_bytes();
	assert_runs_many();
}

Test(link, nothing_at_all_is_no_trip)
{
	connect_to("");
	cr_assert_eq(link_run(far, NULL, 0, arena, NULL, &e), 0);
	cr_assert_eq(link_trips(far), 0);
}

Test(link, commands_run_side_by_side)
{
	static const char *const nap[] = { "sleep", "0.5", NULL };
	struct command cmds[32];
	struct output outs[32];
	int64_t begin;

	connect_to("");
	sh(":");
	for (int i = 0; i < 32; i++)
		cmds[i] = (struct command){ .argv = nap };
	begin = clock_ms();
	cr_assert_eq(link_run(far, cmds, 32, arena, outs, &e), 0);
	cr_assert_geq(clock_ms() - begin, 1000);
	cr_assert_lt(clock_ms() - begin, 8000);
}

Test(link, a_nul_in_input_is_refused_for_that_command_alone)
{
	static const char *const cat[] = { "cat", NULL };
	struct command cmds[3] = { { .argv = cat, .input = "a", .input_len = 1 },
		{ .argv = cat, .input = "a\0b", .input_len = 3 },
		{ .argv = cat, .input = "c", .input_len = 1 } };
	struct output outs[3];

	connect_to("");
	cr_assert_eq(link_run(far, cmds, 3, arena, outs, &e), 0);
	cr_assert_str_eq(outs[0].out, "a");
	cr_assert_eq(outs[1].status, -1);
	cr_assert_not_null(strstr(outs[1].err, "NUL"));
	cr_assert_str_eq(outs[2].out, "c");
}

Test(link, long_errors_are_cut_and_the_next_answer_is_whole)
{
	static const char *const talk[] = { "sh", "-c",
		"i=0; while [ $i -lt 2000 ]; do echo abcdefg >&2; i=$((i+1)); done; echo out",
		NULL };
	static const char *const echo[] = { "echo", "whole", NULL };
	struct command cmds[2] = { { .argv = talk }, { .argv = echo } };
	struct output outs[2];

	connect_to("");
	cr_assert_eq(link_run(far, cmds, 2, arena, outs, &e), 0);
	cr_assert_eq(strlen(outs[0].err), 4095); /* but for its newline */
	cr_assert_str_eq(outs[0].out, "out\n");
	cr_assert_str_eq(outs[1].out, "whole\n");
}

Test(link, more_than_64_mib_is_an_error_of_that_command)
{
	static const char *const much[] = { "dd", "if=/dev/zero", "bs=1048576", "count=65", NULL };
	static const char *const echo[] = { "echo", "whole", NULL };
	struct command cmds[2] = { { .argv = much }, { .argv = echo } };
	struct output outs[2];

	connect_to("");
	cr_assert_eq(link_run(far, cmds, 2, arena, outs, &e), 0);
	cr_assert_eq(outs[0].status, -1);
	cr_assert_str_eq(outs[0].err, "printed more than 67108864 bytes");
	cr_assert_str_eq(outs[1].out, "whole\n");
}

Test(link, a_child_that_goes_on_printing_spoils_no_answer)
{
	static const char *const leave[] = { "sh", "-c",
		"(while :; do echo more; done) & echo first", NULL };
	static const char *const echo[] = { "echo", "whole", NULL };
	struct command cmds[2] = { { .argv = leave }, { .argv = echo } };
	struct output outs[2];

	connect_to("");
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(link_run(far, cmds, 2, arena, outs, &e), 0, "%s", e.text);
		cr_assert_str_eq(outs[1].out, "whole\n");
		cr_assert_str_eq(sh("echo next").out, "next\n");
		cr_assert_eq(sh("pkill -f '[w]hile :; do echo more'; :").status, 0);
	}
}

Test(link, a_program_cannot_read_the_session)
{
	connect_to("");
	cr_assert_str_eq(sh("cat; cat <&3 2>/dev/null; echo end").out, "end\n");
	cr_assert_str_eq(sh("echo next").out, "next\n");
}

Test(link, a_full_temporary_folder_is_told)
{
	connect_to("ForceCommand unshare --mount sh -c 'mount -t tmpfs -o size=256k none /tmp; "
		   "exec sh'\n");
	cr_assert_eq(sh("echo fits").status, 0);
	cr_assert_eq(one(ARGV("dd", "if=/dev/zero", "bs=1000", "count=300"), NULL, 0).status, -1);
	cr_assert_not_null(strstr(
		one(ARGV("dd", "if=/dev/zero", "bs=1000", "count=300"), NULL, 0).err, "no room"));
	cr_assert_str_eq(sh("echo fits again").out, "fits again\n");
}

Test(link, the_far_temporary_folder_goes_with_the_session)
{
	const char *folder;
	struct stat st;

	connect_to("");
	folder = sh("readlink /proc/self/fd/1").out;
	cr_assert_eq(strncmp(folder, "/tmp/jmesh.", 11), 0);
	folder = arena_dupn(arena, folder, strlen("/tmp/jmesh.XXXXXX"));
	cr_assert_eq(stat(folder, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	link_close(far);
	cr_assert_eq(stat(folder, &st), -1);
	/* A link that was closed connects anew. */
	cr_assert_str_eq(sh("echo next").out, "next\n");
}

Test(link, what_a_talkative_shell_says_first_is_no_answer)
{
	connect_to("ForceCommand echo 'Welcome!'; printf 'x ready\\n0 5 0\\n'; head -c 5000 "
		   "/dev/zero; "
		   "exec /bin/sh\n");
	cr_assert_str_eq(sh("echo mine").out, "mine\n");
}

Test(link, a_lost_connection_is_told_and_the_next_call_connects_anew)
{
	static const char *const slow[] = { "sleep", "60", NULL };
	struct command c = { .argv = slow };
	struct output o;
	pid_t killer;

	connect_to("");
	sh(":");
	killer = fork();
	if (killer == 0) {
		clock_nap_us(300000);
		execlp("pkill", "pkill", "-KILL", "-P", arena_printf(arena, "%d", sshd.pid),
			(char *)NULL);
		_exit(127);
	}
	cr_assert_eq(link_run(far, &c, 1, arena, &o, &e), -1);
	waitpid(killer, NULL, 0);
	cr_assert_eq(strncmp(e.text, "the connection to 127.0.0.1 was lost", 36), 0, "%s", e.text);
	cr_assert_not_null(strstr(e.text, "; run jmesh again to go on"));
	cr_assert_str_eq(sh("echo next").out, "next\n");
	cr_assert_eq(system("pkill -f '^sleep 60$'"), 0);
}

Test(link, a_connection_that_ended_between_batches_is_made_anew)
{
	connect_to("");
	sh(":");
	cr_assert_eq(system(arena_printf(arena, "pkill -KILL -P %d", sshd.pid)), 0);
	clock_nap_us(300000);
	cr_assert_str_eq(sh("echo next").out, "next\n");
}

Test(link, a_machine_that_cannot_be_reached_is_tried_once)
{
	const char *first;

	connect_to("");
	ssh.port = 1;
	cr_assert_eq(link_reached(far, &e), 0);
	first = arena_dup(arena, refusal());
	cr_assert_not_null(strstr(first, "127.0.0.1 cannot be reached by ssh: "), "%s", first);
	ssh.port = sshd.port;
	cr_assert_str_eq(refusal(), first);
	e = ERR_INIT;
	cr_assert_eq(link_reached(far, &e), -1);
	cr_assert_str_eq(e.text, first);
	link_close(far);
	cr_assert_eq(link_reached(far, &e), 0);
	cr_assert_str_eq(sh("echo next").out, "next\n");
}

/* Other tests have processes, too: the pattern is about these alone. */
static void is_gone(const char *pattern)
{
	cr_assert_eq(system(arena_printf(arena,
			     "for i in $(seq 100); do pgrep -f '%s' >/dev/null || exit 0; "
			     "sleep 0.1; done; exit 1",
			     pattern)),
		0, "%s", pattern);
}

Test(link, a_command_that_takes_too_long_is_killed_and_the_others_are_heard)
{
	const struct command cmds[] = {
		{ .argv = ARGV("sh", "-c", "sleep 6061; echo more") },
		{ .argv = ARGV("sh", "-c",
			  "trap '' TERM; sleep 6062 & sleep 6063 >/dev/null & wait; sleep 6064") },
		{ .argv = ARGV("echo", "whole") },
		{ .argv = ARGV("sh", "-c", "exit 124") },
	};
	struct session *s;
	struct output outs[4];
	pid_t pid;

	connect_to("");
	s = session_new(&ssh, 3000, arena);
	cr_assert_eq(session_run(s, cmds, 4, arena, outs, &e), 0, "%s", e.text);
	cr_assert(outs[0].late && outs[1].late && !outs[2].late && !outs[3].late);
	cr_assert_eq(outs[3].status, 124);
	cr_assert_eq(outs[0].status, -1);
	cr_assert_str_eq(outs[0].err, "did not end within 3 s and was killed");
	cr_assert_eq(outs[1].status, -1);
	cr_assert_str_eq(outs[1].err, "did not end within 3 s and was killed");
	cr_assert_str_eq(outs[2].out, "whole\n");
	is_gone("^sleep 606[1-4]$");
	pid = session_pid(s);
	cr_assert_eq(session_run(s, cmds + 2, 1, arena, outs, &e), 0, "%s", e.text);
	cr_assert_str_eq(outs[0].out, "whole\n");
	cr_assert_eq(session_pid(s), pid);
	session_close(s);
}

Test(link, endless_output_is_an_error_of_that_command_and_fills_nothing)
{
	const struct command cmds[] = {
		{ .argv = ARGV("yes") },
		{ .argv = ARGV("sh", "-c", "exec yes >&2") },
		{ .argv = ARGV("echo", "whole") },
	};
	struct output outs[3];

	connect_to("");
	cr_assert_eq(link_run(far, cmds, 3, arena, outs, &e), 0, "%s", e.text);
	cr_assert_eq(outs[0].status, -1);
	cr_assert_str_eq(outs[0].err, "printed more than 67108864 bytes");
	cr_assert_gt(outs[1].status, 0);
	cr_assert_str_eq(outs[2].out, "whole\n");
}

Test(link, a_far_side_that_hangs_is_given_up)
{
	const char *stop = arena_printf(arena, "echo $PPID >%s/stopped; kill -STOP $PPID", dir);
	struct command c = { .argv = ARGV("sh", "-c", stop) };
	struct session *s;
	struct output o;

	connect_to("");
	s = session_new(&ssh, 1000, arena);
	cr_assert_eq(session_run(s, &c, 1, arena, &o, &e), 0, "%s", e.text);
	cr_assert_eq(o.status, -1);
	cr_assert_str_eq(o.err, "did not end within 6 s; the connection was closed");
	cr_assert_eq(session_pid(s), 0);
	cr_assert_eq(system(arena_printf(arena, "kill -CONT $(cat %s/stopped)", dir)), 0);
	c.argv = ARGV("echo", "next");
	cr_assert_eq(session_run(s, &c, 1, arena, &o, &e), 0, "%s", e.text);
	cr_assert_str_eq(o.out, "next\n");
	session_close(s);
}

Test(link, a_far_side_that_trickles_for_ever_is_given_up)
{
	struct command c = { .argv = ARGV("true") };
	const char *drip = "#!/bin/sh\nwhile printf x; do sleep 0.1; done\n";
	struct session *s;
	struct output o;
	int64_t began;

	connect_to("");
	cr_assert_eq(file_replace(in_dir("ssh"), drip, strlen(drip), 0700, &e), 0, "%s", e.text);
	setenv("PATH", arena_printf(arena, "%s:%s", dir, getenv("PATH")), 1);
	s = session_new(&ssh, 500, arena);
	began = clock_ms();
	cr_assert_eq(session_run(s, &c, 1, arena, &o, &e), -1);
	cr_assert_lt(clock_ms() - began, 10000);
	cr_assert_eq(session_pid(s), 0);
}

Test(link, ssh_has_no_terminal_and_ends_with_us)
{
	struct command c = { .argv = ARGV("true") };
	struct output o;
	int tell[2];
	pid_t us, its;

	connect_to("");
	cr_assert_eq(pipe(tell), 0);
	us = fork();
	if (us == 0) {
		struct session *s = session_new(&ssh, 30000, arena);

		its = session_run(s, &c, 1, arena, &o, &e) == 0 ? session_pid(s) : 0;
		_exit(write(tell[1], &its, sizeof(its)) != sizeof(its) || getsid(its) != its);
	}
	cr_assert_eq(read(tell[0], &its, sizeof(its)), (ssize_t)sizeof(its));
	cr_assert_gt(its, 0);
	int status;
	cr_assert_eq(waitpid(us, &status, 0), us);
	cr_assert_eq(status, 0);
	for (int64_t until = clock_ms() + 10000;
		system(arena_printf(arena, "grep -qs 'State:.[^Z]' /proc/%d/status", its)) == 0;
		clock_nap_us(20000))
		cr_assert_lt(clock_ms(), until, "ssh goes on without us");
}

Test(link, no_server_is_told_with_sshs_words)
{
	connect_to("");
	sshd_stop(&sshd);
	cr_assert_str_eq(refusal(),
		arena_printf(arena,
			"127.0.0.1 cannot be reached by ssh: ssh: connect to host 127.0.0.1 port "
			"%d: "
			"Connection refused",
			sshd.port));
}

Test(link, a_key_that_is_not_taken_is_told)
{
	connect_to("");
	cr_assert_eq(truncate(in_dir("authorized_keys"), 0), 0);
	refusal();
	cr_assert_not_null(strstr(e.text, "Permission denied (publickey)"));
	cr_assert_not_null(strstr(e.text, "host.ssh_key"));
}

Test(link, any_host_key_only_on_loopback)
{
	ssh = (struct link_ssh){ .target = "root@127.0.0.2", .ephemeral = true };
	far = link_open(&ssh, arena);
	cr_assert_not_null(strstr(refusal(), "is not on loopback"));
}

Test(link, an_unknown_host_key_is_refused)
{
	connect_to("");
	ssh.ephemeral = false;
	cr_assert_str_eq(refusal(),
		arena_printf(arena,
			"127.0.0.1 cannot be reached by ssh: its host key is not known here; "
			"connect once by hand and compare it: ssh -p %d root@127.0.0.1",
			sshd.port));
}

/* The home that ssh knows, where it is the lab's own. */
static const char *lab_home(void)
{
	const struct passwd *pw = getpwuid(getuid());

	if (pw == NULL || getenv("LAB") == NULL || strcmp(pw->pw_dir, getenv("LAB")) != 0)
		cr_skip_test("needs a home of its own: run it by make unit");
	return pw->pw_dir;
}

static void put_in_ssh(const char *name, const char *text)
{
	const char *folder = arena_printf(arena, "%s/.ssh", lab_home());

	cr_assert_eq(file_mkdirs(folder, 0700, &e), 0, "%s", e.text);
	cr_assert_eq(file_replace(arena_printf(arena, "%s/%s", folder, name), text, strlen(text),
			     0600, &e),
		0, "%s", e.text);
}

Test(link, the_users_own_configuration_and_known_hosts_hold)
{
	connect_to("");
	put_in_ssh(
		"known_hosts", arena_printf(arena, "[127.0.0.1]:%d %s", sshd.port, sshd.host_key));
	put_in_ssh("config",
		arena_printf(arena,
			"Host vm\n HostName 127.0.0.1\n User root\n Port %d\n "
			"IdentityFile %s\n RequestTTY force\n RemoteCommand echo no\n",
			sshd.port, sshd.key));
	ssh = (struct link_ssh){ .target = "vm" };
	cr_assert_str_eq(sh("echo mine").out, "mine\n");
	link_close(far);
	put_in_ssh("known_hosts",
		arena_printf(arena, "[127.0.0.1]:%d %s", sshd.port,
			"ssh-ed25519 "
			"AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"));
	refusal();
	cr_assert_not_null(strstr(e.text, "another than the one that is known"), "%s", e.text);
	put_in_ssh("config", "");
	put_in_ssh("known_hosts", "");
}

static void put_doas(const char *script)
{
	cr_assert_eq(
		file_replace(in_dir("doas"), script, strlen(script), 0755, &e), 0, "%s", e.text);
}

Test(link, who_may_not_become_root_is_told_what_is_missing)
{
	connect_to(arena_printf(arena, "SetEnv PATH=%s:/usr/bin:/bin\n", dir));
	ssh.become = LINK_BECOME_DOAS;
	cr_assert_not_null(strstr(refusal(), "doas is missing on 127.0.0.1"), "%s", e.text);
	link_close(far);
	put_doas("#!/bin/sh\necho 'doas: Operation not permitted' >&2; exit 1\n");
	cr_assert_str_eq(refusal(),
		"doas refuses on 127.0.0.1: doas: Operation not permitted; its doas.conf needs the "
		"line: permit nopass root as root cmd /bin/sh");
	link_close(far);
	put_doas("#!/bin/sh\nshift; exec \"$@\"\n");
	cr_assert_str_eq(sh("echo mine").out, "mine\n");
}
