#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "base/key.h"
#include "base/seal.h"
#include "base/text.h"

#define CODE "81-zephyr-night-climb"

static struct arena *arena;
static struct secret secret;
static uint8_t nonce[SEAL_NONCE];
static struct seal_frame frame;

static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	arena = arena_new();
	randombytes_buf(secret.b, sizeof(secret.b));
	randombytes_buf(nonce, sizeof(nonce));
	frame = (struct seal_frame){ SEAL_CREATE, CODE, &secret };
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(seal, .init = setup, .fini = teardown);

static void sign(const char *statement, uint8_t byte, uint8_t signature[SEAL_SIGNATURE])
{
	uint8_t seed[SEED_LEN], public_key[32], secret_key[64];

	memset(seed, byte, sizeof(seed));
	crypto_sign_seed_keypair(public_key, secret_key, seed);
	crypto_sign_detached(
		signature, NULL, (const uint8_t *)statement, SEAL_STATEMENT - 1, secret_key);
}

/* n jails, of which number i has the seed of bytes i + 1; every one has signed. */
static struct seal_message message(size_t n)
{
	struct seal_message m = { .name = "laptop", .made = 1767225600000 };
	char statement[SEAL_STATEMENT];

	m.roster.jails = arena_alloc(arena, n, sizeof(*m.roster.jails));
	m.signatures = arena_alloc(arena, n, sizeof(*m.signatures));
	m.roster.n = n;
	for (size_t i = 0; i < n; i++) {
		struct roster_jail *jail = &m.roster.jails[i];
		uint8_t seed[SEED_LEN];

		memset(seed, (int)i + 1, sizeof(seed));
		jail->name = arena_printf(arena, "jail%zu", i);
		jail->has_key = true;
		jail->key = key_public(seed);
		jail->addr = addr_of_key(&jail->key);
	}
	seal_statement(&frame, &m, statement);
	for (size_t i = 0; i < n; i++)
		sign(statement, (uint8_t)(i + 1), m.signatures[i]);
	return m;
}

static void refused(const struct seal_frame *f, const char *sealed, const char *why)
{
	struct seal_message out;
	struct err e = ERR_INIT;

	cr_expect_lt(seal_open(f, sealed, strlen(sealed), arena, &out, &e), 0, "%s", why);
	cr_expect_eq(e.code, ERR_REMOTE);
	cr_expect_not_null(strstr(e.text, why), "%s, not: %s", e.text, why);
	cr_expect_eq(out.roster.n, 0);
}

Test(seal, opens_what_it_closed)
{
	struct seal_message m = message(3), out;
	const char *sealed = seal_close(&frame, &m, nonce, arena);
	struct err e = ERR_INIT;

	cr_assert_eq(seal_open(&frame, sealed, strlen(sealed), arena, &out, &e), 0, "%s", e.text);
	cr_assert_str_eq(out.name, "laptop");
	cr_assert_eq(out.made, 1767225600000);
	cr_assert_eq(out.roster.n, 3);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_str_eq(out.roster.jails[i].name, m.roster.jails[i].name);
		cr_expect(out.roster.jails[i].has_key);
		cr_expect_eq(addr_cmp(&out.roster.jails[i].addr, &m.roster.jails[i].addr), 0);
	}
}

Test(seal, opens_in_no_other_place)
{
	struct seal_message m = message(1);
	const char *sealed = seal_close(&frame, &m, nonce, arena),
		   *why = "does not open with the secret";
	struct secret other = secret;

	other.b[15] ^= 1;
	refused(&(struct seal_frame){ SEAL_JOIN, CODE, &secret }, sealed, why);
	refused(&(struct seal_frame){ SEAL_CREATE, "81-zephyr-night-climc", &secret }, sealed, why);
	refused(&(struct seal_frame){ SEAL_CREATE, CODE, &other }, sealed, why);
}

Test(seal, notices_every_bit_that_changed_and_every_cut)
{
	struct seal_message m = message(2);
	const char *sealed = seal_close(&frame, &m, nonce, arena);
	size_t len = strlen(sealed);
	uint8_t bytes[1024];
	char again[2048];
	size_t n;

	sodium_base642bin(
		bytes, sizeof(bytes), sealed, len, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		sodium_bin2base64(again, sizeof(again), bytes, n, sodium_base64_VARIANT_ORIGINAL);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refused(&frame, again, "does not open");
	}
	for (size_t cut = 0; cut < len; cut++)
		refused(&frame, arena_dupn(arena, sealed, cut), "refused: it ");
}

Test(seal, is_base64_and_nothing_else)
{
	struct seal_message m = message(1);
	const char *sealed = seal_close(&frame, &m, nonce, arena);

	refused(&frame, "", "no sealed roster");
	refused(&frame, "!!!!", "no sealed roster");
	refused(&frame, arena_printf(arena, "%s\n", sealed), "no sealed roster");
	refused(&frame, arena_printf(arena, " %s", sealed), "no sealed roster");
	refused(&frame, arena_printf(arena, "%s=", sealed), "no sealed roster");
}

Test(seal, every_jail_proves_that_it_holds_its_address)
{
	struct seal_message m = message(2);
	char statement[SEAL_STATEMENT];

	/* By a key that is not the jail's. */
	seal_statement(&frame, &m, statement);
	sign(statement, 77, m.signatures[1]);
	refused(&frame, seal_close(&frame, &m, nonce, arena), "'jail1' does not prove");
	/* By the jail's, for another time, another sender, another roster. */
	m = message(2);
	m.made++;
	refused(&frame, seal_close(&frame, &m, nonce, arena), "'jail0' does not prove");
	m = message(2);
	m.name = "office";
	refused(&frame, seal_close(&frame, &m, nonce, arena), "'jail0' does not prove");
	m = message(2);
	m.roster.jails[1].name = "other";
	refused(&frame, seal_close(&frame, &m, nonce, arena), "'jail0' does not prove");
	m = message(2);
	m.roster.n = 1;
	refused(&frame, seal_close(&frame, &m, nonce, arena), "'jail0' does not prove");
}

/* Closed with the right secret by a peer that is hostile itself. */
Test(seal, refuses_what_a_hostile_peer_says)
{
	struct seal_message m = message(2);

	m.roster.n = 0;
	refused(&frame, seal_close(&frame, &m, nonce, arena), "it has 0 jails");
	m = message(2);
	m.roster.jails[1].name = m.roster.jails[0].name;
	refused(&frame, seal_close(&frame, &m, nonce, arena), "comes twice");
	m = message(2);
	m.roster.jails[1].key = m.roster.jails[0].key;
	refused(&frame, seal_close(&frame, &m, nonce, arena), "both have the address");
	static const char *const names[] = { "", "-web", "web.office", "we b", "WEB", "web\n",
		"w\xc3\xa9" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		m = message(2);
		m.roster.jails[1].name = names[i];
		refused(&frame, seal_close(&frame, &m, nonce, arena), "jail 2 of it");
		m = message(2);
		m.name = names[i];
		refused(&frame, seal_close(&frame, &m, nonce, arena), "does not say who sent it");
	}
}

Test(seal, the_most_that_a_roster_may_be_has_room)
{
	struct seal_message m = message(1), out;
	struct roster_jail *jails = arena_alloc(arena, ROSTER_JAILS_MAX, sizeof(*jails));
	char statement[SEAL_STATEMENT];
	const char *sealed;
	struct err e = ERR_INIT;

	m.signatures = arena_alloc(arena, ROSTER_JAILS_MAX, sizeof(*m.signatures));
	m.roster = (struct roster){ jails, ROSTER_JAILS_MAX };
	m.name = arena_printf(arena, "%063d", 0);
	for (size_t i = 0; i < ROSTER_JAILS_MAX; i++) {
		uint8_t seed[SEED_LEN] = { (uint8_t)i, (uint8_t)(i >> 8) };

		jails[i] = (struct roster_jail){ .name = arena_printf(arena, "%063zu", i),
			.has_key = true };
		jails[i].key = key_public(seed);
		jails[i].addr = addr_of_key(&jails[i].key);
	}
	seal_statement(&frame, &m, statement);
	for (size_t i = 0; i < ROSTER_JAILS_MAX; i++) {
		uint8_t seed[SEED_LEN] = { (uint8_t)i, (uint8_t)(i >> 8) }, public_key[32],
			secret_key[64];

		crypto_sign_seed_keypair(public_key, secret_key, seed);
		crypto_sign_detached(m.signatures[i], NULL, (const uint8_t *)statement,
			SEAL_STATEMENT - 1, secret_key);
	}
	sealed = seal_close(&frame, &m, nonce, arena);
	cr_assert_leq(strlen(sealed), (size_t)SEAL_TEXT_MAX);
	cr_assert_eq(seal_open(&frame, sealed, strlen(sealed), arena, &out, &e), 0, "%s", e.text);
	cr_assert_eq(out.roster.n, ROSTER_JAILS_MAX);
}

Test(seal, two_who_share_a_secret_meet_at_one_code)
{
	char one[CODE_TEXT], other[CODE_TEXT], third[CODE_TEXT];
	struct secret another = secret;

	another.b[0] ^= 1;
	seal_meeting(&secret, "laptop", "office", one);
	seal_meeting(&secret, "office", "laptop", other);
	cr_assert_str_eq(one, other);
	cr_assert(code_is_valid(one));
	seal_meeting(&secret, "laptop", "studio", third);
	cr_assert_str_neq(one, third);
	seal_meeting(&another, "laptop", "office", third);
	cr_assert_str_neq(one, third);
}
