#include "relay/patience.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "os/clock.h"

enum { LOOK = 1000 }; /* milliseconds */

struct patience {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* the list is empty no more, or it is to end */
	bool end;
	struct waited *head;
};

/*
 * libmicrohttpd 0.9 takes 128 events of epoll at once, and where there were just as many waits for another one
 * before it serves them; and an end that came together with bytes it does not see. Linux tells again of what
 * is unread, an end too, when this is set, to what it is (socket(7)).
 */
static void nudge(int fd)
{
	const int least = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least));
}

/* One that is shut down stays until its connection is closed, which is what follows. */
static void look(const struct patience *p, int64_t now)
{
	for (const struct waited *w = p->head; w != NULL; w = w->next)
		if (atomic_load_explicit(&w->until, memory_order_relaxed) <= now)
			shutdown(w->fd, SHUT_RDWR);
		else
			nudge(w->fd);
}

static void *watch(void *arg)
{
	struct patience *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->end) {
		const int64_t now = clock_ms();

		if (p->head == NULL) {
			pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		look(p, now);
		while (!p->end && clock_cond_wait(&p->changed, &p->lock, now + LOOK))
			;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int patience_new(struct patience **out, struct err *e)
{
	struct patience *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		abort();
	pthread_mutex_init(&p->lock, NULL);
	clock_cond_init(&p->changed);
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

void patience_add(struct patience *p, struct waited *w, int fd, int64_t until)
{
	w->fd = fd;
	atomic_init(&w->until, until);
	atomic_init(&w->busy, false);
	pthread_mutex_lock(&p->lock);
	if (p->head == NULL)
		pthread_cond_signal(&p->changed);
	else
		p->head->prev = w;
	w->prev = NULL;
	w->next = p->head;
	p->head = w;
	pthread_mutex_unlock(&p->lock);
}

void patience_until(struct waited *w, int64_t until)
{
	atomic_store_explicit(&w->until, until, memory_order_relaxed);
}

void patience_busy(struct waited *w, bool busy)
{
	atomic_store_explicit(&w->busy, busy, memory_order_relaxed);
}

bool patience_any_busy(struct patience *p)
{
	const struct waited *w;

	pthread_mutex_lock(&p->lock);
	w = p->head;
	while (w != NULL && !atomic_load_explicit(&w->busy, memory_order_relaxed))
		w = w->next;
	pthread_mutex_unlock(&p->lock);
	return w != NULL;
}

void patience_remove(struct patience *p, struct waited *w)
{
	pthread_mutex_lock(&p->lock);
	*(w->prev != NULL ? &w->prev->next : &p->head) = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	pthread_mutex_unlock(&p->lock);
}
