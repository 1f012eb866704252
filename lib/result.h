/* What a function returned, whether a guard's rule takes that for a failure, and what a caller gets in its place. Makes no
   calls and keeps nothing. */
#ifndef TRIP_RESULT_H
#define TRIP_RESULT_H

#include "signature.h"

/* The member that its type names is there, exactly as wide as the type; every other is not. */
typedef union trip_result {
    int8_t int8;
    uint8_t uint8;
    int16_t int16;
    uint16_t uint16;
    int32_t int32;
    uint32_t uint32;
    int64_t int64;
    uint64_t uint64;
    float float32;
    double float64;
    void *pointer;
} trip_result;

/* [bytes] 0 for void. */
size_t trip_type_size(trip_type type);

/* Whether results of this type can be judged by this TRIP_RULE_*. */
bool trip_rule_fits(uint32_t rule, trip_type type);

/* Whether a rule other than TRIP_RULE_CLASSIFIER, which fits, takes the result for a failure. A NaN is not below 0, and
   is not 0. */
bool trip_rule_fails(uint32_t rule, trip_type type, const trip_result *result);

/* What stands in for the result when the circuit refuses. */
trip_result trip_result_refused(trip_type type, const trip_guard_config *config);

#endif
