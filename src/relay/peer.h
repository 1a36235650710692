/* The address of a client, and which network it counts with. */
#ifndef JMESH_RELAY_PEER_H
#define JMESH_RELAY_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/limit.h"

struct sockaddr;

enum { PEER_TEXT = 64 };

/* IPv6, or IPv4 mapped to it; all zeros where it is not known. */
struct peer {
	uint8_t b[16];
};

/* sa may be NULL. */
struct peer peer_of(const struct sockaddr *sa);

/* One literal address of len bytes and nothing else: no port, no brackets, no zone, no blank. */
bool peer_parse(const char *text, size_t len, struct peer *out);

/* In its one spelling, IPv4 as such also where it came mapped; "-" where it is not known. Its length. */
size_t peer_format(const struct peer *p, char text[PEER_TEXT]);

bool peer_is_v4(const struct peer *p);
struct network peer_network(const struct peer *p);

#endif
