/* prctl(PR_SET_PDEATHSIG) is Linux's own: prctl(2). */
#include "os/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

int child_end_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return -1;
	/* It may have ended before the call. */
	return getppid() == parent ? 0 : -1;
}
