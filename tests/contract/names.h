/* Handles by the names that steps give them. Owns nothing. */
#ifndef CONTRACT_NAMES_H
#define CONTRACT_NAMES_H

#include "place.h"

#include <stdint.h>

/* The handle of that name among `names`; that there is none is wrong. */
uint64_t named(const place *where, const json_t *names, const char *name);

/* The handle that the member `key` of a step names. */
uint64_t named_by(const place *where, const json_t *names, const json_t *step, const char *key);

/* Give a handle the name that a step says with "as". */
void name_handle(const place *where, json_t *names, const json_t *step, uint64_t handle);

#endif
