/*
 * Rosters in little memory. The text of a roster repeats its keys for each jail and spells its address in 39
 * characters: packed it takes a third. Any other text comes back unchanged too. Pure.
 */
#ifndef JMESH_RELAY_PACK_H
#define JMESH_RELAY_PACK_H

#include <stdbool.h>
#include <stddef.h>

struct packed;

/* Freed with free(); NULL where there is no memory. text: less than 4 GiB. */
struct packed *pack(const char *text);

/* Bytes that it takes, and those of the text without its NUL. */
size_t packed_size(const struct packed *p);
size_t packed_text_len(const struct packed *p);

/* out: packed_text_len() and one more bytes, of which the last one is the NUL. */
void unpack(const struct packed *p, char *out);

/* Whether both are packed from one text. */
bool packed_same(const struct packed *a, const struct packed *b);

#endif
