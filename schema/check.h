/* What the shape cannot say: names, addresses, duplicates, what goes with what. */
#ifndef JMESH_SCHEMA_CHECK_H
#define JMESH_SCHEMA_CHECK_H

#include "schema/table.h"
#include "schema/tree.h"

/*
 * Fills *out from raw, whose texts it keeps. With a tree, problems are placed by it and the line fields
 * are filled; a text "" has been reported already and is passed over. Without one it stops at the first
 * doubt, adds no problem, and returns false: the file must be read again with a tree.
 */
bool check_mesh(const struct raw_mesh *raw, const struct node *tree, struct arena *a,
	struct mesh *out, struct problems *problems);

#endif
