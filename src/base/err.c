#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void ellipsis(char *text, size_t size, int wanted)
{
	if (wanted >= 0 && (size_t)wanted >= size)
		memcpy(text + size - 4, "...", 4);
}

int err_set(struct err *e, enum err_code code, struct loc at, const char *fmt, ...)
{
	va_list ap;
	int n;

	e->code = code;
	e->at = at;
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	ellipsis(e->text, sizeof(e->text), n);
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char was[sizeof(e->text)];
	va_list ap;
	size_t len;
	int n;

	memcpy(was, e->text, sizeof(was));
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	ellipsis(e->text, sizeof(e->text), n);
	len = strlen(e->text);
	n = snprintf(e->text + len, sizeof(e->text) - len, ": %s", was);
	ellipsis(e->text + len, sizeof(e->text) - len < 4 ? 4 : sizeof(e->text) - len,
		sizeof(e->text) - len < 4 ? 0 : n);
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int errnum = errno;
	va_list ap;
	size_t len;
	int n;

	e->code = ERR_SYSTEM;
	e->at = NOWHERE;
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	ellipsis(e->text, sizeof(e->text), n);
	len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(errnum));
	errno = errnum;
	return -1;
}
