/*
 * A cell: the word of a circuit and what is counted about it. It has no pointers and no locks in it, so that it can
 * live in any memory that several threads or processes see. What it does with its word is word.h's business.
 */
#ifndef TRIP_CELL_H
#define TRIP_CELL_H

#include <stdatomic.h>
#include <stdint.h>

#if ATOMIC_LLONG_LOCK_FREE != 2
#error "libtrip needs 64-bit atomics without locks: a circuit is one 64-bit word"
#endif

/* What a permit slot counts (permit.h) and hands in to the cell. Granted permits are counted by the generations that
   the slot has gone through, and successes are the settlements that were nothing else. */
typedef enum trip_counter {
    TRIP_COUNT_FAILURES,
    TRIP_COUNT_DROPS,
    TRIP_COUNT_CANCELS,
    TRIP_COUNT_REJECTIONS,
    TRIP_COUNT_STALE,
    TRIP_COUNT_OPENS,
    TRIP_COUNTERS
} trip_counter;

typedef struct trip_cell {
    _Alignas(8) _Atomic uint64_t word;
    _Alignas(8) _Atomic uint64_t base_ns; /* the tracker's clock minus this is the circuit's own; fixed for its life */
    _Alignas(8) _Atomic uint64_t salt;    /* trip_word_salt of the key; fixed for its life */
    _Alignas(8) _Atomic uint64_t born;    /* the stamp of its first epoch; fixed for its life */
    _Alignas(8) _Atomic uint64_t settled; /* permits */
    _Alignas(8) _Atomic uint64_t lent;    /* permits out on the express lane, as their holders tell; may be negative */
    _Alignas(8) _Atomic uint64_t counts[TRIP_COUNTERS];
} trip_cell;

#endif
