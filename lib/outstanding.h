/* Permits that are out: found by their handles, and asked whether they still are. */
#ifndef TRIP_OUTSTANDING_H
#define TRIP_OUTSTANDING_H

#include "permit.h"
#include "tracker.h"
#include "word.h"

/* As its slot says. */
typedef struct trip_outstanding {
    trip_permit_slot *slot;
    uint64_t word;
    uint64_t epoch;
    trip_circuit circuit;
    uint64_t granted_at;
    uint32_t tracker_tag;
} trip_outstanding;

static inline trip_status trip_outstanding_find(trip_permit permit, trip_outstanding *out)
{
    if (!trip_handle_is(permit, TRIP_KIND_PERMIT))
        return TRIP_E_HANDLE;
    trip_permit_slot *slot = trip_permit_slot_if_any(trip_permit_number(permit));
    if (slot == NULL)
        return TRIP_E_HANDLE;
    uint64_t granted = atomic_load_explicit(&slot->granted, memory_order_acquire);
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
    if (granted < permit) /* so of a later generation, for they agree in kind and number */
        return TRIP_E_HANDLE;
    if (granted != permit || !trip_permit_is_out(word, granted))
        return TRIP_E_CONSUMED;
    out->slot = slot;
    out->word = word;
    out->epoch = trip_word_epoch(atomic_load_explicit(&slot->bare, memory_order_acquire));
    out->circuit = atomic_load_explicit(&slot->circuit, memory_order_acquire);
    out->granted_at = atomic_load_explicit(&slot->granted_at, memory_order_acquire);
    out->tracker_tag = atomic_load_explicit(&slot->tracker_tag, memory_order_relaxed);
    return TRIP_OK;
}

/* Whether it still was when all was read about it: only then does what was read belong together. */
static inline bool trip_outstanding_still(const trip_outstanding *permit)
{
    uint64_t word = atomic_load_explicit(&permit->slot->word, memory_order_acquire);
    return ((word ^ permit->word) & ~TRIP_PERMIT_SPARE) == 0;
}

/* What to say of one whose circuit is gone: evicted, or destroyed with its tracker. */
static inline trip_status trip_outstanding_gone(const trip_outstanding *permit)
{
    return trip_tracker_tag_lives(permit->tracker_tag) ? TRIP_STALE : TRIP_E_HANDLE;
}

#endif
