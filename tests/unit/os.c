#include <criterion/criterion.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/proc.h"
#include "os/sock.h"

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct arena *arena;
static struct err e;
static char dir[64];

static void setup(void)
{
	arena = arena_new();
	e = ERR_INIT;
	strcpy(dir, "/tmp/jmesh-unit.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
	arena_free(arena);
}

TestSuite(proc, .init = setup, .fini = teardown, .timeout = 60);
TestSuite(file, .init = setup, .fini = teardown, .timeout = 60);
TestSuite(sock, .init = setup, .fini = teardown, .timeout = 60);

static const char *in_dir(const char *name)
{
	return arena_printf(arena, "%s/%s", dir, name);
}

static struct output run_as(
	const char *const *argv, const char *input, size_t len, int limit_ms, size_t max)
{
	struct command c = { .argv = argv, .input = input, .input_len = len };
	struct proc_conf conf = PROC_CONF;
	struct output out;

	conf.limit_ms = limit_ms;
	conf.out_max = max;
	proc_run(&c, 1, &conf, arena, &out);
	return out;
}

static struct output run(const char *const *argv, const char *input)
{
	return run_as(argv, input, input == NULL ? 0 : strlen(input), 30000, 1 << 20);
}

Test(proc, gives_status_output_and_errors)
{
	struct output o = run(ARGV("sh", "-c", "echo out; echo err >&2; echo >&2; exit 7"), NULL);

	cr_assert_eq(o.status, 7);
	cr_assert_str_eq(o.out, "out\n");
	cr_assert_eq(o.out_len, 4);
	cr_assert_str_eq(o.err, "err");
}

Test(proc, words_are_passed_as_they_are)
{
	struct output o = run(ARGV("printf", "%s|", "$(id)", "a b", "", "'\"\n;"), NULL);

	cr_assert_str_eq(o.out, "$(id)|a b||'\"\n;|");
}

Test(proc, a_signal_is_128_more)
{
	cr_assert_eq(run(ARGV("sh", "-c", "kill -9 $$"), NULL).status, 137);
}

Test(proc, without_input_there_is_nothing_to_read)
{
	struct output o = run(ARGV("cat"), NULL);

	cr_assert_eq(o.status, 0);
	cr_assert_eq(o.out_len, 0);
}

Test(proc, input_larger_than_a_pipe_comes_back_whole)
{
	size_t len = 3 << 20;
	char *input = arena_alloc(arena, len, 1);
	struct output o;

	for (size_t i = 0; i < len; i++)
		input[i] = (char)(i * 31 >> 5);
	o = run_as(ARGV("cat"), input, len, 30000, len);
	cr_assert_eq(o.status, 0, "%s", o.err);
	cr_assert_eq(o.out_len, len);
	cr_assert_eq(memcmp(o.out, input, len), 0);
}

Test(proc, input_is_a_file_that_can_be_opened_by_name)
{
	cr_assert_str_eq(run(ARGV("cat", "/dev/stdin"), "text\n").out, "text\n");
}

Test(proc, a_program_that_does_not_read_its_input_is_no_problem)
{
	size_t len = 1 << 20;

	cr_assert_eq(run_as(ARGV("true"), arena_alloc(arena, len, 1), len, 30000, 10).status, 0);
}

Test(proc, output_over_the_limit_is_an_error_and_not_shorter)
{
	struct output o = run_as(ARGV("yes"), NULL, 0, 30000, 1 << 20);

	cr_assert_eq(o.status, -1);
	cr_assert_str_eq(o.err, "printed more than 1048576 bytes");
	cr_assert_str_eq(o.out, "");
	o = run_as(ARGV("printf", "12345"), NULL, 0, 30000, 5);
	cr_assert_eq(o.status, 0);
	cr_assert_str_eq(o.out, "12345");
	o = run_as(ARGV("printf", "123456"), NULL, 0, 30000, 5);
	cr_assert_eq(o.status, -1);
}

Test(proc, of_errors_the_first_4_KiB_are_kept)
{
	struct output o = run(ARGV("sh", "-c", "yes error | head -c 300000 >&2"), NULL);

	cr_assert_eq(o.status, 0);
	cr_assert_eq(strlen(o.err), 4096);
}

Test(proc, one_that_takes_too_long_is_killed_with_its_children)
{
	int64_t before = clock_ms();
	const char *mark = in_dir("alive");
	const char *script = arena_printf(arena, "(sleep 1; touch %s) & sleep 100", mark);
	struct output o = run_as(ARGV("sh", "-c", script), NULL, 0, 300, 100);

	cr_assert_eq(o.status, -1);
	cr_assert_str_eq(o.err, "did not end within 0.3 s and was killed");
	cr_assert_lt(clock_ms() - before, 5000);
	clock_nap_us(1200000);
	cr_assert_neq(access(mark, F_OK), 0);
}

Test(proc, one_that_never_stops_complaining_is_killed_too)
{
	cr_assert_eq(run_as(ARGV("sh", "-c", "yes >&2"), NULL, 0, 300, 100).status, -1);
}

Test(proc, one_that_closes_its_output_is_waited_for)
{
	struct output o = run(ARGV("sh", "-c", "exec >&- 2>&-; sleep 0.2; exit 3"), NULL);

	cr_assert_eq(o.status, 3);
}

Test(proc, one_that_leaves_a_child_with_its_output_is_not_waited_for_longer)
{
	int64_t before = clock_ms();
	struct output o = run(ARGV("sh", "-c", "sleep 4 & echo done"), NULL);

	cr_assert_eq(o.status, 0);
	cr_assert_str_eq(o.out, "done\n");
	cr_assert_lt(clock_ms() - before, 3000);
}

Test(proc, a_missing_program_is_told)
{
	struct output o = run(ARGV("jmesh-no-such-program"), NULL);

	cr_assert_eq(o.status, -1);
	cr_assert_str_eq(o.err, "no such program (is it installed?)");
	cr_assert_eq(run(ARGV("/nowhere/true"), NULL).status, -1);
	o = run(ARGV("/etc/passwd"), NULL);
	cr_assert_eq(o.status, -1);
	cr_assert_str_eq(o.err, "cannot be run: Permission denied");
}

Test(proc, sbin_is_looked_into_when_PATH_lacks_it)
{
	setenv("PATH", "/usr/bin:/bin", 1);
	cr_assert_eq(run(ARGV("nft", "--version"), NULL).status, 0);
}

Test(proc, many_run_side_by_side_and_answer_in_order)
{
	enum { N = 60 };
	struct command cmds[N];
	struct output outs[N];
	struct proc_conf conf = PROC_CONF;
	int64_t before = clock_ms();

	for (int i = 0; i < N; i++) {
		const char **argv = arena_alloc(arena, 4, sizeof(*argv));

		argv[0] = "sh";
		argv[1] = "-c";
		argv[2] = arena_printf(arena, "sleep 0.2; echo %d", i);
		cmds[i] = (struct command){ .argv = argv };
	}
	cmds[7].argv = ARGV("jmesh-no-such-program");
	proc_run(cmds, N, &conf, arena, outs);
	for (int i = 0; i < N; i++) {
		cr_assert_eq(outs[i].status, i == 7 ? -1 : 0);
		if (i != 7)
			cr_assert_str_eq(outs[i].out, arena_printf(arena, "%d\n", i));
	}
	cr_assert_lt(clock_ms() - before, N * 200 / 2);
}

Test(proc, nothing_of_ours_is_inherited)
{
	struct output before = run(ARGV("sh", "-c", "ls /proc/$$/fd"), NULL), after;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	after = run(ARGV("sh", "-c", "ls /proc/$$/fd"), NULL);
	cr_assert_str_eq(before.out, after.out);
	close(fd);
}

Test(proc, leaves_no_descriptor_and_no_child_behind)
{
	int first = dup(0), second;

	close(first);
	for (int i = 0; i < 20; i++) {
		run(ARGV("true"), "x");
		run(ARGV("jmesh-no-such-program"), NULL);
	}
	second = dup(0);
	close(second);
	cr_assert_eq(first, second);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
}

Test(proc, works_with_standard_descriptors_closed_and_SIGCHLD_ignored)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGCHLD, SIG_IGN);
		close(0);
		close(1);
		close(2);
		_exit(strcmp(run(ARGV("cat"), "x").out, "x") == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0);
}

Test(proc, has_a_process_group_of_its_own_and_no_signal_blocked_or_ignored)
{
	struct output o;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGINT, SIG_IGN);
	o = run(ARGV("sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status"), NULL);
	cr_assert_str_eq(o.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	o = run(ARGV("sh", "-c", "test $(cut -d' ' -f5 /proc/$$/stat) = $$"), NULL);
	cr_assert_eq(o.status, 0);
}

static int refuse(void *ctx, const char *jail, struct err *er)
{
	return err_set(er, ERR_SYSTEM, NOWHERE, "no way %s into %s", (const char *)ctx, jail);
}

Test(proc, an_entry_that_fails_says_why_and_nothing_runs)
{
	struct command c = { .jail = "web", .argv = ARGV("touch", in_dir("ran")) };
	struct proc_conf conf = PROC_CONF;
	struct output o;
	char way[] = "at all";

	conf.enter = refuse;
	conf.ctx = way;
	proc_run(&c, 1, &conf, arena, &o);
	cr_assert_eq(o.status, -1);
	cr_assert_str_eq(o.err, "no way at all into web");
	cr_assert_neq(access(in_dir("ran"), F_OK), 0);
}

/* The folder's files, each followed by a newline. */
static const char *listing(void)
{
	return run(ARGV("ls", "-A", dir), NULL).out;
}

static const char *content(const char *path)
{
	const char *text = NULL;
	size_t len;

	return file_read(path, 1 << 20, arena, &text, &len, &e) == 0 ? text : "(none)";
}

Test(file, replace_makes_and_replaces_with_the_mode_asked_for)
{
	const char *path = in_dir("f");
	mode_t mode;
	uid_t uid;

	umask(077);
	cr_assert_eq(file_replace(path, "one", 3, 0644, &e), 0, "%s", e.text);
	cr_assert_str_eq(content(path), "one");
	cr_assert_eq(file_stat(path, &mode, &uid, &e), 0);
	cr_assert_eq(mode & 07777, 0644);
	cr_assert_eq(uid, geteuid());
	cr_assert_eq(file_replace(path, "", 0, 0600, &e), 0);
	cr_assert_str_eq(content(path), "");
	cr_assert_eq(file_stat(path, &mode, &uid, &e), 0);
	cr_assert_eq(mode & 07777, 0600);
	cr_assert_str_eq(listing(), "f\n");
}

Test(file, replace_replaces_a_link_and_not_what_it_points_at)
{
	cr_assert_eq(file_replace(in_dir("target"), "old", 3, 0600, &e), 0);
	cr_assert_eq(symlink("target", in_dir("link")), 0);
	cr_assert_eq(file_replace(in_dir("link"), "new", 3, 0600, &e), 0);
	cr_assert_str_eq(content(in_dir("target")), "old");
	cr_assert_str_eq(content(in_dir("link")), "new");
}

Test(file, replace_fails_where_there_is_no_folder)
{
	cr_assert_eq(file_replace(in_dir("no/f"), "x", 1, 0600, &e), -1);
	cr_assert_str_eq(
		e.text, arena_printf(arena, "write %s: No such file or directory", in_dir("no/f")));
}

Test(file, replace_works_beside_the_working_folder)
{
	cr_assert_eq(chdir(dir), 0);
	cr_assert_eq(file_replace("f", "x", 1, 0600, &e), 0);
	cr_assert_str_eq(content(in_dir("f")), "x");
}

Test(file, create_never_replaces)
{
	const char *path = in_dir("key");

	cr_assert_eq(file_create(path, "first", 5, 0600, &e), 0, "%s", e.text);
	cr_assert_eq(file_create(path, "second", 6, 0600, &e), 1);
	cr_assert_str_eq(content(path), "first");
	cr_assert_eq(symlink("nowhere", in_dir("link")), 0);
	cr_assert_eq(file_create(in_dir("link"), "x", 1, 0600, &e), 1);
	cr_assert_str_eq(listing(), "key\nlink\n");
}

Test(file, what_a_killed_writer_left_is_swept_and_never_written_into)
{
	/* As when create was killed between giving the file its name and taking the other away. */
	cr_assert_eq(file_create(in_dir("key"), "secret", 6, 0600, &e), 0);
	cr_assert_eq(rename(in_dir("key"), in_dir("kept")), 0);
	cr_assert_eq(link(in_dir("kept"), in_dir(".key.tmp")), 0);
	cr_assert_eq(file_create(in_dir("key"), "other", 5, 0600, &e), 0, "%s", e.text);
	cr_assert_str_eq(content(in_dir("kept")), "secret");
	cr_assert_str_eq(content(in_dir("key")), "other");
	/* And a link that somebody put there is not followed. */
	cr_assert_eq(symlink("kept", in_dir(".key.tmp")), 0);
	cr_assert_eq(file_replace(in_dir("key"), "third", 5, 0600, &e), 0, "%s", e.text);
	cr_assert_str_eq(content(in_dir("kept")), "secret");
	cr_assert_str_eq(content(in_dir("key")), "third");
	cr_assert_str_eq(listing(), "kept\nkey\n");
}

Test(file, writers_side_by_side_never_mix)
{
	enum { WRITERS = 4, ROUNDS = 40, SIZE = 20000 };
	static char bytes[SIZE];
	pid_t pids[WRITERS];

	for (int w = 0; w < WRITERS; w++) {
		pids[w] = fork();
		if (pids[w] != 0)
			continue;
		memset(bytes, 'a' + w, SIZE);
		for (int i = 0; i < ROUNDS; i++)
			if (file_replace(in_dir("f"), bytes, SIZE, 0600, &e) < 0)
				_exit(1);
		_exit(0);
	}
	for (int w = 0; w < WRITERS; w++) {
		int status;

		waitpid(pids[w], &status, 0);
		cr_assert_eq(status, 0);
	}
	cr_assert_eq(strlen(content(in_dir("f"))), SIZE);
	cr_assert_eq(strspn(content(in_dir("f")), (char[]){ content(in_dir("f"))[0], 0 }), SIZE);
	cr_assert_str_eq(listing(), "f\n");
}

Test(file, of_creators_side_by_side_one_wins)
{
	enum { N = 8 };
	pid_t pids[N];
	int created = 0;

	for (int i = 0; i < N; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(file_create(in_dir("key"), "k", 1, 0600, &e) == 0 ? 10 : 11);
	}
	for (int i = 0; i < N; i++) {
		int status;

		waitpid(pids[i], &status, 0);
		created += WEXITSTATUS(status) == 10;
	}
	cr_assert_eq(created, 1);
}

Test(file, killed_at_any_moment_the_file_is_whole_and_nothing_piles_up)
{
	static char bytes[50000];

	memset(bytes, 'x', sizeof(bytes));
	cr_assert_eq(file_replace(in_dir("f"), bytes, sizeof(bytes), 0600, &e), 0);
	for (int i = 0; i < 60; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				file_replace(in_dir("f"), bytes, sizeof(bytes), 0600, &e);
		clock_nap_us(300 + 170 * i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		cr_assert_eq(strlen(content(in_dir("f"))), sizeof(bytes));
	}
	cr_assert_eq(file_replace(in_dir("f"), "y", 1, 0600, &e), 0);
	cr_assert_str_eq(listing(), "f\n");
}

Test(file, read_refuses_what_is_no_file_of_that_size)
{
	const char *text;
	size_t len;

	cr_assert_eq(file_read(in_dir("none"), 10, arena, &text, &len, &e), 1);
	cr_assert_eq(file_read(dir, 10, arena, &text, &len, &e), -1);
	cr_assert_str_eq(e.text, arena_printf(arena, "%s is a folder, not a file", dir));
	cr_assert_eq(mkfifo(in_dir("fifo"), 0600), 0);
	cr_assert_eq(file_read(in_dir("fifo"), 10, arena, &text, &len, &e), -1);
	cr_assert_eq(file_read("/dev/zero", 10, arena, &text, &len, &e), -1);
	cr_assert_eq(file_replace(in_dir("f"), "12345\0007890", 10, 0600, &e), 0);
	cr_assert_eq(file_read(in_dir("f"), 10, arena, &text, &len, &e), 0);
	cr_assert_eq(len, 10);
	cr_assert_eq(memcmp(text, "12345\0007890", 11), 0);
	cr_assert_eq(file_read(in_dir("f"), 9, arena, &text, &len, &e), -1);
	cr_assert_str_eq(e.text, arena_printf(arena, "%s is larger than 9 bytes", in_dir("f")));
	cr_assert_eq(file_read("/proc/self/status", 9, arena, &text, &len, &e), -1);
	cr_assert_eq(file_read("/proc/self/status", 1 << 16, arena, &text, &len, &e), 0);
	cr_assert_gt(len, 500);
}

Test(file, remove_is_content_with_nothing_there)
{
	cr_assert_eq(file_replace(in_dir("f"), "x", 1, 0600, &e), 0);
	cr_assert_eq(file_remove(in_dir("f"), &e), 0);
	cr_assert_eq(file_remove(in_dir("f"), &e), 0);
	cr_assert_eq(file_remove(dir, &e), -1);
}

Test(file, mkdirs_makes_what_is_missing)
{
	mode_t mode;
	uid_t uid;

	umask(077);
	cr_assert_eq(file_mkdirs(in_dir("a//b/c/"), 0755, &e), 0, "%s", e.text);
	cr_assert_eq(file_mkdirs(in_dir("a/b/c"), 0700, &e), 0);
	cr_assert_eq(file_stat(in_dir("a/b/c"), &mode, &uid, &e), 0);
	cr_assert_eq(mode & 07777, 0755);
	cr_assert_eq(file_replace(in_dir("f"), "x", 1, 0600, &e), 0);
	cr_assert_eq(file_mkdirs(in_dir("f/d"), 0755, &e), -1);
	cr_assert_eq(file_stat(in_dir("none"), &mode, &uid, &e), 1);
}

/* A server of one connection: says the parts, 30 ms apart, and then closes, or not. */
struct server {
	int fd;
	const char *parts[8];
	bool keep;
	char heard[256];
};

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->fd, NULL, NULL);

	if (recv(fd, s->heard, sizeof(s->heard) - 1, 0) < 0)
		return NULL;
	for (int i = 0; s->parts[i] != NULL; i++) {
		clock_nap_us(30000);
		send(fd, s->parts[i], strlen(s->parts[i]), MSG_NOSIGNAL);
	}
	if (s->keep)
		poll(NULL, 0, 1500);
	close(fd);
	return NULL;
}

static void listen_at(struct server *s, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(s->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	cr_assert_eq(listen(s->fd, 1), 0);
}

static int ask(struct server *s, const char **reply, int limit_ms, size_t max)
{
	pthread_t thread;
	int rc;

	listen_at(s, in_dir("s"));
	pthread_create(&thread, NULL, serve, s);
	rc = sock_ask(in_dir("s"), "{\"request\":1}", limit_ms, max, arena, reply, &e);
	pthread_join(thread, NULL);
	close(s->fd);
	cr_assert_str_eq(s->heard, "{\"request\":1}");
	return rc;
}

Test(sock, reads_to_the_end_of_the_connection)
{
	struct server s = { .parts = { "local-data ", "{ok\n" } };
	const char *reply;

	cr_assert_eq(ask(&s, &reply, 5000, 100), 0, "%s", e.text);
	cr_assert_str_eq(reply, "local-data {ok\n");
}

Test(sock, reads_to_the_end_of_one_value_where_the_connection_stays)
{
	struct server s = { .parts = { " {\"a\":\"}\\", "\"}\"", ",\"b\":[{}]", "}\n" },
		.keep = true };
	const char *reply;
	int64_t before = clock_ms();

	cr_assert_eq(ask(&s, &reply, 60000, 100), 0, "%s", e.text);
	cr_assert_eq(strncmp(reply, " {\"a\":\"}\\\"}\",\"b\":[{}]}", 22), 0, "%s", reply);
	cr_assert_lt(clock_ms() - before, 5000);
}

Test(sock, an_answer_that_does_not_end_is_an_error)
{
	struct server s = { .parts = { "{\"a\":1" }, .keep = true };
	const char *reply;

	cr_assert_eq(ask(&s, &reply, 300, 100), -1);
	cr_assert_str_eq(
		e.text, arena_printf(arena, "%s did not answer within 0.3 s", in_dir("s")));
}

Test(sock, an_answer_that_is_too_long_is_an_error)
{
	struct server s = { .parts = { "{\"a\":1", "2345678" } };
	const char *reply;

	cr_assert_eq(ask(&s, &reply, 5000, 10), -1);
	cr_assert_str_eq(
		e.text, arena_printf(arena, "%s answered with more than 10 bytes", in_dir("s")));
}

Test(sock, nobody_there_is_told_apart_from_an_error)
{
	struct server s = { 0 };
	const char *reply;

	cr_assert_eq(sock_ask(in_dir("none"), "x", 1000, 10, arena, &reply, &e), 1);
	listen_at(&s, in_dir("s"));
	close(s.fd);
	cr_assert_eq(sock_ask(in_dir("s"), "x", 1000, 10, arena, &reply, &e), 1);
	cr_assert_eq(mkdir(in_dir("d"), 0700), 0);
	cr_assert_eq(sock_ask(in_dir("d/s/x"), "x", 1000, 10, arena, &reply, &e), 1);
}

Test(sock, a_path_that_is_too_long_says_what_to_do)
{
	char path[200];
	const char *reply;

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[SOCK_PATH_BYTES] = '\0';
	cr_assert_eq(sock_ask(path, "x", 1000, 10, arena, &reply, &e), 1);
	path[SOCK_PATH_BYTES] = 'x';
	path[SOCK_PATH_BYTES + 1] = '\0';
	cr_assert_eq(sock_ask(path, "x", 1000, 10, arena, &reply, &e), -1);
	cr_assert_not_null(strstr(e.text, "choose a shorter host.state_dir"));
}
