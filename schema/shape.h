/*
 * Whether a tree has the shape that the table tells: keys, types, words. Every problem is found, and what is
 * good is written out again, so that libcyaml loads it and the checks that follow see as much as there is.
 */
#ifndef JMESH_SCHEMA_SHAPE_H
#define JMESH_SCHEMA_SHAPE_H

#include "schema/table.h"
#include "schema/tree.h"

/*
 * Returns the good part of the tree as YAML (one line, every text quoted). Entries of lists keep their
 * number: a bad one becomes an empty mapping or text. A required text that is missing or bad becomes
 * "", and nothing else ever does. NULL where the tree is no mapping. At most one problem a node.
 */
const char *shape_check(const struct node *root, const struct cyaml_schema_value *table,
	struct arena *a, struct problems *problems);

#endif
