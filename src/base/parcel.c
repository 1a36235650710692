#include "base/parcel.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "base/json.h"
#include "base/seal.h"
#include "base/text.h"

/* Base 64 with its padding (RFC 4648): whether it means anything is for seal_open to say. */
static bool is_base64(const char *s)
{
	size_t len = strlen(s);
	size_t digits =
		strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

	return len >= 4 && len <= SEAL_TEXT_MAX && len % 4 == 0 && len - digits <= 2 &&
		strspn(s + digits, "=") == len - digits;
}

static int code_of(const cJSON *item, struct arena *a, struct parcel *out, struct err *e)
{
	char code[CODE_TEXT];

	if (!cJSON_IsString(item) || strlen(item->valuestring) < PARCEL_CODE_MIN ||
		!code_read(item->valuestring, strlen(item->valuestring), code))
		return err_set(e, ERR_REMOTE, NOWHERE, "'code' is not %d to %d of a-z, 0-9 and '-'",
			PARCEL_CODE_MIN, CODE_TEXT - 1);
	out->code = arena_dup(a, code);
	return 0;
}

static int sealed_of(const cJSON *sealed, const cJSON *jails, const cJSON *code, struct arena *a,
	struct parcel *out, struct err *e)
{
	if (!cJSON_IsArray(jails) || jails->child != NULL)
		return err_set(
			e, ERR_REMOTE, NOWHERE, "'jails' is not an empty array beside 'sealed'");
	if (!cJSON_IsString(sealed) || !is_base64(sealed->valuestring))
		return err_set(e, ERR_REMOTE, NOWHERE, "'sealed' is not base 64 of at most %d KiB",
			SEAL_TEXT_MAX / 1024);
	if (code != NULL && code_of(code, a, out, e) < 0)
		return -1;
	out->sealed = arena_dup(a, sealed->valuestring);
	return 0;
}

int parcel_of_json(const struct cJSON *object, struct arena *a, struct parcel *out, struct err *e)
{
	const cJSON *jails, *sealed, *code;

	*out = (struct parcel){ 0 };
	if (json_member(object, "jails", ERR_REMOTE, &jails, e) < 0 ||
		json_member(object, "sealed", ERR_REMOTE, &sealed, e) < 0 ||
		json_member(object, "code", ERR_REMOTE, &code, e) < 0)
		return err_wrap(e, "roster refused");
	if (jails == NULL)
		return err_set(
			e, ERR_REMOTE, NOWHERE, "roster refused: the key 'jails' is missing");
	out->has_code = code != NULL;
	if ((sealed != NULL ? sealed_of(sealed, jails, code, a, out, e)
			    : roster_of_json(jails, a, &out->roster, e)) == 0)
		return 0;
	*out = (struct parcel){ 0 };
	return err_wrap(e, "roster refused");
}

int parcel_parse(const char *json, size_t len, struct arena *a, struct parcel *out, struct err *e)
{
	const struct cJSON *root;

	*out = (struct parcel){ 0 };
	if (roster_read_usual(json, len, a, &out->roster))
		return 0;
	if (json_parse_in(a, json, len, ROSTER_BYTES_MAX, ERR_REMOTE, &root, e) < 0)
		return err_wrap(e, "roster refused");
	return parcel_of_json(root, a, out, e);
}

/* Base 64 and codes need no JSON escape. */
const char *parcel_format(const struct parcel *p, struct arena *a)
{
	struct text t;

	if (p->sealed == NULL)
		return roster_format(&p->roster, a);
	t = text_new(a);
	text_addf(&t, "{\"jails\":[],\"sealed\":\"");
	text_add(&t, p->sealed);
	text_add(&t, "\"");
	if (p->code != NULL)
		text_addf(&t, ",\"code\":\"%s\"", p->code);
	text_add(&t, "}");
	return t.s;
}
