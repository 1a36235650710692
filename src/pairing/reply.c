#include "pairing/reply.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "base/json.h"
#include "base/lock.h"

/* As client.c: a roster and the words around it. */
enum { REPLY_MAX = ROSTER_BYTES_MAX + 4096, TOKEN_MAX = 128, LINE_MAX_BYTES = 200 };

bool reply_is_token(const char *s)
{
	size_t len = strlen(s);

	return len >= 1 && len <= TOKEN_MAX &&
		strspn(s,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			"-._~+/=") == len;
}

static int created(const struct cJSON *root, struct arena *a, const char **code, const char **token,
	struct err *e)
{
	const struct cJSON *item;
	const char *text;

	if (json_string(root, "code", ERR_REMOTE, &text, e) < 0)
		return -1;
	if (!code_is_valid(text))
		return err_set(e, ERR_REMOTE, NOWHERE,
			"'%s' is not a code (1 to 64 of letters, digits and '-')", text);
	*code = arena_dup(a, text);
	if (json_member(root, "token", ERR_REMOTE, &item, e) < 0)
		return -1;
	if (item == NULL)
		return 0;
	if (!cJSON_IsString(item) || !reply_is_token(item->valuestring))
		return err_set(e, ERR_REMOTE, NOWHERE, "its token is none");
	*token = arena_dup(a, item->valuestring);
	return 0;
}

int reply_created(const char *body, size_t len, struct arena *a, const char **code,
	const char **token, struct err *e)
{
	struct cJSON *root;
	int rc;

	*code = *token = NULL;
	if (json_parse(body, len, REPLY_MAX, ERR_REMOTE, &root, e) < 0)
		return err_wrap(e, "its answer is refused");
	rc = created(root, a, code, token, e);
	cJSON_Delete(root);
	return rc < 0 ? err_wrap(e, "its answer is refused") : 0;
}

static int polled(
	const struct cJSON *root, struct arena *a, bool *joined, struct parcel *out, struct err *e)
{
	const struct cJSON *item;

	if (json_member(root, "joined", ERR_REMOTE, &item, e) < 0)
		return err_wrap(e, "its answer is refused");
	if (!cJSON_IsBool(item))
		return err_set(e, ERR_REMOTE, NOWHERE,
			"its answer is refused: 'joined' is neither true nor false");
	*joined = cJSON_IsTrue(item);
	return *joined ? parcel_of_json(root, a, out, e) : 0;
}

int reply_polled(const char *body, size_t len, struct arena *a, bool *joined, struct parcel *out,
	struct err *e)
{
	struct cJSON *root;
	int rc;

	*joined = false;
	*out = (struct parcel){ 0 };
	if (json_parse(body, len, REPLY_MAX, ERR_REMOTE, &root, e) < 0)
		return err_wrap(e, "its answer is refused");
	rc = polled(root, a, joined, out, e);
	cJSON_Delete(root);
	return rc;
}

const char *reply_line(const char *body, size_t len, struct arena *a)
{
	size_t n = 0;

	while (n < len && n < LINE_MAX_BYTES && body[n] != '\n' && body[n] != '\r' &&
		body[n] != '\0')
		n++;
	return arena_dupn(a, body, n);
}
