/* Two instances and a relay, for the tests of pairing. */
#ifndef JMESH_TESTS_PAIRING_LAB_H
#define JMESH_TESTS_PAIRING_LAB_H

#include "base/lock.h"
#include "pairing/handshake.h"
#include "tests/unit/rogue.h"

#define PAIR_OURS "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}"
#define PAIR_THEIRS "{\"jails\":[{\"name\":\"db\",\"ygg_address\":\"200::2\"}]}"

/* One instance: its files and what was reported of it. */
struct side {
	struct handshake_conf c;
	struct roster ours;
	char lock[128];
	unsigned shown, ticks;
	bool resumed, unrecorded, stop;
	char code[PASS_TEXT];
	const uint8_t (*seeds)[32]; /* of the nodes of ours, in their order; NULL: nobody signs */
	int says;                   /* to an unproved roster: as handshake_conf.confirm */
	unsigned confirmed;         /* how often it was asked */
};

extern struct arena *pair_arena;
extern struct rogue pair_relay;
extern struct side pair_laptop, pair_server; /* the creator and the joiner */

/* Of a suite: .init and .fini. */
void pair_setup(void);
void pair_teardown(void);

/* The instance anew, with files of its own. */
void pair_side_init(struct side *s, const char *name, const char *roster);
bool pair_in_file(const char *path, const char *needle);
const char *pair_pending_of(const struct side *s); /* its file of pending pairings */

/* Gives its jails keys of their own, and so new addresses. */
void pair_side_keys(struct side *s);

/* One handshake with one peer: "office" for who creates, "home" for who joins. It is plain. */
struct handshake_result pair_run(
	struct side *s, enum handshake_role role, const char *code, int wait_s);
struct handshake_result pair_create(int wait_s);     /* the laptop's */
struct handshake_result pair_join(const char *code); /* the server's, without waiting */

void pair_has_roster(const struct side *s, const char *peer, const char *roster);
size_t pair_pendings(const struct side *s);
void pair_failed(const struct handshake_result *r, enum err_code code, const char *says);

/* Peer 'third' has 200::66 by the lock, 200::77 is reserved, and 200::1 is the laptop's. */
void pair_add_third(struct side *s);

/* The relay answers with r->raw; and an answer 200 of that body. */
bool pair_answer_raw(struct rogue *r, const char *request, char *out, size_t size);
const char *pair_ok_body(const char *body);

#endif
