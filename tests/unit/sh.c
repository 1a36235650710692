/* Words that a real sh reads back. */
#include <criterion/criterion.h>

#include <string.h>
#include <unistd.h>

#include "base/sh.h"
#include "os/proc.h"

static struct arena *arena;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(sh, .init = setup, .fini = teardown, .timeout = 60);

static const char *quoted(const char *word)
{
	struct text t = text_new(arena);

	sh_quote(&t, word);
	return t.s;
}

Test(sh, every_word_is_between_single_quotes)
{
	cr_assert_str_eq(quoted("web"), "'web'");
	cr_assert_str_eq(quoted(""), "''");
	cr_assert_str_eq(quoted("it's"), "'it'\\''s'");
	cr_assert_str_eq(quoted("''"), "''\\'''\\'''");
}

Test(sh, words_of_a_command_have_a_space_between)
{
	struct text t = text_new(arena);

	sh_quote_all(&t, (const char *const[]){ "jexec", "a b", NULL });
	cr_assert_str_eq(t.s, "'jexec' 'a b'");
	t = text_new(arena);
	sh_quote_all(&t, (const char *const[]){ NULL });
	cr_assert_str_eq(t.s, "");
}

/* The shell that programs are handed through must make these very words of the text. */
static void assert_passes(const char *shell, const char *mode, const char *const *words)
{
	struct proc_conf conf = PROC_CONF;
	struct text script = text_new(arena), expected = text_new(arena);
	struct command c = { .argv = mode == NULL ? (const char *const[]){ shell, NULL }
						  : (const char *const[]){ shell, mode, NULL } };
	struct output o;

	text_add(&script, "printf '%s\\0' ");
	sh_quote_all(&script, words);
	text_add(&script, "\n");
	for (size_t i = 0; words[i] != NULL; i++)
		text_addn(&expected, words[i], strlen(words[i]) + 1);
	c.input = script.s;
	c.input_len = script.len;
	proc_run(&c, 1, &conf, arena, &o);
	cr_assert_eq(o.status, 0, "%s: %s", shell, o.err);
	cr_assert_eq(o.out_len, expected.len, "%s: %zu bytes came back, not %zu", shell, o.out_len,
		expected.len);
	cr_assert_arr_eq(o.out, expected.s, expected.len, "%s changed a word", shell);
}

static const char *const nasty[] = { "", " ", "\t", "\n", "\r\n", "'", "''", "'''", "\"", "\\",
	"\\'", "'\\''", "\\n", "$HOME", "${HOME}", "$(id)", "`id`", "$((1))", "$'x'", "*", "?",
	"[a-z]", "~", "~root", "#", "# no comment", "!", "!!", "^", "&", "&&", "|", ";", ";;", "(",
	")", "{", "}", "{a,b}", "<", ">", "<<EOF", "EOF", "if", "then", "done", "a=b", "PATH=/x",
	"-", "--", "-n", "-e", "%s", "%n", "\\0", "\\c", "\x01", "\x1b[31m", "\x7f", "\x80", "\x81",
	"\x82", "\x83", "\x88", "\xff", "\xc3\xa9", "\xc3", "\xe2\x80\xa8", "\x88'",
	"a\n'b'\n$(c)\n", "'; rm -rf / #", NULL };

Test(sh, what_goes_in_as_argv_comes_out_of_a_real_sh)
{
	assert_passes("/bin/sh", NULL, nasty);
	if (access("/bin/bash", X_OK) == 0)
		assert_passes("/bin/bash", "--posix", nasty);
	if (access("/bin/busybox", X_OK) == 0)
		assert_passes("/bin/busybox", "sh", nasty);
}

Test(sh, every_byte_passes_alone_and_beside_every_kind_of_other)
{
	const char *words[4 * 255 + 1];
	size_t n = 0;

	for (int byte = 1; byte <= 255; byte++) {
		words[n++] = arena_printf(arena, "%c", byte);
		words[n++] = arena_printf(arena, "'%c'", byte);
		words[n++] = arena_printf(arena, "%c%c", byte, byte);
		words[n++] = arena_printf(arena, "\\%c\\", byte);
	}
	words[n] = NULL;
	assert_passes("/bin/sh", NULL, words);
}
