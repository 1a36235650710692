/*
 * Parcels in little memory: the text of a roster repeats its keys for each jail and spells its address in 39
 * characters, where 16 bytes do. Pure.
 */
#ifndef JMESH_RELAY_PACK_H
#define JMESH_RELAY_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/parcel.h"

struct packed;

/* Without its code; it has jails or is sealed. Freed with free(); NULL where there is no memory. */
struct packed *pack(const struct parcel *parcel);

/* Bytes that it takes. */
size_t packed_size(const struct packed *p);

/* What parcel_format says of the parcel, in the arena. */
const char *unpack(const struct packed *p, struct arena *a);

/* Whether both are packed from the same: the same jails in the same order, or the same base 64. */
bool packed_same(const struct packed *a, const struct packed *b);

#endif
