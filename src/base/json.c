#include "base/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/text.h"

/* Where this thread's cJSON takes memory from; NULL: from malloc. */
static _Thread_local struct arena *into;

static void *take(size_t n)
{
	return into != NULL ? arena_bytes(into, n) : malloc(n);
}

static void give(void *p)
{
	if (into == NULL)
		free(p);
}

/* Before main, as cJSON has one pair of them for all threads. */
static void __attribute__((constructor)) hook(void)
{
	cJSON_Hooks hooks = { .malloc_fn = take, .free_fn = give };

	cJSON_InitHooks(&hooks);
}

static int line_of(const char *text, const char *at)
{
	int line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

/*
 * Whether every byte is printable ASCII and none a backslash, as in most of what comes: eight at a time. Of eight
 * such bytes none loses a borrow to the next one, and any other leaves its highest bit, or that of a neighbour.
 */
static bool all_plain(const char *text, size_t len)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t odd = 0, eight = 0;
	size_t i = 0;

	for (; len - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, text + i, sizeof(eight));
		odd |= eight | (eight - ones * 0x20) | ((eight ^ ones * '\\') - ones);
	}
	for (; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '\\')
			return false;
	return (odd & ones * 0x80) == 0;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Hexadecimal: cJSON takes what is none for a NUL. */
static bool has_four_digits(const char *text, size_t len)
{
	if (len < 4)
		return false;
	for (size_t i = 0; i < 4; i++)
		if (hex_digit(text[i]) < 0)
			return false;
	return true;
}

/*
 * What RFC 8259 forbids and cJSON accepts, and the mark at the beginning that it lets a reader pass over: what
 * looks at the text itself would not. In JSON a backslash stands only in strings.
 */
static const char *unfit(const char *text, size_t len, size_t *at)
{
	bool in_string = false;

	*at = 0;
	if (all_plain(text, len))
		return NULL;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return "a byte order mark";
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)text[i];
		uint32_t cp;
		size_t n = 1;

		if (is_plain(c)) {
			i++;
			continue;
		}
		if (c >= 0x80)
			n = text_utf8(text + i, len - i, &cp);
		*at = i;
		if (n == 0)
			return "invalid UTF-8";
		if (c < 0x20 && (in_string || (c != '\t' && c != '\n' && c != '\r')))
			return "a control character";
		if (c == '"')
			in_string = !in_string;
		if (c == '\\') {
			if (len - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
				return "a NUL in a string";
			if (len - i > 1 && text[i + 1] == 'u' &&
				!has_four_digits(text + i + 2, len - i - 2))
				return "an unknown escape";
			n = 2; /* what is escaped is neither a quote nor another backslash */
			if (len - i > 1 &&
				((unsigned char)text[i + 1] < 0x20 ||
					(unsigned char)text[i + 1] >= 0x80))
				return "an unknown escape";
		}
		i += n;
	}
	return NULL;
}

int json_parse(const char *text, size_t len, size_t max, enum err_code code, struct cJSON **out,
	struct err *e)
{
	const char *end = NULL;
	const char *why;
	size_t at = 0;

	*out = NULL;
	if (len > max)
		return err_set(
			e, code, NOWHERE, "it has %zu bytes, more than the %zu allowed", len, max);
	why = unfit(text, len, &at);
	if (why != NULL)
		return err_set(e, code, NOWHERE, "line %d: %s", line_of(text, text + at), why);
	if (len == 0)
		return err_set(e, code, NOWHERE, "it is empty");
	*out = cJSON_ParseWithLengthOpts(text, len, &end, 0);
	if (*out == NULL)
		return err_set(e, code, NOWHERE, "line %d: not JSON",
			end == NULL ? 1 : line_of(text, end));
	while (end < text + len && strchr(" \t\r\n", *end) != NULL)
		end++;
	if (end < text + len) {
		cJSON_Delete(*out);
		*out = NULL;
		return err_set(e, code, NOWHERE, "line %d: text behind the JSON value",
			line_of(text, end));
	}
	return 0;
}

int json_parse_in(struct arena *a, const char *text, size_t len, size_t max, enum err_code code,
	const struct cJSON **out, struct err *e)
{
	struct cJSON *root;
	int rc;

	into = a;
	rc = json_parse(text, len, max, code, &root, e);
	into = NULL;
	*out = root;
	return rc;
}

int json_member(const struct cJSON *object, const char *key, enum err_code code,
	const struct cJSON **out, struct err *e)
{
	const cJSON *item;

	*out = NULL;
	if (!cJSON_IsObject(object))
		return err_set(e, code, NOWHERE, "not an object");
	cJSON_ArrayForEach(item, object)
	{
		if (strcmp(item->string, key) != 0)
			continue;
		if (*out != NULL)
			return err_set(e, code, NOWHERE, "the key '%s' comes twice", key);
		*out = item;
	}
	return 0;
}

int json_string(const struct cJSON *object, const char *key, enum err_code code, const char **out,
	struct err *e)
{
	const struct cJSON *item;

	if (json_member(object, key, code, &item, e) < 0)
		return -1;
	if (item == NULL)
		return err_set(e, code, NOWHERE, "the key '%s' is missing", key);
	if (!cJSON_IsString(item))
		return err_set(e, code, NOWHERE, "'%s' is not a string", key);
	*out = item->valuestring;
	return 0;
}
