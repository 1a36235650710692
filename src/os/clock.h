/* Time that only goes forward, and short waits. */
#ifndef JMESH_OS_CLOCK_H
#define JMESH_OS_CLOCK_H

#include <stdint.h>

/* Milliseconds and microseconds since the same moment in the past. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* Waits; -1 with EINTR when a signal handler ran meanwhile. */
int clock_nap_us(long us);

#endif
