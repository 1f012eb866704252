/*
 * A policy: a trip_config that has been checked and turned into the integers that the state machine works with. Plain
 * data, never changed once made. Making one may fail; using one cannot.
 */
#ifndef TRIP_POLICY_H
#define TRIP_POLICY_H

#include "refusal.h"

#include <stdbool.h>

#define TRIP_LEVELS 32 /* backoff levels; the word keeps five bits of them */

#define TRIP_CLASSES 14
#define TRIP_SHARE_ONE (UINT64_C(1) << 32) /* shares are in 1/2^32 */

/* When the calls in a window open a circuit. */
typedef struct trip_window_rule {
    uint64_t failure_share; /* of them failed; 0: never */
    uint64_t slow_share;    /* were slow; 0: never */
    uint32_t size;          /* calls, or buckets; 0: no window */
    uint32_t minimum;       /* calls, before which nothing is judged */
} trip_window_rule;

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
    uint32_t effects;          /* TRIP_EFFECT_* of each class, two bits each */
    uint32_t half_open_probes; /* at most so many of them; half_open_successes: none may fail */
    uint64_t quota_open_ns;
    uint64_t max_retry_after_ns;
    uint64_t slow_call_ns; /* 0: no call is slow, as with the others */
    trip_window_rule last_calls;
    trip_window_rule lately;
    uint64_t bucket_ns; /* of the latter; never 0, for who divides by it may have parts of two trackers' policies */
    uint64_t hang_ns;
    uint64_t ramp_ns;
    uint64_t stall_ns;
    uint32_t hang_calls;
    uint32_t ramp_steps;
} trip_policy;

/* Whether a circuit needs more than its word: it has no express lane then. */
static inline bool trip_policy_is_slow(const trip_policy *policy)
{
    return policy->last_calls.size != 0 || policy->lately.size != 0 || policy->hang_calls != 0 ||
           policy->ramp_ns != 0 || policy->stall_ns != 0;
}

/* Whether a circuit by it has something in an annex from the beginning. */
static inline bool trip_policy_needs_annex(const trip_policy *policy)
{
    return trip_policy_is_slow(policy) || policy->jitter != 0;
}

/* Whether it asks how long calls take or have taken. */
static inline bool trip_policy_times_calls(const trip_policy *policy)
{
    return policy->slow_call_ns != 0 || policy->hang_calls != 0 || policy->stall_ns != 0;
}

#define TRIP_TALLIED_PROBES_MAX 15 /* where probes may fail, the word counts them in 4 bits */

static inline uint32_t trip_policy_effect(const trip_policy *policy, uint32_t class)
{
    return policy->effects >> (2 * class) & 3;
}

extern const trip_config trip_policy_defaults;

/* The first field of `config` that is out of range and why, or NULL when all are well. */
const trip_refusal *trip_policy_check(const trip_config *config);

/* `config` must have passed the check. */
void trip_policy_make(const trip_config *config, trip_policy *out_policy);

#endif
