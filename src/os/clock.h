/* Time that only goes forward, and short waits. */
#ifndef JMESH_OS_CLOCK_H
#define JMESH_OS_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Milliseconds and microseconds since the same moment in the past. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* Waits; -1 with EINTR when a signal handler ran meanwhile. */
int clock_nap_us(long us);

/* A condition whose waits end in time also where somebody sets the system's clock meanwhile. */
void clock_cond_init(pthread_cond_t *c);

/* With m held, as pthread_cond_timedwait; false: clock_ms is until, or later. */
bool clock_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, int64_t until);

#endif
