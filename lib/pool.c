/* Slots: a stack of those given back and, when it is empty, the next one that was never used. See pool.h. */
#include "pool.h"

#include "alloc.h"

#include <stdbool.h>

static trip_pool_link *link_of(const trip_pool *pool, uint32_t slot)
{
    return trip_pool_at(pool, slot);
}

static uint64_t head_after(uint64_t head, uint32_t link)
{
    return ((head >> 32) + 1) << 32 | link;
}

void trip_pool_give(trip_pool *pool, uint32_t slot)
{
    trip_pool_link *link = link_of(pool, slot);
    uint64_t head = atomic_load_explicit(&pool->free, memory_order_relaxed);
    do
        atomic_store_explicit(link, (uint32_t)head, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&pool->free, &head, head_after(head, slot + 1), memory_order_release,
                                                  memory_order_relaxed));
}

static bool take_free(trip_pool *pool, uint32_t *out_slot)
{
    uint64_t head = atomic_load_explicit(&pool->free, memory_order_acquire);
    while ((uint32_t)head != 0) {
        uint32_t slot = (uint32_t)head - 1;
        uint32_t next = atomic_load_explicit(link_of(pool, slot), memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&pool->free, &head, head_after(head, next), memory_order_acq_rel,
                                                  memory_order_acquire)) {
            *out_slot = slot;
            return true;
        }
    }
    return false;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

#define REGION (2 * TRIP_HUGE_PAGE)

static bool place_chunk(const trip_pool *pool, uint32_t number, char *chunk)
{
    char *expected = NULL;
    return atomic_compare_exchange_strong_explicit(&pool->chunks[number], &expected, chunk, memory_order_acq_rel,
                                                   memory_order_acquire);
}

/* Many chunks at once, on huge pages: in a large pool slots are met at random, and finding the page of one would take
   as long as reading it. False: there is no memory for so many. */
static bool bring_region(const trip_pool *pool, uint32_t number)
{
    char *region = trip_map(REGION);
    if (region == NULL)
        return false;
    if (!place_chunk(pool, number, region)) {
        trip_unmap(region, REGION);
        return true;
    }
    size_t chunk_size = pool->slot_size << pool->chunk_bits;
    uint32_t chunks = pool->slots_max >> pool->chunk_bits;
    for (size_t used = chunk_size; used + chunk_size <= REGION && ++number < chunks; used += chunk_size)
        place_chunk(pool, number, region + used); /* if it is there already, this piece is never touched */
    return true;
}

static bool bring_chunk(const trip_pool *pool, uint32_t number)
{
    char *chunk = trip_allocate(pool->slot_size << pool->chunk_bits);
    if (chunk == NULL)
        return false;
    if (!place_chunk(pool, number, chunk))
        trip_release(chunk);
    return true;
}

/* Whoever finds the chunk missing brings it; of two who do, one takes his home again. A pool has small chunks until
   they make up half a region. */
static bool ensure_chunk(const trip_pool *pool, uint32_t slot)
{
    uint32_t number = slot >> pool->chunk_bits;
    if (atomic_load_explicit(&pool->chunks[number], memory_order_acquire) != NULL)
        return true;
    bool is_large = slot * pool->slot_size >= REGION / 2;
    return (is_large && bring_region(pool, number)) || bring_chunk(pool, number);
}

/* ---- Taking ------------------------------------------------------------------------------------------------------ */

trip_status trip_pool_take(trip_pool *pool, uint32_t *out_slot)
{
    if (take_free(pool, out_slot))
        return TRIP_OK;
    uint32_t made = atomic_load_explicit(&pool->made, memory_order_relaxed);
    do {
        if (made == pool->slots_max)
            return TRIP_E_CAPACITY;
        if (!ensure_chunk(pool, made))
            return TRIP_E_NOMEM;
    } while (!atomic_compare_exchange_weak_explicit(&pool->made, &made, made + 1, memory_order_acq_rel,
                                                    memory_order_relaxed));
    *out_slot = made;
    return TRIP_OK;
}

trip_status trip_pool_take_run(trip_pool *pool, uint32_t count, uint32_t *out_first)
{
    uint32_t made = atomic_load_explicit(&pool->made, memory_order_relaxed);
    uint32_t first;
    do {
        first = (made + count - 1) & ~(count - 1);
        if (first + count > pool->slots_max)
            return TRIP_E_CAPACITY;
        if (!ensure_chunk(pool, first))
            return TRIP_E_NOMEM;
    } while (!atomic_compare_exchange_weak_explicit(&pool->made, &made, first + count, memory_order_acq_rel,
                                                    memory_order_relaxed));
    for (; made < first; made++) /* those that were left over before it, in a chunk that is there */
        trip_pool_give(pool, made);
    *out_first = first;
    return TRIP_OK;
}
