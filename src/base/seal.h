/*
 * Sealed rosters: what two instances tell each other through a relay that both distrust. The format, with test
 * vectors, is schema/sealed-pairing.md. Pure: the nonce is passed in, signatures are made where the keys live.
 *
 * A message opens only with the secret of its pairing, under its code and in its direction. Every jail in it
 * proves with its Yggdrasil key that it holds its address.
 */
#ifndef JMESH_BASE_SEAL_H
#define JMESH_BASE_SEAL_H

#include "base/code.h"
#include "base/roster.h"

enum {
	SEAL_NONCE = 24,
	SEAL_SIGNATURE = 64,
	SEAL_STATEMENT = 81, /* what a jail signs: "jmesh pairing 1 ", 64 digits, a NUL */
	SEAL_TEXT_MAX =
		240 * 1024, /* characters of base64: 1,024 jails with the longest names have room */
};

/* Who sends the message. */
enum seal_role { SEAL_CREATE, SEAL_JOIN };

/* Where a message belongs. */
struct seal_frame {
	enum seal_role role;
	const char *code; /* code_is_valid */
	const struct secret *secret;
};

struct seal_message {
	const char *name;     /* the sender's instance, a label in lower case */
	uint64_t made;        /* milliseconds since 1970 */
	struct roster roster; /* every jail has its key, and the address derives from it */
	uint8_t (*signatures)[SEAL_SIGNATURE]; /* as many as jails */
};

/*
 * What the key of every jail of m signs: one line of printable ASCII. It tells the frame, the sender, the time
 * and the whole roster, so that a signature serves in no other message.
 */
void seal_statement(
	const struct seal_frame *f, const struct seal_message *m, char text[SEAL_STATEMENT]);

/* The sealed text, base64 in one line. A nonce is used once. */
const char *seal_close(const struct seal_frame *f, const struct seal_message *m,
	const uint8_t nonce[SEAL_NONCE], struct arena *a);

/*
 * Opens and checks all of it: the names, that none and no key comes twice, every signature. ERR_REMOTE; the
 * sentence says in a user's words what was wrong.
 */
int seal_open(const struct seal_frame *f, const char *sealed, size_t len, struct arena *a,
	struct seal_message *out, struct err *e);

/* The code at which two instances that share a secret meet; the order of their names does not matter. */
void seal_meeting(const struct secret *s, const char *one, const char *other, char code[CODE_TEXT]);

#endif
