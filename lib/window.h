/*
 * Windows: of the last calls of a circuit, or of those that ended lately, how many failed and how many were slow, and
 * whether that is reason enough to open. Lock-free; exact for the last calls whatever the number of threads, and for a
 * time as soon as no call is in progress.
 *
 * Only the outcome of a call that was granted in the present epoch of its circuit is counted. Who counts looks first at
 * what he will swap, then at the circuit's word, and then swaps: if the circuit has moved on in between, and its windows
 * with it, the swap finds something else and fails.
 */
#ifndef TRIP_WINDOW_H
#define TRIP_WINDOW_H

#include "annex.h"
#include "word.h"

/* How a call ended: any of these, or neither. */
enum { TRIP_CALL_FAILED = 1, TRIP_CALL_SLOW = 2 };

/* The epoch of a circuit whose word lies there. */
typedef struct trip_present {
    const _Atomic uint64_t *word;
    uint64_t epoch;
} trip_present;

static inline bool trip_is_present(trip_present present)
{
    return trip_word_epoch(atomic_load_explicit(present.word, memory_order_acquire)) == present.epoch;
}

/* What a window holds. */
typedef struct trip_tally {
    uint64_t calls;
    uint64_t failures;
    uint64_t slow;
} trip_tally;

/* Whether so many of so many calls are too many. */
bool trip_window_is_over(trip_tally tally, const trip_window_rule *rule);

/* ---- The last calls ---------------------------------------------------------------------------------------------- */

/* Let the call be the last one. False: the epoch is over, and nothing was counted. */
bool trip_window_add_call(trip_windows *windows, const trip_policy *policy, trip_present present, unsigned outcome,
                          trip_tally *out_tally);

/* Before a circuit closes, by whoever wants to close it: what was counted since it closed last is forgotten. */
void trip_window_restart(trip_windows *windows, trip_present present);

/* For a new life of the place, which nobody shares yet. */
void trip_window_empty(trip_windows *windows);

/* ---- The calls of a time ----------------------------------------------------------------------------------------- */

/* The window moves in steps, which are numbered from the beginning of the tracker's clock. */

/* Count in a step that was, if it still belongs to the window that ends with the step `now`. */
void trip_window_add_bucket(trip_windows *windows, const trip_policy *policy, trip_present present, uint64_t now,
                            uint64_t step, trip_tally amount);

/* What was counted there in the steps up to `step`, that included. */
trip_tally trip_window_sum(trip_windows *windows, const trip_policy *policy, trip_present present, uint64_t step);

/* Whether a step belongs to the window that ends with another. */
static inline bool trip_window_has(const trip_policy *policy, uint64_t last, uint64_t step)
{
    return step <= last && last - step < policy->lately.size;
}

/* A mark that no other step of any epoch of any circuit has, but by a chance of one in 2^64. */
static inline uint64_t trip_window_mark(trip_present present, uint64_t step)
{
    return trip_annex_mark((const void *)present.word, present.epoch) + step;
}

#endif
