/* Other systems than Linux, which is in linux_child.c. */
#include "os/child.h"

#ifndef __linux__

#include <signal.h>
#include <unistd.h>

#ifdef __FreeBSD__
#include <sys/procctl.h>
#endif

int child_end_with(pid_t parent)
{
#ifdef __FreeBSD__
	int sig = SIGTERM;

	if (procctl(P_PID, 0, PROC_PDEATHSIG_CTL, &sig) < 0) /* procctl(2) */
		return -1;
#endif
	return getppid() == parent ? 0 : -1;
}

#endif
