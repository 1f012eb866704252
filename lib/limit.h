/*
 * Limits that follow the calls: how many may be in progress, after one has ended. The formulas are those of Netflix's
 * concurrency-limits (AIMDLimit, Gradient2Limit; Landau, Thurston and Bozarth, Performance Under Load, 2018). Arithmetic
 * only, without libm: no clock, no memory that anybody shares.
 *
 *   AIMD       a failure, or a call that took too long:   limit * decrease
 *              else, of at least half of the limit:       limit + 1
 *   gradient   g = clamp(tolerance * average / took, 0.5, 1); after a failure 0.5
 *              of at least half of the limit, and after a failure:
 *                                                         limit + (limit * g + sqrt(limit) - limit) * smoothing
 *
 * A limit has 32 bits behind the point, an average latency is a double with a count in its last bits: each is one word,
 * so that whoever keeps one can replace it at once.
 */
#ifndef TRIP_LIMIT_H
#define TRIP_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define TRIP_LIMIT_POINT 32

typedef struct trip_limit_rule {
    uint32_t adapt; /* TRIP_ADAPT_* */
    uint32_t min_limit;
    uint32_t max_limit;
    uint64_t latency_ns; /* 0: any is well */
    double decrease;
    double tolerance;
    double smoothing;
} trip_limit_rule;

/* How a call went. */
typedef struct trip_limit_sample {
    uint32_t depth; /* calls in progress, this one included */
    bool failed;
    uint64_t took_ns;    /* where the rule asks for it */
    uint64_t average_ns; /* gradient: how long calls take in the long run */
} trip_limit_sample;

/* Whether the rule asks how long calls take. */
bool trip_limit_times(const trip_limit_rule *rule);

uint64_t trip_limit_after(const trip_limit_rule *rule, uint64_t limit, const trip_limit_sample *sample);

static inline uint32_t trip_limit_whole(uint64_t limit)
{
    return (uint32_t)(limit >> TRIP_LIMIT_POINT);
}

/* The average after one more call; it begins as 0, and is the mean of the first ten. One that is more than double of what
   calls take now falls faster, as after an outage. */
uint64_t trip_latency_after(uint64_t average, uint64_t took_ns);
uint64_t trip_latency_ns(uint64_t average);

#endif
