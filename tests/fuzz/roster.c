/*
 * What a relay, a lock file and Jailrun's state say of jails: each is refused with a sentence, or it is a roster
 * that keeps every promise of base/roster.h and comes out of its own text again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jailrun.h"
#include "base/lock.h"
#include "base/roster.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct roster *r)
{
	if (r->n > ROSTER_JAILS_MAX)
		abort();
	for (size_t i = 0; i < r->n; i++)
		if (!name_is_label(r->jails[i].name) || r->jails[i].addr.b[0] != 2)
			abort();
}

static void check_same(const struct roster *one, const struct roster *other)
{
	if (one->n != other->n)
		abort();
	for (size_t i = 0; i < one->n; i++)
		if (strcmp(one->jails[i].name, other->jails[i].name) != 0 ||
			addr_cmp(&one->jails[i].addr, &other->jails[i].addr) != 0)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	const char *text = arena_dupn(a, data, size), *said;
	struct roster roster, again, usual;
	struct lock lock, lock_again;
	struct jailrun_state state;
	struct err e = ERR_INIT;

	if (roster_parse(text, size, a, &roster, &e) == 0) {
		check(&roster);
		said = roster_format(&roster, a);
		if (roster.n == 0 || roster_parse(said, strlen(said), a, &again, &e) < 0)
			abort();
		check_same(&roster, &again);
		if (!roster_read_usual(said, strlen(said), a, &usual))
			abort();
		if (roster_read_usual(text, size, a, &usual))
			check_same(&roster, &usual);
	} else if (roster_read_usual(text, size, a, &usual)) {
		abort();
	} else if (e.text[0] == '\0') {
		abort();
	}
	if (lock_parse(text, size, a, &lock, &e) == 0) {
		said = lock_format(&lock, a);
		if (lock_parse(said, strlen(said), a, &lock_again, &e) < 0 ||
			lock.n != lock_again.n)
			abort();
		for (size_t i = 0; i < lock.n; i++)
			check(&lock.peers[i].roster);
	}
	if (jailrun_parse(text, size, a, &state, &e) == 0)
		for (size_t i = 0; i < state.n_peers; i++)
			check(&state.peers[i].roster);
	arena_free(a);
	return 0;
}
