/* Budgets, as budget.h describes them. */
#include "budget.h"

#include "alloc.h"
#include "registry.h"

/* A ratio that is told in decimals is not quite what was meant: a thousandth of the last one is forgiven. */
static uint64_t tokens_of(double ratio)
{
    return (uint64_t)(ratio * (double)TRIP_BUDGET_RETRY + 0.001);
}

static void fill(const trip_budgets *budgets, trip_budget *budget)
{
    atomic_store_explicit(&budget->tokens, budgets->burst, memory_order_relaxed);
}

static uint32_t places_for(uint32_t providers)
{
    uint32_t places = 2;
    while (places / 2 < providers)
        places *= 2;
    return places;
}

bool trip_budgets_begin(trip_budgets *budgets, double ratio, uint32_t burst, uint32_t max_providers)
{
    uint32_t places = places_for(max_providers);
    *budgets = (trip_budgets){
        .earned = tokens_of(ratio),
        .burst = burst * TRIP_BUDGET_RETRY,
        .max_providers = max_providers,
        .mask = places - 1,
        .table = trip_allocate(places * sizeof(_Atomic(trip_budget *))),
    };
    fill(budgets, &budgets->shared);
    return budgets->table != NULL;
}

void trip_budgets_end(trip_budgets *budgets)
{
    for (uint32_t i = 0; i <= budgets->mask; i++)
        trip_release(atomic_load_explicit(&budgets->table[i], memory_order_relaxed));
    trip_release(budgets->table);
}

/* ---- Providers --------------------------------------------------------------------------------------------------- */

static trip_hash hash_of(const char *provider, size_t provider_len)
{
    return trip_key_hash(NULL, 0, provider, provider_len);
}

/* The place of a provider: its own, or the free one where it belongs. There always is one. */
static _Atomic(trip_budget *) *place_of(const trip_budgets *budgets, trip_hash name, trip_budget **out_there)
{
    for (uint64_t i = name.low;; i++) {
        _Atomic(trip_budget *) *place = &budgets->table[i & budgets->mask];
        *out_there = atomic_load_explicit(place, memory_order_acquire);
        if (*out_there == NULL || ((*out_there)->name.low == name.low && (*out_there)->name.high == name.high))
            return place;
    }
}

static bool is_full(const trip_budgets *budgets)
{
    return atomic_load_explicit(&budgets->providers, memory_order_relaxed) == budgets->max_providers;
}

/* With the mutex held. */
static trip_budget *make(trip_budgets *budgets, trip_hash name)
{
    trip_budget *budget;
    _Atomic(trip_budget *) *place = place_of(budgets, name, &budget);
    if (budget != NULL)
        return budget;
    budget = is_full(budgets) ? NULL : trip_allocate(sizeof *budget);
    if (budget == NULL)
        return &budgets->shared;
    budget->name = name;
    fill(budgets, budget);
    atomic_store_explicit(place, budget, memory_order_release);
    atomic_fetch_add_explicit(&budgets->providers, 1, memory_order_relaxed);
    return budget;
}

trip_budget *trip_budget_find(trip_budgets *budgets, const char *provider, size_t provider_len)
{
    trip_budget *budget;
    place_of(budgets, hash_of(provider, provider_len), &budget);
    return budget != NULL ? budget : &budgets->shared;
}

trip_budget *trip_budget_get(trip_budgets *budgets, pthread_mutex_t *mutex, const char *provider, size_t provider_len)
{
    trip_budget *budget;
    trip_hash name = hash_of(provider, provider_len);
    place_of(budgets, name, &budget);
    if (budget != NULL)
        return budget;
    if (is_full(budgets)) /* and stays so */
        return &budgets->shared;
    pthread_mutex_lock(mutex);
    budget = make(budgets, name);
    pthread_mutex_unlock(mutex);
    return budget;
}

/* ---- Tokens ------------------------------------------------------------------------------------------------------ */

/* Who looks at the retries before the calls never sees more of them than these have earned: a call is counted before it
   earns, a retry after it took, and each step releases what came before it. */
static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_release);
}

void trip_budget_earn(const trip_budgets *budgets, trip_budget *budget)
{
    count(&budget->calls);
    uint64_t tokens = atomic_load_explicit(&budget->tokens, memory_order_relaxed);
    uint64_t more;
    do {
        if (tokens == budgets->burst) /* as it is while all is well */
            return;
        uint64_t room = budgets->burst - tokens;
        more = budgets->earned < room ? budgets->earned : room;
    } while (!atomic_compare_exchange_weak_explicit(&budget->tokens, &tokens, tokens + more, memory_order_release,
                                                    memory_order_relaxed));
}

bool trip_budget_take(trip_budget *budget)
{
    uint64_t tokens = atomic_load_explicit(&budget->tokens, memory_order_relaxed);
    do {
        if (tokens < TRIP_BUDGET_RETRY) {
            count(&budget->refused);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&budget->tokens, &tokens, tokens - TRIP_BUDGET_RETRY,
                                                    memory_order_acq_rel, memory_order_relaxed));
    count(&budget->retries);
    return true;
}

void trip_budget_tell(const trip_budget *budget, trip_retry_info *out_info)
{
    uint64_t retries = atomic_load_explicit(&budget->retries, memory_order_acquire); /* before the calls */
    *out_info = (trip_retry_info){
        .struct_size = sizeof *out_info,
        .budget = (uint32_t)(atomic_load_explicit(&budget->tokens, memory_order_relaxed) / TRIP_BUDGET_RETRY),
        .calls = atomic_load_explicit(&budget->calls, memory_order_relaxed),
        .retries = retries,
        .refused = atomic_load_explicit(&budget->refused, memory_order_relaxed),
    };
}
