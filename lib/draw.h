/*
 * Draws: random numbers for jitter and for choices, not for secrets. The n-th draw is SplitMix64's: trip_mix(seed + n *
 * 0x9E3779B97F4A7C15), so that threads draw from one sequence by one addition each (Steele, Lea, Flood, OOPSLA 2014).
 * Takes no lock and waits for nobody.
 */
#ifndef TRIP_DRAW_H
#define TRIP_DRAW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct trip_draws {
    _Atomic uint64_t state;
    _Atomic bool is_foreseen; /* a caller has given the seed, to have the same numbers everywhere */
} trip_draws;

/* Begin a sequence; of seed 0 one that nobody can foresee. False: the system gave no random numbers. */
bool trip_draws_begin(trip_draws *draws, uint64_t seed);

/* In the child of a fork: what nobody can foresee is another sequence than the parent's. */
void trip_draws_after_fork(trip_draws *draws);

uint64_t trip_draw(trip_draws *draws);

/* Anything from 0 to `most`, each as likely but for a share of most / 2^64: the upper half of a product (Lemire, Fast
   Random Integer Generation in an Interval, ACM TOMACS 2019, without its second draw). */
uint64_t trip_draw_up_to(trip_draws *draws, uint64_t most);

#endif
