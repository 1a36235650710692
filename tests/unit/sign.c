/* Signing with the keys of nodes, where they live: what LOOK_KEY tells of a node must verify it. */
#include "tests/unit/freebsd_lab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/key.h"
#include "os/file.h"
#include "tests/unit/fake_port.h"

#define LINE "jmesh pairing 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { NODES_MAX = 4 };

static uint8_t signatures[NODES_MAX][SIGNATURE_LEN];

static bool verifies(const char *line, const uint8_t *signature, const struct pubkey *key)
{
	return crypto_sign_verify_detached(
		       signature, (const uint8_t *)line, strlen(line), key->b) == 0;
}

/* "signed", and every signature is that of the key that the port tells of; or the error. */
static const char *sign_by(const char *line, const char *const *nodes)
{
	struct look v[NODES_MAX];
	size_t n = 0;

	for (; nodes[n] != NULL; n++)
		v[n] = (struct look){ .kind = LOOK_KEY, .place = nodes[n] };
	e = ERR_INIT;
	if (port_sign(&port, nodes, n, line, arena, signatures, &e) < 0)
		return arena_dup(arena, e.text);
	CHECK(port.ops->look(port.self, v, n, arena, &e) == 0);
	for (size_t i = 0; i < n; i++) {
		CHECK(v[i].rc == 0);
		CHECK(verifies(line, signatures[i], &v[i].key.key));
		CHECK(!verifies(line + 1, signatures[i], &v[i].key.key));
	}
	return "signed";
}

static const char *sign(const char *node, const char *line)
{
	return sign_by(line, ARGV(node));
}

/* Texts that a shell, printf(1) or openssl(1) might take for more than text. */
static const char *const odd[] = { "x", " ", "-in", "%s%n\\n\\0\\", "'", "\"", "a  b ",
	"'; touch /mnt/pwned; echo '$(touch /mnt/pwned)`touch /mnt/pwned`\\", "*", "~root $HOME",
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"890123456789" };

/* What was seen of a text by one that signed it as it is. */
static void check_odd(const char *node)
{
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		CHECK_TEXT(sign(node, odd[i]), "signed");
	CHECK(sandbox_sh("test ! -e /mnt/pwned") == 0);
}

static void make_key(const char *node)
{
	CHECK(port.ops->key_make(port.self, node, &e) == 0);
}

SANDBOX(signs_with_the_key_file)
{
	CHECK_TEXT(sign("web", LINE), "jail 'web': it has no key yet");
	make_key("web");
	CHECK_TEXT(sign("web", LINE), "signed");
	check_odd("web");
	CHECK_TEXT(sign_by(LINE, ARGV("web", HOST_NODE)), "the host: it has no key yet");
	make_key(HOST_NODE);
	make_key("db");
	CHECK_TEXT(sign_by(LINE, ARGV("web", HOST_NODE, "db")), "signed");
	CHECK(memcmp(signatures[0], signatures[2], SIGNATURE_LEN) != 0);
	CHECK(chmod(STATE "/nodes/db/key.pem", 0644) == 0);
	CHECK_TEXT(sign_by(LINE, ARGV("web", "db")),
		"jail 'db': the key file " STATE "/nodes/db/key.pem is open to others (mode 0644): "
		"chmod 600 " STATE "/nodes/db/key.pem");
	sandbox_write(STATE "/nodes/db/key.pem", "junk");
	CHECK(strstr(sign("db", LINE), "jail 'db': the key file " STATE "/nodes/db/key.pem is ") !=
		NULL);
}

SANDBOX(signs_with_the_key_of_a_configuration)
{
	CHECK(sandbox_sh("mkdir -p " STATE "/nodes/web && yggdrasil -genconf >" STATE
			 "/nodes/web/yggdrasil.conf") == 0);
	CHECK_TEXT(sign("web", LINE), "signed");
	make_key("web");
	CHECK_TEXT(sign("web", LINE), "signed");
	CHECK(sandbox_sh("yggdrasil -genconf >" STATE "/nodes/web/yggdrasil.conf") == 0);
	CHECK(strstr(sign("web", LINE), "jail 'web': the node has two identities: ") != NULL);
	CHECK(sandbox_sh("rm " STATE "/nodes/web/key.pem") == 0);
	sandbox_write(STATE "/nodes/web/yggdrasil.conf", "{ PrivateKey: \"abc\" }");
	CHECK_TEXT(sign("web", LINE),
		"jail 'web': " STATE "/nodes/web/yggdrasil.conf: PrivateKey is not 128 hexadecimal "
		"digits");
	sandbox_write(STATE "/nodes/web/yggdrasil.conf", "{}");
	CHECK_TEXT(sign("web", LINE), "jail 'web': it has no key yet");
}

SANDBOX(tells_a_signature_as_digits_among_other_looks)
{
	struct look v[] = {
		{ .kind = LOOK_KEY, .place = "web" },
		{ .kind = LOOK_SIGN, .place = "web", .request = LINE },
		{ .kind = LOOK_SIGN, .place = "db", .request = LINE },
	};

	make_key("web");
	CHECK(port.ops->look(port.self, v, 3, arena, &e) == 0);
	CHECK(v[0].rc == 0 && v[1].rc == 0 && v[2].rc == 1);
	CHECK(v[1].len == SIGNATURE_HEX - 1 && strlen(v[1].text) == v[1].len);
	CHECK(strspn(v[1].text, "0123456789abcdef") == v[1].len);
	CHECK(signature_read(v[1].text, signatures[0]));
	CHECK(verifies(LINE, signatures[0], &v[0].key.key));
}

static size_t trips(void)
{
	return link_trips(((struct freebsd *)port.self)->link);
}

#define LEFT "ls -A /run/.sign* /mnt/jails/*/run/.sign* 2>/dev/null | grep -q ."

MACHINE(sign, has_many_jails_sign_in_one_trip)
{
	const char *const nodes[] = { "web", "db", "mail", HOST_NODE };
	size_t before;

	CHECK(sandbox_sh("mkdir /mnt/jails/db /mnt/jails/mail") == 0);
	lab_write("/mnt/jls",
		"{\"jail-information\": {\"jail\": [{\"name\":\"web\"}, {\"name\":\"db\"}, "
		"{\"name\":\"mail\"}]}}",
		0644);
	CHECK_TEXT(lab_jails(), "db mail web; ");
	CHECK_TEXT(sign_by(LINE, ARGV("web", "db", "mail")), "jail 'web': it has no key yet");
	for (size_t i = 0; i < NODES_MAX; i++)
		make_key(nodes[i]);
	before = trips();
	CHECK(port_sign(&port, nodes, NODES_MAX, LINE, arena, signatures, &e) == 0);
	CHECK(trips() == before + 1);
	CHECK_TEXT(sign_by(LINE, ARGV("web", "db", "mail", HOST_NODE)), "signed");
	for (size_t i = 1; i < NODES_MAX; i++)
		CHECK(memcmp(signatures[0], signatures[i], SIGNATURE_LEN) != 0);
	CHECK(sandbox_sh("rm /mnt/jails/mail/etc/yggdrasil.key") == 0);
	CHECK_TEXT(sign_by(LINE, ARGV("web", "db", "mail")), "jail 'mail': it has no key yet");
	CHECK_TEXT(sign("gone", LINE), "jail 'gone': it has no key yet");
	CHECK(sandbox_sh("mv /mnt/jails/db /mnt/jails/else") == 0);
	CHECK_TEXT(sign_by(LINE, ARGV("web", "db")), "jail 'db': jail db does not run");
	CHECK(sandbox_sh(LEFT) != 0);
}

MACHINE(sign, signs_every_line_as_it_is_and_leaves_nothing_behind)
{
	make_key("web");
	CHECK(sandbox_sh("touch /mnt/jails/web/run/.sign.jmesh.999999") == 0);
	check_odd("web");
	CHECK(sandbox_sh(LEFT) != 0);
	CHECK_TEXT(sign("web", ""), "only a line of 1 to 100 characters of ASCII can be signed");
}

MACHINE(sign, tells_what_is_wrong_with_a_key_file_as_a_look_at_it_does)
{
	static const char *const spoil[] = {
		"chmod 644 " KEY,
		"chmod 600 " KEY " && cat " KEY " " KEY " >/mnt/k && cat /mnt/k >" KEY,
		"openssl genpkey -algorithm RSA >" KEY " 2>/dev/null",
		"openssl genpkey -algorithm ed448 >" KEY,
		"openssl genpkey -algorithm ed25519 -aes256 -pass pass:x >" KEY,
		": >" KEY,
		"rm " KEY " && mkdir " KEY,
	};

	make_key(HOST_NODE);
	for (size_t i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++) {
		CHECK(sandbox_sh("%s", spoil[i]) == 0);
		CHECK_TEXT(sign(HOST_NODE, LINE),
			arena_printf(arena, "the host: %s", lab_look_key(HOST_NODE)));
		CHECK(strstr(e.text, KEY) != NULL);
	}
	CHECK(sandbox_sh(LEFT) != 0);
}

/* Notes every file in which the one that was started sees a private key, and goes on as openssl. */
static const char watching[] = "#!/bin/sh\n"
			       "echo \"$1\" >>/mnt/asked\n"
			       "grep -rl 'PRIVATE KEY' /run /usr/local/etc /var/log /var/db /tmp "
			       ">>/mnt/found 2>/dev/null\n"
			       "exec /usr/bin/openssl \"$@\"\n";

MACHINE(sign, signs_with_the_key_of_a_configuration_and_puts_it_in_no_file)
{
	char key[KEY_HEX_PRIVATE + 1] = { 0 };

	CHECK(sandbox_sh("yggdrasil -genconf >" CONF) == 0);
	CHECK_TEXT(sign(HOST_NODE, LINE), "signed");
	CHECK(sandbox_sh("yggdrasil -genconf -json >" CONF) == 0);
	/* A temporary folder of its own: others have their keys in theirs. */
	CHECK(sandbox_sh("mount -t tmpfs none /tmp") == 0);
	lab_write("/mnt/bin/openssl", watching, 0755);
	check_odd(HOST_NODE);
	CHECK(sandbox_sh("test \"$(sort -u /mnt/asked)\" = pkeyutl && test ! -s /mnt/found") == 0);
	CHECK(sandbox_sh("sed -i '1s|{|{ \"PrivateKeyPath\": \"" KEY "\",|' " CONF) == 0);
	CHECK_TEXT(sign(HOST_NODE, LINE), "signed");
	CHECK(sandbox_sh("rm /mnt/bin/openssl") == 0);
	/* The daemon makes one up where there is none: that is nobody's. */
	memset(key, 'a', KEY_HEX_PRIVATE);
	lab_write(
		CONF, arena_printf(arena, "{\n  # PrivateKey: %s\n  IfName: none\n}\n", key), 0600);
	CHECK_TEXT(sign(HOST_NODE, LINE), "the host: it has no key yet");
	lab_write(CONF, arena_printf(arena, "{ PrivateKey: \"%.64s\" }\n", key), 0600);
	CHECK_TEXT(sign(HOST_NODE, LINE),
		"the host: " CONF ": PrivateKey is not 128 hexadecimal digits");
	lab_write(CONF, "{ PrivateKey: [\n", 0600);
	CHECK(strstr(sign(HOST_NODE, LINE), "the host: " CONF " cannot be read as a ") != NULL);
	CHECK(sandbox_sh("yggdrasil -genconf >" CONF) == 0);
	lab_write("/mnt/bin/yggdrasil", "#!/bin/sh\nexit 1\n", 0755);
	CHECK_TEXT(sign(HOST_NODE, LINE),
		"the host: its openssl does not sign with the PrivateKey in " CONF
		"; is yggdrasil installed, and is the key right?");
	CHECK(sandbox_sh(LEFT) != 0);
}

/* As 1.1.1, and as something that is none. */
static const char old[] = "#!/bin/sh\n"
			  "case \"$*\" in\n"
			  "'pkeyutl -help') echo ' -in infile  Input file' >&2 ;;\n"
			  "*-rawin*) echo 'pkeyutl: Option unknown option -rawin' >&2; exit 1 ;;\n"
			  "*) exec /usr/bin/openssl \"$@\" ;;\n"
			  "esac\n";

static const char mad[] = "#!/bin/sh\n"
			  "case \"$*\" in\n"
			  "*-rawin*-in*) %s ;;\n"
			  "*) exec /usr/bin/openssl \"$@\" ;;\n"
			  "esac\n";

MACHINE(sign, survives_an_openssl_that_is_missing_old_or_mad)
{
	static const char *const answers[] = { "", "echo; exit 0", "head -c 63 /dev/zero",
		"head -c 65 /dev/zero", "yes", "exit 1", "kill -9 $$",
		"echo 'signed 00'; echo end >&2" };
	const char *in_conf = "its openssl does not sign with the PrivateKey in " CONF
			      "; is yggdrasil installed, and is the key right?";

	make_key("web");
	CHECK(sandbox_sh("yggdrasil -genconf >" CONF) == 0);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		lab_write("/mnt/bin/openssl", arena_printf(arena, mad, answers[i]), 0755);
		CHECK_TEXT(sign("web", LINE),
			"jail 'web': its openssl does not sign with the key in " KEY
			"; is it whole?");
		CHECK_TEXT(sign(HOST_NODE, LINE), arena_printf(arena, "the host: %s", in_conf));
	}
	/* 64 bytes that are no signature are for the caller to find out. */
	lab_write("/mnt/bin/openssl", arena_printf(arena, mad, "head -c 64 /dev/zero"), 0755);
	CHECK(port_sign(&port, ARGV("web"), 1, LINE, arena, signatures, &e) == 0);
	CHECK(sodium_is_zero(signatures[0], SIGNATURE_LEN));
	lab_write("/mnt/bin/openssl", old, 0755);
	CHECK_TEXT(sign("web", LINE), "jail 'web': its openssl cannot sign (it is older than 3.0)");
	CHECK_TEXT(
		sign(HOST_NODE, LINE), "the host: its openssl cannot sign (it is older than 3.0)");
	CHECK(sandbox_sh("rm /mnt/bin/openssl && mount --bind /dev/null /usr/bin/openssl") == 0);
	CHECK_TEXT(sign("web", LINE), "jail 'web': there is no openssl to look at the key with");
	CHECK_TEXT(sign(HOST_NODE, LINE), "the host: there is no openssl to sign with");
	CHECK(sandbox_sh(LEFT) != 0);
}

static void begin(void)
{
	arena = arena_new();
	e = ERR_INIT;
	cr_assert_geq(sodium_init(), 0);
}

static void end(void)
{
	arena_free(arena);
}

TestSuite(port_sign, .init = begin, .fini = end);

Test(port_sign, names_the_first_node_that_does_not_sign)
{
	static const uint8_t seeds[2][SEED_LEN] = { "one", "two" };
	const char *const nodes[] = { "web", HOST_NODE, "db" };
	struct fake *fake = fake_new(arena);
	struct port p = fake_port(fake);

	fake_seed(fake, "web", seeds[0]);
	cr_assert_eq(port_sign(&p, nodes, 0, LINE, arena, signatures, &e), 0);
	cr_assert_eq(port_sign(&p, nodes, 3, LINE, arena, signatures, &e), -1);
	cr_assert_str_eq(e.text, "the host: it has no key yet");
	fake_seed(fake, HOST_NODE, seeds[1]);
	cr_assert_eq(port_sign(&p, nodes, 3, LINE, arena, signatures, &e), -1);
	cr_assert_str_eq(e.text, "jail 'db': it has no key yet");
	cr_assert_eq(port_sign(&p, nodes, 2, LINE, arena, signatures, &e), 0);
	for (size_t i = 0; i < 2; i++) {
		struct pubkey key = key_public(seeds[i]);

		cr_expect(verifies(LINE, signatures[i], &key));
	}
}

Test(port_sign, signs_nothing_but_one_line_of_ascii)
{
	static const char *const bad[] = { "", "a\n", "\n", "a\tb", "\x7f", "\xc3\xa9", "\x1b[0m",
		LINE "123456789012345678901" };
	const char *const nodes[] = { "web" };
	struct fake *fake = fake_new(arena);
	struct port p = fake_port(fake);

	fake_seed(fake, "web", (const uint8_t[SEED_LEN]){ 1 });
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(port_sign(&p, nodes, 1, bad[i], arena, signatures, &e), -1);
		cr_expect_str_eq(
			e.text, "only a line of 1 to 100 characters of ASCII can be signed");
	}
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		cr_expect_eq(port_sign(&p, nodes, 1, odd[i], arena, signatures, &e), 0);
}

static int look_badly(void *self, struct look *v, size_t n, struct arena *a, struct err *error)
{
	(void)a;
	if (self == NULL)
		return err_set(error, ERR_SYSTEM, NOWHERE, "the host is gone");
	for (size_t i = 0; i < n; i++) {
		v[i].rc = strcmp(self, "refuse") == 0 ? -1 : 0;
		v[i].text = self;
		v[i].err = (struct err){ .code = ERR_CONFIG, .text = "no" };
	}
	return 0;
}

Test(port_sign, passes_errors_on_and_takes_no_other_text_for_a_signature)
{
	static const struct port_ops ops = { .look = look_badly };
	static char refuse[] = "refuse", text[] = "signed";
	const char *const nodes[] = { "web" };

	cr_assert_eq(
		port_sign(&(struct port){ &ops, NULL }, nodes, 1, LINE, arena, signatures, &e), -1);
	cr_expect_str_eq(e.text, "the host is gone");
	cr_assert_eq(
		port_sign(&(struct port){ &ops, refuse }, nodes, 1, LINE, arena, signatures, &e),
		-1);
	cr_expect_str_eq(e.text, "jail 'web': no");
	cr_expect_eq(e.code, ERR_CONFIG);
	cr_assert_eq(
		port_sign(&(struct port){ &ops, text }, nodes, 1, LINE, arena, signatures, &e), -1);
	cr_expect_str_eq(e.text, "jail 'web': its signature is not 64 bytes in hexadecimal");
}

Test(port_sign, reads_the_digits_of_a_signature_and_nothing_else)
{
	const char *hex = fake_signature((const uint8_t[SEED_LEN]){ 1 }, LINE, arena);
	char *other;
	struct pubkey key = key_public((const uint8_t[SEED_LEN]){ 1 });

	cr_assert(signature_read(hex, signatures[0]));
	cr_expect(verifies(LINE, signatures[0], &key));
	cr_expect_not(signature_read("", signatures[0]));
	cr_expect_not(signature_read(hex + 1, signatures[0]));
	cr_expect_not(signature_read(hex + 2, signatures[0]));
	cr_expect_not(signature_read(arena_printf(arena, "%s0", hex), signatures[0]));
	cr_expect_not(signature_read(arena_printf(arena, "%s00", hex), signatures[0]));
	cr_expect_not(signature_read(arena_printf(arena, "%s\n", hex), signatures[0]));
	for (size_t i = 0; i < strlen(hex); i++) {
		other = arena_dup(arena, hex);
		other[i] = 'g';
		cr_expect_not(signature_read(other, signatures[0]));
		other[i] = '\0';
		cr_expect_not(signature_read(other, signatures[0]));
	}
}
