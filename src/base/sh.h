/* Words for a POSIX shell: the one place where something is quoted for one. Pure. */
#ifndef JMESH_BASE_SH_H
#define JMESH_BASE_SH_H

#include "base/text.h"

/*
 * Appends the word so that sh(1) makes exactly that one word of it again: what goes in as argv comes out
 * as argv. Any byte but NUL is allowed, no byte at all too.
 */
void sh_quote(struct text *out, const char *word);

/* Every word of argv (NULL-terminated), with a space between. */
void sh_quote_all(struct text *out, const char *const *argv);

#endif
