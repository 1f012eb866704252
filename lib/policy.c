/* Checks configs and turns them into policies. The only floating point of the library is here, and it needs no libm. */
#include "policy.h"

#include <float.h>
#include <stddef.h>

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define YEAR (UINT64_C(31536000) * SECOND) /* 365 days */

#define THRESHOLD_MAX ((UINT32_C(1) << 23) - 1) /* the word counts failures in 23 bits */
#define PROBES_MAX 63                           /* and probes in 6 */
#define CIRCUITS_MAX (UINT32_C(1) << 24)
#define LEASE_MIN (4 * MS) /* so that a quarter of it is a stamp */

void trip_policy_defaults(trip_config *out_config)
{
    *out_config = (trip_config){
        .struct_size = sizeof *out_config,
        .failure_threshold = 5,
        .initial_open_ns = 30 * SECOND,
        .max_open_ns = 300 * SECOND,
        .backoff_multiplier = 2.0,
        .backoff = TRIP_BACKOFF_FIRST,
        .half_open_max_probes = 1,
        .half_open_successes = 1,
        .on_drop = TRIP_DROP_FAILURE,
        .probe_lease_ns = 600 * SECOND,
        .probe_retry_ns = 50 * MS,
        .jitter = 0.0,
        .clock = TRIP_CLOCK_MONOTONIC,
        .max_circuits = 65536,
    };
}

const trip_refusal *trip_policy_check(const trip_config *c)
{
/* A comparison with NaN is false, so each rule says what must hold. */
#define REQUIRE(rule, field, why)                                                                                      \
    do {                                                                                                               \
        static const trip_refusal refusal = {offsetof(trip_config, field), #field ": " why};                           \
        if (!(rule))                                                                                                   \
            return &refusal;                                                                                           \
    } while (0)

    REQUIRE(c->failure_threshold >= 1 && c->failure_threshold <= THRESHOLD_MAX, failure_threshold,
            "must be 1 to 8388607");
    REQUIRE(c->initial_open_ns > 0, initial_open_ns, "must be above 0");
    REQUIRE(c->initial_open_ns <= YEAR, initial_open_ns, "must be at most one year");
    REQUIRE(c->max_open_ns <= YEAR, max_open_ns, "must be at most one year");
    REQUIRE(c->initial_open_ns <= c->max_open_ns, initial_open_ns, "must be at most max_open_ns");
    REQUIRE(c->backoff_multiplier >= 1.0 && c->backoff_multiplier <= DBL_MAX, backoff_multiplier,
            "must be finite and at least 1");
    REQUIRE(c->backoff <= TRIP_BACKOFF_COMPOUND, backoff, "must be TRIP_BACKOFF_FIRST or TRIP_BACKOFF_COMPOUND");
    REQUIRE(c->half_open_max_probes >= 1 && c->half_open_max_probes <= PROBES_MAX, half_open_max_probes,
            "must be 1 to 63");
    REQUIRE(c->half_open_successes >= 1 && c->half_open_successes <= PROBES_MAX, half_open_successes,
            "must be 1 to 63");
    REQUIRE(c->on_drop <= TRIP_DROP_CANCEL, on_drop, "must be TRIP_DROP_FAILURE or TRIP_DROP_CANCEL");
    REQUIRE(c->probe_lease_ns >= LEASE_MIN, probe_lease_ns, "must be at least 4 ms");
    REQUIRE(c->probe_lease_ns <= YEAR, probe_lease_ns, "must be at most one year");
    REQUIRE(c->probe_retry_ns <= YEAR, probe_retry_ns, "must be at most one year");
    REQUIRE(c->jitter >= 0.0 && c->jitter <= 1.0, jitter, "must be 0 to 1");
    REQUIRE(c->clock <= TRIP_CLOCK_MANUAL, clock, "must be TRIP_CLOCK_MONOTONIC or TRIP_CLOCK_MANUAL");
    REQUIRE(c->max_circuits >= 1 && c->max_circuits <= CIRCUITS_MAX, max_circuits, "must be 1 to 16777216");
    return NULL;
#undef REQUIRE
}

/* The period after `period`: to the nearest nanosecond, or what a double knows of it; never shorter, whatever it rounds
   to, and never past the cap: no multiplier is too large. */
static uint64_t next_period(uint64_t period, const trip_config *config)
{
    double grown = (double)period * config->backoff_multiplier + 0.5;
    if (grown >= (double)config->max_open_ns)
        return config->max_open_ns;
    return grown > (double)period ? (uint64_t)grown : period;
}

void trip_policy_make(const trip_config *config, trip_policy *out_policy)
{
    *out_policy = (trip_policy){
        .probe_lease_ns = config->probe_lease_ns,
        .probe_retry_ns = config->probe_retry_ns,
        .jitter = (uint64_t)(config->jitter * 4294967296.0),
        .failure_threshold = config->failure_threshold,
        .half_open_max_probes = config->half_open_max_probes,
        .half_open_successes = config->half_open_successes,
        .on_drop = config->on_drop,
        .clock = config->clock,
        .max_circuits = config->max_circuits,
    };
    out_policy->open_ns[0] = config->initial_open_ns;
    out_policy->open_ns[1] = next_period(config->initial_open_ns, config);
    for (int level = 2; level < TRIP_LEVELS; level++)
        out_policy->open_ns[level] = config->backoff == TRIP_BACKOFF_COMPOUND
                                         ? next_period(out_policy->open_ns[level - 1], config)
                                         : out_policy->open_ns[1];
}
