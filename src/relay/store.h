/*
 * The pairings. Time is passed in, in milliseconds of a clock that never goes back.
 *
 * A plain pairing is created, joined once, and gone with the first read that finds it joined. Two
 * extensions keep an answer that was lost on the way from leaving a pairing one-sided; who does not
 * use them sees the plain protocol. The creator's token reads the joined roster again for STORE_AGAIN
 * after the first read. The joiner's key, sent with the same roster, gets the same answer again until
 * then; and a pairing that was joined stays for both of them at least STORE_AGAIN after the join.
 *
 * Two instances that share a secret know their code beforehand: whoever comes first creates it (a proposal).
 */
#ifndef JMESH_RELAY_STORE_H
#define JMESH_RELAY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/code.h"
#include "base/parcel.h"
#include "relay/limit.h"
#include "relay/memory.h"

enum {
	STORE_AGAIN = 60 * 1000, /* milliseconds */
	TOKEN_TEXT = 33,         /* 128 bits in hexadecimal and a NUL */
	KEY_MIN = 16,            /* characters of a creator's or a joiner's key */
	KEY_MAX = 64,
};

struct store_conf {
	int64_t ttl;           /* milliseconds that a pairing waits to be joined and read */
	unsigned open_max;     /* pairings */
	struct memory *memory; /* what pairings are taken from; it must outlive the store */
};

enum store_status {
	STORE_OK,
	STORE_WAITING, /* nobody joined yet */
	STORE_GONE,    /* unknown, expired or used: which of them is nobody's business */
	STORE_FULL,    /* of pairings */
	STORE_NO_MEMORY,
	STORE_TOO_MANY, /* this client has enough pairings open */
	STORE_TAKEN,    /* another pairing has that code, be it open or used up a moment ago */
	STORE_SEALED,   /* the pairing is sealed and the joiner's roster is not */
	STORE_PLAIN,    /* the other way round */
	STORE_DOWN, /* the store cannot be asked: any function may say so of one that is elsewhere */
};

/* A code that the creator chose, and NULL or the key with which he may ask again. */
struct proposal {
	char code[CODE_TEXT];
	const char *key;
};

struct ticket {
	char code[CODE_TEXT];
	char token[TOKEN_TEXT];
};

/* The totals are since the start. */
struct store_stats {
	uint64_t created, joined, expired, collected;
	uint64_t errors; /* calls that ended with STORE_DOWN */
	bool up;         /* false: open and bytes are not known */
	unsigned open;   /* not used up, expired ones aside */
	size_t bytes;    /* of memory that pairings have taken */
};

/*
 * Where the pairings are. Every function is one step that happens whole or not at all, also when many threads
 * take it at the same time.
 */
struct store {
	const struct store_ops *ops;
};

/* Bytes of memory that the one in this process has without a pairing. */
size_t store_memory_least(unsigned open_max);

/*
 * In this process. clients counts who has how many pairings open; it must outlive the store, and whoever calls
 * a function of it holds the lock that guards them.
 */
struct store *store_memory_new(const struct store_conf *conf, struct clients *clients);
void store_free(struct store *s); /* NULL is fine */

/*
 * What a side brings is a parcel without a code; the other side gets the text that parcel_format makes of it.
 * proposal NULL: the store draws a code. As long as the code of a proposal is found, its key with the same
 * roster gets the same ticket again, and anybody else STORE_TAKEN.
 */
enum store_status store_create(struct store *s, const struct network *creator,
	const struct parcel *ours, const struct proposal *proposal, int64_t now,
	struct ticket *out);

/*
 * STORE_OK where that pairing is the reader's own, by its token, or where none is sent because this client
 * created it; else STORE_GONE.
 */
enum store_status store_owns(struct store *s, const char code[CODE_TEXT], const char *token,
	const struct network *reader, int64_t now);

/*
 * STORE_OK where a join could be answered, else STORE_GONE: spares parsing a roster that nobody waits for. key
 * may be NULL.
 */
enum store_status store_joinable(
	struct store *s, const char code[CODE_TEXT], const char *key, int64_t now);

/*
 * key is NULL or KEY_MIN to KEY_MAX characters. *creator is the text of what the other side brought, in the
 * arena. STORE_SEALED and STORE_PLAIN use nothing up.
 */
enum store_status store_join(struct store *s, const char code[CODE_TEXT],
	const struct parcel *theirs, const char *key, int64_t now, struct arena *a,
	const char **creator);

/*
 * What a read would say now, and nothing is used up: STORE_OK where it would find the pairing joined. STORE_OK is
 * also what a store says that is elsewhere, which is asked but once.
 */
enum store_status store_look(
	struct store *s, const char code[CODE_TEXT], const char *token, int64_t now);

/* token may be NULL. *joiner as *creator above. A wrong token finds nothing and uses nothing up. */
enum store_status store_read(struct store *s, const char code[CODE_TEXT], const char *token,
	int64_t now, struct arena *a, const char **joiner);

struct store_stats store_stats(struct store *s, int64_t now);

/* Whether it could be asked the last time; never waits. */
bool store_is_up(struct store *s);

/* Whether it is elsewhere: then no lock is held when a function of it is called, which may take seconds. */
bool store_is_remote(const struct store *s);

/* What is behind the functions of the same names. */
struct store_ops {
	enum store_status (*create)(struct store *s, const struct network *creator,
		const struct parcel *ours, const struct proposal *proposal, int64_t now,
		struct ticket *out);
	enum store_status (*owns)(struct store *s, const char code[CODE_TEXT], const char *token,
		const struct network *reader, int64_t now);
	enum store_status (*joinable)(
		struct store *s, const char code[CODE_TEXT], const char *key, int64_t now);
	enum store_status (*join)(struct store *s, const char code[CODE_TEXT],
		const struct parcel *theirs, const char *key, int64_t now, struct arena *a,
		const char **creator);
	enum store_status (*look)(struct store *s, const char code[CODE_TEXT], const char *token,
		int64_t now); /* NULL: STORE_OK */
	enum store_status (*read)(struct store *s, const char code[CODE_TEXT], const char *token,
		int64_t now, struct arena *a, const char **joiner);
	struct store_stats (*stats)(struct store *s, int64_t now);
	bool (*is_up)(struct store *s);
	void (*free)(struct store *s);
	bool remote;
};

/* What is kept of a key: enough to know it again. All zeros: there was none. */
struct mark {
	uint8_t b[16];
};

struct mark mark_of(const char *key); /* NULL is fine */

#endif
