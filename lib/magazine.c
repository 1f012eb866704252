/*
 * Magazines, as magazine.h describes them. Nothing here blocks: the list of magazines only grows, shelves are the
 * owning thread's alone, and the pool is lock-free.
 */
#include "magazine.h"

#include "alloc.h"
#include "circuit.h"

#include <errno.h>
#include <pthread.h>

#define SEARCH_MAX 4 /* slots looked at for one that is bound to the right circuit */

static _Atomic(trip_magazine *) all;
static pthread_key_t at_thread_exit;
_Thread_local trip_magazine *trip_magazine_of_thread;

/* ---- A thread and its magazine ----------------------------------------------------------------------------------- */

static void empty(trip_magazine *magazine)
{
    for (int i = 0; i < TRIP_MAGAZINE_SHELVES; i++) {
        uint32_t link = atomic_load_explicit(&magazine->shelves[i], memory_order_relaxed);
        atomic_store_explicit(&magazine->shelves[i], 0, memory_order_relaxed);
        magazine->lengths[i] = 0;
        while (link != 0) {
            uint32_t slot = link - 1;
            link = atomic_load_explicit(&trip_permit_slot_at(slot)->link, memory_order_relaxed);
            trip_pool_give(&trip_permits, slot);
        }
    }
}

static void leave(void *magazine)
{
    trip_magazine_of_thread = NULL;
    empty(magazine);
    atomic_store_explicit(&((trip_magazine *)magazine)->taken, 0, memory_order_release);
}

trip_status trip_magazine_prepare(void)
{
    return pthread_key_create(&at_thread_exit, leave) == 0 ? TRIP_OK : TRIP_E_SYSTEM;
}

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

static trip_magazine *create(void)
{
    trip_magazine *m = trip_allocate(sizeof *m);
    if (m == NULL)
        return NULL;
    atomic_init(&m->taken, 1);
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

void trip_magazine_after_fork(void)
{
    trip_magazine *m = atomic_load_explicit(&all, memory_order_acquire);
    for (; m != NULL; m = m->next) {
        atomic_store_explicit(&m->pin, 0, memory_order_relaxed);
        if (m == trip_magazine_of_thread || atomic_load_explicit(&m->taken, memory_order_relaxed) == 0)
            continue;
        m->policy_of = 0; /* its thread may have been copying a policy */
        empty(m);
        atomic_store_explicit(&m->taken, 0, memory_order_relaxed);
    }
}

/* ---- Handing in counts ------------------------------------------------------------------------------------------- */

bool trip_magazine_pins(uint32_t circuit_slot)
{
    trip_magazine *m = atomic_load_explicit(&all, memory_order_acquire);
    for (; m != NULL; m = m->next)
        if (atomic_load_explicit(&m->pin, memory_order_seq_cst) == circuit_slot + 1)
            return true;
    return false;
}

static void hand_in(_Atomic uint64_t *total, uint64_t count)
{
    if (count != 0)
        atomic_fetch_add_explicit(total, count, memory_order_relaxed);
}

/*
 * Hand the counts of a slot that the caller owns in to the cell of its circuit, if that still lives. The pin keeps the
 * cell from being given to another circuit meanwhile: either whoever reuses it sees the pin, or we see that the circuit
 * is gone.
 */
static void settle_counts(trip_magazine *magazine, trip_permit_slot *slot)
{
    trip_circuit circuit = atomic_load_explicit(&slot->circuit, memory_order_relaxed);
    uint64_t generation = atomic_load_explicit(&slot->word, memory_order_relaxed) >> 1;
    uint64_t settled = generation - atomic_load_explicit(&slot->bound_at, memory_order_relaxed);
    trip_record *record = trip_record_named(circuit);

    if (record != NULL) {
        uint32_t pin = trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS) + 1;
        atomic_store_explicit(&magazine->pin, pin, memory_order_seq_cst);
        atomic_thread_fence(memory_order_seq_cst);
        if (trip_record_lives(record, circuit)) {
            hand_in(&record->cell.settled, settled);
            for (int i = 0; i < TRIP_COUNTERS; i++)
                hand_in(&record->cell.counts[i], atomic_load_explicit(&slot->counts[i], memory_order_relaxed));
        }
        atomic_store_explicit(&magazine->pin, 0, memory_order_release);
    }
    atomic_store_explicit(&slot->bound_at, generation, memory_order_relaxed);
    for (int i = 0; i < TRIP_COUNTERS; i++)
        atomic_store_explicit(&slot->counts[i], 0, memory_order_relaxed);
}

bool trip_magazine_count_express(trip_magazine *magazine, trip_circuit circuit, uint64_t permits, uint64_t successes)
{
    trip_record *record = trip_record_known(circuit);
    atomic_store_explicit(&magazine->pin, trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS) + 1, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
    bool lives = trip_record_lives(record, circuit);
    if (lives) {
        hand_in(&record->cell.settled, successes);
        hand_in(&record->cell.lent, permits - successes);
    }
    atomic_store_explicit(&magazine->pin, 0, memory_order_release);
    return lives;
}

/* TRIP_OK, or TRIP_E_HANDLE: the circuit is gone, and its place may be another tracker's. */
static trip_status bind(trip_magazine *magazine, trip_permit_slot *slot, trip_circuit circuit)
{
    const trip_record *record = trip_record_known(circuit);
    uint64_t tracker = atomic_load_explicit(&record->tracker, memory_order_acquire);
    if (!trip_record_lives(record, circuit))
        return TRIP_E_HANDLE;
    settle_counts(magazine, slot);
    atomic_store_explicit(&slot->circuit, circuit, memory_order_relaxed);
    atomic_store_explicit(&slot->tracker_tag, (uint32_t)tracker, memory_order_relaxed);
    return TRIP_OK;
}

void trip_magazine_count(trip_magazine *magazine, trip_permit_slot *slot, trip_counter counter)
{
    uint32_t count = atomic_load_explicit(&slot->counts[counter], memory_order_relaxed);
    if (count == UINT32_MAX) {
        if (magazine == NULL)
            return; /* four thousand million, and no memory to put them down */
        settle_counts(magazine, slot);
        count = 0;
    }
    atomic_store_explicit(&slot->counts[counter], count + 1, memory_order_relaxed);
}

/* ---- Shelves ----------------------------------------------------------------------------------------------------- */

/* The link to the first slot on the shelf that is bound to the circuit, if it is among the first few. */
static trip_pool_link *search(trip_pool_link *link, trip_circuit circuit)
{
    for (int i = 0; i < SEARCH_MAX; i++) {
        uint32_t next = atomic_load_explicit(link, memory_order_relaxed);
        if (next == 0)
            return NULL;
        trip_permit_slot *slot = trip_permit_slot_at(next - 1);
        if (atomic_load_explicit(&slot->circuit, memory_order_relaxed) == circuit)
            return link;
        link = &slot->link;
    }
    return NULL;
}

/* Bring the slot that `link` names to the front of its shelf. */
static void bring_forward(trip_pool_link *first, trip_pool_link *link)
{
    uint32_t moved = atomic_load_explicit(link, memory_order_relaxed);
    trip_permit_slot *slot = trip_permit_slot_at(moved - 1);
    atomic_store_explicit(link, atomic_load_explicit(&slot->link, memory_order_relaxed), memory_order_release);
    atomic_store_explicit(&slot->link, atomic_load_explicit(first, memory_order_relaxed), memory_order_release);
    atomic_store_explicit(first, moved, memory_order_release);
}

trip_status trip_magazine_reload(trip_magazine *magazine, trip_circuit circuit)
{
    uint32_t shelf = trip_magazine_shelf(circuit);
    trip_pool_link *first = &magazine->shelves[shelf];
    trip_pool_link *found = search(first, circuit);
    if (found != NULL) {
        bring_forward(first, found);
        return TRIP_OK;
    }
    if (atomic_load_explicit(first, memory_order_relaxed) == 0) {
        uint32_t number;
        trip_status status = trip_permit_slot_take(&number);
        if (status != TRIP_OK)
            return status;
        trip_numbered_slot fresh = {.slot = trip_permit_slot_at(number), .number = number};
        status = bind(magazine, fresh.slot, circuit);
        if (status == TRIP_OK)
            trip_magazine_put(magazine, circuit, fresh);
        else
            trip_pool_give(&trip_permits, number);
        return status;
    }
    return bind(magazine, trip_permit_slot_at(atomic_load_explicit(first, memory_order_relaxed) - 1), circuit);
}
