/*
 * A port without a world: commands get answers that the test wrote down, files are in memory, and
 * everything that was asked is in a log, in order:
 *
 *   "web$ nft -f -\n" and the standard input, each line of it behind "  < "; the host's name is "host"
 *   "replace PATH 644\n"  "create PATH 600\n"  "remove PATH\n"  "mkdirs PATH 700\n"
 *
 * Nodes are not faked but for their signatures, sockets not at all.
 */
#ifndef JMESH_TESTS_FAKE_PORT_H
#define JMESH_TESTS_FAKE_PORT_H

#include "base/port.h"

struct fake;

struct fake *fake_new(struct arena *a);
struct port fake_port(struct fake *f);

/*
 * What the command "PLACE$ WORD WORD …" answers. The first answer to it that was not given yet is
 * taken, the last one again and again. A command without an answer exits with 127.
 */
void fake_answer(struct fake *f, const char *command, int status, const char *out, const char *err);

void fake_file(struct fake *f, const char *path, const char *text);
void fake_folder(struct fake *f, const char *path);
const char *fake_text(const struct fake *f, const char *path); /* NULL: there is no such file */

/* The node's key: 32 bytes. */
void fake_seed(struct fake *f, const char *node, const uint8_t *seed);

/* What LOOK_SIGN tells where the node's key has that seed. */
const char *fake_signature(const uint8_t *seed, const char *line, struct arena *a);

/* What was asked since the last call. */
const char *fake_log(struct fake *f);

#endif
