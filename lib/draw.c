/* Draws, as draw.h describes them. */
#include "draw.h"

#include "entropy.h"
#include "mix.h"
#include "wide.h"

#include <unistd.h>

#define GAMMA UINT64_C(0x9E3779B97F4A7C15) /* odd, so that all states come before one comes again */

bool trip_draws_begin(trip_draws *draws, uint64_t seed)
{
    uint64_t state = seed;
    if (seed == 0 && !trip_entropy(&state, sizeof state))
        return false;
    atomic_store_explicit(&draws->state, state, memory_order_relaxed);
    atomic_store_explicit(&draws->is_foreseen, seed != 0, memory_order_relaxed);
    return true;
}

/* Nobody is there to be told that the system has no more random numbers: then the number of the process has to do. */
void trip_draws_after_fork(trip_draws *draws)
{
    uint64_t state;
    if (atomic_load_explicit(&draws->is_foreseen, memory_order_relaxed))
        return;
    if (!trip_entropy(&state, sizeof state))
        state = trip_mix(atomic_load_explicit(&draws->state, memory_order_relaxed) + (uint64_t)getpid());
    atomic_store_explicit(&draws->state, state, memory_order_relaxed);
}

uint64_t trip_draw(trip_draws *draws)
{
    return trip_mix(atomic_fetch_add_explicit(&draws->state, GAMMA, memory_order_relaxed) + GAMMA);
}

uint64_t trip_draw_up_to(trip_draws *draws, uint64_t most)
{
    uint64_t drawn = trip_draw(draws);
    return most == UINT64_MAX ? drawn : trip_multiply_high(drawn, most + 1);
}
