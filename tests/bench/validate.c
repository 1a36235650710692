/*
 * What reading and checking a mesh file of 1,000 peers with 10 jails each costs, beside libyaml merely
 * scanning the same bytes. Prints one figure and its limit; exit status 1 where it is above.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <yaml.h>

#include "base/arena.h"
#include "base/text.h"
#include "schema/mesh.h"

enum { PEERS = 1000, JAILS = 10, ROUNDS = 41 };

static const double limit = 2.5;

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static struct text mesh_file(struct arena *a)
{
	struct text t = text_new(a);

	text_add(&t, "version: 1\nname: bench\npeers:\n");
	for (unsigned i = 0; i < PEERS; i++) {
		text_addf(&t, "  - name: peer%u\n    jails:\n", i);
		for (unsigned j = 0; j < JAILS; j++)
			text_addf(&t, "      - name: jail%u\n        address: 2%02x:%x:%x::%x\n", j,
				i % 256, i + 1, j + 1, i * JAILS + j + 1);
	}
	return t;
}

static double scan(const struct text *t)
{
	double begin = now_ms();
	yaml_parser_t parser;
	yaml_token_t token;
	int done = 0;

	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)t->s, t->len);
	while (!done) {
		if (!yaml_parser_scan(&parser, &token))
			abort();
		done = token.type == YAML_STREAM_END_TOKEN;
		yaml_token_delete(&token);
	}
	yaml_parser_delete(&parser);
	return now_ms() - begin;
}

static double validate(const struct text *t)
{
	double begin = now_ms(), took;
	struct arena *a = arena_new();
	struct problems problems;
	struct mesh mesh;

	if (mesh_load(t->s, t->len, false, a, &mesh, &problems) < 0) {
		fprintf(stderr, "validate: %s\n", problems.v[0].text);
		exit(1);
	}
	took = now_ms() - begin;
	arena_free(a);
	return took;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	double scans[ROUNDS], loads[ROUNDS], ratios[ROUNDS], ratio;
	struct arena *a = arena_new();
	struct text t = mesh_file(a);

	/* In turn, and a ratio a round: what else the machine does falls on both. */
	for (int i = 0; i < ROUNDS; i++) {
		scans[i] = scan(&t);
		loads[i] = validate(&t);
		ratios[i] = loads[i] / scans[i];
	}
	qsort(scans, ROUNDS, sizeof(*scans), by_size);
	qsort(loads, ROUNDS, sizeof(*loads), by_size);
	qsort(ratios, ROUNDS, sizeof(*ratios), by_size);
	ratio = ratios[ROUNDS / 2];
	printf("validate-1000x10       %6.2f       limit %.1f      (%.1f ms beside %.1f ms)\n",
		ratio, limit, loads[ROUNDS / 2], scans[ROUNDS / 2]);
	arena_free(a);
	return ratio > limit;
}
