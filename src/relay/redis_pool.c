#include "relay/redis_pool.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "os/spawn.h"
#include "relay/log.h"
#include "relay/redis_script.h"

enum {
	IDLE_MAX = 64,  /* connections that wait for a thread to ask */
	HEAD_WORDS = 8, /* EVALSHA, the script, how many keys, the keys */
	SHA_TEXT = 41,
};

struct redis_pool {
	struct redis_where where;
	char sha[SHA_TEXT];
	pthread_mutex_t lock; /* of the next three */
	bool up;
	struct redis_link *idle[IDLE_MAX];
	size_t n_idle;
	pthread_t watcher;
	int wake[2]; /* once its end for writing is closed, the watcher stops */
};

static void close_idle(struct redis_pool *p)
{
	while (p->n_idle > 0)
		redis_link_close(p->idle[--p->n_idle]);
}

/* It did not do what a Redis that is well does. */
static void fall(struct redis_pool *p, const struct err *e)
{
	struct arena *a = arena_new();
	bool was;

	pthread_mutex_lock(&p->lock);
	was = p->up;
	p->up = false;
	close_idle(p);
	pthread_mutex_unlock(&p->lock);
	if (was)
		log_say("the store %s is not there: %s; clients are answered 503 until it is",
			p->where.name, text_safe(a, e->text, strlen(e->text), false));
	arena_free(a);
}

static void rise(struct redis_pool *p)
{
	bool was;

	pthread_mutex_lock(&p->lock);
	was = p->up;
	p->up = true;
	pthread_mutex_unlock(&p->lock);
	if (!was)
		log_say("the store %s is there", p->where.name);
}

/* A connection; NULL where there is none to be had now. */
static struct redis_link *take(struct redis_pool *p)
{
	struct redis_link *l = NULL;
	struct err e = ERR_INIT;
	bool up;

	do {
		redis_link_close(l);
		pthread_mutex_lock(&p->lock);
		up = p->up;
		l = p->n_idle > 0 ? p->idle[--p->n_idle] : NULL;
		pthread_mutex_unlock(&p->lock);
	} while (l != NULL && redis_link_is_stale(l));
	if (l == NULL && up && redis_link_open(&l, &p->where, &e) < 0) {
		fall(p, &e);
		return NULL;
	}
	return l;
}

static void give_back(struct redis_pool *p, struct redis_link *l)
{
	pthread_mutex_lock(&p->lock);
	if (p->up && p->n_idle < IDLE_MAX) {
		p->idle[p->n_idle++] = l;
		l = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	redis_link_close(l);
}

static struct redis_word word(const char *s)
{
	return (struct redis_word){ s, strlen(s) };
}

void redis_arg(struct redis_step *step, const char *s)
{
	if (step->n == REDIS_ARGS_MAX)
		abort();
	step->args[step->n++] = word(s);
}

void redis_arg_number(struct redis_step *step, uint64_t n)
{
	redis_arg(step, arena_printf(step->a, "%llu", (unsigned long long)n));
}

struct redis_step redis_step(struct arena *a, const char *name, const char *code)
{
	struct redis_step step = { .a = a };

	step.pairing = arena_printf(a, "jmesh:pairing:%s", code != NULL ? code : "");
	redis_arg(&step, name);
	return step;
}

bool redis_outcome_is(const struct redis_outcome *out, const char *status)
{
	return strcmp(out->status, status) == 0;
}

static int refuse_nonsense(struct err *e)
{
	return err_set(e, ERR_REMOTE, NOWHERE, "an answer is not that of the script");
}

/* "STATUS EXPIRED\nTEXT" of printable characters alone. */
static int understand(
	const struct redis_said *said, struct arena *a, struct redis_outcome *out, struct err *e)
{
	size_t head = strcspn(said->text, "\n"), status = strcspn(said->text, " \n");
	unsigned long expired;
	char *end;

	for (size_t i = 0; i < said->len; i++)
		if ((said->text[i] < 0x20 || said->text[i] >= 0x7f) && i != head)
			return refuse_nonsense(e);
	if (head == said->len || status == 0 || status >= head || said->text[status + 1] < '0' ||
		said->text[status + 1] > '9')
		return refuse_nonsense(e);
	expired = strtoul(said->text + status + 1, &end, 10);
	if (end != said->text + head || expired > 1000000)
		return refuse_nonsense(e);
	out->status = arena_dupn(a, said->text, status);
	out->text = said->text + head + 1;
	out->expired = (unsigned)expired;
	return 0;
}

/* Redis knows a script by its hash once it has seen it. */
static int evaluate(const struct redis_pool *p, struct redis_link *l, const struct redis_step *step,
	struct redis_said *said, struct err *e)
{
	struct redis_word words[HEAD_WORDS + REDIS_ARGS_MAX] = { word("EVALSHA"), word(p->sha),
		word("5"), word(step->pairing), word("jmesh:open"), word("jmesh:again"),
		word("jmesh:bytes"), word("jmesh:probe") };
	size_t n = HEAD_WORDS + step->n;

	memcpy(&words[HEAD_WORDS], step->args, step->n * sizeof(words[0]));
	if (redis_link_call(l, words, n, step->a, said, e) < 0)
		return -1;
	if (!said->refusal || !text_begins(said->text, "NOSCRIPT"))
		return 0;
	words[0] = word("EVAL");
	words[1] = word(redis_script);
	return redis_link_call(l, words, n, step->a, said, e);
}

/* The word that a refusal begins with says what kind it is: OOM, READONLY, LOADING. */
static int refuse_refusal(const struct redis_said *said, struct err *e)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strspn(said->text, letters);

	if (text_begins(said->text, "NOAUTH"))
		return err_set(e, ERR_REMOTE, NOWHERE,
			"it wants a password, which belongs into the URL in JMESH_STORE");
	return err_set(e, ERR_REMOTE, NOWHERE, "it refuses: %.*s", n < 24 ? (int)n : 24,
		n > 0 ? said->text : "no reason is given");
}

static int run(const struct redis_pool *p, struct redis_link *l, const struct redis_step *step,
	struct redis_outcome *out, struct err *e)
{
	struct redis_said said;

	if (evaluate(p, l, step, &said, e) < 0)
		return -1;
	if (said.refusal)
		return refuse_refusal(&said, e);
	return understand(&said, step->a, out, e);
}

bool redis_pool_take(struct redis_pool *p, const struct redis_step *step,
	bool (*fits)(const struct redis_outcome *out), struct redis_outcome *out)
{
	struct redis_link *l = take(p);
	struct err e = ERR_INIT;

	if (l == NULL)
		return false;
	if (run(p, l, step, out, &e) == 0 && (fits(out) || refuse_nonsense(&e) == 0)) {
		give_back(p, l);
		return true;
	}
	redis_link_close(l);
	fall(p, &e);
	return false;
}

bool redis_pool_is_up(struct redis_pool *p)
{
	bool up;

	pthread_mutex_lock(&p->lock);
	up = p->up;
	pthread_mutex_unlock(&p->lock);
	return up;
}

/* Over a connection that the watcher keeps. */
static int look(struct redis_pool *p, struct redis_link **l, struct err *e)
{
	struct arena *a = arena_new();
	struct redis_step step = redis_step(a, "probe", NULL);
	struct redis_outcome out = { "", "", 0 };
	int rc = -1;

	if (*l != NULL && redis_link_is_stale(*l)) {
		redis_link_close(*l);
		*l = NULL;
	}
	if (*l != NULL || redis_link_open(l, &p->where, e) == 0)
		rc = run(p, *l, &step, &out, e);
	if (rc == 0 && !redis_outcome_is(&out, "ok"))
		rc = refuse_nonsense(e);
	if (rc < 0) {
		redis_link_close(*l);
		*l = NULL;
	}
	arena_free(a);
	return rc;
}

static void *watch(void *arg)
{
	struct redis_pool *p = arg;
	struct redis_link *l = NULL;
	struct pollfd stop = { .fd = p->wake[0], .events = POLLIN };

	while (poll(&stop, 1, REDIS_WATCH_MS) <= 0) {
		struct err e = ERR_INIT;

		if (look(p, &l, &e) == 0)
			rise(p);
		else
			fall(p, &e);
	}
	redis_link_close(l);
	return NULL;
}

static void hash_script(char sha[SHA_TEXT])
{
	uint8_t hash[20];

	/* Where it cannot be made Redis knows no such script, and is told the whole of it each time. */
	if (gnutls_hash_fast(GNUTLS_DIG_SHA1, redis_script, strlen(redis_script), hash) < 0)
		memset(hash, 0, sizeof(hash));
	sodium_bin2hex(sha, SHA_TEXT, hash, sizeof(hash));
}

struct redis_pool *redis_pool_new(const struct redis_where *where)
{
	struct redis_pool *p = calloc(1, sizeof(*p));
	struct redis_link *l = NULL;
	struct err e = ERR_INIT;

	if (p == NULL || spawn_pipe(p->wake) < 0)
		abort();
	p->where = *where;
	hash_script(p->sha);
	pthread_mutex_init(&p->lock, NULL);
	p->up = true;
	if (look(p, &l, &e) < 0)
		fall(p, &e);
	else
		log_say("the store %s is there", p->where.name);
	redis_link_close(l);
	if (pthread_create(&p->watcher, NULL, watch, p) != 0)
		abort();
	return p;
}

void redis_pool_free(struct redis_pool *p)
{
	close(p->wake[1]);
	pthread_join(p->watcher, NULL);
	close(p->wake[0]);
	close_idle(p);
	pthread_mutex_destroy(&p->lock);
	sodium_memzero(p, sizeof(*p));
	free(p);
}
