#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/unit/pairing_lab.h"

TestSuite(pairing_kill, .init = pair_setup, .fini = pair_teardown, .timeout = 120);

/* The handshake in a process of its own, that the relay kills at a chosen request or a timer does. */
static pid_t spawn(struct side *s, enum handshake_role role, const char *code, int wait_s)
{
	pid_t pid;

	pthread_mutex_lock(&pair_relay.mutex);
	pid = fork();
	if (pid == 0) {
		struct handshake_want want = { role == HANDSHAKE_CREATE ? "office" : "home", role,
			true, code, NULL };
		struct handshake_result r;
		struct err e = ERR_INIT;

		handshake_run(&s->c, &want, 1, wait_s, pair_arena, &r, &e);
		_exit(0);
	}
	pair_relay.victim = pid;
	pthread_mutex_unlock(&pair_relay.mutex);
	return pid;
}

static void reap(pid_t pid)
{
	waitpid(pid, NULL, 0);
	pthread_mutex_lock(&pair_relay.mutex);
	pair_relay.victim = 0;
	pthread_mutex_unlock(&pair_relay.mutex);
}

Test(pairing_kill, killed_before_or_after_the_relay_acted_loses_nothing)
{
	for (unsigned after = 0; after < 2; after++) {
		struct handshake_result r;
		char code[65];

		pair_side_init(&pair_laptop, after ? "laptop1" : "laptop0", PAIR_OURS);
		pair_side_init(&pair_server, after ? "server1" : "server0", PAIR_THEIRS);
		r = pair_create(0);
		cr_assert_eq(r.status, HANDSHAKE_WAITING);
		snprintf(code, sizeof(code), "%s", r.code);
		pair_relay.kill_after = after;
		pair_relay.kill_at = pair_relay.requests + 1;
		reap(spawn(&pair_server, HANDSHAKE_JOIN, code, 0));
		r = pair_join(code);
		cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
		pair_relay.kill_at = pair_relay.requests + 1;
		reap(spawn(&pair_laptop, HANDSHAKE_CREATE, NULL, 0));
		r = pair_create(0);
		cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
		pair_has_roster(&pair_laptop, "office", PAIR_THEIRS);
		pair_has_roster(&pair_server, "home", PAIR_OURS);
	}
}

static pid_t spawn_waiting(struct side *s)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct handshake_want want = { "office", HANDSHAKE_CREATE, true, NULL, NULL };
		struct handshake_result r;
		struct err e = ERR_INIT;

		_exit(handshake_run(&s->c, &want, 1, 20, pair_arena, &r, &e) < 0 ||
			r.status != HANDSHAKE_PAIRED);
	}
	return pid;
}

/* At a plain relay the second of them finds the code used, and the roster in the lock. */
Test(pairing_kill, two_runs_that_poll_one_code_are_both_paired)
{
	int status[2];
	pid_t pids[2];

	pair_relay.plain = true;
	pair_create(0);
	pids[0] = spawn_waiting(&pair_laptop);
	pids[1] = spawn_waiting(&pair_laptop);
	usleep(300000);
	cr_assert_eq(pair_join("1-zephyr").status, HANDSHAKE_PAIRED);
	for (int i = 0; i < 2; i++) {
		waitpid(pids[i], &status[i], 0);
		cr_expect(WIFEXITED(status[i]) && WEXITSTATUS(status[i]) == 0, "run %d", i);
	}
	cr_assert_eq(pair_relay.posts, 1);
	pair_has_roster(&pair_laptop, "office", PAIR_THEIRS);
	cr_assert_eq(pair_pendings(&pair_laptop), 0);
}

static void kill_at_random(struct side *s, enum handshake_role role, const char *code)
{
	pid_t pid = spawn(s, role, code, 0);

	usleep((useconds_t)(rand() % 12000));
	kill(pid, SIGKILL);
	reap(pid);
}

Test(pairing_kill, killed_at_random_moments_it_converges)
{
	srand(7);
	for (int i = 0; i < 40; i++) {
		struct handshake_result r;
		char code[65];

		pair_relay.n = 0;
		pair_side_init(&pair_laptop, arena_printf(pair_arena, "l%d", i), PAIR_OURS);
		pair_side_init(&pair_server, arena_printf(pair_arena, "s%d", i), PAIR_THEIRS);
		kill_at_random(&pair_laptop, HANDSHAKE_CREATE, NULL);
		kill_at_random(&pair_laptop, HANDSHAKE_CREATE, NULL);
		r = pair_create(0);
		cr_assert_eq(r.status, HANDSHAKE_WAITING, "%s", r.err.text);
		snprintf(code, sizeof(code), "%s", r.code);
		kill_at_random(&pair_server, HANDSHAKE_JOIN, code);
		kill_at_random(&pair_server, HANDSHAKE_JOIN, code);
		r = pair_join(code);
		cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
		kill_at_random(&pair_laptop, HANDSHAKE_CREATE, NULL);
		kill_at_random(&pair_laptop, HANDSHAKE_CREATE, NULL);
		r = pair_create(0);
		cr_assert_eq(r.status, HANDSHAKE_PAIRED, "%s", r.err.text);
		pair_has_roster(&pair_laptop, "office", PAIR_THEIRS);
		pair_has_roster(&pair_server, "home", PAIR_OURS);
	}
}
