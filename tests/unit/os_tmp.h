/* A folder, an arena and an error for each test of src/os. */
#ifndef JMESH_TESTS_UNIT_OS_TMP_H
#define JMESH_TESTS_UNIT_OS_TMP_H

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"

static struct arena *arena;
static struct err e;
static char dir[64];

static void setup(void)
{
	arena = arena_new();
	e = ERR_INIT;
	strcpy(dir, "/tmp/jmesh-unit.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
	arena_free(arena);
}

static const char *in_dir(const char *name)
{
	return arena_printf(arena, "%s/%s", dir, name);
}

#endif
