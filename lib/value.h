/* Values: bytes that never change and that many may hold; they go with the last one. Takes no lock. */
#ifndef TRIP_VALUE_H
#define TRIP_VALUE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct trip_value {
    _Atomic uint32_t holders;
    size_t len;
    char bytes[];
} trip_value;

/* A copy of these bytes, which the caller holds. NULL: no memory. */
trip_value *trip_value_make(const char *bytes, size_t len);

/* For one more, by somebody who does. */
trip_value *trip_value_hold(trip_value *value);

/* NULL: nothing. */
void trip_value_drop(trip_value *value);

#endif
