/*
 * Permits: the slots in which they are granted and settled. A slot belongs to the thread that has it in its magazine
 * (magazine.h) until it is granted; from then on to whoever settles it, on any thread. Granting is a plain store of the
 * owner, settling one compare-and-swap: it makes the generation pass the handle's, so that a permit is settled once.
 *
 * A slot is bound to one circuit at a time and counts for it; binding it to another hands its counts in to the cell.
 */
#ifndef TRIP_PERMIT_H
#define TRIP_PERMIT_H

#include "cell.h"
#include "handle.h"
#include "pool.h"

#define TRIP_PERMITS_MAX (UINT32_C(1) << TRIP_PERMIT_SLOT_BITS)
#define TRIP_PERMIT_CHUNK_BITS 10 /* 1024 slots: 64 KiB */

typedef struct trip_permit_slot {
    trip_pool_link link;          /* in a pool or a magazine, while the slot is free */
    _Atomic uint32_t tracker_tag; /* low bits of the tracker's handle: is it still there? */
    _Atomic uint64_t word;        /* generation << 1 | 1 while granted, | 0 while free */
    _Atomic uint64_t circuit;     /* the handle it is bound to; 0: none yet */
    _Atomic uint64_t epoch;       /* in which it was granted */
    _Atomic uint64_t bound_at;    /* the generation when it was bound: what passed since are settled permits */
    _Atomic uint32_t counts[TRIP_COUNTERS];
} trip_permit_slot;

extern trip_pool trip_permits;
extern _Atomic(char *) trip_permit_chunks[TRIP_PERMITS_MAX >> TRIP_PERMIT_CHUNK_BITS];

/* The slot of a number that was taken from the pool once; and of any number below TRIP_PERMITS_MAX, or NULL. */
static inline trip_permit_slot *trip_permit_slot_at(uint32_t number)
{
    return trip_pool_made_slot(trip_permit_chunks, TRIP_PERMIT_CHUNK_BITS, sizeof(trip_permit_slot), number);
}

static inline trip_permit_slot *trip_permit_slot_if_any(uint32_t number)
{
    return trip_pool_slot(trip_permit_chunks, TRIP_PERMIT_CHUNK_BITS, sizeof(trip_permit_slot), number);
}

/* A slot and its number, which go together. */
typedef struct trip_numbered_slot {
    trip_permit_slot *slot;
    uint32_t number;
} trip_numbered_slot;

/* A free slot for nobody's use but the caller's, from the pool; if that is empty, from among the permits of trackers
   that are gone. TRIP_OK, TRIP_E_NOMEM or TRIP_E_CAPACITY. */
trip_status trip_permit_slot_take(uint32_t *out_slot);

#endif
