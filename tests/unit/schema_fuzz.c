/* Mesh files with random faults: no crash, no hang, and both ways of loading agree. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/arena.h"
#include "cli/cli.h"
#include "schema/mesh.h"

enum { SEEDS_MAX = 200, SEED_BYTES = 6000, MUTATIONS = 10000 };

struct sample {
	char *text;
	size_t len;
};

/* xorshift64 (Marsaglia, 2003): the same faults on every run. */
static uint64_t state = 0x9e3779b97f4a7c15U;

static size_t below(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n == 0 ? 0 : (size_t)(state % n);
}

/* The good ones come first. */
static size_t read_seeds(struct arena *a, struct sample *seeds, size_t *n_good)
{
	static const char *const patterns[] = { "tests/golden/validate/good/*.yaml",
		"examples/*.yaml", "tests/golden/validate/bad/*.yaml" };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		glob_t found;

		if (glob(patterns[i], 0, NULL, &found) != 0)
			continue;
		for (size_t j = 0; j < found.gl_pathc && n < SEEDS_MAX; j++) {
			FILE *f = fopen(found.gl_pathv[j], "r");
			char *text = arena_alloc(a, SEED_BYTES, 1);

			cr_assert_not_null(f);
			seeds[n++] = (struct sample){ text, fread(text, 1, SEED_BYTES, f) };
			fclose(f);
		}
		globfree(&found);
		*n_good = i == 1 ? n : *n_good;
	}
	return n;
}

static const char *const words[] = { "\n", " ", "  ", "- ", ": ", "[", "]", "{", "}", "&a ", "*a",
	"!x ", "|\n", ">-\n", "\"", "'", "\\x00", "\t", "\r", "\xc2\x85", "\xe2\x80\xa8", "\xff",
	"\xef\xbb\xbf", "---\n", "...\n", "%YAML 1.1\n", "#", "? ", "<<: *a\n", "~", "null", "true",
	"name: x\n", "jails:\n", "peers: []\n", "pair: join\n", "address: 200::1\n", "version: 1\n",
	",", "\x7f" };

/* One fault at a random place; the text has room for it. */
static size_t spoil(char *text, size_t len, const struct sample *other)
{
	size_t at = below(len + 1), n, from;
	const char *bytes;

	switch (below(4)) {
	case 0:
		if (at < len)
			text[at] = (char)below(256);
		return len;
	case 1:
		n = below(12);
		n = n > len - at ? len - at : n;
		memmove(text + at, text + at + n, len - at - n);
		return len - n;
	case 2:
		bytes = words[below(sizeof(words) / sizeof(*words))];
		n = strlen(bytes);
		break;
	default:
		from = below(other->len);
		n = below(other->len - from < 80 ? other->len - from : 80);
		bytes = other->text + from;
		break;
	}
	memmove(text + at + n, text + at, len - at);
	memcpy(text + at, bytes, n);
	return len + n;
}

static void check(const char *text, size_t len, FILE *null)
{
	struct arena *a = arena_new();
	/* Exactly as long as the text, so that a sanitizer sees a read behind it. */
	char *exact = malloc(len == 0 ? 1 : len);
	struct input in = { .name = "fuzz.yaml", .text = exact, .len = len };
	struct problems with, without;
	struct mesh mesh;
	int rc, rc_lines;

	memcpy(exact, text, len);
	rc = mesh_load(exact, len, false, a, &mesh, &without);
	rc_lines = mesh_load(exact, len, true, a, &mesh, &with);
	cr_assert_eq(rc, rc_lines, "the two ways disagree (%d, %d): %s\n%.*s", rc, rc_lines,
		with.n != 0 ? with.v[0].text : "", (int)len, text);
	cr_assert_eq(rc == 0, without.n == 0);
	cr_assert_eq(with.n, without.n);
	for (size_t i = 0; i < with.n; i++) {
		const struct problem *p = &with.v[i], *q = i == 0 ? p : p - 1;

		cr_assert(p->at.line >= 1 && p->at.col >= 1, "a problem without a place: %s",
			p->text);
		cr_assert(q->at.line < p->at.line ||
			(q->at.line == p->at.line && q->at.col <= p->at.col));
		cr_assert_null(
			strstr(p->text, "cannot be loaded"), "%s\n%.*s", p->text, (int)len, text);
	}
	input_complain(null, true, &in, with.v, with.n);
	free(exact);
	arena_free(a);
}

Test(schema_fuzz, spoiled_files_neither_crash_nor_hang, .timeout = 120)
{
	static struct sample seeds[SEEDS_MAX];
	static char text[SEED_BYTES + 4096];
	struct arena *a = arena_new();
	size_t n_good = 0, n = read_seeds(a, seeds, &n_good);
	FILE *null = fopen("/dev/null", "w");

	cr_assert(n > 50 && n_good > 0, "run from the root of the repository");
	cr_assert_not_null(null);
	for (size_t i = 0; i < n; i++)
		check(seeds[i].text, seeds[i].len, null);
	for (unsigned i = 0; i < MUTATIONS; i++) {
		const struct sample *seed = &seeds[below(below(3) == 0 ? n : n_good)];
		size_t len = seed->len;

		memcpy(text, seed->text, len);
		for (size_t faults = 1 + below(1 + below(6)); faults > 0; faults--)
			len = spoil(text, len, &seeds[below(n)]);
		check(text, len, null);
	}
	fclose(null);
	arena_free(a);
}
