/* How many processors there are to share work among. */
#ifndef JMESH_OS_PROCESSORS_H
#define JMESH_OS_PROCESSORS_H

/* Those that are online now; 1 where the system does not tell. */
unsigned processors_online(void);

#endif
