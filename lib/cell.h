/*
 * A cell: the word of a circuit and what is counted about it. It has no pointers and no locks in it, so that it can
 * live in any memory that several threads or processes see. What it does with its word is word.h's business.
 *
 * A counter carries the low bits of its circuit's generation, and an addition succeeds only under the same: what
 * somebody adds too late, for a circuit that is gone, cannot reach the one that has its place.
 */
#ifndef TRIP_CELL_H
#define TRIP_CELL_H

#include <stdatomic.h>
#include <stdint.h>

#if ATOMIC_LLONG_LOCK_FREE != 2
#error "libtrip needs 64-bit atomics without locks: a circuit is one 64-bit word"
#endif

/* What is counted of a circuit. Successes are the permits that neither ended otherwise nor are out. */
typedef enum trip_counter {
    TRIP_COUNT_PERMITS,
    TRIP_COUNT_OUT, /* permits out that no thread has in a slot of its own; below zero in a part of the sum */
    TRIP_COUNT_FAILURES,
    TRIP_COUNT_DROPS,
    TRIP_COUNT_CANCELS,
    TRIP_COUNT_REJECTIONS,
    TRIP_COUNT_STALE,
    TRIP_COUNT_OPENS,
    TRIP_COUNTERS
} trip_counter;

#define TRIP_COUNT_BITS 48 /* counts are modulo 2^48; above them 16 bits of the generation */

typedef struct trip_cell {
    _Alignas(8) _Atomic uint64_t word;
    _Alignas(8) _Atomic uint64_t counts[TRIP_COUNTERS];
    _Alignas(8) _Atomic uint64_t
        base_ns; /* the tracker's clock minus this is the circuit's own, which is only put forward */
} trip_cell;

static inline uint64_t trip_count_tag(uint64_t generation)
{
    return generation << TRIP_COUNT_BITS;
}

static inline uint64_t trip_count_value(uint64_t count)
{
    return count & ((UINT64_C(1) << TRIP_COUNT_BITS) - 1);
}

/* Add to a count of the life that `generation` names, or to nothing when its place has gone on to another. */
static inline void trip_count_add(_Atomic uint64_t *place, uint64_t generation, uint64_t amount)
{
    uint64_t tag = trip_count_tag(generation);
    uint64_t count = atomic_load_explicit(place, memory_order_relaxed);
    while ((count ^ tag) >> TRIP_COUNT_BITS == 0 &&
           !atomic_compare_exchange_weak_explicit(place, &count, tag | trip_count_value(count + amount),
                                                  memory_order_release, memory_order_relaxed))
        ;
}

static inline void trip_cell_add(trip_cell *cell, uint64_t generation, trip_counter counter, uint64_t amount)
{
    trip_count_add(&cell->counts[counter], generation, amount);
}

#endif
