#include "os/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "os/clock.h"

enum {
	AT_ONCE = 16,
	ERR_MAX = 4096,
	/* A program may end while a child of its own still holds its output: how often we look. */
	LOOK_MS = 50,
};

struct job {
	struct spawned s;
	struct output *answer; /* NULL: a free slot */
	struct text out, err;
	int64_t deadline;
	long nap_us; /* between looks for the end of one whose output has ended */
	bool over;   /* said more than it may */
};

/* Whether the job took a slot. */
static bool job_start(struct job *j, const struct command *c, const struct proc_conf *conf,
	struct arena *a, struct output *answer)
{
	struct err e = ERR_INIT;

	*answer = (struct output){ .status = -1, .out = "", .err = "" };
	if (spawn(c, conf->enter, conf->ctx, &j->s, &e) < 0) {
		answer->err = arena_dup(a, e.text);
		return false;
	}
	j->answer = answer;
	j->out = text_new(a);
	j->err = text_new(a);
	j->deadline = clock_ms() + conf->limit_ms;
	j->nap_us = 50;
	j->over = false;
	return true;
}

/*
 * Reads what is there, in turns so that a program that never stops talking does not hold up the others;
 * closes at the end. max bytes are kept, the rest is forgotten; returns false when there were more.
 */
static bool drain(int *fd, struct text *t, size_t max)
{
	char chunk[65536];
	bool fits = true;
	ssize_t got;

	for (int turns = 16; *fd >= 0 && turns > 0; turns--) {
		got = read(*fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got <= 0) {
			close(*fd);
			*fd = -1;
			break;
		}
		if ((size_t)got > max - t->len) {
			got = (ssize_t)(max - t->len);
			fits = false;
		}
		text_addn(t, chunk, (size_t)got);
	}
	return fits;
}

static void job_drain(struct job *j, const struct proc_conf *conf)
{
	if (!drain(&j->s.out, &j->out, conf->out_max))
		j->over = true;
	drain(&j->s.err, &j->err, ERR_MAX);
}

static void job_answer(struct job *j, int status, const char *failed, bool late,
	const struct proc_conf *conf, struct arena *a)
{
	struct output *o = j->answer;
	char note[sizeof(((struct err *)0)->text)];
	ssize_t noted = read(j->s.note, note, sizeof(note));
	size_t len = j->err.len;

	while (len > 0 && (j->err.s[len - 1] == '\n' || j->err.s[len - 1] == '\r'))
		j->err.s[--len] = '\0';
	o->out = j->out.s;
	o->out_len = j->out.len;
	o->err = j->err.s;
	o->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (noted > 0) {
		o->status = -1;
		o->err = arena_dupn(a, note, (size_t)noted);
	} else if (j->over) {
		o->status = -1;
		o->err = arena_printf(a, "printed more than %zu bytes", conf->out_max);
	} else if (failed != NULL) {
		o->status = -1;
		o->late = late;
		o->err = failed;
	}
	if (o->status == -1) {
		o->out = "";
		o->out_len = 0;
	}
	if (j->s.out >= 0)
		close(j->s.out);
	if (j->s.err >= 0)
		close(j->s.err);
	close(j->s.note);
	j->answer = NULL;
}

static void job_kill(struct job *j, const struct proc_conf *conf, struct arena *a)
{
	int status = 0;

	kill(-j->s.pid, SIGKILL);
	while (waitpid(j->s.pid, &status, 0) < 0 && errno == EINTR)
		;
	job_answer(j, status,
		arena_printf(
			a, "did not end within %.3g s and was killed", conf->limit_ms / 1000.0),
		true, conf, a);
}

/* Looks whether the job has ended; whether its slot is free now. */
static bool job_end(struct job *j, const struct proc_conf *conf, struct arena *a)
{
	int status = 0;
	pid_t got;

	if (!j->over) {
		got = waitpid(j->s.pid, &status, WNOHANG);
		if (got == j->s.pid) {
			job_drain(j, conf); /* what it said last */
			job_answer(j, status, NULL, false, conf, a);
			return true;
		}
		if (got < 0 && errno != EINTR) {
			job_answer(j, 0, "its exit status was lost", false, conf, a);
			return true;
		}
	}
	if (!j->over && clock_ms() < j->deadline)
		return false;
	job_kill(j, conf, a);
	return true;
}

/* Waits until one of the jobs says something, ends or is due. */
static void wait_for_news(struct job *jobs)
{
	struct pollfd p[2 * AT_ONCE];
	int64_t now = clock_ms(), timeout = LOOK_MS;
	long nap = 0;
	nfds_t n = 0;

	for (int i = 0; i < AT_ONCE; i++) {
		struct job *j = &jobs[i];

		if (j->answer == NULL)
			continue;
		if (j->deadline - now < timeout)
			timeout = j->deadline > now ? j->deadline - now : 0;
		if (j->s.out >= 0)
			p[n++] = (struct pollfd){ .fd = j->s.out, .events = POLLIN };
		if (j->s.err >= 0)
			p[n++] = (struct pollfd){ .fd = j->s.err, .events = POLLIN };
		if (j->s.out >= 0 || j->s.err >= 0)
			continue;
		/* Its end follows the end of its output by microseconds, as a rule. */
		if (nap == 0 || j->nap_us < nap)
			nap = j->nap_us;
		if (j->nap_us < 5000)
			j->nap_us *= 2;
	}
	if (nap > 0)
		clock_nap_us(nap);
	poll(p, n, nap > 0 ? 0 : (int)timeout);
}

void proc_run(const struct command *cmds, size_t n, const struct proc_conf *conf, struct arena *a,
	struct output *outs)
{
	struct job jobs[AT_ONCE] = { 0 };
	struct sigaction chld;
	size_t next = 0, live = 0;

	/* While it is ignored, the kernel throws exit statuses away. */
	if (sigaction(SIGCHLD, NULL, &chld) == 0 && chld.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
	while (next < n || live > 0) {
		for (int i = 0; i < AT_ONCE && next < n; i++) {
			if (jobs[i].answer != NULL)
				continue;
			if (job_start(&jobs[i], &cmds[next], conf, a, &outs[next]))
				live++;
			next++;
		}
		if (live == 0)
			continue;
		wait_for_news(jobs);
		for (int i = 0; i < AT_ONCE; i++) {
			if (jobs[i].answer == NULL)
				continue;
			job_drain(&jobs[i], conf);
			if (job_end(&jobs[i], conf, a))
				live--;
		}
	}
}
