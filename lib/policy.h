/*
 * A policy: a trip_config that has been checked and turned into the integers that the state machine works with. Plain
 * data, never changed once made. Making one may fail; using one cannot.
 */
#ifndef TRIP_POLICY_H
#define TRIP_POLICY_H

#include "trip.h"

#define TRIP_LEVELS 32 /* backoff levels; the word keeps five bits of them */

typedef struct trip_policy {
    uint64_t open_ns[TRIP_LEVELS]; /* the open period at each level, before jitter */
    uint64_t probe_lease_ns;
    uint64_t probe_retry_ns;
    uint64_t jitter; /* in 1/2^32: 0 is none, 2^32 stretches by up to the whole period */
    uint32_t failure_threshold;
    uint32_t half_open_max_probes;
    uint32_t half_open_successes;
    uint32_t on_drop;
    uint32_t clock;
    uint32_t max_circuits;
} trip_policy;

/* The first field of `config` that is out of range and why, or NULL when all are well. */
typedef struct trip_refusal {
    uint32_t field_offset;
    const char *why;
} trip_refusal;

void trip_policy_defaults(trip_config *out_config);
const trip_refusal *trip_policy_check(const trip_config *config);

/* `config` must have passed the check. */
void trip_policy_make(const trip_config *config, trip_policy *out_policy);

#endif
