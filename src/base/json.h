/*
 * JSON that strangers wrote. cJSON reads it; here is what cJSON lets through and must not pass: a NUL in
 * a string ends it unseen, control characters, invalid UTF-8, text behind the value, keys that come twice.
 */
#ifndef JMESH_BASE_JSON_H
#define JMESH_BASE_JSON_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct cJSON;

/*
 * Parses one JSON value of at most max bytes; the text needs no NUL at its end. The error has the code
 * that is given and names the line. *out is freed with cJSON_Delete.
 */
int json_parse(const char *text, size_t len, size_t max, enum err_code code, struct cJSON **out,
	struct err *e);

/*
 * The same, and the tree lives in the arena: it must not be given to cJSON_Delete, and nothing be put into it
 * or taken out of it. For what is parsed again and again.
 */
int json_parse_in(struct arena *a, const char *text, size_t len, size_t max, enum err_code code,
	const struct cJSON **out, struct err *e);

/* The member of exactly that name, or *out is NULL. A second one of that name is an error. */
int json_member(const struct cJSON *object, const char *key, enum err_code code,
	const struct cJSON **out, struct err *e);

/* A member that must be there and be a string. */
int json_string(const struct cJSON *object, const char *key, enum err_code code, const char **out,
	struct err *e);

#endif
