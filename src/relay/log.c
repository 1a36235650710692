#include "relay/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One write a line, so that the lines of several threads and of the node do not mix. */
static void put(char *line, size_t size, int len)
{
	size_t n = len < 0 ? 0 : (size_t)len < size - 1 ? (size_t)len : size - 2;
	ssize_t written;

	line[n++] = '\n';
	/* A log that cannot be written must not stop the service. */
	written = write(STDERR_FILENO, line, n);
	(void)written;
}

void log_say(const char *fmt, ...)
{
	static const char prefix[] = "jmesh relay: ";
	char line[2048];
	size_t at = sizeof(prefix) - 1;
	va_list ap;
	int n;

	memcpy(line, prefix, at);
	va_start(ap, fmt);
	n = vsnprintf(line + at, sizeof(line) - at, fmt, ap);
	va_end(ap);
	put(line, sizeof(line), n < 0 ? n : (int)at + n);
}

void log_request(const char *peer, const char *method, const char *route, int status, size_t bytes,
	int64_t microseconds)
{
	char line[512], date[32], code[16] = "-";
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL ||
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		strcpy(date, "-");
	if (status != 0)
		snprintf(code, sizeof(code), "%d", status);
	put(line, sizeof(line),
		snprintf(line, sizeof(line), "%s %s %s %s %s %zu %lldus", date, peer, method, route,
			code, bytes, (long long)microseconds));
}
