#include "process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/child.h"

struct process {
	pid_t pid;
	int port, admin_port;
	FILE *log;
	pthread_t reader;
	bool foreign; /* in the log is something else: a sanitizer's report */
};

static void die(const char *why)
{
	fprintf(stderr, "load: %s\n", why);
	exit(1);
}

/* A relay writes a line a request, which begins with the date, and a few under its name. */
static void *read_log(void *arg)
{
	struct process *p = arg;
	char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, p->log) > 0)
		if (strncmp(line, "20", 2) != 0 && strncmp(line, "jmesh relay: ", 13) != 0) {
			p->foreign = true;
			fputs(line, stderr);
		}
	free(line);
	return NULL;
}

static int port_in(const char *line)
{
	const char *colon = strrchr(line, ':');

	return colon != NULL ? atoi(colon + 1) : 0;
}

/* The first lines tell where it listens, the public listener last. */
static void read_ports(struct process *p)
{
	char line[512];

	while (p->port == 0 && fgets(line, sizeof(line), p->log) != NULL) {
		const char *admin = strstr(line, "for Prometheus: http://127.0.0.1:");

		if (admin != NULL)
			sscanf(strrchr(admin, ':'), ":%d", &p->admin_port);
		else if (strstr(line, ": listening on ") != NULL)
			p->port = port_in(line);
		else
			fputs(line, stderr);
	}
	if (p->port == 0 || p->admin_port == 0)
		die("the relay did not start");
}

struct process *process_start(const char *const *argv)
{
	struct process *p = calloc(1, sizeof(*p));
	pid_t parent = getpid();
	int fds[2];

	if (p == NULL || pipe(fds) < 0 || (p->pid = fork()) < 0)
		die("cannot start the relay");
	if (p->pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (child_end_with(parent) == 0)
			execv(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	p->log = fdopen(fds[0], "r");
	if (p->log == NULL)
		abort();
	read_ports(p);
	if (pthread_create(&p->reader, NULL, read_log, p) != 0)
		abort();
	return p;
}

int process_port(const struct process *p)
{
	return p->port;
}

long process_resident(const struct process *p)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)p->pid);
	f = fopen(path, "re");
	while (f != NULL && kib < 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = atol(line + 6);
	if (kib < 0)
		die("the relay is gone");
	fclose(f);
	return kib;
}

long process_files(const struct process *p)
{
	char path[64];
	long n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)p->pid);
	d = opendir(path);
	if (d == NULL)
		die("the relay is gone");
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

long process_gauge(const struct process *p, const char *name)
{
	static const char get[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)p->admin_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[16384], sample[128];
	size_t len = 0;
	ssize_t n = 0;
	const char *at;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		send(fd, get, sizeof(get) - 1, MSG_NOSIGNAL) != sizeof(get) - 1)
		die("the admin listener does not answer");
	while (len < sizeof(text) - 1 && (n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)n;
	close(fd);
	text[len] = '\0';
	snprintf(sample, sizeof(sample), "\njmesh_relay_%s ", name);
	at = strstr(text, sample);
	if (at == NULL)
		die("the metrics are not all there");
	return atol(at + strlen(sample));
}

int process_stop(struct process *p)
{
	int status = -1;
	bool good;

	kill(p->pid, SIGTERM);
	pthread_join(p->reader, NULL);
	waitpid(p->pid, &status, 0);
	fclose(p->log);
	good = !p->foreign && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!good)
		fprintf(stderr, "load: the relay ended with status %d\n", status);
	free(p);
	return good;
}
