// FreeBSD's programs that labs start most often, one program under their names: jexec, and those that
// tests/lab/freebsd/serve.py runs, whose words and descriptors are handed over to it.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	NAME_BYTES = 256,
	PATH_BYTES = 4096,
	WORDS_MAX = 1 << 16,
	FDS = 6,
};

// The lab's folder, which lib/freebsd.sh writes here: no environment comes through doas and sshd.
static volatile const char lab[NAME_BYTES] = "@LAB@";

static int failed(const char *what)
{
	fprintf(stderr, "the lab's stand-in: %s: %s\n", what, strerror(errno));
	return 70;
}

static int jexec_usage(void)
{
	fputs("usage: jexec [-d working-directory] [-l] [-n] [-u username | -U username] jail "
	      "[command ...]\n",
		stderr);
	return 1;
}

// One line of /run/jails/JAIL/NAME, without its end.
static int read_line(const char *jail, const char *name, char *line, int bytes)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "/run/jails/%s/%s", jail, name);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return -1;
	const char *got = fgets(line, bytes, file);
	fclose(file);
	if (got == NULL)
		return -1;
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

// jexec(8): a command in a jail, which is a network namespace and a root of its own.
static int jexec(int argc, char **argv)
{
	if (argc < 3 || argv[1][0] == '\0' || argv[1][0] == '-')
		return jexec_usage();
	const char *jail = argv[1];
	char jid[NAME_BYTES], root[PATH_BYTES], stack[PATH_BYTES];
	if (strchr(jail, '/') != NULL || jail[0] == '.' ||
		read_line(jail, "jid", jid, sizeof jid) != 0) {
		fprintf(stderr, "jexec: jail \"%s\" not found\n", jail);
		return 1;
	}
	if (access("/run/jails", W_OK) != 0) {
		fprintf(stderr, "jexec: jail_attach(%s): Operation not permitted\n", jid);
		return 1;
	}
	if (read_line(jail, "root", root, sizeof root) != 0)
		return failed("root");
	snprintf(stack, sizeof stack, "/run/netns/%s", jail);
	const int fd = open(stack, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
		return failed(stack);
	if (chroot(root) != 0 || chdir("/") != 0)
		return failed(root);
	execvp(argv[2], argv + 2);
	fprintf(stderr, "jexec: execvp(): %s: %s\n", argv[2], strerror(errno));
	return 1;
}

// The words, each with its NUL: how many bytes, 0 for too many.
static size_t join(int argc, char **argv, char *words)
{
	size_t length = 0;
	for (int i = 0; i < argc; i++) {
		const size_t more = strlen(argv[i]) + 1;
		if (more > WORDS_MAX - length)
			return 0;
		memcpy(words + length, argv[i], more);
		length += more;
	}
	return length;
}

static int hand_over(int connection, char *words, size_t length)
{
	int fds[FDS] = { 0, 1, 2, open("/", O_PATH | O_CLOEXEC), open(".", O_PATH | O_CLOEXEC),
		open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof fds)];
	} control = { 0 };
	struct iovec part = { words, length };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fds);
	memcpy(CMSG_DATA(header), fds, sizeof fds);
	return sendmsg(connection, &message, MSG_NOSIGNAL) == (ssize_t)length ? 0 : -1;
}

static int served(int argc, char **argv)
{
	struct sockaddr_un server = { .sun_family = AF_UNIX };
	char folder[NAME_BYTES];
	for (int i = 0; i < NAME_BYTES; i++)
		folder[i] = lab[i];
	const int length =
		snprintf(server.sun_path, sizeof server.sun_path, "%s/freebsd/serve", folder);
	if (length < 0 || (size_t)length >= sizeof server.sun_path)
		return failed(folder);
	const int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (connection < 0 || connect(connection, (struct sockaddr *)&server, sizeof server) != 0)
		return failed(server.sun_path);
	static char words[WORDS_MAX];
	const size_t bytes = join(argc, argv, words);
	if (bytes == 0 || hand_over(connection, words, bytes) != 0)
		return failed(argv[0]);
	uint8_t status = 0;
	if (read(connection, &status, 1) != 1) {
		fprintf(stderr, "the lab's stand-in: %s ended by itself\n", argv[0]);
		return 70;
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 1)
		return 70;
	// A descriptor that is closed cannot be handed over.
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return failed("/dev/null");
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash != NULL ? slash + 1 : argv[0];
	return strcmp(name, "jexec") == 0 ? jexec(argc, argv) : served(argc, argv);
}
