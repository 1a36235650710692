#include "pairing/offer.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

enum {
	KEY_BYTES = 16,
	/* A day that an offer may wait at a relay, and an hour that two clocks may differ. */
	MADE_HOURS = 25,
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static const char *fresh_key(struct arena *a)
{
	unsigned char key[KEY_BYTES];
	char *hex = arena_alloc(a, 2 * KEY_BYTES + 1, 1);

	randombytes_buf(key, sizeof(key));
	return sodium_bin2hex(hex, 2 * KEY_BYTES + 1, key, sizeof(key));
}

/* What a signature is worth is seen here, before anybody relies on it. */
static int check_signatures(const struct seal_message *m, const char *line, struct err *e)
{
	for (size_t i = 0; i < m->roster.n; i++)
		if (crypto_sign_verify_detached(m->signatures[i], (const uint8_t *)line,
			    strlen(line), m->roster.jails[i].key.b) != 0)
			return err_set(e, ERR_CONFIG, NOWHERE,
				"jail '%s' signs with another key than its node has; run apply "
				"again, and if that does not help look at the jail's node",
				m->roster.jails[i].name);
	return 0;
}

static int seal(const struct handshake_conf *c, const struct seal_frame *f, bool proposes,
	struct arena *a, const char **body, struct err *e)
{
	struct seal_message m = { c->mesh, (uint64_t)now_ms(), *c->ours, NULL };
	char line[SEAL_STATEMENT];
	uint8_t nonce[SEAL_NONCE];
	struct parcel parcel = { .code = proposes ? f->code : NULL };

	for (size_t i = 0; i < m.roster.n; i++)
		if (!m.roster.jails[i].has_key)
			return err_set(e, ERR_CONFIG, NOWHERE,
				"jail '%s' has no key to prove its address with",
				m.roster.jails[i].name);
	m.signatures = arena_alloc(a, m.roster.n, sizeof(*m.signatures));
	seal_statement(f, &m, line);
	if (c->sign(c->ctx, line, a, m.signatures, e) < 0 || check_signatures(&m, line, e) < 0)
		return -1;
	randombytes_buf(nonce, sizeof(nonce));
	parcel.sealed = seal_close(f, &m, nonce, a);
	*body = parcel_format(&parcel, a);
	return 0;
}

int offer_make(const struct handshake_conf *c, const struct handshake_want *w, enum seal_role as,
	const char *code, const struct secret *secret, struct arena *a, struct record *rec,
	struct err *e)
{
	struct seal_frame frame = { as, code, secret };

	*rec = (struct record){
		.peer = w->peer,
		.role = w->role,
		.as = as,
		.relay = c->relay_url,
		.code = code,
		.sealed = !w->plain,
		.told = roster_digest(c->ours, a),
		.created_at = time(NULL),
	};
	if (w->plain)
		rec->sent = roster_format(c->ours, a);
	else if (seal(c, &frame, as == SEAL_CREATE, a, &rec->sent, e) < 0)
		return -1;
	/* Jailrun's relay gives a new code for every request: it knows no keys. */
	if (rec->sealed || as == SEAL_JOIN)
		rec->key = fresh_key(a);
	if (w->role == HANDSHAKE_CREATE && secret != NULL)
		rec->secret = *secret;
	return 0;
}

/*
 * A rendezvous has one code for ever, and whoever runs the relay may have kept an old message of it. One that
 * is older than what the lock has is refused where the lock is written (book.c).
 */
static int check_meeting(
	const struct handshake_want *w, const struct seal_message *m, struct err *e)
{
	int64_t hours = (now_ms() - (int64_t)m->made) / (3600 * 1000);

	if (strcmp(m->name, w->peer) != 0)
		return err_set(e, ERR_REMOTE, NOWHERE,
			"the other side calls itself '%s', and the mesh file has this secret for "
			"'%s'",
			m->name, w->peer);
	if (m->made > INT64_MAX / 2 || hours >= MADE_HOURS || hours <= -MADE_HOURS)
		return err_set(e, ERR_REMOTE, NOWHERE,
			"the message of '%s' was not made in these %d hours: a clock is wrong on "
			"one "
			"of the two sides, or the relay gives out an old message",
			w->peer, MADE_HOURS);
	return 0;
}

static const char kept_seal[] =
	"the roster is not sealed: the other side speaks Jailrun's protocol (plain: true), or "
	"somebody between has put another one in its place";
static const char kept_plain[] =
	"the roster is sealed: the other side does not say plain: true for this pairing";

int offer_open(const struct handshake_conf *c, const struct handshake_want *w,
	const struct record *rec, const struct parcel *parcel, struct arena *a,
	struct obtained *out, enum offer *whose, struct err *e)
{
	struct seal_frame frame = { rec->as == SEAL_CREATE ? SEAL_JOIN : SEAL_CREATE, rec->code,
		w->role == HANDSHAKE_CREATE ? &rec->secret : w->secret };
	struct seal_message m;

	*whose = OFFER_THEIRS;
	*out = (struct obtained){ .roster = parcel->roster };
	if (rec->sealed != (parcel->sealed != NULL))
		return err_set(e, ERR_REMOTE, NOWHERE, "%s", rec->sealed ? kept_seal : kept_plain);
	if (!rec->sealed)
		return 0;
	if (seal_open(&frame, parcel->sealed, strlen(parcel->sealed), a, &m, e) < 0)
		return -1;
	if (w->role == HANDSHAKE_RENDEZVOUS && rec->as == SEAL_JOIN &&
		strcmp(m.name, c->mesh) == 0) {
		*whose = OFFER_OURS;
		return 0;
	}
	if (w->role == HANDSHAKE_RENDEZVOUS && check_meeting(w, &m, e) < 0)
		return -1;
	*out = (struct obtained){ m.roster, m.name, (int64_t)(m.made & INT64_MAX) };
	return 0;
}
