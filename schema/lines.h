/* Lines of a text as YAML 1.1 counts them: LF, CR LF, CR, NEL, LS and PS each end one. */
#ifndef JMESH_SCHEMA_LINES_H
#define JMESH_SCHEMA_LINES_H

#include <stddef.h>

#include "base/err.h"

/* Bytes of the first line, without what ends it; *next is where the following line begins. */
size_t line_len(const char *text, size_t len, size_t *next);

/* The bytes of the first `chars` characters, or all where there are fewer. */
size_t line_chars(const char *text, size_t len, size_t chars);

/* The place of a byte of the text. */
struct loc line_place(const char *text, size_t len, size_t offset);

#endif
