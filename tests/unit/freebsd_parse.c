/* What the scripts of the FreeBSD port answer, as a hostile jail may word it. */
#include <criterion/criterion.h>

#include <string.h>

#include "platform/freebsd_self.h"

static struct arena *arena;
static struct err e;

static void set_up(void)
{
	arena = arena_new();
	e = ERR_INIT;
}

static void tear_down(void)
{
	arena_free(arena);
}

TestSuite(freebsd_parse, .init = set_up, .fini = tear_down);

static struct output said(const char *text)
{
	return (struct output){ .out = text, .out_len = strlen(text), .err = "" };
}

static const char *joined(const struct strs *list)
{
	struct text t = text_new(arena);

	for (size_t i = 0; i < list->n; i++)
		text_addf(&t, "%s%s", i == 0 ? "" : " ", list->v[i]);
	return t.s;
}

static const char *jls(const char *text)
{
	struct strs names;

	e = ERR_INIT;
	if (freebsd_parse_jls(text, strlen(text), arena, &names, &e) < 0)
		return e.text;
	return joined(&names);
}

#define JLS(list) "{\"__version\": \"2\", \"jail-information\": {\"jail\": " list "}}\n"

Test(freebsd_parse, takes_every_name_that_jls_tells)
{
	cr_expect_str_eq(jls(JLS("[]")), "");
	cr_expect_str_eq(jls(JLS("[{\"name\":\"web\"}, {\"name\":\"Db\"}]")), "web Db");
	cr_expect_str_eq(jls(JLS("[{\"name\":\"web.inner\"},{\"name\":\"7\"},{\"name\":12}]")),
		"web.inner 7 12");
}

Test(freebsd_parse, refuses_what_jls_never_prints)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"jail-information\": {}}",
		JLS("{}"),
		JLS("[{}]"),
		JLS("[1]"),
		JLS("[{\"name\":null}]"),
		JLS("[{\"name\":1.5}]"),
		JLS("[{\"name\":-1}]"),
		JLS("[{\"name\":\"a\",\"name\":\"b\"}]"),
		JLS("[]") "x",
		"{\"jail-information\": {\"jail\": [{\"name\":\"web\"}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(strncmp(jls(bad[i]), "what jls prints: ", 17) == 0, "%s: %s", bad[i],
			e.text);
}

/* The text, or the error, or "(none)". */
static const char *file(const struct output *out, size_t max)
{
	const char *text;
	size_t len;
	int rc;

	e = ERR_INIT;
	rc = freebsd_parse_file(out, max, "web", arena, &text, &len, &e);
	if (rc == 0)
		cr_assert_eq(text[len], '\0');
	return rc < 0 ? e.text : rc == 1 ? "(none)" : text;
}

#define GARBLED "jail web answers what cannot be understood; are its sh and its programs whole?"

Test(freebsd_parse, takes_a_file_for_what_it_is)
{
	static const struct {
		const char *said, *is;
	} cases[] = {
		{ "none\n", "(none)" },
		{ "file\n.\n", "" },
		{ "file\nabc\n.\n", "abc\n" },
		{ "file\nabc.\n", "abc" },
		{ "file\nnone\n.\n.\n", "none\n.\n" },
		{ "file\n12345678.\n", "12345678" },
		{ "file\n123456789.\n", "it has more than 8 bytes" },
		{ "", GARBLED },
		{ "none\nmore", GARBLED },
		{ "file\n", GARBLED },
		{ "file\nabc\n", GARBLED },
		{ "file\nabc\n.", GARBLED },
		{ "abc\n.\n", GARBLED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct output out = said(cases[i].said);

		cr_expect_str_eq(file(&out, 8), cases[i].is, "%s: %s", cases[i].said, e.text);
	}
}

Test(freebsd_parse, says_what_a_failed_script_said)
{
	struct output failed = { .status = 1, .out = "", .err = "it is not a regular file\nmore" };
	struct output silent = { .status = 3, .out = "file\n.\n", .out_len = 7, .err = "" };
	struct output cut = { .out = "file\n", .out_len = 5, .err = "head: Input/output error" };

	cr_expect_str_eq(file(&failed, 8), "it is not a regular file");
	cr_expect_str_eq(file(&silent, 8), "sh exited with 3");
	cr_expect_str_eq(file(&cut, 8), "head: Input/output error");
}

Test(freebsd_parse, masks_a_key_that_a_jail_does_not)
{
	const char *key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct output out = said(arena_printf(arena, "file\nk: %s\n.\n", key));
	const char *text = file(&out, 4096);

	cr_expect_eq(strlen(text), 3 + 128 + 1);
	cr_expect_eq(strspn(text + 3, "x"), 128);
}

/* "PID boot|- LISTENING..." or the error. */
static const char *node(const char *text)
{
	struct output out = said(text);
	struct node_state state;

	e = ERR_INIT;
	if (freebsd_parse_node(&out, "web", arena, &state, &e) < 0)
		return e.text;
	if (state.running != (state.pid != 0))
		return "it runs without a process";
	return arena_printf(arena, "%d %s %s", (int)state.pid, state.at_boot ? "boot" : "-",
		joined(&state.listening));
}

#define ROW(pid, proto, local) "socket root yggdrasil " pid " 7 " proto " " local " *:*\n"

Test(freebsd_parse, tells_on_which_sockets_a_node_listens)
{
	static const struct {
		const char *said, *is;
	} cases[] = {
		{ "boot NO\nend\n", "0 - " },
		{ "boot \nend\n", "0 - " },
		{ "boot yes\nend\n", "0 boot " },
		{ "boot On\nend\n", "0 boot " },
		{ "boot yesterday\nend\n", "0 - " },
		{ "pid 12\nboot YES\nend\n", "12 boot " },
		{ "pid 12\n" ROW("12", "tcp4", "10.17.89.1:19001") "boot YES\nend\n",
			"12 boot 10.17.89.1:19001" },
		{ "pid 12\npid 13\n" ROW("13", "tcp46", "*:22") ROW("13", "tcp4", "*:21")
				ROW("13", "tcp6", "*:20") "boot YES\nend\n",
			"12 boot 0.0.0.0:21 [::]:20 [::]:22" },
		{ "pid 12\n" ROW("12", "tcp6", "::1:22")
				ROW("12", "tcp6", "fe80::1%ygg0:9") "boot YES\nend\n",
			"12 boot [::1]:22 [fe80::1%ygg0]:9" },
		/* Of another process, of none, twice, and of a command with a space in its name. */
		{ "pid 12\n" ROW("2", "tcp4", "1.1.1.1:1") ROW("??", "tcp4", "1.1.1.1:2") ROW(
			  "12", "tcp4", "1.1.1.1:3") ROW("12", "tcp4",
			  "1.1.1.1:3") "socket root a b c 12 7 tcp4 1.1.1.1:4 *:*\nboot YES\nend\n",
			"12 boot 1.1.1.1:3 1.1.1.1:4" },
		{ "pid 12\n" ROW("12", "tcp4", "1.1.1.1:3") "socket root a\nsocket b 12 7 tcp4 "
							    "*:9 *:*\nboot YES\nend\n",
			"12 boot 1.1.1.1:3" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(
			node(cases[i].said), cases[i].is, "%zu: %s", i, node(cases[i].said));
}

Test(freebsd_parse, refuses_a_node_state_that_no_script_of_ours_tells)
{
	static const char *const bad[] = { "", "end\n", "boot YES\n", "boot YES\nend",
		"boot YES\nend\nend\n", "pid 0x1\nboot YES\nend\n", "pid 12",
		"pid \nboot YES\nend\n", "pid 99999999999\nboot YES\nend\n",
		"boot YES\npid 1\nend\n" };
	static const char *const rows[] = { "", "root", "root yggdrasil 12 7 tcp4 1.1.1.1:1",
		"root yggdrasil 12 7 udp4 1.1.1.1:1 *:*", "root yggdrasil 12 7 tcp4 1.1.1.1 *:*",
		"root yggdrasil 12 7 tcp4 1.1.1.1:* *:*", "root yggdrasil 12 7 tcp4 1.1.1.1: *:*" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_str_eq(node(bad[i]), GARBLED, "%s", bad[i]);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_str_eq(
			node(arena_printf(arena, "pid 12\nsocket %s\nboot YES\nend\n", rows[i])),
			arena_printf(arena, "sockstat prints a row that is not understood: '%s'",
				rows[i]));
}

static const char *reply(const char *text, size_t len)
{
	struct output out = { .out = text, .out_len = len, .err = "" };
	const char *answer;
	int rc;

	e = ERR_INIT;
	rc = freebsd_parse_ask(&out, "web", arena, &answer, &len, &e);
	return rc < 0 ? e.text : rc == 1 ? "(nobody)" : answer;
}

Test(freebsd_parse, takes_an_answer_only_whole)
{
	cr_expect_str_eq(reply("nobody\n", 7), "(nobody)");
	cr_expect_str_eq(reply("answer\n{}\n.\n", 12), "{}");
	cr_expect_str_eq(reply("answer\n{\n}\n.\n", 13), "{\n}");
	cr_expect_str_eq(reply("answer\n\n.\n", 10), "no answer came within 5 s");
	cr_expect_str_eq(reply("answer\n{\0}\n.\n", 13), "the answer has a NUL in it");
	cr_expect_str_eq(reply("answer\n{}\n", 10), GARBLED);
	cr_expect_str_eq(reply("answer\n.\n", 9), GARBLED);
	cr_expect_str_eq(reply("nobody\nanswer\n", 14), GARBLED);
	cr_expect_str_eq(reply("", 0), GARBLED);
}

static const char *key(const char *text)
{
	struct output out = said(text);
	struct key_seen seen;
	char hex[KEY_HEX];
	int rc;

	e = ERR_INIT;
	rc = freebsd_parse_key(&out, "web", arena, &seen, &e);
	if (rc != 0)
		return rc < 0 ? e.text : "(none)";
	pubkey_format(&seen.key, hex);
	return arena_printf(arena, "%.8s %s", hex, seen.in_file ? "file" : "conf");
}

#define PEM                                                              \
	"-----BEGIN PUBLIC KEY-----\n"                                   \
	"MCowBQYDK2VwAyEALj/VgmhR0uAPdRIek4wu3dXos8ZjJKx5XNfjGMxaFb4=\n" \
	"-----END PUBLIC KEY-----\n"
#define HEX "2e3fd5826851d2e00f75121e938c2eddd5e8b3c66324ac795cd7e318cc5a15be"
#define OTHER "c43fc0238b117854ac2fe9bf54ebbfeb2a8bc29d2c7b9f7d5091ab7522d233ec"
#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X128 X32 X32 X32 X32
#define K "/usr/local/etc/yggdrasil.key"
#define C "/usr/local/etc/yggdrasil.conf"
#define WRONG                                                                                      \
	"the key file " K " is wrong (restore it from a backup, or move it away to give the node " \
	"a new identity): "
#define TWO                                                           \
	"the node has two identities: " K " and the PrivateKey in " C \
	" are different keys; remove "                                \
	"the one that is not to be"

Test(freebsd_parse, knows_a_node_by_its_key_file_or_its_configuration)
{
	static const struct {
		const char *said, *is;
	} cases[] = {
		{ "none\nend\n", "(none)" },
		{ "file -rw------- 0\n" PEM "end\n", "2e3fd582 file" },
		{ "file -rw-------+ 0\n" PEM "end\n", "2e3fd582 file" },
		{ "file -rw-r----- 0\n" PEM "end\n",
			"the key file " K " is open to others (mode 0640): chmod 600 " K },
		{ "file -rwsr-xr-t 0\n" PEM "end\n",
			"the key file " K " is open to others (mode 5755): chmod 600 " K },
		{ "file -rw------- 1001\n" PEM "end\n",
			"the key file " K " belongs to user 1001: chown root " K
			" if it is to be trusted" },
		{ "file -rw------- 0\nend\n", WRONG "it is no Ed25519 key in PKCS#8" },
		{ "file -rw------- 0\nnonsense\nend\n",
			WRONG "it does not begin with '-----BEGIN PUBLIC KEY-----'" },
		{ "file -rw------- 0\n" PEM "conf -\n{}\n.\n", "2e3fd582 file" },
		{ "file -rw------- 0\n" PEM "conf -\n{ nonsense\n.\n", "2e3fd582 file" },
		{ "file -rw------- 0\n" PEM "conf " HEX "\n{ PrivateKey: " X128 "\n}\n.\n",
			"2e3fd582 file" },
		{ "file -rw------- 0\n" PEM "conf " OTHER "\n{ PrivateKey: " X128 "\n}\n.\n", TWO },
		{ "file -rw------- 0\n" PEM "conf " OTHER "\n{ PrivateKey: \"\" }\n.\n",
			"2e3fd582 file" },
		{ "none\nconf " OTHER "\n{ PrivateKey: " X128 "\n}\n.\n", "c43fc023 conf" },
		{ "none\nconf " OTHER "\n{ \"privatekey\": \"" X128 "\" }\n.\n", "c43fc023 conf" },
		/* A comment, and a daemon that made a key up. */
		{ "none\nconf " OTHER "\n{\n  # PrivateKey: " X128 "\n}\n.\n", "(none)" },
		{ "none\nconf -\n{ PrivateKey: abcd\n}\n.\n",
			C ": PrivateKey is not 128 hexadecimal digits" },
		{ "none\nconf -\n{ PrivateKey: \"" X128 "\" }\n.\n",
			"yggdrasil does not tell the public key of the PrivateKey in " C
			"; is it installed, and is the key right?" },
		{ "", GARBLED },
		{ "file\nend\n", GARBLED },
		{ "file drwx------ 0\nend\n", GARBLED },
		{ "file -rw------- root\nend\n", GARBLED },
		{ "none\n", GARBLED },
		{ "none\nend\nmore", GARBLED },
		{ "none\nconf " OTHER "\n{}\n", GARBLED },
		{ "none\nfile -rw------- 0\n", GARBLED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(key(cases[i].said), cases[i].is, "%zu: %s", i, key(cases[i].said));
}

static const char *signature(const char *text)
{
	struct output out = said(text);
	const char *hex;
	int rc;

	e = ERR_INIT;
	rc = freebsd_parse_sign(&out, "web", arena, &hex, &e);
	return rc < 0 ? e.text : rc == 1 ? "(none)" : hex;
}

#define FILED "file -rw------- 0\n" PEM
#define HEX128 HEX OTHER
#define HELD "\n{ PrivateKey: " X128 "\n}\n.\n"

Test(freebsd_parse, takes_a_signature_by_a_key_that_it_would_take)
{
	static const struct {
		const char *said, *is;
	} cases[] = {
		{ "none\nend\n", "(none)" },
		{ FILED "signed " HEX128 "\n", HEX128 },
		{ "none\nsigned " HEX128 HELD, HEX128 },
		/* A comment, and a daemon that made a key up. */
		{ "none\nsigned " HEX128 "\n{\n  # PrivateKey: " X128 "\n}\n.\n", "(none)" },
		{ "none\nsigned -\n{ PrivateKey: abcd\n}\n.\n",
			C ": PrivateKey is not 128 hexadecimal digits" },
		{ "file -rw-r--r-- 0\n" PEM "signed " HEX128 "\n",
			"the key file " K " is open to others (mode 0644): chmod 600 " K },
		{ "file -rw------- 7\n" PEM "signed " HEX128 "\n",
			"the key file " K " belongs to user 7: chown root " K
			" if it is to be trusted" },
		{ "file -rw------- 0\nsigned " HEX128 "\n",
			WRONG "it is no Ed25519 key in PKCS#8" },
		{ FILED "signed old\n", "its openssl cannot sign (it is older than 3.0)" },
		{ "none\nsigned old" HELD, "its openssl cannot sign (it is older than 3.0)" },
		{ FILED "signed -\n",
			"its openssl does not sign with the key in " K "; is it whole?" },
		{ "none\nsigned -" HELD,
			"its openssl does not sign with the PrivateKey in " C
			"; is yggdrasil installed, and is the key right?" },
		{ FILED "signed \n", GARBLED },
		{ FILED "signed " HEX "\n", GARBLED },
		{ FILED "signed " HEX128 "0\n", GARBLED },
		{ FILED "signed " HEX128 HEX "\n", GARBLED },
		{ FILED "signed " HEX OTHER "\r\n", GARBLED },
		{ FILED "signed  " HEX OTHER "\n", GARBLED },
		{ FILED "signed \x1b[2J\n", GARBLED },
		{ FILED "signed " X128 "\n", GARBLED },
		{ FILED "signed " HEX128 "\nmore", GARBLED },
		{ FILED "signed " HEX128 HELD, GARBLED },
		{ FILED "signed " HEX128, GARBLED },
		{ FILED "end\n", GARBLED },
		{ FILED "conf " HEX "\n{}\n.\n", GARBLED },
		{ "none\nsigned " HEX128 "\n", GARBLED },
		{ "none\nsigned " HEX128 "\n{ PrivateKey: " X128 "\n}\n", GARBLED },
		{ "none\nsigned " HEX HELD, GARBLED },
		{ "none\nend\nmore", GARBLED },
		{ "signed " HEX128 "\n", GARBLED },
		{ "", GARBLED },
	};
	struct output failed = { .status = 1, .out = "", .err = "there is no openssl" };
	const char *hex;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(signature(cases[i].said), cases[i].is, "%zu: %s", i,
			signature(cases[i].said));
	cr_expect_eq(freebsd_parse_sign(&failed, "web", arena, &hex, &e), -1);
	cr_expect_str_eq(e.text, "there is no openssl");
}
