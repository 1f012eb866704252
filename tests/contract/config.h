/* The configs of vectors as structs, and the names of their fields. */
#ifndef CONTRACT_CONFIG_H
#define CONTRACT_CONFIG_H

#include "place.h"

#include <trip.h>

/* Which fields a struct of configs has. */
typedef struct config_shape config_shape;

extern const config_shape tracker_shape, retry_shape, dedup_shape, gate_shape, route_shape, guard_shape;

/* Change in `config`, which has its defaults, what `json` says instead. NULL changes nothing. */
void read_config(const place *where, const config_shape *shape, const json_t *json, void *config);

/* The defaults of a tracker, on the manual clock, with what `json` says instead. */
trip_config config_of(const place *where, const json_t *json);

/* The name of the field at `offset`, or "none". */
const char *field_at(const config_shape *shape, uint32_t offset);

/* The number of the constant `name`, which must begin with `prefix`; `key` is what it stands for. */
uint32_t selected(const place *where, const char *key, const char *prefix, const char *name);

#endif
