/*
 * Requests to a relay, as they are when their framing is read. Input: requests, each "METHOD TARGET TOKEN KEY\n"
 * and a body up to the next byte 0x1e; "-" is no token or key, and CODE in a target the code that was told
 * last. Whatever comes, there is an answer of those that the protocol has, no roster is told with a code in it,
 * and what the store counts stays within its bounds.
 */
#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/roster.h"
#include "base/text.h"
#include "relay/metrics.h"
#include "relay/service.h"

#define UNBOUNDED { .per_second = 1000000, .burst = 1000000 }

enum { OPEN_MAX = 8, BYTES_MAX = 64 * 1024, REQUESTS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct arena *a;
	struct service service;
	const char *code; /* told last */
	int64_t now;
};

static const char *with_code(struct world *w, const char *target)
{
	const char *at = strstr(target, "CODE");

	if (at == NULL)
		return target;
	return arena_printf(w->a, "%.*s%s%s", (int)(at - target), target, w->code, at + 4);
}

static void learn(struct world *w, const struct answer *out)
{
	bool is_json = out->type != NULL && strstr(out->type, "json") != NULL;
	cJSON *json = is_json ? cJSON_ParseWithLength(out->body, out->len) : NULL;
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(json, "code");

	if (is_json && json == NULL)
		abort();
	if (code != NULL && cJSON_GetObjectItemCaseSensitive(json, "jails") != NULL)
		abort();
	if (cJSON_IsString(code))
		w->code = arena_dup(w->a, code->valuestring);
	cJSON_Delete(json);
}

static void check(struct world *w, const struct answer *out)
{
	static const int known[] = { 200, 400, 404, 405, 409, 413, 429, 503 };
	bool found = false;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		found = found || out->status == known[i];
	if (!found || out->body == NULL || (out->allow != NULL) != (out->status == 405) ||
		store_stats(w->service.store, w->now).open > OPEN_MAX) {
		fprintf(stderr, "relay: status %d\n", out->status);
		abort();
	}
	learn(w, out);
}

static const char *word(char **line)
{
	char *start = *line, *end = start + strcspn(start, " ");

	*line = *end == '\0' ? end : end + 1;
	*end = '\0';
	return start;
}

static void ask(struct world *w, const char *text, size_t len)
{
	size_t head = strcspn(text, "\n");
	char *line = arena_dupn(w->a, text, head);
	const char *method = word(&line), *target = with_code(w, word(&line));
	const char *token = word(&line), *key = word(&line);
	const char *body = head < len ? text + head + 1 : "";
	size_t n = head < len ? len - head - 1 : 0;
	struct request r = { .method = method_of(method), .from.b = { [15] = 1 } };
	struct answer out = { 0 };

	route_of(target, &r.route);
	r.token = strcmp(token, "-") == 0 || *token == '\0' ? NULL : token;
	r.key = strcmp(key, "-") == 0 || *key == '\0' ? NULL : key;
	method_name(method);
	service_begin(&w->service, &r, n, w->now, &out);
	if (out.status == 0)
		service_answer(&w->service, &r, body, n, w->now, w->a, &out);
	check(w, &out);
	w->now += 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Never at an end, and every input comes so much later that what the one before did is forgotten. */
	static const struct limits limits = { .rates = { UNBOUNDED, UNBOUNDED, UNBOUNDED,
						      UNBOUNDED },
		.open = 1000000000,
		.idle_max = 4,
		.connected = 4 };
	static struct metrics metrics;
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int64_t now;
	static struct clients *clients;
	static struct memory memory = { .max = BYTES_MAX };
	static const struct store_conf conf = { 10 * 1000, OPEN_MAX, &memory };
	struct world w = { .a = arena_new(), .code = "10-a-a-a", .now = now += 1000000000 };
	const char *text = arena_dupn(w.a, data, size);

	if (clients == NULL)
		clients = clients_new(&limits);
	w.service = (struct service){ store_memory_new(&conf, clients), clients, &metrics, &lock,
		&memory };
	for (size_t at = 0, n = 0; at < size && n < REQUESTS_MAX; n++) {
		const char *end = memchr(text + at, 0x1e, size - at);
		size_t len = end == NULL ? size - at : (size_t)(end - text) - at;

		ask(&w, arena_dupn(w.a, text + at, len), len);
		at += len + 1;
	}
	store_free(w.service.store);
	if (memory_used(&memory) != 0)
		abort();
	arena_free(w.a);
	return 0;
}
