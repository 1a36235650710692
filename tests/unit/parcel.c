#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parcel.h"
#include "base/seal.h"

#define PLAIN "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}"
#define SEALED "{\"jails\":[],\"sealed\":\"AAAA\"}"
#define WITH(more) "{\"jails\":[],\"sealed\":\"AAAA\"," more "}"
#define TEXT(sealed) "{\"jails\":[],\"sealed\":\"" sealed "\"}"
#define CODE(code) WITH("\"code\":\"" code "\"")

static struct arena *a;

static void setup(void)
{
	a = arena_new();
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(parcel, .init = setup, .fini = teardown);

/* The text goes in without a NUL behind it, so that the sanitizer sees a read past its end. */
static int parse(const char *text, size_t len, struct parcel *p, struct err *e)
{
	char *exact = malloc(len == 0 ? 1 : len);
	int rc;

	memcpy(exact, text, len);
	rc = parcel_parse(exact, len, a, p, e);
	free(exact);
	return rc;
}

static struct parcel good(const char *text)
{
	struct err e = ERR_INIT;
	struct parcel p;

	cr_assert_eq(parse(text, strlen(text), &p, &e), 0, "%.200s: %s", text, e.text);
	return p;
}

static void refused(const char *text, size_t len, const char *why)
{
	struct err e = ERR_INIT;
	struct parcel p;

	cr_assert_lt(parse(text, len, &p, &e), 0, "%.200s", text);
	cr_assert_eq(e.code, ERR_REMOTE);
	cr_assert_not_null(strstr(e.text, why), "%.200s: %s", text, e.text);
	cr_assert_eq(strncmp(e.text, "roster refused: ", 16), 0, "%s", e.text);
	cr_assert(p.sealed == NULL && p.code == NULL && p.roster.n == 0);
}

/* The sealed body with so many characters of base64. */
static char *sealed_of(size_t n)
{
	char *text = malloc(n + 64);
	size_t at = (size_t)sprintf(text, "{\"jails\":[],\"sealed\":\"");

	memset(text + at, 'A', n);
	strcpy(text + at + n, "\"}");
	return text;
}

Test(parcel, a_plain_one_is_a_roster)
{
	struct parcel p = good(PLAIN);

	cr_assert_null(p.sealed);
	cr_assert_null(p.code);
	cr_assert_not(p.has_code);
	cr_assert_eq(p.roster.n, 1);
	cr_assert_str_eq(parcel_format(&p, a), PLAIN);
	refused("{\"jails\":[]}", 12, "no jails");
	refused("{\"jails\":[1]}", 13, "not an object");
	refused("{\"sealed\":\"AAAA\"}", 17, "'jails' is missing");
}

Test(parcel, a_code_beside_a_plain_roster_is_told_and_proposes_nothing)
{
	struct parcel p =
		good("{\"code\":7,\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}");

	cr_assert(p.has_code);
	cr_assert_null(p.code);
	cr_assert_str_eq(parcel_format(&p, a), PLAIN);
}

Test(parcel, a_sealed_one_is_passed_on_without_what_nobody_knows)
{
	struct parcel p = good(" { \"x\":[1], \"sealed\" : \"AA\\u0041A\" , \"jails\" : [ ] } ");

	cr_assert_str_eq(p.sealed, "AAAA");
	cr_assert_eq(p.roster.n, 0);
	cr_assert_str_eq(parcel_format(&p, a), SEALED);
	cr_assert_str_eq(good(TEXT("ab+/")).sealed, "ab+/");
	cr_assert_str_eq(good(TEXT("AAA=")).sealed, "AAA=");
	cr_assert_str_eq(good(TEXT("AA==")).sealed, "AA==");
}

Test(parcel, a_sealed_one_has_nothing_else_to_say)
{
	static const char *const bad[] = {
		"{\"sealed\":\"AAAA\",\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}",
		"{\"sealed\":\"AAAA\",\"jails\":{}}",
		"{\"sealed\":\"AAAA\",\"jails\":null}",
		"{\"sealed\":\"AAAA\",\"jails\":[null]}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], strlen(bad[i]), "not an empty array");
	refused("{\"sealed\":\"AAAA\",\"Jails\":[]}", 28, "'jails' is missing");
}

Test(parcel, what_is_sealed_is_base64)
{
	static const char *const bad[] = { TEXT(""), TEXT("AAA"), TEXT("AAAAA"), TEXT("A==="),
		TEXT("===="), TEXT("AA=A"), TEXT("A=A="), TEXT("AA-_"), TEXT("AAA "), TEXT(" AAA"),
		TEXT("AAA\\n"), TEXT("AAAA===="), TEXT("AA==AAAA"), TEXT("AAA\\\""),
		TEXT("AA\xc3\xa9"), "{\"jails\":[],\"sealed\":null}", "{\"jails\":[],\"sealed\":1}",
		"{\"jails\":[],\"sealed\":[\"AAAA\"]}", "{\"jails\":[],\"sealed\":{}}" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], strlen(bad[i]), "'sealed' is not base 64");
	refused(TEXT("AAA\\u0000"), strlen(TEXT("AAA\\u0000")), "a NUL in a string");
	refused(TEXT("AA\0A"), sizeof(TEXT("AA\0A")) - 1, "control character");
}

Test(parcel, nothing_comes_twice)
{
	static const char *const bad[] = {
		"{\"jails\":[],\"jails\":[],\"sealed\":\"AAAA\"}",
		WITH("\"sealed\":\"BBBB\""),
		WITH("\"\\u0073ealed\":\"BBBB\""),
		WITH("\"code\":\"81-zephyr-night\",\"code\":\"81-zephyr-night\""),
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], strlen(bad[i]), "twice");
}

Test(parcel, bounds_what_is_sealed)
{
	char *most = sealed_of(SEAL_TEXT_MAX), *more = sealed_of(SEAL_TEXT_MAX + 4);
	char *huge = sealed_of(ROSTER_BYTES_MAX);

	cr_assert_eq(strlen(good(most).sealed), SEAL_TEXT_MAX);
	refused(more, strlen(more), "at most 240 KiB");
	refused(huge, strlen(huge), "more than the 262144 allowed");
	free(most);
	free(more);
	free(huge);
}

Test(parcel, reads_a_code_that_is_proposed)
{
	struct parcel p = good(CODE("81-zephyr-night-climb"));

	cr_assert_str_eq(p.code, "81-zephyr-night-climb");
	cr_assert(p.has_code);
	cr_assert_str_eq(parcel_format(&p, a),
		"{\"jails\":[],\"sealed\":\"AAAA\",\"code\":\"81-zephyr-night-climb\"}");
	p.code = NULL;
	cr_assert_str_eq(parcel_format(&p, a), SEALED);
	cr_assert_str_eq(good(CODE("123456789012")).code, "123456789012");
	cr_assert_str_eq(good(CODE("1234567890123456789012345678901")).code,
		"1234567890123456789012345678901");
}

Test(parcel, a_code_is_of_the_characters_and_the_length_that_one_has)
{
	static const char *const bad[] = { CODE(""), CODE("12345678901"), CODE(".."), CODE("%2f"),
		CODE("12345678901234567890123456789012"), CODE("81-Zephyr-night-climb"),
		CODE("81-zephyr-night/../x"), CODE("81-zephyr-night%2fclimb"),
		CODE("81 zephyr night climb"), CODE("81-zephyr-night-climb\\n"),
		CODE("81-z\xc3\xa9phyr-night-climb"), CODE("81-zephyr-night-climb\\\""),
		WITH("\"code\":null"), WITH("\"code\":812345678901"), WITH("\"code\":[]"),
		WITH("\"code\":{}") };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], strlen(bad[i]), "'code' is not 12 to 31 of a-z, 0-9 and '-'");
	refused(CODE("81-zephyr-night\\u0000"), strlen(CODE("81-zephyr-night\\u0000")),
		"a NUL in a string");
}

Test(parcel, is_read_from_an_answer_that_has_more_in_it)
{
	static const char text[] = "{\"joined\":true,\"jails\":[],\"sealed\":\"AAAA\"}";
	cJSON *json = cJSON_Parse(text);
	struct err e = ERR_INIT;
	struct parcel p;

	cr_assert_eq(parcel_of_json(json, a, &p, &e), 0, "%s", e.text);
	cJSON_Delete(json);
	cr_assert_str_eq(p.sealed, "AAAA");
	json = cJSON_Parse("{\"joined\":false}");
	cr_assert_lt(parcel_of_json(json, a, &p, &e), 0);
	cr_assert_not_null(strstr(e.text, "'jails' is missing"));
	cJSON_Delete(json);
}

Test(parcel, what_is_no_json_is_refused)
{
	static const char *const bad[] = { "", "{", "null", "[]", "\"x\"", SEALED "x",
		SEALED SEALED };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], strlen(bad[i]), "");
}
