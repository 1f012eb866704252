/* Tickets, as ticket.h describes them. Takes no lock. */
#include "ticket.h"

#include "handle.h"

#define CHUNK_BITS 8
#define STATE_BITS 2
#define STATE ((UINT64_C(1) << STATE_BITS) - 1)

static _Atomic(char *) chunks[TRIP_TICKETS_MAX >> CHUNK_BITS];
static trip_pool pool = TRIP_POOL(sizeof(trip_ticket_slot), TRIP_TICKETS_MAX, CHUNK_BITS, chunks);

static _Atomic uint32_t abandoned; /* how many are */

static uint64_t generation_of(uint64_t word)
{
    return word >> STATE_BITS;
}

static trip_ticket_state state_of(uint64_t word)
{
    return (trip_ticket_state)(word & STATE);
}

static uint64_t word_of(uint64_t generation, trip_ticket_state state)
{
    return generation << STATE_BITS | state;
}

static uint64_t generation_named(trip_ticket ticket)
{
    return trip_handle_generation(ticket, TRIP_TICKET_SLOT_BITS);
}

/* ---- Taking and giving out --------------------------------------------------------------------------------------- */

/* To settled, from what it was seen to be. False: it has become something else since. */
static bool end(trip_ticket_slot *slot, uint64_t word)
{
    if (!atomic_compare_exchange_strong_explicit(&slot->word, &word, word_of(generation_of(word), TRIP_TICKET_SETTLED),
                                                 memory_order_acq_rel, memory_order_relaxed))
        return false;
    if (state_of(word) == TRIP_TICKET_ABANDONED)
        atomic_fetch_sub_explicit(&abandoned, 1, memory_order_relaxed);
    return true;
}

static bool is_used_up(const trip_ticket_slot *slot)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    return generation_of(word) + 1 == trip_handle_generations(TRIP_TICKET_SLOT_BITS);
}

/* From where the last one was found on, so that none is passed over twice while others are. */
static bool take_abandoned(uint32_t *out_number)
{
    static _Atomic uint32_t hand;
    uint32_t made = trip_pool_made(&pool), begin = atomic_load_explicit(&hand, memory_order_relaxed);
    for (uint32_t i = 0; i < made && atomic_load_explicit(&abandoned, memory_order_relaxed) != 0; i++) {
        uint32_t number = (begin + i) % made;
        trip_ticket_slot *slot = trip_pool_at(&pool, number);
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
        if (state_of(word) != TRIP_TICKET_ABANDONED || !end(slot, word) || is_used_up(slot))
            continue;
        atomic_store_explicit(&hand, number + 1, memory_order_relaxed);
        *out_number = number;
        return true;
    }
    return false;
}

trip_status trip_ticket_take(trip_ticket_slot **out_slot)
{
    uint32_t number;
    trip_status status = trip_pool_take(&pool, &number);
    if (status != TRIP_OK && !take_abandoned(&number))
        return status;
    *out_slot = trip_pool_at(&pool, number);
    (*out_slot)->number = number;
    return TRIP_OK;
}

void trip_ticket_give(trip_ticket_slot *slot)
{
    if (!is_used_up(slot))
        trip_pool_give(&pool, slot->number);
}

/* Who reads of this deduplicator also reads that the ticket before is settled. */
trip_ticket trip_ticket_begin(trip_ticket_slot *slot, trip_dedup dedup, struct trip_call *call)
{
    uint64_t generation = generation_of(atomic_load_explicit(&slot->word, memory_order_relaxed)) + 1;
    atomic_store_explicit(&slot->dedup, dedup, memory_order_release);
    slot->call = call;
    atomic_store_explicit(&slot->word, word_of(generation, TRIP_TICKET_OUT), memory_order_release);
    return trip_handle_make(TRIP_KIND_TICKET, TRIP_TICKET_SLOT_BITS, generation, slot->number);
}

/* ---- Finding and settling ---------------------------------------------------------------------------------------- */

trip_status trip_ticket_find(trip_ticket ticket, trip_ticket_slot **out_slot)
{
    uint32_t number = trip_handle_slot(ticket, TRIP_TICKET_SLOT_BITS);
    if (!trip_handle_is(ticket, TRIP_KIND_TICKET) || number >= trip_pool_made(&pool) || generation_named(ticket) == 0)
        return TRIP_E_HANDLE;
    trip_ticket_slot *slot = trip_pool_at(&pool, number);
    if (generation_of(atomic_load_explicit(&slot->word, memory_order_acquire)) < generation_named(ticket))
        return TRIP_E_HANDLE;
    if (trip_ticket_look(slot, ticket) == TRIP_TICKET_SETTLED)
        return TRIP_E_CONSUMED;
    *out_slot = slot;
    return TRIP_OK;
}

trip_ticket_state trip_ticket_look(const trip_ticket_slot *slot, trip_ticket ticket)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
    return generation_of(word) == generation_named(ticket) ? state_of(word) : TRIP_TICKET_SETTLED;
}

bool trip_ticket_settle(trip_ticket_slot *slot, trip_ticket ticket)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    if (generation_of(word) != generation_named(ticket) || state_of(word) == TRIP_TICKET_SETTLED || !end(slot, word))
        return false;
    trip_ticket_give(slot);
    return true;
}

void trip_ticket_abandon(trip_ticket_slot *slot)
{
    uint64_t generation = generation_of(atomic_load_explicit(&slot->word, memory_order_relaxed));
    atomic_fetch_add_explicit(&abandoned, 1, memory_order_relaxed);
    atomic_store_explicit(&slot->word, word_of(generation, TRIP_TICKET_ABANDONED), memory_order_release);
}
