/* Limits that follow the calls, as limit.h describes them. */
#include "limit.h"

#include "refusal.h"

#include <string.h>

#define ONE ((double)(UINT64_C(1) << TRIP_LIMIT_POINT))

bool trip_limit_times(const trip_limit_rule *rule)
{
    return rule->adapt == TRIP_ADAPT_GRADIENT || (rule->adapt == TRIP_ADAPT_AIMD && rule->latency_ns != 0);
}

static double clamp(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

/* Bit by bit, from the highest: limits are up to 2^20. */
static uint32_t root(uint32_t square)
{
    uint32_t found = 0;
    for (uint32_t bit = UINT32_C(1) << 10; bit != 0; bit >>= 1)
        if ((found | bit) * (found | bit) <= square)
            found |= bit;
    return found;
}

static double aimd(const trip_limit_rule *rule, uint32_t limit, const trip_limit_sample *sample)
{
    bool in_time = rule->latency_ns == 0 || sample->took_ns <= rule->latency_ns;
    if (sample->failed || !in_time)
        return (double)(uint32_t)(limit * rule->decrease);
    bool is_needed = (uint64_t)sample->depth * 2 >= limit; /* else more would change nothing */
    return (double)limit + is_needed;
}

static double gradient(const trip_limit_rule *rule, double limit, const trip_limit_sample *sample)
{
    if (!sample->failed && sample->depth < limit / 2)
        return limit;
    double took = sample->took_ns == 0 ? 1.0 : (double)sample->took_ns;
    double slope = sample->failed ? 0.5 : clamp(rule->tolerance * (double)sample->average_ns / took, 0.5, 1.0);
    double wanted = limit * slope + root((uint32_t)limit);
    return limit + (wanted - limit) * rule->smoothing;
}

uint64_t trip_limit_after(const trip_limit_rule *rule, uint64_t limit, const trip_limit_sample *sample)
{
    double next = (double)limit / ONE;
    if (rule->adapt == TRIP_ADAPT_AIMD)
        next = aimd(rule, trip_limit_whole(limit), sample);
    else if (rule->adapt == TRIP_ADAPT_GRADIENT)
        next = gradient(rule, next, sample);
    return (uint64_t)(clamp(next, rule->min_limit, rule->max_limit) * ONE);
}

/* ---- Averages ---------------------------------------------------------------------------------------------------- */

#define COUNT UINT64_C(15)
#define FIRST 10   /* whose mean it is */
#define WINDOW 600 /* and of how many it speaks in the long run: a weight of 2 / (WINDOW + 1), as is usual */

static double value_of(uint64_t average)
{
    double value;
    average &= ~COUNT;
    memcpy(&value, &average, sizeof value);
    return value;
}

static uint64_t kept(double value, uint64_t count)
{
    uint64_t average;
    memcpy(&average, &value, sizeof average);
    return (average & ~COUNT) | count;
}

uint64_t trip_latency_after(uint64_t average, uint64_t took_ns)
{
    uint64_t count = average & COUNT;
    double value = value_of(average);
    double took = (double)(took_ns < TRIP_YEAR ? took_ns : TRIP_YEAR);
    value += (took - value) * (count < FIRST ? 1.0 / (double)(count + 1) : 2.0 / (WINDOW + 1));
    if (value > 2 * took)
        value *= 0.9;
    return kept(value, count < FIRST ? count + 1 : count);
}

uint64_t trip_latency_ns(uint64_t average)
{
    return (uint64_t)value_of(average);
}
