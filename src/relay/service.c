#include "relay/service.h"

#include <string.h>

#include "base/err.h"
#include "base/parcel.h"
#include "base/text.h"
#include "relay/page.h"

/* No text here may be JSON: Jailrun's client takes any JSON body as an answer. */
static void refuse(struct answer *out, int status, const char *text)
{
	*out = (struct answer){ .status = status, .body = text, .len = strlen(text) };
}

static void gone(struct answer *out)
{
	refuse(out, 404, "no such pairing: the code is unknown, expired or used\n");
	out->fixed = FIXED_GONE;
}

/* Seconds until it may be there again. */
enum { DOWN_RETRY = 5 };

static void down(struct answer *out)
{
	refuse(out, 503, "the relay cannot reach its store of pairings: try again shortly\n");
	out->retry_after = DOWN_RETRY;
}

/*
 * The lock guards the clients, and a store in this process with them: what is looked up, found and counted is
 * one step. While a store that is elsewhere is asked, others go on: clients may be forgotten meanwhile, and of the codes that
 * one client tries at the same time as many are looked up as there are threads before it is paused.
 */
static void step_out(const struct service *s)
{
	if (store_is_remote(s->store))
		pthread_mutex_unlock(s->lock);
}

static void step_in(const struct service *s)
{
	if (store_is_remote(s->store))
		pthread_mutex_lock(s->lock);
}

static struct client *client_of(const struct service *s, const struct request *r, int64_t now)
{
	return r->client != NULL ? r->client : clients_at(s->clients, &r->from, now);
}

static void too_many(const struct service *s, enum refusal why, const char *text, int retry_after,
	struct answer *out)
{
	metrics_refused(s->metrics, why);
	refuse(out, 429, text);
	out->retry_after = retry_after;
}

static void reply(struct answer *out, const char *json)
{
	*out = (struct answer){
		.status = 200, .type = "application/json", .body = json, .len = strlen(json)
	};
}

void answer_no_memory(const struct service *s, struct answer *out)
{
	metrics_refused(s->metrics, REFUSED_MEMORY);
	refuse(out, 503, "the relay has no memory left for this: try again later\n");
	out->retry_after = 30;
}

void answer_too_large(struct answer *out)
{
	refuse(out, 413, "the roster is refused: it is larger than 256 KiB\n");
}

void answer_bad_request(struct answer *out, const char *why)
{
	refuse(out, 400, why);
}

static bool is_key(const char *key)
{
	size_t len = strlen(key);

	return len >= KEY_MIN && len <= KEY_MAX &&
		strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
		len;
}

static void refuse_key(struct answer *out)
{
	refuse(out, 400,
		"the Idempotency-Key is refused: it must be 16 to 64 letters, digits and '-'\n");
}

static enum budget budget_of(const struct request *r)
{
	if (r->method == METHOD_POST && r->route.kind == ROUTE_PAIR)
		return BUDGET_CREATE;
	if (r->route.kind == ROUTE_CODE && r->method == METHOD_POST)
		return BUDGET_JOIN;
	if (r->route.kind == ROUTE_CODE && r->method == METHOD_GET)
		return BUDGET_POLL;
	return BUDGET_OTHER;
}

/*
 * A wrong code. It counts for a read as for a join: a read that hits takes the pairing from its owner.
 * What can be no code cannot hit, so it is answered alike but costs nothing.
 */
static void missed(
	const struct service *s, const struct request *r, int64_t now, struct answer *out)
{
	if (r->route.has_code)
		client_miss(client_of(s, r, now), now);
	gone(out);
}

/* Whether r reads a pairing of the client's own; the store may be down. */
static enum store_status owns(const struct service *s, const struct request *r, int64_t now)
{
	enum store_status status;

	if (r->method != METHOD_GET || !r->route.has_code)
		return STORE_GONE;
	step_out(s);
	status = store_owns(s->store, r->route.code, r->token, &r->from, now);
	step_in(s);
	return status;
}

/*
 * While a client is paused no code of its is looked up, right or wrong, or the answer would tell. Who reads
 * a pairing of his own is not guessing, and must not wait for what others behind his address do.
 */
static bool paused(const struct service *s, const struct client *client, const struct request *r,
	int64_t now, struct answer *out)
{
	int64_t ms = client_pause(client, now);

	if (ms == 0)
		return false;
	switch (owns(s, r, now)) {
	case STORE_OK:
		return false;
	case STORE_DOWN:
		down(out);
		return true;
	default:
		too_many(s, REFUSED_CODES,
			"too many wrong codes from this address: wait before the next one\n",
			(int)((ms + 999) / 1000), out);
		return true;
	}
}

/* Whether anybody waits for the roster that is about to come. */
static void begin_join(
	const struct service *s, const struct request *r, int64_t now, struct answer *out)
{
	enum store_status status;

	step_out(s);
	status = store_joinable(s->store, r->route.code, r->key, now);
	step_in(s);
	if (status == STORE_DOWN)
		down(out);
	else if (status != STORE_OK)
		missed(s, r, now, out);
}

static void still_waiting(struct answer *out)
{
	reply(out, "{\"joined\":false}");
	out->fixed = FIXED_WAITING;
}

/* Most reads find that nobody has joined, which takes no memory to say. */
static void begin_read(
	const struct service *s, const struct request *r, int64_t now, struct answer *out)
{
	switch (store_look(s->store, r->route.code, r->token, now)) {
	case STORE_WAITING:
		still_waiting(out);
		break;
	case STORE_GONE:
		missed(s, r, now, out);
		break;
	default:
		break;
	}
}

static void begin_code(const struct service *s, const struct client *client,
	const struct request *r, int64_t now, struct answer *out)
{
	if (r->method == METHOD_POST && r->key != NULL && !is_key(r->key))
		refuse_key(out);
	else if (paused(s, client, r, now, out))
		return;
	else if (!r->route.has_code)
		missed(s, r, now, out);
	else if (r->method == METHOD_POST)
		begin_join(s, r, now, out);
	else
		begin_read(s, r, now, out);
}

static bool is_allowed(const struct request *r)
{
	switch (r->route.kind) {
	case ROUTE_PAGE:
		return r->method == METHOD_GET || r->method == METHOD_HEAD;
	case ROUTE_PAIR:
		return r->method == METHOD_POST;
	case ROUTE_CODE:
		return r->method == METHOD_GET || r->method == METHOD_POST;
	default:
		return false;
	}
}

static void show_page(struct answer *out)
{
	*out = (struct answer){ .status = 200,
		.type = "text/html; charset=utf-8",
		.body = page_html,
		.policy = page_policy,
		.len = strlen(page_html),
		.fixed = FIXED_PAGE };
}

static void begin(const struct service *s, const struct request *r, uint64_t length, int64_t now,
	struct answer *out)
{
	enum budget budget = budget_of(r);
	struct client *client;

	*out = (struct answer){ 0 };
	client = client_of(s, r, now);
	if (!client_request(s->clients, client, budget, now)) {
		too_many(s, (enum refusal)budget,
			"too many requests from this address: wait a second\n", 1, out);
		return;
	}
	if (r->route.kind == ROUTE_NONE) {
		refuse(out, 404, "nothing is here: pairings are at /pair\n");
		return;
	}
	if (!is_allowed(r)) {
		refuse(out, 405, "this method is not allowed here\n");
		out->allow = route_allows(r->route.kind);
		return;
	}
	if (length > ROSTER_BYTES_MAX) {
		answer_too_large(out);
		return;
	}
	if (r->route.kind == ROUTE_PAGE)
		show_page(out);
	else if (r->route.kind == ROUTE_CODE)
		begin_code(s, client, r, now, out);
}

void service_begin(const struct service *s, const struct request *r, uint64_t length, int64_t now,
	struct answer *out)
{
	pthread_mutex_lock(s->lock);
	begin(s, r, length, now, out);
	pthread_mutex_unlock(s->lock);
}

/* Printable ASCII without the characters that mean something to a browser, a shell or JSON. */
static const char *harmless(struct arena *a, const char *s)
{
	struct text t = text_new(a);

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x20 && c < 0x7f && strchr("<>&\"`$\\", c) == NULL)
			text_addn(&t, s, 1);
		else
			text_addf(&t, "\\x%02x", c);
	}
	return t.s;
}

/* A body that was read. */
struct told {
	struct parcel parcel; /* without its code, which is between its creator and the relay */
	const char *code;     /* NULL: none is proposed */
};

/* Whether it is one; if not, out refuses it. */
static bool read_body(const struct request *r, const char *body, size_t len, struct arena *a,
	struct told *told, struct answer *out)
{
	struct err e = ERR_INIT;

	if (parcel_parse(body, len, a, &told->parcel, &e) < 0) {
		refuse(out, 400, arena_printf(a, "%s\n", harmless(a, e.text)));
		return false;
	}
	told->code = r->route.kind == ROUTE_PAIR ? told->parcel.code : NULL;
	told->parcel.code = NULL;
	if (r->route.kind == ROUTE_PAIR && told->parcel.has_code && told->parcel.sealed == NULL)
		refuse(out, 400,
			"roster refused: 'code' is for sealed rosters; without it the relay "
			"chooses one\n");
	else if (told->code != NULL && r->key != NULL && !is_key(r->key))
		refuse_key(out);
	return out->status == 0;
}

static void create(const struct service *s, const struct request *r, const struct told *told,
	int64_t now, struct arena *a, struct answer *out)
{
	struct proposal proposal = { .key = r->key };
	bool proposes =
		told->code != NULL && code_read(told->code, strlen(told->code), proposal.code);
	enum store_status status;
	struct ticket ticket;

	/* To be told that a code is taken is to be told that it is right. */
	if (proposes && paused(s, client_of(s, r, now), r, now, out))
		return;
	step_out(s);
	status = store_create(
		s->store, &r->from, &told->parcel, proposes ? &proposal : NULL, now, &ticket);
	step_in(s);
	switch (status) {
	case STORE_OK:
		reply(out,
			arena_printf(a, "{\"code\":\"%s\",\"token\":\"%s\"}", ticket.code,
				ticket.token));
		break;
	case STORE_TAKEN:
		client_miss(client_of(s, r, now), now);
		refuse(out, 409, "this code is taken: another pairing has it\n");
		break;
	case STORE_TOO_MANY:
		too_many(s, REFUSED_CLIENT_PAIRINGS,
			"this address has too many pairings open: try again later\n", 60, out);
		break;
	case STORE_DOWN:
		down(out);
		break;
	case STORE_NO_MEMORY:
		answer_no_memory(s, out);
		break;
	default:
		too_many(s, REFUSED_RELAY_PAIRINGS,
			"the relay has too many pairings open: try again later\n", 60, out);
		break;
	}
}

static void join(const struct service *s, const struct request *r, const struct told *told,
	int64_t now, struct arena *a, struct answer *out)
{
	enum store_status status;
	const char *creator;

	step_out(s);
	status = store_join(s->store, r->route.code, &told->parcel, r->key, now, a, &creator);
	step_in(s);
	switch (status) {
	case STORE_OK:
		reply(out, creator);
		break;
	/* Who hears one of these two has the right code. */
	case STORE_SEALED:
		refuse(out, 409,
			"this pairing is sealed: join it with jmesh and the secret behind the "
			"'#'\n");
		break;
	case STORE_PLAIN:
		refuse(out, 409,
			"this pairing is not sealed: its creator has plain: true, which had better "
			"go there; else join it with plain: true and the code alone\n");
		break;
	case STORE_NO_MEMORY:
		answer_no_memory(s, out);
		break;
	case STORE_DOWN:
		down(out);
		break;
	default:
		missed(s, r, now, out);
		break;
	}
}

/* parcel_format begins with the brace that is replaced here. */
static const char *joined(const char *joiner, struct arena *a)
{
	struct text t = text_new(a);

	text_add(&t, "{\"joined\":true,");
	text_add(&t, joiner + 1);
	return t.s;
}

static void poll_pairing(const struct service *s, const struct request *r, int64_t now,
	struct arena *a, struct answer *out)
{
	enum store_status status;
	const char *joiner;

	/* Again: many reads may have begun before the first of them was found wrong. */
	if (paused(s, client_of(s, r, now), r, now, out))
		return;
	step_out(s);
	status = store_read(s->store, r->route.code, r->token, now, a, &joiner);
	step_in(s);
	switch (status) {
	case STORE_OK:
		reply(out, joined(joiner, a));
		break;
	case STORE_WAITING:
		still_waiting(out);
		break;
	case STORE_DOWN:
		down(out);
		break;
	default:
		missed(s, r, now, out);
		break;
	}
}

void service_answer(const struct service *s, const struct request *r, const char *body, size_t len,
	int64_t now, struct arena *a, struct answer *out)
{
	struct told told;

	*out = (struct answer){ 0 };
	if (r->method != METHOD_GET && !read_body(r, body, len, a, &told, out))
		return;
	pthread_mutex_lock(s->lock);
	if (r->method == METHOD_GET)
		poll_pairing(s, r, now, a, out);
	else if (r->route.kind == ROUTE_PAIR)
		create(s, r, &told, now, a, out);
	else
		join(s, r, &told, now, a, out);
	pthread_mutex_unlock(s->lock);
}

bool service_may_connect(const struct service *s, const struct network *from, int64_t now)
{
	bool may;

	pthread_mutex_lock(s->lock);
	may = client_may_connect(s->clients, clients_at(s->clients, from, now));
	pthread_mutex_unlock(s->lock);
	if (!may)
		metrics_refused(s->metrics, REFUSED_CONNECTION);
	return may;
}

struct client *service_connect(
	const struct service *s, const struct network *from, bool is_proxy, int64_t now, bool *over)
{
	struct client *client;

	pthread_mutex_lock(s->lock);
	client = clients_at(s->clients, from, now);
	*over = !is_proxy && !client_may_connect(s->clients, client);
	client_connect(s->clients, client);
	pthread_mutex_unlock(s->lock);
	if (*over)
		metrics_refused(s->metrics, REFUSED_CONNECTION);
	atomic_fetch_add(&s->metrics->connections, 1);
	return client;
}

void service_disconnect(const struct service *s, struct client *client)
{
	pthread_mutex_lock(s->lock);
	client_disconnect(s->clients, client);
	pthread_mutex_unlock(s->lock);
	atomic_fetch_sub(&s->metrics->connections, 1);
}

bool service_is_up(const struct service *s)
{
	return store_is_up(s->store);
}

const char *service_metrics(const struct service *s, int64_t now, struct arena *a)
{
	struct store_stats stats;

	pthread_mutex_lock(s->lock);
	step_out(s);
	stats = store_stats(s->store, now);
	step_in(s);
	pthread_mutex_unlock(s->lock);
	return metrics_format(s->metrics, &stats, s->memory, a);
}
