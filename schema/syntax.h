/* What libyaml says about a text that is no YAML, said for the user. */
#ifndef JMESH_SCHEMA_SYNTAX_H
#define JMESH_SCHEMA_SYNTAX_H

#include <stddef.h>

#include <yaml.h>

#include "base/arena.h"
#include "schema/mesh.h"

/* Adds the problem that the parser stopped at. The text is what it was reading. */
void syntax_problem(const yaml_parser_t *parser, const char *text, size_t len, struct arena *a,
	struct problems *problems);

#endif
