#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "relay_hostile.h"

static const char web[] = "{\"jails\":[{\"name\":\"web\",\"ygg_address\":\"200::1\"}]}";

#ifdef __SANITIZE_ADDRESS__
/* It keeps what is freed. */
enum { RESIDENT_MORE = 1024 * 1024, AT_ONCE = 8000 };
#else
enum { RESIDENT_MORE = 24 * 1024, AT_ONCE = 4000 };
#endif

static long files_of(const struct relay *r)
{
	char path[64];
	long n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)r->pid);
	d = opendir(path);
	cr_assert_not_null(d, "the relay is gone");
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static long resident_of(const struct relay *r)
{
	char path[64], text[4096];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)r->pid);
	f = fopen(path, "re");
	cr_assert_not_null(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	cr_assert_not_null(strstr(text, "VmRSS:"));
	return atol(strstr(text, "VmRSS:") + 6);
}

long gauge_of(const struct victim *v, const char *name)
{
	struct reply reply = ask(&v->admin, "GET", "/metrics", NULL, NULL);
	char sample[128];
	const char *at;
	long value;

	cr_assert_eq(reply.status, 200);
	snprintf(sample, sizeof(sample), "\njmesh_relay_%s ", name);
	at = strstr(reply.body, sample);
	cr_assert_not_null(at, "%s", name);
	value = atol(at + strlen(sample));
	reply_free(&reply);
	return value;
}

const char *other_address(void)
{
	static char text[32];
	static unsigned n;

	n++;
	snprintf(text, sizeof(text), "127.1.%u.%u", n / 250, n % 250 + 1);
	return text;
}

struct victim victim_up(struct relay_conf conf)
{
	struct victim v;
	char *log;

	conf.admin = "0";
	v.relay = relay_up(conf);
	cr_assert_gt(v.relay.port, 0);
	log = relay_log(&v.relay);
	v.admin = v.relay;
	cr_assert_eq(sscanf(strstr(log, "http://127"), "http://127.0.0.1:%d", &v.admin.port), 1);
	free(log);
	v.memory = gauge_of(&v, "memory_bytes");
	for (int i = 0; i < 500 && gauge_of(&v, "connections_open") != 0; i++)
		usleep(10000);
	v.resident = resident_of(&v.relay);
	v.files = files_of(&v.relay);
	return v;
}

void expect_served(const struct victim *v)
{
	int64_t start = clock_ms();
	struct relay r = v->relay;
	struct reply reply;
	struct made m;

	r.from = r.ca == NULL ? other_address() : NULL;
	m = make_pairing(&r, web);
	reply = ask(&r, "POST", m.path, NULL, web);
	cr_assert_eq(reply.status, 200, "%ld %s", reply.status, reply.body);
	reply_free(&reply);
	reply = ask(&r, "GET", m.path, NULL, NULL);
	cr_assert_eq(reply.status, 200, "%ld %s", reply.status, reply.body);
	reply_free(&reply);
	cr_assert_lt(clock_ms() - start, AT_ONCE, "a client waited for %lld ms",
		(long long)(clock_ms() - start));
}

void expect_recovered(const struct victim *v, long pairings)
{
	long files = 0, connections = 0, more;

	expect_served(v);
	/* The end that came together with bytes is seen at the relay's next look, once a second. */
	for (int i = 0; i < 3000; i++) {
		files = files_of(&v->relay);
		connections = gauge_of(v, "connections_open");
		if (files <= v->files && connections == 0)
			break;
		usleep(10000);
	}
	cr_assert_leq(files, v->files, "%ld files are open, not %ld, with %ld connections", files,
		v->files, connections);
	cr_assert_eq(connections, 0, "%ld connections", connections);
	cr_assert_eq(gauge_of(v, "pairings_open"), pairings, "%ld pairings, not %ld",
		gauge_of(v, "pairings_open"), pairings);
	/* Nothing is taken but by pairings, with those that are read. */
	cr_assert_eq(gauge_of(v, "memory_bytes"), v->memory + gauge_of(v, "pairings_bytes"));
	more = resident_of(&v->relay) - v->resident;
	cr_assert_lt(more, RESIDENT_MORE, "%ld KiB more", more);
}

void victim_down(struct victim *v)
{
	char *log = relay_log(&v->relay);

	cr_assert_null(strstr(log, "Sanitizer"));
	cr_assert_null(strstr(log, "runtime error"));
	free(log);
	relay_down(&v->relay);
}
