/* Backoff, as backoff.h describes it. */
#include "backoff.h"

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* By squaring, lowest bit first. From where a factor alone reaches the cap nothing is multiplied any more: no product
   overflows, which a program may have made a trap, however large attempt and multiplier are. Products are never added to
   anything: a processor that would do both at once, and round once, comes to the same. */
uint64_t trip_backoff_delay(const trip_retry_config *rule, uint32_t attempt)
{
    uint64_t base = rule->base_delay_ns, max = rule->max_delay_ns;
    if (base == 0 || base >= max || rule->multiplier <= 1)
        return lesser(base, max);
    double most = (double)max / (double)base, power = 1, factor = rule->multiplier;
    for (uint32_t times = attempt == 0 ? 0 : attempt - 1; times != 0; times >>= 1) {
        if (factor >= most)
            return max;
        if ((times & 1) != 0)
            power *= factor;
        factor *= factor;
    }
    double delay = (double)base * power;
    if (power <= 1 || delay >= (double)max)
        return power <= 1 ? base : max;
    uint64_t whole = (uint64_t)delay;
    return whole + (delay - (double)whole >= 0.5);
}

/* ---- Jitter ------------------------------------------------------------------------------------------------------ */

static uint64_t draw_between(uint64_t least, uint64_t most, trip_draws *draws)
{
    return least + trip_draw_up_to(draws, most - least);
}

static uint64_t decorrelated(const trip_retry_config *rule, uint64_t last_delay_ns, trip_draws *draws)
{
    uint64_t max = rule->max_delay_ns, least = lesser(rule->base_delay_ns, max);
    uint64_t last = greater(last_delay_ns, least);
    return draw_between(least, last <= max / 3 ? 3 * last : max, draws);
}

uint64_t trip_backoff_draw(const trip_retry_config *rule, uint32_t attempt, uint64_t last_delay_ns, trip_draws *draws)
{
    if (rule->jitter == TRIP_JITTER_DECORRELATED)
        return decorrelated(rule, last_delay_ns, draws);
    uint64_t delay = trip_backoff_delay(rule, attempt);
    if (rule->jitter == TRIP_JITTER_FULL)
        return draw_between(0, delay, draws);
    if (rule->jitter == TRIP_JITTER_EQUAL)
        return draw_between(delay - delay / 2, delay, draws);
    return delay;
}
