/*
 * A relay under load, for so many seconds:
 *
 *	load JMESH SECONDS
 *
 * 10,000 pairings stay open, and 200 clients create, poll, join and read others, each for an address of its
 * own. Fails where an answer is wrong, the relay's memory grows, files stay open, pairings are lost or too
 * many, or the relay says or does what it should not.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "os/clock.h"
#include "process.h"

enum {
	OPEN = 10000,
	CLIENTS = 200,
	PAIRINGS_MAX = OPEN + CLIENTS,
	SAMPLES_MAX = 24 * 3600,
	GROWTH = 3, /* per cent that the last third of the samples may be above the first */
};

static int complain(const char *fmt, long is, long was)
{
	fputs("load: ", stderr);
	fprintf(stderr, fmt, is, was);
	fputc('\n', stderr);
	return -1;
}

static long mean(const long *v, size_t n)
{
	long sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return n != 0 ? sum / (long)n : 0;
}

/*
 * Until nothing grows any more but by a mistake: read pairings are kept for repetitions until there are as
 * many of them as may be open.
 */
static void warm_up(struct crowd *c)
{
	crowd_fill(c);
	crowd_warm(c, PAIRINGS_MAX);
}

/* A sample a second. How many pairings are open is looked at as well. */
static int measure(struct crowd *c, const struct process *p, size_t seconds, long *resident)
{
	int64_t start = clock_ms();

	for (size_t i = 0; i < seconds; i++) {
		long open;

		crowd_run(c, start + (int64_t)(i + 1) * 1000);
		resident[i] = process_resident(p);
		open = process_gauge(p, "pairings_open");
		if (open < OPEN || open > PAIRINGS_MAX)
			return complain("%ld pairings are open, not about %ld", open, OPEN);
	}
	return 0;
}

static int judge_memory(const long *resident, size_t n)
{
	long first = mean(resident, n / 3), last = mean(resident + n - n / 3, n / 3);

	printf("load: resident memory: %.1f MiB in the first third, %.1f MiB in the last\n",
		(double)first / 1024, (double)last / 1024);
	if (last > first + first * GROWTH / 100)
		return complain("the memory grows: %ld KiB after %ld", last, first);
	return 0;
}

/* Connections that are closed are noticed a moment later. */
static int judge_rest(const struct process *p, long files)
{
	long left = 0, open;

	for (int i = 0; i < 500; i++) {
		left = process_files(p);
		if (left == files)
			break;
		clock_nap_us(10000);
	}
	if (left != files)
		return complain("%ld files are open, and %ld were before", left, files);
	open = process_gauge(p, "pairings_open");
	if (open != OPEN)
		return complain("%ld pairings are open at the end, not %ld", open, OPEN);
	return 0;
}

static int run(const struct process *p, size_t seconds)
{
	static struct kept kept[OPEN];
	static long resident[SAMPLES_MAX];
	long files = process_files(p);
	struct crowd *c = crowd_new(process_port(p), CLIENTS, kept, OPEN);
	int64_t start = clock_ms();
	uint64_t requests, pairings;
	int rc;

	warm_up(c);
	printf("load: warm after %.1f s and %llu requests\n", (double)(clock_ms() - start) / 1000,
		(unsigned long long)crowd_requests(c));
	fflush(stdout);
	requests = crowd_requests(c);
	pairings = crowd_pairings(c);
	rc = measure(c, p, seconds, resident);
	requests = crowd_requests(c) - requests;
	pairings = crowd_pairings(c) - pairings;
	printf("load: %zu s, %d clients, %d pairings open: %llu requests, %llu a second, %llu "
	       "pairings\n",
		seconds, CLIENTS, OPEN, (unsigned long long)requests,
		(unsigned long long)(requests / seconds), (unsigned long long)pairings);
	crowd_finish(c);
	crowd_free(c);
	if (rc == 0)
		rc = judge_memory(resident, seconds);
	return rc == 0 ? judge_rest(p, files) : rc;
}

int main(int argc, char **argv)
{
	const char *relay[] = { argc > 1 ? argv[1] : "", "relay", "--listen", "127.0.0.1:0",
		"--admin", "0", "--trusted-proxy", "127.0.0.1", "--max-pairings", "10200", "--ttl",
		"86400", NULL };
	long seconds = argc == 3 ? atol(argv[2]) : 0;
	struct process *p;
	int rc;

	if (seconds < 3 || seconds > SAMPLES_MAX) {
		fputs("usage: load JMESH SECONDS, at least 3\n", stderr);
		return 2;
	}
	/* What AddressSanitizer keeps of freed memory must be full when the measuring begins. */
	setenv("ASAN_OPTIONS", "quarantine_size_mb=8:thread_local_quarantine_size_kb=64", 0);
	p = process_start(relay);
	rc = run(p, (size_t)seconds);
	return process_stop(p) && rc == 0 ? 0 : 1;
}
