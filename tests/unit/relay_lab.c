#include "relay_lab.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/child.h"

static void nap(int ms)
{
	const struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

char *relay_log(const struct relay *r)
{
	size_t cap = 1 << 20, len = 0;
	char *text = malloc(cap);
	ssize_t n;

	while (len < cap - 1 && (n = pread(r->log, text + len, cap - 1 - len, (off_t)len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

int relay_logged_times(const struct relay *r, const char *text, int n)
{
	int found = 0;

	for (int i = 0; i < 500 && found < n; i++) {
		char *log = relay_log(r);

		found = 0;
		for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
			found++;
		free(log);
		if (found < n)
			nap(10);
	}
	return found;
}

bool relay_logged(const struct relay *r, const char *text)
{
	return relay_logged_times(r, text, 1) > 0;
}

struct relay relay_up(struct relay_conf conf)
{
	struct relay r = { .log = memfd_create("relay", MFD_CLOEXEC) };
	pid_t parent;

	conf.listen = conf.listen != NULL ? conf.listen : "127.0.0.1:0";
	conf.ttl = conf.ttl != 0 ? conf.ttl : RELAY_TTL;
	conf.max_pairings = conf.max_pairings != 0 ? conf.max_pairings : RELAY_PAIRINGS;
	conf.max_connections = conf.max_connections != 0 ? conf.max_connections : 64;
	cr_assert_geq(r.log, 0);
	parent = getpid();
	r.pid = fork();
	if (r.pid == 0) {
		struct err e = ERR_INIT;
		int rc;

		/* What is written is appended wherever a reader is: it reads by position. */
		dup2(r.log, STDERR_FILENO);
		dup2(r.log, STDOUT_FILENO);
		fcntl(STDERR_FILENO, F_SETFL, O_APPEND);
		/* A test that fails leaves nothing behind. */
		rc = child_end_with(parent) < 0 ? -1 : relay_serve(&conf, &e);
		if (rc < 0)
			dprintf(STDERR_FILENO, "error: %s\n", e.text);
		_exit(rc < 0 ? 1 : 0);
	}
	for (int i = 0; i < 1500 && r.port == 0; i++) {
		char *log = relay_log(&r), *at = strstr(log, "listening on http");
		char *end = at != NULL ? strchr(at, '\n') : NULL;

		/* The node's lines, which have colons too, may be behind it. */
		if (end != NULL) {
			*end = '\0';
			r.port = atoi(strrchr(at, ':') + 1);
		} else if (strstr(log, "error: ") != NULL)
			i = 1500;
		free(log);
		if (r.port == 0)
			nap(10);
	}
	return r;
}

int relay_wait(struct relay *r)
{
	int status = -1;

	cr_assert_eq(waitpid(r->pid, &status, 0), r->pid);
	r->pid = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void relay_down(struct relay *r)
{
	kill(r->pid, SIGTERM);
	cr_assert_eq(relay_wait(r), 0);
	close(r->log);
}

struct sink {
	char *s;
	size_t len;
};

static size_t on_bytes(char *bytes, size_t size, size_t n, void *to)
{
	struct sink *sink = to;

	sink->s = realloc(sink->s, sink->len + size * n + 1);
	memcpy(sink->s + sink->len, bytes, size * n);
	sink->len += size * n;
	sink->s[sink->len] = '\0';
	return size * n;
}

struct reply ask(const struct relay *r, const char *method, const char *path, const char *headers,
	const char *body)
{
	struct sink head = { calloc(1, 1), 0 }, text = { calloc(1, 1), 0 };
	struct curl_slist *list = NULL;
	struct reply reply = { 0 };
	CURL *curl = curl_easy_init();
	char url[4096], local[64], *lines, *save = NULL;

	snprintf(url, sizeof(url), "%s://127.0.0.1:%d%s", r->ca != NULL ? "https" : "http", r->port,
		path);
	if (r->ca != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, r->ca);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (r->from != NULL) {
		snprintf(local, sizeof(local), "host!%s", r->from);
		curl_easy_setopt(curl, CURLOPT_INTERFACE, local);
	}
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &head);
	if (body != NULL) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	}
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	lines = strdup(headers != NULL ? headers : "");
	for (char *l = strtok_r(lines, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save))
		list = curl_slist_append(list, l);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
	curl_slist_free_all(list);
	curl_easy_cleanup(curl);
	free(lines);
	reply.headers = head.s;
	reply.body = text.s;
	reply.len = text.len;
	return reply;
}

void reply_free(struct reply *r)
{
	free(r->headers);
	free(r->body);
}

char *json_text(const char *json, const char *name)
{
	cJSON *object = cJSON_Parse(json);
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
	char *copy;

	cr_assert_not_null(text, "%s in %s", name, json);
	copy = strdup(text);
	cJSON_Delete(object);
	return copy;
}

struct made make_pairing(const struct relay *r, const char *roster)
{
	struct reply reply = ask(r, "POST", "/pair", NULL, roster);
	char *code, *token;
	struct made m;

	cr_assert_eq(reply.status, 200, "%s", reply.body);
	code = json_text(reply.body, "code");
	token = json_text(reply.body, "token");
	cr_assert_eq(strlen(token), 32);
	snprintf(m.path, sizeof(m.path), "/pair/%s", code);
	snprintf(m.bearer, sizeof(m.bearer), "Authorization: Bearer %s", token);
	free(code);
	free(token);
	reply_free(&reply);
	return m;
}

int raw_open(const struct relay *r)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)r->port) };
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (r->from != NULL) {
		cr_assert_eq(inet_pton(AF_INET, r->from, &from.sin_addr), 1);
		cr_assert_eq(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	}
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

void raw_send(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* closed by the relay: what it answered says enough */
		bytes += n;
		len -= (size_t)n;
	}
}

char *raw_read(int fd, int ms, bool *closed)
{
	size_t cap = 65536, len = 0;
	char *text = malloc(cap);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = 1;

	while (len < cap - 1 && poll(&p, 1, ms) > 0 &&
		(n = recv(fd, text + len, cap - 1 - len, 0)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	if (closed != NULL)
		*closed = n <= 0;
	return text;
}
