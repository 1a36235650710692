#include <criterion/criterion.h>
#include <string.h>

#include "base/hjson.h"
#include "base/text.h"

/* The value of member x as compact JSON, or the error. */
static const char *x_of(struct arena *a, const char *text)
{
	struct err e = ERR_INIT;
	struct hjson h;
	const char *json;

	if (hjson_parse(text, strlen(text), a, &h, &e) < 0)
		return arena_dup(a, e.text);
	if (hjson_find(&h, "x") == NULL)
		return "absent";
	if (hjson_value(&h, hjson_find(&h, "x"), a, &json, &e) < 0)
		return arena_dup(a, e.text);
	return json;
}

/* Sets x to 1, removes y, adds z. */
static const char *edited(struct arena *a, const char *text)
{
	static const struct hjson_edit edits[] = { { "x", "1" }, { "y", NULL }, { "z", "[]" } };
	struct err e = ERR_INIT;
	struct hjson h;

	if (hjson_parse(text, strlen(text), a, &h, &e) < 0)
		return arena_dup(a, e.text);
	return hjson_edit(&h, edits, 3, a);
}

static void check(
	const char *(*run)(struct arena *, const char *), const char *const (*cases)[2], size_t n)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < n; i++)
		cr_expect_str_eq(run(a, cases[i][0]), cases[i][1], "\n%s\nis\n%s\nnot\n%s",
			cases[i][0], run(a, cases[i][0]), cases[i][1]);
	arena_free(a);
}

#define CHECK(run, cases) check(run, cases, sizeof(cases) / sizeof((cases)[0]))

/* What yggdrasil -normaliseconf -json made of the same texts. */
Test(hjson, reads_what_the_daemon_reads)
{
	static const char *const cases[][2] = {
		{ "{\"x\":\"a\"}", "\"a\"" },
		{ "{ # c\n X: a b # c\n}", "\"a b # c\"" },
		{ "x: a", "\"a\"" },
		{ "\xef\xbb\xbf"
		  "x: a\r\n",
			"\"a\"" },
		{ "{x: 5 # c\n}", "5" },
		{ "{x: -1.5e3, y: 2}", "-1.5e3" },
		{ "{x: 05, y: 2}\n}", "\"05, y: 2}\"" },
		{ "{x: true}", "true" },
		{ "{x: truest}\n}", "\"truest}\"" },
		{ "{x: null /* c */}", "null" },
		{ "{x: [a\n \"b\", tcp://c:3, d\n]}", "[\"a\",\"b\",\"tcp://c:3, d\"]" },
		{ "{x: [1, 2,], }", "[1,2]" },
		{ "{x: 'a\"b'}", "\"a\\\"b\"" },
		{ "{x: 'c\\'d'}", "\"c'd\"" },
		{ "{x: \"\\u0041\\/\"}", "\"A/\"" },
		{ "{x: '''ab\nc'''}", "\"ab\\nc\"" },
		{ "{x: {'k': [ {} ], l: 1}}", "{\"k\":[{}],\"l\":1}" },
		{ "{x: 1, X: 2}", "2" },
		{ "{'x' : a,\n// c\n/* x: b */\n}", "\"a,\"" },
		{ "{}", "absent" },
		{ " \n# nothing\n", "absent" },
		{ "", "absent" },
	};

	CHECK(x_of, cases);
}

Test(hjson, says_where_it_is_wrong)
{
	static const char *const cases[][2] = {
		{ "{\n x: [\n", "line 3: a ']' is missing" },
		{ "{x: 1", "line 1: a '}' is missing" },
		{ "{x: a }", "line 1: a '}' is missing" },
		{ "{x: }",
			"line 1: a punctuation mark where a value is due (a text without quotes "
			"goes to the end of its line)" },
		{ "{x 1}", "line 1: a name without a colon behind it" },
		{ "{: 1}", "line 1: a name is missing" },
		{ "{x: \"a\n\"}", "line 1: a string in quotes goes over the end of its line" },
		{ "{x: \"a", "line 1: a string does not end" },
		{ "{x: \"\\q\"}", "x: line 1: a string has a bad escape" },
		{ "{x: '''a", "line 1: a string in ''' does not end" },
		{ "{x: 1} y", "line 1: there is something behind the closing '}'" },
		{ "[1]", "line 1: a name is missing" },
		{ "x:", "line 1: a value is missing at the end" },
	};

	CHECK(x_of, cases);
}

Test(hjson, refuses_depth_and_nul)
{
	struct arena *a = arena_new();
	struct text t = text_new(a);
	struct err e = ERR_INIT;
	struct hjson h;

	text_add(&t, "x: ");
	for (int i = 0; i < 100000; i++)
		text_add(&t, "[");
	cr_expect_str_eq(x_of(a, t.s), "line 1: nested too deep");
	cr_expect_eq(hjson_parse("x: \0", 4, a, &h, &e), -1);
	arena_free(a);
}

Test(hjson, edits_leave_every_other_byte)
{
	static const char *const cases[][2] = {
		{ "{\n}\n", "{\n  \"x\": 1,\n  \"z\": []\n}\n" },
		{ "{}", "{\n  \"x\": 1,\n  \"z\": []\n}" },
		{ "", "\n  \"x\": 1,\n  \"z\": []\n" },
		{ "{\"x\":2}", "{\"x\":1,\n  \"z\": []}" },
		{ "{\n  # why\n  x: two # its text\n  Extra: [ 1,2 ]\n}\n",
			"{\n  # why\n  x: 1\n  Extra: [ 1,2 ],\n  \"z\": []\n}\n" },
		{ "{\n  x: 2 # c\n}\n", "{\n  x: 1,\n  \"z\": [] # c\n}\n" },
		{ "{\n  k: bare\n}\n", "{\n  k: bare\n  \"x\": 1,\n  \"z\": []\n}\n" },
		{ "k: bare\n", "k: bare\n  \"x\": 1,\n  \"z\": []\n" },
		{ "{\n  k: 3\n  x: bare\n}\n", "{\n  k: 3\n  x: 1,\n  \"z\": []\n}\n" },
		{ "{\n  \"x\": 1,\n  \"y\": 2\n}\n", "{\n  \"x\": 1,\n  \"z\": []\n}\n" },
		{ "{\n  \"y\": 2,\n  \"x\": 1,\n  \"z\": 0\n}\n",
			"{\n  \"x\": 1,\n  \"z\": []\n}\n" },
		{ "{\"k\":0,\"y\":2,\"x\":1,}", "{\"k\":0,\"x\":1,\n  \"z\": [],}" },
		{ "{\"y\":2}", "{\n  \"x\": 1,\n  \"z\": []\n}" },
		{ "{\"y\":2,\"Y\":3,\"X\":4,\"x\":5,\"Z\":0}", "{\"x\":1,\"Z\":[]}" },
		{ "{\"x\":0,\"z\":0,\"y\":2,\"y\":3}", "{\"x\":1,\"z\":[]}" },
	};

	CHECK(edited, cases);
}
