/* Checks configs and turns them into policies. The only floating point of circuits is here, and it needs no libm. */
#include "policy.h"

#include <float.h>
#include <stddef.h>

#define MS UINT64_C(1000000)
#define SECOND TRIP_NS_PER_SECOND

#define THRESHOLD_MAX ((UINT32_C(1) << 23) - 1) /* the word counts failures in 23 bits */
#define PROBES_MAX 63                           /* and probes in 6 */
#define CIRCUITS_MAX (UINT32_C(1) << 24)
#define LEASE_MIN (4 * MS) /* so that a quarter of it is a stamp */
#define WINDOW_MAX 2047    /* a window counts in 11 bits */
#define BUCKETS_MAX 64
#define BUCKET_MIN (10 * MS)            /* above two ticks of the coarse clock, which most kernels have at 4 ms */
#define HANGING_MAX (UINT32_C(1) << 20) /* as many permits as there are */
#define STEPS_MAX 100

const trip_config trip_policy_defaults = {
    .struct_size = sizeof trip_policy_defaults,
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
    .on_auth = TRIP_EFFECT_SUCCESS,
    .on_invalid_request = TRIP_EFFECT_SUCCESS,
    .on_context_overflow = TRIP_EFFECT_SUCCESS,
    .on_not_found = TRIP_EFFECT_SUCCESS,
    .on_content_filtered = TRIP_EFFECT_SUCCESS,
    .on_cancelled = TRIP_EFFECT_NOTHING,
    .on_unknown = TRIP_EFFECT_NOTHING,
    .quota_open_ns = 600 * SECOND,
    .max_retry_after_ns = 3600 * SECOND,
    .count_minimum = 10,
    .count_failure_ratio = 0.5,
    .time_buckets = 10,
    .time_minimum = 10,
    .time_failure_ratio = 0.5,
    .ramp_steps = 4,
};

#define REQUIRE(rule, field, why) TRIP_REQUIRE(trip_config, rule, field, why)
#define REQUIRE_EFFECT(field)                                                                                          \
    REQUIRE(c->field <= TRIP_EFFECT_NOTHING, field,                                                                    \
            "must be TRIP_EFFECT_FAILURE, TRIP_EFFECT_SUCCESS or TRIP_EFFECT_NOTHING")
#define REQUIRE_RATIO(field) REQUIRE(c->field >= 0.0 && c->field <= 1.0, field, "must be 0 to 1")
#define REQUIRE_YEAR(field) TRIP_REQUIRE_YEAR(trip_config, field)

static const trip_refusal *check_outcomes(const trip_config *c)
{
    REQUIRE_EFFECT(on_server_error);
    REQUIRE_EFFECT(on_rate_limited);
    REQUIRE_EFFECT(on_overloaded);
    REQUIRE_EFFECT(on_network);
    REQUIRE_EFFECT(on_timeout);
    REQUIRE_EFFECT(on_quota);
    REQUIRE_EFFECT(on_auth);
    REQUIRE_EFFECT(on_invalid_request);
    REQUIRE_EFFECT(on_context_overflow);
    REQUIRE_EFFECT(on_not_found);
    REQUIRE_EFFECT(on_content_filtered);
    REQUIRE_EFFECT(on_cancelled);
    REQUIRE_EFFECT(on_unknown);
    REQUIRE(c->quota_open_ns > 0, quota_open_ns, "must be above 0");
    REQUIRE_YEAR(quota_open_ns);
    REQUIRE_YEAR(max_retry_after_ns);
    return NULL;
}

static const trip_refusal *check_windows(const trip_config *c)
{
    REQUIRE_YEAR(slow_call_ns);
    REQUIRE(c->count_window <= WINDOW_MAX, count_window, "must be at most 2047");
    REQUIRE(c->count_minimum >= 1, count_minimum, "must be above 0");
    REQUIRE(c->count_window == 0 || c->count_minimum <= c->count_window, count_minimum, "must be at most count_window");
    REQUIRE_RATIO(count_failure_ratio);
    REQUIRE_RATIO(count_slow_ratio);
    REQUIRE(c->count_slow_ratio == 0 || c->slow_call_ns > 0, count_slow_ratio, "needs slow_call_ns");
    REQUIRE_YEAR(time_window_ns);
    REQUIRE(c->time_buckets >= 1 && c->time_buckets <= BUCKETS_MAX, time_buckets, "must be 1 to 64");
    REQUIRE(c->time_window_ns == 0 || c->time_window_ns / c->time_buckets >= BUCKET_MIN, time_window_ns,
            "must be at least 10 ms for each of time_buckets");
    REQUIRE(c->time_minimum >= 1, time_minimum, "must be above 0");
    REQUIRE_RATIO(time_failure_ratio);
    REQUIRE_RATIO(time_slow_ratio);
    REQUIRE(c->time_slow_ratio == 0 || c->slow_call_ns > 0, time_slow_ratio, "needs slow_call_ns");
    REQUIRE_YEAR(hang_ns);
    REQUIRE(c->hang_calls <= HANGING_MAX, hang_calls, "must be at most 1048576");
    REQUIRE(c->hang_calls == 0 || c->hang_ns > 0, hang_ns, "must be above 0 where hang_calls is");
    REQUIRE_YEAR(stall_ns);
    return NULL;
}

static const trip_refusal *check_recovery(const trip_config *c)
{
    REQUIRE(c->half_open_probes == 0 || c->half_open_probes == c->half_open_successes ||
                (c->half_open_probes > c->half_open_successes && c->half_open_probes <= TRIP_TALLIED_PROBES_MAX),
            half_open_probes, "must be 0, or at least half_open_successes and at most 15");
    REQUIRE(c->ramp_steps >= 1 && c->ramp_steps <= STEPS_MAX, ramp_steps, "must be 1 to 100");
    REQUIRE_YEAR(ramp_ns);
    return NULL;
}

static const trip_refusal *check_circuits(const trip_config *c)
{
    REQUIRE(c->failure_threshold >= 1 && c->failure_threshold <= THRESHOLD_MAX, failure_threshold,
            "must be 1 to 8388607");
    REQUIRE(c->initial_open_ns > 0, initial_open_ns, "must be above 0");
    REQUIRE_YEAR(initial_open_ns);
    REQUIRE_YEAR(max_open_ns);
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
    REQUIRE_YEAR(probe_lease_ns);
    REQUIRE_YEAR(probe_retry_ns);
    REQUIRE(c->jitter >= 0.0 && c->jitter <= 1.0, jitter, "must be 0 to 1");
    REQUIRE(c->clock <= TRIP_CLOCK_MANUAL, clock, "must be TRIP_CLOCK_MONOTONIC or TRIP_CLOCK_MANUAL");
    REQUIRE(c->max_circuits >= 1 && c->max_circuits <= CIRCUITS_MAX, max_circuits, "must be 1 to 16777216");
    return NULL;
}

const trip_refusal *trip_policy_check(const trip_config *config)
{
    static const trip_refusal *(*const checks[])(const trip_config *) = {check_circuits, check_outcomes, check_windows,
                                                                         check_recovery};
    const trip_refusal *refusal = NULL;
    for (size_t i = 0; i < sizeof checks / sizeof *checks && refusal == NULL; i++)
        refusal = checks[i](config);
    return refusal;
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

static uint64_t share(double ratio)
{
    return (uint64_t)(ratio * (double)TRIP_SHARE_ONE);
}

static uint32_t effects_of(const trip_config *c)
{
    const uint32_t effects[TRIP_CLASSES] = {
        [TRIP_CLASS_SUCCESS] = TRIP_EFFECT_SUCCESS,
        [TRIP_CLASS_SERVER_ERROR] = c->on_server_error,
        [TRIP_CLASS_RATE_LIMITED] = c->on_rate_limited,
        [TRIP_CLASS_OVERLOADED] = c->on_overloaded,
        [TRIP_CLASS_NETWORK] = c->on_network,
        [TRIP_CLASS_TIMEOUT] = c->on_timeout,
        [TRIP_CLASS_QUOTA] = c->on_quota,
        [TRIP_CLASS_AUTH] = c->on_auth,
        [TRIP_CLASS_INVALID_REQUEST] = c->on_invalid_request,
        [TRIP_CLASS_CONTEXT_OVERFLOW] = c->on_context_overflow,
        [TRIP_CLASS_NOT_FOUND] = c->on_not_found,
        [TRIP_CLASS_CONTENT_FILTERED] = c->on_content_filtered,
        [TRIP_CLASS_CANCELLED] = c->on_cancelled,
        [TRIP_CLASS_UNKNOWN] = c->on_unknown,
    };
    uint32_t packed = 0;
    for (uint32_t class = 0; class < TRIP_CLASSES; class ++)
        packed |= effects[class] << (2 * class);
    return packed;
}

/* Of calls: one that is too small for its digits is not none, which 0 stands for. */
static uint64_t share_of_calls(double ratio)
{
    return ratio > 0 && share(ratio) == 0 ? 1 : share(ratio);
}

/* A window that no share of calls can open is none. */
static trip_window_rule rule_of(uint32_t size, uint32_t minimum, double failure_ratio, double slow_ratio)
{
    bool judges = failure_ratio > 0 || slow_ratio > 0;
    return (trip_window_rule){share_of_calls(failure_ratio), share_of_calls(slow_ratio), judges ? size : 0, minimum};
}

void trip_policy_make(const trip_config *config, trip_policy *out_policy)
{
    *out_policy = (trip_policy){
        .probe_lease_ns = config->probe_lease_ns,
        .probe_retry_ns = config->probe_retry_ns,
        .jitter = share(config->jitter),
        .failure_threshold = config->failure_threshold,
        .half_open_max_probes = config->half_open_max_probes,
        .half_open_successes = config->half_open_successes,
        .on_drop = config->on_drop,
        .clock = config->clock,
        .max_circuits = config->max_circuits,
        .effects = effects_of(config),
        .half_open_probes = config->half_open_probes != 0 ? config->half_open_probes : config->half_open_successes,
        .quota_open_ns = config->quota_open_ns,
        .max_retry_after_ns = config->max_retry_after_ns,
        .slow_call_ns = config->slow_call_ns,
        .last_calls =
            rule_of(config->count_window, config->count_minimum, config->count_failure_ratio, config->count_slow_ratio),
        .lately = rule_of(config->time_window_ns != 0 ? config->time_buckets : 0, config->time_minimum,
                          config->time_failure_ratio, config->time_slow_ratio),
        .bucket_ns = config->time_window_ns != 0 ? config->time_window_ns / config->time_buckets : 1, /* see policy.h */
        .hang_ns = config->hang_ns,
        .ramp_ns = config->ramp_ns,
        .stall_ns = config->stall_ns,
        .hang_calls = config->hang_calls,
        .ramp_steps = config->ramp_steps,
    };
    out_policy->open_ns[0] = config->initial_open_ns;
    out_policy->open_ns[1] = next_period(config->initial_open_ns, config);
    for (int level = 2; level < TRIP_LEVELS; level++)
        out_policy->open_ns[level] = config->backoff == TRIP_BACKOFF_COMPOUND
                                         ? next_period(out_policy->open_ns[level - 1], config)
                                         : out_policy->open_ns[1];
}
