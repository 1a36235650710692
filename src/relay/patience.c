#include "relay/patience.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "os/clock.h"

struct waited {
	struct waited *prev, *next;
	int fd;
	int64_t until;
};

/* All are waited for the same time, so the head is the next whose time is over. */
struct patience {
	int64_t max;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* the list is empty no more, or it is to end */
	bool end;
	struct waited *head, *tail;
};

static void append(struct patience *p, struct waited *w, int64_t now)
{
	w->until = now + p->max;
	w->next = NULL;
	w->prev = p->tail;
	*(w->prev != NULL ? &w->prev->next : &p->head) = w;
	p->tail = w;
}

static void unlink_from(struct patience *p, struct waited *w)
{
	*(w->prev != NULL ? &w->prev->next : &p->head) = w->next;
	*(w->next != NULL ? &w->next->prev : &p->tail) = w->prev;
}

/* It stays until its connection is closed, which is what follows; until then it waits again. */
static void shut_down_late_ones(struct patience *p, int64_t now)
{
	while (p->head != NULL && p->head->until <= now) {
		struct waited *w = p->head;

		shutdown(w->fd, SHUT_RDWR);
		unlink_from(p, w);
		append(p, w, now);
	}
}

static void *watch(void *arg)
{
	struct patience *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->end) {
		struct timespec second;

		if (p->head == NULL) {
			pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		shut_down_late_ones(p, clock_ms());
		/* Of the clock that all systems can wait by; when it is set, one wait is off. */
		clock_gettime(CLOCK_REALTIME, &second);
		second.tv_sec++;
		while (!p->end &&
			pthread_cond_timedwait(&p->changed, &p->lock, &second) != ETIMEDOUT)
			;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int patience_new(struct patience **out, int64_t max, struct err *e)
{
	struct patience *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		abort();
	p->max = max;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	rc = pthread_create(&p->thread, NULL, watch, p);
	if (rc != 0) {
		free(p);
		return err_set(e, ERR_SYSTEM, NOWHERE, "cannot start a thread: %s", strerror(rc));
	}
	*out = p;
	return 0;
}

void patience_free(struct patience *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->end = true;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

struct waited *patience_add(struct patience *p, int fd, int64_t now)
{
	struct waited *w = calloc(1, sizeof(*w));

	if (w == NULL)
		abort();
	w->fd = fd;
	pthread_mutex_lock(&p->lock);
	if (p->head == NULL)
		pthread_cond_signal(&p->changed);
	append(p, w, now);
	pthread_mutex_unlock(&p->lock);
	return w;
}

void patience_renew(struct patience *p, struct waited *w, int64_t now)
{
	pthread_mutex_lock(&p->lock);
	unlink_from(p, w);
	append(p, w, now);
	pthread_mutex_unlock(&p->lock);
}

void patience_remove(struct patience *p, struct waited *w)
{
	pthread_mutex_lock(&p->lock);
	unlink_from(p, w);
	pthread_mutex_unlock(&p->lock);
	free(w);
}
