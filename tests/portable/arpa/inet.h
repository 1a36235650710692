/*
 * What POSIX has <arpa/inet.h> declare, and no header that it may include but need not. glibc's brings
 * <netinet/in.h> and with it <sys/socket.h>, FreeBSD's brings neither: what leans on them does not compile
 * there. `make portable` finds this one first.
 */
#ifndef JMESH_TESTS_PORTABLE_ARPA_INET_H
#define JMESH_TESTS_PORTABLE_ARPA_INET_H

#include <stdint.h>
#include <sys/types.h>

#ifndef INET_ADDRSTRLEN
#define INET_ADDRSTRLEN 16
#define INET6_ADDRSTRLEN 46
#endif

const char *inet_ntop(int, const void *, char *, unsigned);
int inet_pton(int, const char *, void *);

#endif
