/* Random codes and secrets, from libsodium's generator. */
#ifndef JMESH_OS_DICE_H
#define JMESH_OS_DICE_H

#include "base/code.h"

void dice_code(char code[CODE_TEXT]);
void dice_secret(struct secret *out); /* none that is weak; the caller wipes it */

#endif
