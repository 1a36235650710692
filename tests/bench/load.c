/*
 * load KIND PORT CONNECTIONS COUNT CODES [PID...]: asks an HTTP server on 127.0.0.1 over connections that
 * stay open, one request at a time on each, and checks every answer. KIND is one of
 *
 *   create  POST /pair with 10 jails; the codes go to the file CODES, a line each. Then it prints its
 *           line and keeps the connections open, idle, until its standard input ends
 *   get     GET /pair/CODE of the codes in CODES in turn, each of which must be answered by 200 and that
 *           nobody has joined yet
 *   pair    whole pairings: create, join with 10 jails, read; CODES is not used
 *
 * Each request says in X-Forwarded-For that it is of another client. One line goes to standard output:
 *
 *   requests N errors N cpu NS wall NS p50 NS p99 NS max NS
 *
 * errors are answers that are not as they must be and connections that broke; cpu is the processor time
 * that the processes PID took between the first request and the last answer, with all their threads.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	JAILS = 10,
	CODE_MAX = 64,
	REQUEST_MAX = 4096,
	ANSWER_MAX = 8192,
	EVENTS = 64,
	PIDS_MAX = 16,
	SILENCE = 10, /* seconds without any answer after which the server is given up */
};

enum kind { CREATE, GET, PAIR };

enum step { STEP_CREATE, STEP_JOIN, STEP_READ };

struct conn {
	int fd;
	enum step step;
	unsigned pairing; /* which one of all is under way */
	int64_t sent;     /* ns */
	char code[CODE_MAX];
	size_t len;
	char answer[ANSWER_MAX];
};

struct load {
	enum kind kind;
	uint16_t port;
	int epoll;
	struct conn *conns;
	unsigned n_conns;
	unsigned long count, begun, done,
		errors;      /* requests; with PAIR pairings are begun and done */
	unsigned long steps; /* answers */
	uint32_t *took;      /* ns, of each answer */
	char (*codes)[CODE_MAX];
	size_t n_codes;
	FILE *to; /* of CREATE */
};

static char rosters[2][2048]; /* the creator's and the joiner's */

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Processor time of other processes, those of their threads that ended too. */
static int64_t cpu_ns(const pid_t *pids, int n)
{
	int64_t sum = 0;

	for (int i = 0; i < n; i++) {
		struct timespec t;
		clockid_t clock;

		errno = clock_getcpuclockid(pids[i], &clock);
		if (errno != 0 || clock_gettime(clock, &t) < 0)
			die("the server's processor time");
		sum += (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	}
	return sum;
}

static void make_rosters(void)
{
	for (int side = 0; side < 2; side++) {
		char *p = rosters[side], *end = p + sizeof(rosters[side]);

		p += snprintf(p, (size_t)(end - p), "{\"jails\":[");
		for (int i = 0; i < JAILS; i++)
			p += snprintf(p, (size_t)(end - p),
				"%s{\"name\":\"service-%d\",\"ygg_address\":\"20%d:9%xbc:2ab6:34c1:"
				"3e3f:"
				"e723:783f:ab%x\"}",
				i == 0 ? "" : ",", i, 1 + side, i, i);
		snprintf(p, (size_t)(end - p), "]}");
	}
}

/* The client that a request is said to be of: another for each pairing, and another for its joiner. */
static int head(char *out, const char *method, const char *code, unsigned client, bool joiner)
{
	return snprintf(out, REQUEST_MAX,
		"%s /pair%s%s HTTP/1.1\r\nHost: relay.example\r\nUser-Agent: curl/7.88.1\r\n"
		"Accept: */*\r\nX-Forwarded-For: %d.%u.%u.%u\r\n",
		method, code[0] != '\0' ? "/" : "", code, joiner ? 11 : 10, client >> 16 & 255,
		client >> 8 & 255, client & 255);
}

static int request(const struct load *l, const struct conn *c, char out[REQUEST_MAX])
{
	const char *roster = c->step == STEP_READ ? NULL : rosters[c->step == STEP_JOIN];
	int n;

	if (l->kind == GET) {
		size_t i = c->pairing % l->n_codes;

		n = head(out, "GET", l->codes[i], (unsigned)i, false);
	} else {
		n = head(out, roster != NULL ? "POST" : "GET",
			c->step == STEP_CREATE ? "" : c->code, c->pairing, c->step == STEP_JOIN);
	}
	if (roster == NULL)
		return n + snprintf(out + n, REQUEST_MAX - (size_t)n, "\r\n");
	return n +
		snprintf(out + n, REQUEST_MAX - (size_t)n,
			"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			strlen(roster), roster);
}

static void ask(const struct load *l, struct conn *c)
{
	char bytes[REQUEST_MAX];
	int n = request(l, c, bytes);

	c->len = 0;
	c->sent = now_ns();
	/* Smaller than a socket's buffer, which is empty now. */
	if (send(c->fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
}

/* Takes the next piece of work; false where none is left. */
static bool begin(struct load *l, struct conn *c)
{
	if (l->begun == l->count)
		return false;
	c->pairing = (unsigned)l->begun++;
	c->step = l->kind == GET ? STEP_READ : STEP_CREATE;
	ask(l, c);
	return true;
}

static unsigned times(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)) != NULL; text += strlen(word))
		n++;
	return n;
}

/* Of {"code":"…"}, with or without blanks. */
static bool take_code(struct conn *c, const char *body)
{
	const char *at = strstr(body, "\"code\":");
	size_t n;

	if (at == NULL)
		return false;
	at += strlen("\"code\":");
	at += strspn(at, " ");
	n = strcspn(at + 1, "\"");
	if (*at != '"' || n == 0 || n >= CODE_MAX)
		return false;
	memcpy(c->code, at + 1, n);
	c->code[n] = '\0';
	return true;
}

static bool is_right(struct load *l, struct conn *c, const char *body)
{
	if (strncmp(c->answer, "HTTP/1.1 200 ", 13) != 0)
		return false;
	if (l->kind == GET)
		return strcmp(body, "{\"joined\":false}") == 0 ||
			strcmp(body, "{\"joined\": false}") == 0;
	if (c->step == STEP_CREATE)
		return take_code(c, body);
	return times(body, "\"ygg_address\"") == JAILS &&
		(c->step == STEP_JOIN || strncmp(body, "{\"joined\":", 10) == 0);
}

/* Where the body of a complete answer begins; NULL: there is more to come, or *broken. */
static const char *body_of(const struct conn *c, bool *broken)
{
	const char *end = strstr(c->answer, "\r\n\r\n"), *length;
	size_t n;

	*broken = c->len == ANSWER_MAX - 1;
	if (end == NULL)
		return NULL;
	end += 4;
	length = strcasestr(c->answer, "\r\nContent-Length:");
	if (length == NULL || length > end) {
		*broken = true;
		return NULL;
	}
	n = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	*broken = *broken || c->len > (size_t)(end - c->answer) + n;
	return c->len == (size_t)(end - c->answer) + n ? end : NULL;
}

static void complain(struct load *l, const struct conn *c)
{
	if (l->errors++ == 0)
		fprintf(stderr, "load: not as it must be: %.300s\n", c->answer);
}

/* An answer is complete. */
static void next(struct load *l, struct conn *c, const char *body)
{
	int64_t took = now_ns() - c->sent;
	bool right = is_right(l, c, body);

	l->took[l->steps++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
	if (!right)
		complain(l, c);
	else if (l->to != NULL)
		fprintf(l->to, "%s\n", c->code);
	if (right && l->kind == PAIR && c->step != STEP_READ) {
		c->step++;
		ask(l, c);
		return;
	}
	l->done++;
	begin(l, c);
}

static void receive(struct load *l, struct conn *c)
{
	ssize_t n = recv(c->fd, c->answer + c->len, ANSWER_MAX - 1 - c->len, 0);
	const char *body;
	bool broken;

	if (n <= 0) {
		errno = n == 0 ? ECONNRESET : errno;
		die("recv");
	}
	c->len += (size_t)n;
	c->answer[c->len] = '\0';
	body = body_of(c, &broken);
	if (broken) {
		complain(l, c);
		die("an answer that is no answer");
	}
	if (body != NULL)
		next(l, c, body);
}

/* Without sleeping: whoever answers a process that sleeps pays for waking it, and the faster the more often. */
static int wait_for_events(const struct load *l, struct epoll_event events[EVENTS])
{
	const int64_t start = now_ns();
	int n;

	do {
		n = epoll_wait(l->epoll, events, EVENTS, 0);
		if (n == 0 && now_ns() - start > SILENCE * INT64_C(1000000000)) {
			errno = ETIMEDOUT;
			n = -1;
		}
	} while (n == 0);
	if (n < 0)
		die("waiting for answers");
	return n;
}

static void run(struct load *l)
{
	for (unsigned i = 0; i < l->n_conns; i++)
		if (!begin(l, &l->conns[i]))
			break;
	while (l->done < l->count) {
		struct epoll_event events[EVENTS];
		int n = wait_for_events(l, events);

		for (int i = 0; i < n; i++)
			receive(l, events[i].data.ptr);
	}
}

static void open_all(struct load *l)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(l->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int on = 1;

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->conns = calloc(l->n_conns, sizeof(*l->conns));
	if (l->epoll < 0 || l->conns == NULL)
		die("connections");
	for (unsigned i = 0; i < l->n_conns; i++) {
		struct conn *c = &l->conns[i];
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

		c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (c->fd < 0 || connect(c->fd, (const void *)&to, sizeof(to)) < 0)
			die("connect");
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
			die("epoll");
	}
}

static void read_codes(struct load *l, const char *path)
{
	char line[CODE_MAX + 1];
	FILE *f = fopen(path, "r");
	size_t cap = 0;

	if (f == NULL)
		die(path);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (l->n_codes == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			l->codes = realloc(l->codes, cap * CODE_MAX);
			if (l->codes == NULL)
				die(path);
		}
		line[strcspn(line, "\n")] = '\0';
		memcpy(l->codes[l->n_codes++], line, CODE_MAX);
	}
	fclose(f);
	if (l->n_codes == 0) {
		errno = ENODATA;
		die(path);
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(struct load *l, int64_t cpu, int64_t wall)
{
	qsort(l->took, l->steps, sizeof(*l->took), by_size);
	printf("requests %lu errors %lu cpu %lld wall %lld p50 %u p99 %u max %u\n", l->steps,
		l->errors, (long long)cpu, (long long)wall, l->took[l->steps / 2],
		l->took[l->steps * 99 / 100], l->took[l->steps - 1]);
	fflush(stdout);
}

static bool read_kind(const char *word, enum kind *out)
{
	static const char *const words[] = { [CREATE] = "create", [GET] = "get", [PAIR] = "pair" };

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0) {
			*out = (enum kind)i;
			return true;
		}
	return false;
}

static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("open files");
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct load l = { 0 };
	pid_t pids[PIDS_MAX];
	int n_pids = argc - 6;
	int64_t cpu, wall;

	if (argc < 6 || n_pids > PIDS_MAX || !read_kind(argv[1], &l.kind)) {
		fputs("usage: load create|get|pair PORT CONNECTIONS COUNT CODES [PID...]\n",
			stderr);
		return 2;
	}
	l.port = (uint16_t)strtoul(argv[2], NULL, 10);
	l.n_conns = (unsigned)strtoul(argv[3], NULL, 10);
	l.count = strtoul(argv[4], NULL, 10);
	for (int i = 0; i < n_pids; i++)
		pids[i] = (pid_t)strtol(argv[6 + i], NULL, 10);
	if (l.kind == GET)
		read_codes(&l, argv[5]);
	else if (l.kind == CREATE && (l.to = fopen(argv[5], "w")) == NULL)
		die(argv[5]);
	l.took = calloc(l.count * 3, sizeof(*l.took));
	if (l.n_conns == 0 || l.count == 0 || l.took == NULL)
		return 2;
	allow_files();
	make_rosters();
	open_all(&l);
	wall = now_ns();
	cpu = cpu_ns(pids, n_pids);
	run(&l);
	cpu = cpu_ns(pids, n_pids) - cpu;
	report(&l, cpu, now_ns() - wall);
	if (l.to != NULL) {
		fclose(l.to);
		while (getchar() != EOF)
			;
	}
	return l.errors != 0;
}
