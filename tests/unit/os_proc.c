#include "tests/unit/os_tmp.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "os/clock.h"
#include "os/proc.h"

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

TestSuite(proc, .init = setup, .fini = teardown, .timeout = 60);

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
	unsigned long long blocked, ignored;
	struct output o;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGINT, SIG_IGN);
	o = run(ARGV("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"), NULL);
	cr_assert_eq(
		sscanf(o.out, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2, "%s", o.out);
	cr_assert_eq(blocked, 0);
	/* Signals 32 and 33 are the C library's own; nobody else can set them. */
	cr_assert_eq(ignored & ~0x180000000ULL, 0, "%llx", ignored);
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
