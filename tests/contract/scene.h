/* One vector played against the library: a tracker, the circuits and permits that its steps name, and the steps. */
#ifndef CONTRACT_SCENE_H
#define CONTRACT_SCENE_H

#include "place.h"

/* Play `vector`, which is in `file`. Ends the running test where the library's answer is not the expected one. */
void play(const char *file, const json_t *vector);

#endif
