/* Files, as the ports offer them and as jmesh keeps its own. All descriptors close on exec. */
#ifndef JMESH_OS_FILE_H
#define JMESH_OS_FILE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * 0: *text (NUL-terminated) and *len are set. 1: there is no such file. It must be a regular file (a
 * link to one is followed) of at most max bytes; opening it never waits.
 */
int file_read(const char *path, size_t max, struct arena *a, const char **text, size_t *len,
	struct err *e);

/*
 * Puts a new file of exactly that mode in the place of the old one, whole or not at all, also when we
 * are killed or the machine stops. A link at path is replaced, not followed. What a killed writer left
 * behind (".NAME.tmp" beside the file) is reused by the next one. Two writers at once take turns.
 */
int file_replace(const char *path, const void *bytes, size_t len, mode_t mode, struct err *e);

/* The same, but never in the place of anything. 0: created. 1: something is there and is untouched. */
int file_create(const char *path, const void *bytes, size_t len, mode_t mode, struct err *e);

/* 0: removed, or there was none; and so is what a killed process left behind of it. */
int file_remove(const char *path, struct err *e);

/* Creates the folder and its parents where they are missing, each with that mode. */
int file_mkdirs(const char *path, mode_t mode, struct err *e);

/* st_mode (with the type) and owner; links are followed. 0: set. 1: there is no such file. */
int file_stat(const char *path, mode_t *mode, uid_t *uid, struct err *e);

/* Writes all of it; -1 with errno set. */
int file_write_all(int fd, const void *bytes, size_t len);

#endif
