#include <sys/mman.h>

#include "os/spawn.h"

int linux_memfd(void)
{
	return memfd_create("jmesh-input", MFD_CLOEXEC);
}
