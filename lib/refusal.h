/*
 * What is wrong with a config: a field and why, as one constant each. A check of a config is a function that requires one
 * thing after the other of its argument `c` and returns NULL in the end. It decides nothing else.
 */
#ifndef TRIP_REFUSAL_H
#define TRIP_REFUSAL_H

#include "trip.h"

#include <stddef.h>

#define TRIP_NS_PER_SECOND UINT64_C(1000000000)
#define TRIP_YEAR (UINT64_C(31536000) * TRIP_NS_PER_SECOND) /* 365 days */

typedef struct trip_refusal {
    uint32_t field_offset;
    const char *why;
} trip_refusal;

/* A comparison with NaN is false, so each rule says what must hold. */
#define TRIP_REQUIRE(type, rule, field, why)                                                                           \
    do {                                                                                                               \
        static const trip_refusal refusal = {offsetof(type, field), #field ": " why};                                  \
        if (!(rule))                                                                                                   \
            return &refusal;                                                                                           \
    } while (0)

#define TRIP_REQUIRE_YEAR(type, field) TRIP_REQUIRE(type, c->field <= TRIP_YEAR, field, "must be at most one year")

#endif
