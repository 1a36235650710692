#include "os/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

int64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int clock_nap_us(long us)
{
	struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	return nanosleep(&ts, NULL);
}

#ifdef __APPLE__

void clock_cond_init(pthread_cond_t *c)
{
	pthread_cond_init(c, NULL);
}

bool clock_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, int64_t until)
{
	const int64_t left = until - clock_ms();
	const struct timespec ts = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };

	return left > 0 && pthread_cond_timedwait_relative_np(c, m, &ts) != ETIMEDOUT;
}

#else

void clock_cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	if (pthread_condattr_init(&attr) != 0 ||
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 ||
		pthread_cond_init(c, &attr) != 0)
		abort();
	pthread_condattr_destroy(&attr);
}

bool clock_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, int64_t until)
{
	const struct timespec ts = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };

	return pthread_cond_timedwait(c, m, &ts) != ETIMEDOUT;
}

#endif
