#include "os/processors.h"

#include <unistd.h>

unsigned processors_online(void)
{
	/* Beside POSIX, and yet Linux, the BSDs and macOS have it. */
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : (unsigned)n;
}
