/* Published policies, as published.h describes them. Takes no lock; allocates where no place is free. */
#include "published.h"

#include "pool.h"

#include <string.h>

#define WORDS (sizeof(trip_policy) / sizeof(uint64_t))
_Static_assert(sizeof(trip_policy) % sizeof(uint64_t) == 0, "a policy is copied in pieces of 64 bits");

typedef struct sheet {
    _Alignas(64) trip_pool_link link;
    _Atomic uint64_t serial; /* 0 while it is nobody's policy */
    _Atomic uint64_t words[WORDS];
} sheet;

#define CHUNK_BITS 4
#define SHEETS_MAX (UINT32_C(1) << TRIP_POLICY_PLACE_BITS)

static _Atomic(char *) chunks[SHEETS_MAX >> CHUNK_BITS];
static trip_pool sheets = TRIP_POOL(sizeof(sheet), SHEETS_MAX, CHUNK_BITS, chunks);

trip_alone trip_revision;

trip_status trip_policy_publish(const trip_policy *policy, uint32_t *out_place)
{
    static _Atomic uint64_t last_serial;
    uint64_t words[WORDS];
    trip_status status = trip_pool_take(&sheets, out_place);
    if (status != TRIP_OK)
        return status;
    sheet *s = trip_pool_at(&sheets, *out_place);
    memcpy(words, policy, sizeof words);
    for (size_t i = 0; i < WORDS; i++) /* released: who reads any of them sees that the last serial is gone */
        atomic_store_explicit(&s->words[i], words[i], memory_order_release);
    uint64_t serial = atomic_fetch_add_explicit(&last_serial, 1, memory_order_relaxed) + 1;
    atomic_store_explicit(&s->serial, serial, memory_order_release);
    return TRIP_OK;
}

void trip_policy_withdraw(uint32_t place)
{
    sheet *s = trip_pool_made_slot(chunks, CHUNK_BITS, sizeof(sheet), place);
    atomic_store_explicit(&s->serial, 0, memory_order_relaxed);
    trip_pool_give(&sheets, place);
}

uint64_t trip_policy_serial(uint32_t place)
{
    const sheet *s = trip_pool_at(&sheets, place);
    return s == NULL ? 0 : atomic_load_explicit(&s->serial, memory_order_acquire);
}

uint64_t trip_policy_copy(uint32_t place, trip_policy *out_policy)
{
    const sheet *s = trip_pool_at(&sheets, place);
    uint64_t words[WORDS];
    uint64_t serial = trip_policy_serial(place);
    if (serial == 0)
        return 0;
    for (size_t i = 0; i < WORDS; i++)
        words[i] = atomic_load_explicit(&s->words[i], memory_order_acquire);
    if (atomic_load_explicit(&s->serial, memory_order_relaxed) != serial)
        return 0;
    memcpy(out_policy, words, sizeof *out_policy);
    return serial;
}
