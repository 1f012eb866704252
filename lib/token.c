/* Token slots, as token.h describes them. Takes no lock, and knows nothing of gates but their handles. */
#include "token.h"

#include "magazine.h"

#define CHUNK_BITS 10 /* 1024 slots: 64 KiB */

#define KIND ((uint64_t)TRIP_KIND_TOKEN << TRIP_HANDLE_KIND_SHIFT)
#define NAME ((UINT64_C(1) << TRIP_HANDLE_KIND_SHIFT) - 1) /* generation and number */
#define GENERATION (UINT64_C(1) << TRIP_TOKEN_SLOT_BITS)   /* one of them */

static _Atomic(char *) chunks[TRIP_TOKENS_MAX >> CHUNK_BITS];
static trip_pool pool = TRIP_POOL(sizeof(trip_token_slot), TRIP_TOKENS_MAX, CHUNK_BITS, chunks);

#define SPARES 64                    /* that a thread keeps: one page of them */
#define SCARCE (TRIP_TOKENS_MAX / 2) /* slots from here on are not hoarded */

static _Atomic uint32_t forks;

_Static_assert(sizeof(trip_token_slot) == 64, "a token slot is one cache line");

static trip_token_slot *slot_at(uint32_t number)
{
    return trip_pool_slot(chunks, CHUNK_BITS, sizeof(trip_token_slot), number);
}

static uint32_t number_of(uint64_t word)
{
    return trip_handle_slot(word, TRIP_TOKEN_SLOT_BITS);
}

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

/* One that was in nobody's hands, or only in the pool's. */
static trip_token_slot *taken(uint32_t number)
{
    trip_token_slot *slot = slot_at(number);
    if (atomic_load_explicit(&slot->word, memory_order_relaxed) == 0)
        atomic_store_explicit(&slot->word, GENERATION | number, memory_order_relaxed);
    return slot;
}

/* A thread has them in a page of its own, as with permits (permit.h). */
static void stock(trip_magazine *mine)
{
    uint32_t first;
    if (trip_pool_made(&pool) >= SCARCE || trip_pool_take_run(&pool, SPARES, &first) != TRIP_OK)
        return;
    for (uint32_t i = first + SPARES; i > first; i--)
        trip_spares_put(&mine->tokens, &taken(i - 1)->link, i - 1);
}

static __attribute__((noinline)) trip_status take_from_pool(trip_token_slot **out_slot)
{
    uint32_t number;
    trip_status status = trip_pool_take(&pool, &number);
    if (status == TRIP_OK)
        *out_slot = taken(number);
    return status;
}

trip_status trip_token_take(trip_token_slot **out_slot)
{
    trip_magazine *mine = trip_magazine_mine();
    if (mine == NULL)
        return take_from_pool(out_slot);
    if (trip_spares_first(&mine->tokens) == 0)
        stock(mine);
    uint32_t first = trip_spares_first(&mine->tokens);
    if (first == 0)
        return take_from_pool(out_slot);
    *out_slot = slot_at(first - 1);
    trip_spares_take(&mine->tokens, &(*out_slot)->link);
    return TRIP_OK;
}

static __attribute__((noinline)) void give_to_pool(uint32_t number)
{
    trip_pool_give(&pool, number);
}

/* A slot whose generations have all been settled is retired. */
static inline void give(trip_token_slot *slot, uint64_t word)
{
    uint32_t number = number_of(word);
    trip_magazine *mine = trip_magazine_of_thread;
    if (word < GENERATION)
        return;
    if (mine != NULL && number < SCARCE && mine->tokens.count < SPARES)
        trip_spares_put(&mine->tokens, &slot->link, number);
    else
        give_to_pool(number);
}

void trip_token_give(trip_token_slot *slot)
{
    give(slot, atomic_load_explicit(&slot->word, memory_order_relaxed));
}

/* ---- Tokens ------------------------------------------------------------------------------------------------------ */

trip_token trip_token_grant(trip_token_slot *slot, trip_gate gate, uint64_t at_ns)
{
    trip_token token = atomic_load_explicit(&slot->word, memory_order_relaxed) | KIND;
    atomic_store_explicit(&slot->forks, atomic_load_explicit(&forks, memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(&slot->gate, gate, memory_order_relaxed);
    atomic_store_explicit(&slot->at_ns, at_ns, memory_order_relaxed);
    atomic_store_explicit(&slot->granted, token, memory_order_release);
    return token;
}

static bool is_inherited(const trip_token_slot *slot)
{
    return atomic_load_explicit(&slot->forks, memory_order_relaxed) !=
           atomic_load_explicit(&forks, memory_order_relaxed);
}

/* What was read of the slot before is this token's, for it was out all the time. */
static bool settle(trip_token_slot *slot, uint64_t name)
{
    uint64_t expected = name, settled = (name + GENERATION) & NAME;
    if (!atomic_compare_exchange_strong_explicit(&slot->word, &expected, settled, memory_order_acq_rel,
                                                 memory_order_relaxed))
        return false;
    give(slot, settled);
    return true;
}

trip_status trip_token_settle(trip_token token, trip_token_terms *out_terms)
{
    trip_token_slot *slot = trip_handle_is(token, TRIP_KIND_TOKEN) ? slot_at(number_of(token)) : NULL;
    if (slot == NULL)
        return TRIP_E_HANDLE;
    uint64_t granted = atomic_load_explicit(&slot->granted, memory_order_acquire);
    uint64_t name = token & NAME;
    bool is_to_come = granted < token; /* they agree in kind and number */
    if (is_to_come || name < GENERATION)
        return TRIP_E_HANDLE;
    *out_terms = (trip_token_terms){
        .gate = atomic_load_explicit(&slot->gate, memory_order_relaxed),
        .at_ns = atomic_load_explicit(&slot->at_ns, memory_order_relaxed),
        .is_inherited = is_inherited(slot),
    };
    return settle(slot, name) ? TRIP_OK : TRIP_E_CONSUMED;
}

/* ---- The rest ---------------------------------------------------------------------------------------------------- */

void trip_tokens_reclaim(bool (*is_gone)(trip_gate gate))
{
    uint32_t made = trip_pool_made(&pool);
    for (uint32_t i = 0; i < made; i++) {
        trip_token_slot *slot = slot_at(i);
        uint64_t granted = atomic_load_explicit(&slot->granted, memory_order_acquire);
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
        bool is_out = word >= GENERATION && (granted & NAME) == word;
        if (is_out && (is_inherited(slot) || is_gone(atomic_load_explicit(&slot->gate, memory_order_relaxed))))
            settle(slot, word);
    }
}

void trip_tokens_after_fork(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}
