/*
 * Magazines, as magazine.h describes them. Nothing here blocks: the list of magazines only grows, what is in one is the
 * owning thread's alone, and the pool is lock-free.
 */
#include "magazine.h"

#include "alloc.h"
#include "circuit.h"

#include <errno.h>
#include <pthread.h>

#define SPARES_MAX TRIP_PERMITS_RUN /* that a thread keeps; of scarce ones, one */

static _Atomic(trip_magazine *) all;
static pthread_key_t at_thread_exit;
_Thread_local trip_magazine *trip_magazine_of_thread;

/* ---- A thread and its magazine ----------------------------------------------------------------------------------- */

/* Let go of an own slot: to whoever settles the permit that is out in it, else to the pool. */
static void part(trip_own_slot *own)
{
    trip_permit_slot *slot = atomic_load_explicit(&own->slot, memory_order_relaxed);
    if (slot == NULL)
        return;
    atomic_store_explicit(&own->slot, NULL, memory_order_relaxed);
    trip_circuit circuit = atomic_load_explicit(&slot->circuit, memory_order_relaxed);
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
    while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word | TRIP_PERMIT_SPARE, memory_order_acq_rel,
                                                  memory_order_acquire))
        ;
    if (trip_permit_is_out(word, atomic_load_explicit(&slot->granted, memory_order_relaxed)))
        trip_circuit_count_in_cell(circuit, TRIP_COUNT_OUT, 1);
    else if (!trip_permit_is_used_up(word))
        trip_pool_give(&trip_permits, trip_permit_number(word));
}

/* All that is in it stays there for the next thread: nothing moves while nobody calls, so that who inspects a circuit
   finds each count and each permit that is out exactly once. */
static void leave(void *magazine)
{
    trip_magazine_of_thread = NULL;
    atomic_store_explicit(&((trip_magazine *)magazine)->taken, 0, memory_order_release);
}

static bool is_prepared;

trip_status trip_magazine_prepare(void)
{
    is_prepared = pthread_key_create(&at_thread_exit, leave) == 0;
    return is_prepared ? TRIP_OK : TRIP_E_SYSTEM;
}

#ifdef TRIP_MAY_BE_UNLOADED
/* The shared library stays for as long as its process lives. A copy goes with what it is part of: then no thread that
   ends later may look for it here. libc forgets by itself what it should call at a fork. */
static __attribute__((destructor)) void let_threads_go(void)
{
    if (is_prepared)
        pthread_key_delete(at_thread_exit);
}
#endif

static trip_magazine *inherit(void)
{
    trip_magazine *m = atomic_load_explicit(&all, memory_order_acquire);
    for (; m != NULL; m = m->next) {
        uint32_t nobody = 0;
        if (atomic_load_explicit(&m->taken, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong_explicit(&m->taken, &nobody, 1, memory_order_acquire, memory_order_relaxed))
            return m;
    }
    return NULL;
}

static bool set_table(trip_magazine *magazine, trip_accounts *accounts)
{
    if (accounts == NULL)
        return false;
    magazine->accounts = accounts->at;
    magazine->mask = accounts->mask;
    magazine->collisions = 0;
    atomic_store_explicit(&magazine->table, accounts, memory_order_release);
    return true;
}

/* Without memory the slots come one by one, when they are needed. */
static void stock(trip_magazine *magazine)
{
    trip_permit_slot *slots[TRIP_PERMITS_RUN];
    if (trip_permit_slots_take_run(slots) == TRIP_OK) {
        for (int i = TRIP_PERMITS_RUN; i > 0; i--)
            trip_magazine_put(magazine, slots[i - 1]);
    }
}

static trip_magazine *create(void)
{
    trip_magazine *m = trip_allocate(sizeof *m);
    if (m == NULL)
        return NULL;
    if (!set_table(m, trip_accounts_create(NULL))) {
        trip_release(m);
        return NULL;
    }
    atomic_init(&m->taken, 1);
    m->turn = &m->own[0];
    for (int i = 0; i < TRIP_OWN_SLOTS; i++)
        m->own[i].next = &m->own[(i + 1) % TRIP_OWN_SLOTS];
    stock(m);
    m->next = atomic_load_explicit(&all, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&all, &m->next, m, memory_order_release, memory_order_relaxed))
        ;
    return m;
}

trip_magazine *trip_magazine_find(void)
{
    trip_magazine *m = inherit();
    if (m == NULL)
        m = create();
    int saved = errno;
    bool refused = m != NULL && pthread_setspecific(at_thread_exit, m) != 0;
    errno = saved;
    if (refused) {
        atomic_store_explicit(&m->taken, 0, memory_order_release);
        return NULL;
    }
    trip_magazine_of_thread = m;
    return m;
}

/* Whether an own slot is what its owner thought when he was last seen. */
static bool is_free(const trip_own_slot *own)
{
    const trip_permit_slot *slot = atomic_load_explicit(&own->slot, memory_order_relaxed);
    return slot != NULL && atomic_load_explicit(&slot->word, memory_order_acquire) == own->free &&
           atomic_load_explicit(&slot->granted, memory_order_relaxed) != (own->free | TRIP_PERMIT_KIND);
}

/* Its thread was in the middle of anything: what it had counted goes to the cells, what was out or being granted to
   whoever settles it. */
static void wind_up(trip_magazine *magazine)
{
    for (uint32_t i = 0; i <= magazine->mask; i++)
        trip_account_close(&magazine->accounts[i]);
    for (int i = 0; i < TRIP_OWN_SLOTS; i++) {
        if (!is_free(&magazine->own[i]))
            part(&magazine->own[i]);
    }
}

void trip_magazine_after_fork(void)
{
    trip_magazine *m = atomic_load_explicit(&all, memory_order_acquire);
    for (; m != NULL; m = m->next) {
        if (m == trip_magazine_of_thread || atomic_load_explicit(&m->taken, memory_order_relaxed) == 0)
            continue;
        m->policy_of = m->policy_serial = 0; /* its thread may have been copying a policy */
        trip_accounts *table = atomic_load_explicit(&m->table, memory_order_relaxed); /* or growing */
        m->accounts = table->at;
        m->mask = table->mask;
        wind_up(m);
        atomic_store_explicit(&m->taken, 0, memory_order_relaxed);
    }
}

/* ---- Accounts ---------------------------------------------------------------------------------------------------- */

/* Have a larger table when the accounts get in each other's way. Without memory for one they go on doing so. */
static void make_room(trip_magazine *magazine)
{
    trip_accounts *table = atomic_load_explicit(&magazine->table, memory_order_relaxed);
    if (trip_accounts_may_grow(magazine->mask) && ++magazine->collisions > magazine->mask)
        set_table(magazine, trip_accounts_create(table));
}

/* Among more circuits than the largest table holds, one that is asked once and not again shall cost another neither its
   account nor a look at it. */
static bool must_wait(trip_magazine *magazine, trip_account *account, trip_circuit circuit)
{
    bool asks_again = account->rival == circuit;
    account->rival = circuit;
    return !asks_again && !trip_accounts_may_grow(magazine->mask);
}

trip_account *trip_magazine_open_account(trip_magazine *magazine, trip_circuit circuit)
{
    trip_account *account = trip_account_at(magazine->accounts, magazine->mask, circuit);
    trip_circuit other = atomic_load_explicit(&account->circuit, memory_order_relaxed);
    if (other != 0 && must_wait(magazine, account, circuit))
        return NULL;
    if (other != 0 && trip_record_lives(account->record, other)) {
        make_room(magazine);
        account = trip_account_at(magazine->accounts, magazine->mask, circuit);
    }
    return trip_account_open(account, circuit) ? account : NULL;
}

void trip_magazine_count_in_cell(trip_circuit circuit, trip_counter counter, uint64_t amount)
{
    trip_circuit_count_in_cell(circuit, counter, amount);
}

static bool is_out_for(const trip_own_slot *own, trip_circuit circuit)
{
    const trip_permit_slot *slot = atomic_load_explicit(&own->slot, memory_order_acquire);
    return slot != NULL && atomic_load_explicit(&slot->circuit, memory_order_acquire) == circuit &&
           trip_permit_is_out(atomic_load_explicit(&slot->word, memory_order_acquire),
                              atomic_load_explicit(&slot->granted, memory_order_acquire));
}

void trip_magazines_tally(trip_circuit circuit, uint64_t sum[TRIP_COUNTERS])
{
    const trip_magazine *m = atomic_load_explicit(&all, memory_order_acquire);
    for (; m != NULL; m = m->next) {
        trip_accounts *table = atomic_load_explicit(&m->table, memory_order_acquire);
        trip_account_tally(trip_account_at(table->at, table->mask, circuit), circuit, sum);
        for (int i = 0; i < TRIP_OWN_SLOTS; i++)
            sum[TRIP_COUNT_OUT] += is_out_for(&m->own[i], circuit);
    }
}

uint64_t trip_magazines_calls(trip_circuit circuit, uint64_t epoch, uint64_t step, uint32_t steps)
{
    uint64_t calls = 0;
    const trip_magazine *m = atomic_load_explicit(&all, memory_order_acquire);
    for (; m != NULL; m = m->next) {
        trip_accounts *table = atomic_load_explicit(&m->table, memory_order_acquire);
        const trip_account *account = trip_account_at(table->at, table->mask, circuit);
        uint64_t behind = step - atomic_load_explicit(&account->calls_step, memory_order_acquire);
        if (behind < steps && atomic_load_explicit(&account->circuit, memory_order_acquire) == circuit &&
            atomic_load_explicit(&account->calls_epoch, memory_order_acquire) == epoch)
            calls += atomic_load_explicit(&account->calls, memory_order_acquire);
    }
    return calls;
}

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

trip_status trip_magazine_take(trip_magazine *magazine, trip_permit_slot **out_slot)
{
    uint32_t first = trip_spares_first(&magazine->spares);
    if (first == 0)
        return trip_permit_slot_take(out_slot);
    *out_slot = trip_permit_slot_at(first - 1);
    trip_spares_take(&magazine->spares, &(*out_slot)->link);
    return TRIP_OK;
}

void trip_magazine_put(trip_magazine *magazine, trip_permit_slot *spare)
{
    uint32_t number = trip_permit_number(atomic_load_explicit(&spare->word, memory_order_relaxed));
    uint32_t room = number < TRIP_PERMITS_SCARCE ? SPARES_MAX : 1;
    if (magazine == NULL || magazine->spares.count >= room)
        trip_pool_give(&trip_permits, number);
    else
        trip_spares_put(&magazine->spares, &spare->link, number);
}

trip_status trip_magazine_prepare_own(trip_magazine *magazine)
{
    trip_own_slot *own = magazine->turn;
    trip_permit_slot *slot = atomic_load_explicit(&own->slot, memory_order_relaxed);
    if (slot != NULL && atomic_load_explicit(&slot->word, memory_order_acquire) == own->free)
        return TRIP_OK;
    trip_permit_slot *fresh;
    trip_status status = trip_magazine_take(magazine, &fresh);
    if (status != TRIP_OK)
        return status;
    part(own); /* it is worn out, or its permit takes long */
    atomic_store_explicit(&fresh->progress, 0, memory_order_relaxed);
    own->free = atomic_load_explicit(&fresh->word, memory_order_relaxed) & ~TRIP_PERMIT_SPARE;
    atomic_store_explicit(&fresh->word, own->free, memory_order_release);
    atomic_store_explicit(&own->slot, fresh, memory_order_release);
    return TRIP_OK;
}
