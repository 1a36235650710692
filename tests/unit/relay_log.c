#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/log.h"

TestSuite(relay_log, .timeout = 60);

enum { PIPE_BYTES = 4096, LINES = 500 };

/* What stands in the pipe, which is empty then. */
static void drain(int fd, char *text, size_t size)
{
	size_t len = strlen(text);
	ssize_t n;

	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

/* Standard error is a pipe that nobody reads for some time, and that never blocks. */
static int log_to_full_pipe(const int fds[2], char *text, size_t size)
{
	struct err e = ERR_INIT;

	dup2(fds[1], STDERR_FILENO);
	if (log_start(&e) < 0)
		return 1;
	for (int i = 0; i < LINES; i++)
		log_say("line %d", i);
	/* It is written by another thread, a moment later. */
	usleep(500 * 1000);
	drain(fds[0], text, size);
	log_say("again");
	log_stop();
	drain(fds[0], text, size);
	return 0;
}

Test(relay_log, that_cannot_be_written_says_so_when_it_can)
{
	const size_t size = 64 * 1024;
	char *text = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	     *said;
	unsigned long lost = 0;
	int whole = 0, fds[2], status = -1;
	pid_t pid;

	cr_assert_neq(text, MAP_FAILED);
	cr_assert_eq(pipe(fds), 0);
	cr_assert_geq(fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
	pid = fork();
	if (pid == 0)
		_exit(log_to_full_pipe(fds, text, size));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "%s", text);
	said = strstr(text, " lines of the log are lost");
	cr_assert_not_null(said, "%s", text);
	while (said > text && said[-1] >= '0' && said[-1] <= '9')
		said--;
	lost = strtoul(said, NULL, 10);
	for (const char *at = text; (at = strstr(at, "jmesh relay: line ")) != NULL; at++)
		whole++;
	/* The one that was cut counts as lost. */
	cr_assert(lost + (unsigned long)whole == LINES || lost + (unsigned long)whole == LINES + 1,
		"%lu lost, %d written", lost, whole);
	cr_assert_not_null(strstr(said, "\njmesh relay: again\n"), "%s", text);
	cr_assert_eq(
		strncmp(said - strlen("\njmesh relay: "), "\njmesh relay: ", 14), 0, "%s", text);
}

enum { FLOOD = 40000 };

/* Standard error is a pipe that nobody reads. 0: the flood came to an end, and so did the log. */
static int log_to_stalled_pipe(const int fds[2])
{
	struct err e = ERR_INIT;

	dup2(fds[1], STDERR_FILENO);
	if (log_start(&e) < 0)
		return 1;
	for (int i = 0; i < FLOOD; i++)
		log_say("line %d", i);
	log_stop();
	log_say("nobody hears this");
	return 0;
}

Test(relay_log, that_nobody_reads_holds_up_nobody)
{
	int fds[2], status = -1;
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	cr_assert_geq(fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
	pid = fork();
	if (pid == 0)
		_exit(log_to_stalled_pipe(fds));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

struct reading {
	int fd;
	char *text;
	size_t size;
};

static void *read_to_the_end(void *arg)
{
	struct reading *r = arg;

	drain(r->fd, r->text, r->size);
	return NULL;
}

/* It is read again after the flood. */
static int log_to_slow_reader(const int fds[2], char *text, size_t size)
{
	struct reading r = { fds[0], text, size };
	struct err e = ERR_INIT;
	pthread_t thread;

	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	if (log_start(&e) < 0)
		return 1;
	for (int i = 0; i < FLOOD; i++)
		log_say("line %d", i);
	if (pthread_create(&thread, NULL, read_to_the_end, &r) != 0)
		return 1;
	usleep(500 * 1000);
	log_say("again");
	log_stop();
	close(STDERR_FILENO);
	pthread_join(thread, NULL);
	return 0;
}

Test(relay_log, that_is_read_late_says_what_was_lost_meanwhile)
{
	const size_t size = 4 * 1024 * 1024;
	char *text = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long whole = 0;
	int fds[2], status = -1;
	const char *said;
	pid_t pid;

	cr_assert_neq(text, MAP_FAILED);
	cr_assert_eq(pipe(fds), 0);
	cr_assert_geq(fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
	pid = fork();
	if (pid == 0)
		_exit(log_to_slow_reader(fds, text, size));
	close(fds[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	for (const char *at = text; (at = strstr(at, "jmesh relay: line ")) != NULL; at++)
		whole++;
	said = strstr(text, " lines of the log are lost");
	cr_assert_not_null(said);
	while (said[-1] >= '0' && said[-1] <= '9')
		said--;
	cr_assert_eq(strtoul(said, NULL, 10) + whole, FLOOD, "%lu of %d", whole, FLOOD);
	cr_assert_not_null(strstr(text, "\njmesh relay: again\n"));
}
