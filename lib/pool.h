/*
 * Type-stable memory: numbered slots of one size, in chunks that are never unmapped or moved, so that any number may be
 * looked at at any time. Taking and giving back are lock-free. A pool knows nothing of what lives in its slots except
 * that each begins with a trip_pool_link, and that a slot which was never taken is all zero.
 */
#ifndef TRIP_POOL_H
#define TRIP_POOL_H

#include "trip.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Free slots are linked through this; whoever has taken a slot may use it to link slots of its own. 0: none, else the
   number of the next slot, plus one. */
typedef _Atomic uint32_t trip_pool_link;

typedef struct trip_pool {
    size_t slot_size;
    uint32_t slots_max;
    unsigned chunk_bits; /* log2 of the slots in a chunk */
    _Atomic(char *) *chunks;
    _Atomic uint32_t made; /* slots that were ever taken */
    _Atomic uint64_t free; /* a count that makes each head unique << 32 | link to the first free slot */
} trip_pool;

/* A pool, as a static initializer. `chunks` has (slots_max >> chunk_bits) elements. */
#define TRIP_POOL(size, max, bits, chunk_array)                                                                        \
    {                                                                                                                  \
        .slot_size = (size), .slots_max = (max), .chunk_bits = (bits), .chunks = (chunk_array)                         \
    }

/* TRIP_OK, TRIP_E_NOMEM or, with all slots taken, TRIP_E_CAPACITY. */
trip_status trip_pool_take(trip_pool *pool, uint32_t *out_slot);

/* As many that were never taken, one after the other in memory, and no others in the same piece of that size. `count` is
   a power of two, at most a chunk. */
trip_status trip_pool_take_run(trip_pool *pool, uint32_t count, uint32_t *out_first);

void trip_pool_give(trip_pool *pool, uint32_t slot);

/* The memory of a slot that was made. */
static inline void *trip_pool_made_slot(_Atomic(char *) *chunks, unsigned chunk_bits, size_t slot_size, uint32_t slot)
{
    char *chunk = atomic_load_explicit(&chunks[slot >> chunk_bits], memory_order_acquire);
    return chunk + (slot & ((UINT32_C(1) << chunk_bits) - 1)) * slot_size;
}

/* The memory of any slot below slots_max; NULL where there is none yet. */
static inline void *trip_pool_slot(_Atomic(char *) *chunks, unsigned chunk_bits, size_t slot_size, uint32_t slot)
{
    if (atomic_load_explicit(&chunks[slot >> chunk_bits], memory_order_relaxed) == NULL)
        return NULL;
    return trip_pool_made_slot(chunks, chunk_bits, slot_size, slot);
}

static inline void *trip_pool_at(const trip_pool *pool, uint32_t slot)
{
    return trip_pool_slot(pool->chunks, pool->chunk_bits, pool->slot_size, slot);
}

/* Free slots that somebody has taken and keeps at hand, through their links. Stores are ordered so that a fork finds a
   sound list: a slot is lost at worst. */
typedef struct trip_spares {
    trip_pool_link first;
    uint32_t count;
} trip_spares;

/* The link to the first of them; 0: there is none. */
static inline uint32_t trip_spares_first(const trip_spares *spares)
{
    return atomic_load_explicit(&spares->first, memory_order_relaxed);
}

/* Take the first of them, which is this. */
static inline void trip_spares_take(trip_spares *spares, const trip_pool_link *first)
{
    atomic_store_explicit(&spares->first, atomic_load_explicit(first, memory_order_relaxed), memory_order_release);
    spares->count--;
}

static inline void trip_spares_put(trip_spares *spares, trip_pool_link *link, uint32_t slot)
{
    atomic_store_explicit(link, trip_spares_first(spares), memory_order_relaxed);
    atomic_store_explicit(&spares->first, slot + 1, memory_order_release);
    spares->count++;
}

/* Slots below this number have memory; those above were never taken. */
static inline uint32_t trip_pool_made(const trip_pool *pool)
{
    return atomic_load_explicit(&pool->made, memory_order_acquire);
}

#endif
