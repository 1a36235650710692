#include <criterion/criterion.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/statelock.h"

static struct err e;
static char base[64], dir[80];

static void setup(void)
{
	e = ERR_INIT;
	strcpy(base, "/tmp/jmesh-unit.XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/state", base);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", base);
	cr_assert_eq(system(command), 0);
}

TestSuite(statelock, .init = setup, .fini = teardown, .timeout = 60);

/* Another process that takes the lock, says so, and holds it until it is killed or ms have passed. */
static pid_t holder(int ms)
{
	struct statelock l = STATELOCK_INIT;
	int ready[2];
	char c;
	pid_t pid;

	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (statelock_take(&l, dir, 0, NULL, NULL, &e) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		clock_nap_us(ms * 1000L);
		statelock_drop(&l);
		_exit(0);
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

Test(statelock, makes_the_folder_for_itself_alone)
{
	struct statelock l = STATELOCK_INIT;
	struct stat st;

	cr_assert_eq(statelock_take(&l, dir, 0, NULL, NULL, &e), 0, "%s", e.text);
	cr_assert_eq(stat(dir, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(fcntl(l.fd, F_GETFD), FD_CLOEXEC);
	statelock_drop(&l);
	cr_assert_eq(l.fd, -1);
	statelock_drop(&l);
}

Test(statelock, names_who_holds_it)
{
	struct statelock l = STATELOCK_INIT;
	pid_t pid = holder(20000);
	char said[128];

	cr_assert_eq(statelock_take(&l, dir, 0, NULL, NULL, &e), -1);
	cr_assert_eq(e.code, ERR_BUSY);
	snprintf(said, sizeof(said), "another jmesh (pid %ld) is at work on %s", (long)pid, dir);
	cr_assert_str_eq(e.text, said);
	cr_assert_eq(l.fd, -1);
	end(pid);
}

static void count(void *ctx, long pid)
{
	long *seen = ctx;

	seen[0]++;
	seen[1] = pid;
}

Test(statelock, waits_until_it_is_free_and_says_so_once)
{
	struct statelock l = STATELOCK_INIT;
	pid_t pid = holder(400);
	int64_t before = clock_ms();
	long seen[2] = { 0, 0 };

	cr_assert_eq(statelock_take(&l, dir, 20, count, seen, &e), 0, "%s", e.text);
	cr_assert_geq(clock_ms() - before, 250);
	cr_assert_eq(seen[0], 1);
	cr_assert_eq(seen[1], (long)pid);
	statelock_drop(&l);
	end(pid);
}

Test(statelock, waits_no_longer_than_asked)
{
	struct statelock l = STATELOCK_INIT;
	pid_t pid = holder(20000);
	int64_t before = clock_ms();

	cr_assert_eq(statelock_take(&l, dir, 1, NULL, NULL, &e), -1);
	cr_assert_geq(clock_ms() - before, 950);
	cr_assert_lt(clock_ms() - before, 5000);
	end(pid);
}

Test(statelock, ends_with_its_process_however_that_ends)
{
	struct statelock l = STATELOCK_INIT;

	end(holder(20000));
	cr_assert_eq(statelock_take(&l, dir, 0, NULL, NULL, &e), 0, "%s", e.text);
	statelock_drop(&l);
}

Test(statelock, is_held_by_one_of_many)
{
	enum { N = 8, ROUNDS = 20 };
	char path[128];
	pid_t pids[N];
	FILE *f;
	int total = 0;

	snprintf(path, sizeof(path), "%s/count", base);
	for (int i = 0; i < N; i++) {
		struct statelock l = STATELOCK_INIT;

		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		for (int k = 0; k < ROUNDS; k++) {
			int had = 0;

			if (statelock_take(&l, dir, 40, NULL, NULL, &e) < 0)
				_exit(1);
			f = fopen(path, "r");
			if (f != NULL) {
				if (fscanf(f, "%d", &had) != 1)
					_exit(2);
				fclose(f);
			}
			f = fopen(path, "w");
			fprintf(f, "%d", had + 1);
			fclose(f);
			statelock_drop(&l);
		}
		_exit(0);
	}
	for (int i = 0; i < N; i++) {
		int status;

		waitpid(pids[i], &status, 0);
		cr_assert_eq(status, 0);
	}
	f = fopen(path, "r");
	cr_assert_eq(fscanf(f, "%d", &total), 1);
	fclose(f);
	cr_assert_eq(total, N * ROUNDS);
}

Test(statelock, a_folder_removed_meanwhile_is_made_anew)
{
	struct statelock l = STATELOCK_INIT;
	pid_t pid = holder(300);
	char path[128];

	snprintf(path, sizeof(path), "%s/lock", dir);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(statelock_take(&l, dir, 20, NULL, NULL, &e), 0, "%s", e.text);
	cr_assert_eq(access(path, F_OK), 0);
	statelock_drop(&l);
	end(pid);
}

Test(statelock, taking_it_leaves_no_trace)
{
	struct statelock l = STATELOCK_INIT;
	struct stat before, after;
	char path[128];

	snprintf(path, sizeof(path), "%s/lock", dir);
	cr_assert_eq(statelock_take(&l, dir, 0, NULL, NULL, &e), 0);
	statelock_drop(&l);
	cr_assert_eq(stat(path, &before), 0);
	clock_nap_us(20000);
	cr_assert_eq(statelock_take(&l, dir, 0, NULL, NULL, &e), 0);
	statelock_drop(&l);
	cr_assert_eq(stat(path, &after), 0);
	cr_assert_eq(after.st_size, 0);
	cr_assert_eq(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	cr_assert_eq(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
}

static void nothing(int sig)
{
	(void)sig;
}

Test(statelock, a_signal_ends_the_wait)
{
	struct sigaction act = { .sa_handler = nothing };
	struct statelock l = STATELOCK_INIT;
	pid_t pid = holder(20000);

	sigaction(SIGALRM, &act, NULL);
	alarm(1);
	cr_assert_eq(statelock_take(&l, dir, 30, NULL, NULL, &e), -1);
	cr_assert_eq(e.code, ERR_INTERRUPTED);
	end(pid);
}
