/*
 * noop JMESH MESH_FILE: the time of a diff that finds nothing, beside the programs that it must run to
 * know so: one `nft -j list` a node and one `unbound-control list_local_data`, each run alone. It is run
 * on a host of the lab (tests/lab/bench-noop.sh).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/platform.h"

enum { ROUNDS = 15 };

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double l = *(const double *)a, r = *(const double *)b;

	return l < r ? -1 : l > r;
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(v[0]), by_value);
	return v[ROUNDS / 2];
}

static void run(const struct port *port, const char *jail, const char *const *argv, struct arena *a)
{
	struct output out;
	struct err e;

	if (port_run(port, jail, argv, NULL, a, &out, &e) < 0) {
		fprintf(stderr, "noop: %s\n", e.text);
		exit(1);
	}
}

static double needed(const struct port *port)
{
	static const char *const nft[] = { "nft", "-j", "list", "set", "inet", "jmesh",
		"mesh_peers", NULL };
	static const char *const names[] = { "unbound-control", "list_local_data", NULL };
	struct arena *a = arena_new();
	struct strs jails = { 0 }, known = { 0 };
	struct err e;
	double start;

	if (port->ops->jails(port->self, a, &jails, &known, &e) < 0)
		exit(1);
	start = now_ms();
	run(port, NULL, nft, a);
	for (size_t i = 0; i < jails.n; i++)
		run(port, jails.v[i], nft, a);
	run(port, NULL, names, a);
	start = now_ms() - start;
	arena_free(a);
	return start;
}

static double diff(char **argv)
{
	double start = now_ms();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (freopen("/dev/null", "w", stdout) == NULL)
			_exit(1);
		execl(argv[1], "jmesh", "diff", argv[2], (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || status != 0) {
		fputs("noop: diff finds something\n", stderr);
		exit(1);
	}
	return now_ms() - start;
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	const struct platform *platform;
	struct platform_conf conf = { 0 };
	struct port port;
	struct err e;
	double ours[ROUNDS], theirs[ROUNDS], ratios[ROUNDS], ratio;

	if (argc != 3 || platform_find("netns", &platform, &e) < 0)
		return 2;
	conf.state_dir = platform->defaults.state_dir;
	if (platform->open(&port, &conf, a, &e) < 0)
		return 2;
	for (int i = 0; i < ROUNDS; i++) {
		theirs[i] = needed(&port);
		ours[i] = diff(argv);
		ratios[i] = ours[i] / theirs[i];
	}
	ratio = median(ratios);
	printf("noop-diff-10x1000      %6.2f       limit 1.5      (%.1f ms beside %.1f ms)\n",
		ratio, median(ours), median(theirs));
	arena_free(a);
	return ratio < 1.5 ? 0 : 1;
}
