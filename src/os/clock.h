/* Time that only goes forward, and short waits. */
#ifndef JMESH_OS_CLOCK_H
#define JMESH_OS_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void); /* milliseconds since some moment in the past */

/* Waits; -1 with EINTR when a signal handler ran meanwhile. */
int clock_nap_us(long us);

#endif
