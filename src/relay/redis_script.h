/* What Redis does for a step of the store: one script, in its Lua, that is carried out whole or not at all. */
#ifndef JMESH_RELAY_REDIS_SCRIPT_H
#define JMESH_RELAY_REDIS_SCRIPT_H

/*
 * KEYS: the pairing, the open ones, those kept for repetitions, how many bytes all rosters have, a key to try
 * writing with. ARGV: the step and its words, as the script says. The answer: "STATUS EXPIRED\nTEXT", where EXPIRED is
 * how many pairings were found to have ended unread.
 */
extern const char redis_script[];

#endif
