/* Which circuits there are, found by their places rather than by their names. Takes no lock, changes nothing. */
#ifndef TRIP_LISTING_H
#define TRIP_LISTING_H

#include "circuit.h"

/* The circuit of a tracker that lives in a place, with the life that it was found in; 0: none does. */
static inline trip_circuit trip_circuit_at(trip_tracker tracker, uint32_t slot, uint64_t *out_life)
{
    const trip_record *record = trip_record_at(slot);
    uint64_t life = atomic_load_explicit(&record->life, memory_order_acquire);
    bool is_it = (life & 1) != 0 && trip_record_tracker(record) == tracker &&
                 atomic_load_explicit(&record->life, memory_order_relaxed) == life;
    *out_life = life;
    return is_it ? trip_record_handle(life, slot) : 0;
}

#endif
