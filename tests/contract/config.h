/* The `config` of a vector as a trip_config, and the names of its fields. */
#ifndef CONTRACT_CONFIG_H
#define CONTRACT_CONFIG_H

#include "place.h"

#include <trip.h>

/* The defaults, on the manual clock, with what `json` says instead. */
trip_config config_of(const place *where, const json_t *json);

/* The name of the field at `offset`, or "none". */
const char *config_field_name(uint32_t offset);

#endif
