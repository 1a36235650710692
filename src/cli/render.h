/* Plans and reports, for people and as JSON. Everything that is printed is escaped. */
#ifndef JMESH_CLI_RENDER_H
#define JMESH_CLI_RENDER_H

#include <stdio.h>

#include "reconciler/run/run.h"

struct render {
	FILE *to;
	bool colour;
	const char *mesh;        /* the instance's name */
	const char *file;        /* the mesh file, as messages call it */
	const char *dns_include; /* where saved names are */
	struct arena *a;
};

struct counts {
	size_t add, change, remove, pair;
};

struct counts render_count(const struct plan *p);

/* The changes, grouped by where they happen. Nothing when there are none. */
void render_plan(const struct render *r, const struct plan *p);

/* "3 to add, 1 to change": done says it in the past. "nothing" when all are 0. */
const char *render_counts(struct arena *a, const struct counts *c, bool done);

/* "FILE:LINE: error: WHERE: TEXT" for each. */
void render_failures(const struct render *r, const struct failures *f);
void render_notices(const struct render *r, const struct strs *notices);

struct cJSON;

/*
 * Adds a text, or null. What was observed may be any bytes and JSON readers expect UTF-8, so it is escaped
 * first (text_safe).
 */
void render_json_text(struct cJSON *to, const char *name, const char *text, struct arena *a);

/* The object of DESIGN section 4, for diff. */
const char *render_json_diff(const struct render *r, const struct view *v);

/* The same for apply and teardown. */
const char *render_json_report(const struct render *r, const struct report *report);

#endif
