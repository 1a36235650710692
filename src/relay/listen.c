#include "relay/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BACKLOG = 511,
	PORT_TEXT = sizeof("65535"),
};

struct endpoint {
	char host[64];
	char port[6];
	bool bracketed;
};

static int refuse(const char *where, struct err *e)
{
	return err_set(e, ERR_USAGE, NOWHERE,
		"cannot listen on '%s': write ADDR:PORT with a literal address, as in "
		"127.0.0.1:8080 or [::]:8080",
		where);
}

static int split(const char *where, struct endpoint *out, struct err *e)
{
	const char *colon = strrchr(where, ':'), *host = where;
	size_t len, digits;

	if (colon == NULL)
		return refuse(where, e);
	len = (size_t)(colon - where);
	out->bracketed = where[0] == '[';
	if (out->bracketed) {
		if (len < 3 || where[len - 1] != ']')
			return refuse(where, e);
		host++;
		len -= 2;
	}
	digits = strspn(colon + 1, "0123456789");
	if (len == 0 || len >= sizeof(out->host) || digits == 0 || digits > 5 ||
		colon[1 + digits] != '\0' || strtol(colon + 1, NULL, 10) > 65535 ||
		(memchr(host, ':', len) != NULL) != out->bracketed)
		return refuse(where, e);
	memcpy(out->host, host, len);
	out->host[len] = '\0';
	memcpy(out->port, colon + 1, digits + 1);
	return 0;
}

static int bind_failed(const char *where, struct err *e)
{
	switch (errno) {
	case EADDRINUSE:
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"cannot listen on %s: the port is in use by another program; stop it or "
			"choose another port",
			where);
	case EACCES:
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"cannot listen on %s: ports below 1024 are for root; choose a higher one",
			where);
	case EADDRNOTAVAIL:
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"cannot listen on %s: this machine does not have that address", where);
	default:
		return err_sys(e, "cannot listen on %s", where);
	}
}

static int bind_to(int fd, const struct addrinfo *ai, const char *where, struct err *e)
{
	const int on = 1, off = 0;
	int flags;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return err_sys(e, "cannot listen on %s", where);
	if (ai->ai_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return err_sys(e, "cannot listen on %s", where);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return bind_failed(where, e);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(e, "cannot listen on %s", where);
	return 0;
}

static int name_bound(int fd, const struct endpoint *at, char bound[LISTEN_TEXT], struct err *e)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char port[PORT_TEXT];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return err_sys(e, "cannot ask for the port");
	if (getnameinfo((struct sockaddr *)&sa, len, NULL, 0, port, sizeof(port), NI_NUMERICSERV) !=
		0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "cannot ask for the port");
	snprintf(bound, LISTEN_TEXT, at->bracketed ? "[%s]:%s" : "%s:%s", at->host, port);
	return 0;
}

int listen_open(const char *where, int *fd, char bound[LISTEN_TEXT], struct err *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	struct addrinfo *ai = NULL;
	struct endpoint at;
	int rc = -1;

	*fd = -1;
	if (split(where, &at, e) < 0)
		return -1;
	if (getaddrinfo(at.host, at.port, &hints, &ai) != 0)
		return refuse(where, e);
	*fd = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
	if (*fd < 0) {
		err_sys(e, "cannot listen on %s", where);
		goto out;
	}
	if (bind_to(*fd, ai, where, e) < 0 || name_bound(*fd, &at, bound, e) < 0)
		goto out;
	rc = 0;
out:
	if (rc < 0 && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	freeaddrinfo(ai);
	return rc;
}

int listen_open_local(const char *where, int *fd, char bound[LISTEN_TEXT], struct err *e)
{
	char local[LISTEN_TEXT];

	if (strspn(where, "0123456789") != strlen(where))
		return listen_open(where, fd, bound, e);
	/* What does not fit is no port either. */
	snprintf(local, sizeof(local), "127.0.0.1:%s", where);
	return listen_open(local, fd, bound, e);
}
