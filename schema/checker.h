/* What the parts of the check (check.c, check_peers.c) share. */
#ifndef JMESH_SCHEMA_CHECKER_H
#define JMESH_SCHEMA_CHECKER_H

#include "schema/seen.h"
#include "schema/table.h"
#include "schema/tree.h"
#include "schema/value.h"

/* The scopes of what must not come twice. Names of a peer's jails: SEEN_ROSTER and its number. */
enum { SEEN_JAIL, SEEN_IPV4, SEEN_PEER, SEEN_NODE, SEEN_ROSTER };

struct checker {
	struct arena *arena;
	const struct node *tree; /* or NULL */
	struct mesh *mesh;
	struct problems *problems;
	struct seen seen;
	bool doubt; /* something is wrong */
	char path[64];
};

/* A path for tree_place, valid until the next call; "" without a tree. */
const char *checker_path(struct checker *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds a problem at the path. */
void checker_wrong(struct checker *c, const char *path, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Whether s is given and keeps the rule; the problem is told where it does not. */
bool checker_holds(struct checker *c, const char *s, bool (*rule)(const char *, struct fault *),
	const char *path);

/* Whether to go no further: without a tree the first doubt is enough. */
bool checker_stopped(const struct checker *c);

/* 0 without a tree. */
int checker_line(const struct checker *c, const char *path);

/* s itself where it is in lower case already. */
const char *checker_fold(const struct checker *c, const char *s);

void check_peers(struct checker *c, const struct raw_mesh *raw);

#endif
