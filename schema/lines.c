#include "schema/lines.h"

/* The bytes of the line break at p, or 0. */
static size_t break_len(const unsigned char *p, size_t len)
{
	if (p[0] == '\r')
		return len > 1 && p[1] == '\n' ? 2 : 1;
	if (p[0] == '\n')
		return 1;
	if (p[0] == 0xc2 && len > 1 && p[1] == 0x85)
		return 2;
	if (p[0] == 0xe2 && len > 2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 3;
	return 0;
}

size_t line_len(const char *text, size_t len, size_t *next)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0; i < len; i++) {
		size_t n = p[i] >= 0x20 && p[i] < 0x80 ? 0 : break_len(p + i, len - i);

		if (n != 0) {
			*next = i + n;
			return i;
		}
	}
	*next = len;
	return len;
}

size_t line_chars(const char *text, size_t len, size_t chars)
{
	size_t i = 0;

	for (; chars > 0 && i < len; chars--)
		for (i++; i < len && ((unsigned char)text[i] & 0xc0) == 0x80; i++)
			;
	return i;
}

struct loc line_place(const char *text, size_t len, size_t offset)
{
	struct loc at = { 1, 1 };
	size_t from = 0, next;

	for (;;) {
		size_t n = line_len(text + from, len - from, &next);

		if (offset < from + next || next == len - from) {
			size_t in = offset - from < n ? offset - from : n;

			for (size_t i = 0; i < in; i++)
				at.col += ((unsigned char)text[from + i] & 0xc0) != 0x80;
			return at;
		}
		from += next;
		at.line++;
	}
}
