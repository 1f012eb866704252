/*
 * Magazines: what a thread keeps at hand so that it need not meet other threads: free permit slots, each still bound to
 * the circuit it served last, and a copy of the policy it used last. A magazine is written by its thread alone. When
 * the thread ends its slots go back to the pool, and the magazine to the next thread that needs one.
 */
#ifndef TRIP_MAGAZINE_H
#define TRIP_MAGAZINE_H

#include "permit.h"
#include "policy.h"
#include "word.h"

#define TRIP_MAGAZINE_SHELVES 32 /* by the low bits of the circuit's slot */

typedef struct trip_magazine {
    struct trip_magazine *next; /* all magazines ever made; fixed once it is in the list */
    _Atomic uint32_t taken;     /* some thread's */
    _Atomic uint32_t pin;       /* circuit slot + 1 that counts are being handed in to, not to be used anew; 0: none */
    trip_pool_link shelves[TRIP_MAGAZINE_SHELVES];
    uint32_t lengths[TRIP_MAGAZINE_SHELVES];
    uint64_t policy_of; /* the tracker that `policy` is copied from */
    trip_policy policy;
} trip_magazine;

/* Before the first use, once per process. TRIP_OK or TRIP_E_SYSTEM. */
trip_status trip_magazine_prepare(void);

/* The calling thread's; NULL when there is no memory for one. */
static inline trip_magazine *trip_magazine_mine(void);

/* A free slot bound to the circuit. TRIP_OK, TRIP_E_NOMEM, TRIP_E_CAPACITY; TRIP_E_HANDLE: the circuit is gone. */
static inline trip_status trip_magazine_take(trip_magazine *magazine, trip_circuit circuit, trip_numbered_slot *out);

/* Keep a free slot that is bound to the circuit. Without a magazine, and when there are many, it goes to the pool. */
static inline void trip_magazine_put(trip_magazine *magazine, trip_circuit circuit, trip_numbered_slot free_slot);

/* Count one thing in a slot that the caller owns. */
void trip_magazine_count(trip_magazine *magazine, trip_permit_slot *slot, trip_counter counter);

/* Count how a permit ended, in a slot that the caller owns; successes are what is left over. */
void trip_permit_count_outcome(trip_magazine *magazine, trip_permit_slot *slot, trip_event event);

/* Count permits that nobody was granted in a slot, and successes, for a circuit. False: it is gone. */
bool trip_magazine_count_express(trip_magazine *magazine, trip_circuit circuit, uint64_t permits, uint64_t successes);

/* Some thread is handing in counts to this circuit slot. */
bool trip_magazine_pins(uint32_t circuit_slot);

/* In the child of a fork: the other threads are gone, their magazines are nobody's. */
void trip_magazine_after_fork(void);

/* ---- What every call does ---------------------------------------------------------------------------------------- */

#define TRIP_SHELF_MAX 64                        /* free slots kept on a shelf */
#define TRIP_SHELF_SCARCE (TRIP_PERMITS_MAX / 2) /* of slots from here on, one: threads cannot hoard them all */

extern _Thread_local trip_magazine *trip_magazine_of_thread;
trip_magazine *trip_magazine_find(void);
trip_status trip_magazine_reload(trip_magazine *magazine, trip_circuit circuit);

static inline trip_magazine *trip_magazine_mine(void)
{
    trip_magazine *mine = trip_magazine_of_thread;
    return __builtin_expect(mine != NULL, 1) ? mine : trip_magazine_find();
}

static inline uint32_t trip_magazine_shelf(trip_circuit circuit)
{
    return (uint32_t)circuit % TRIP_MAGAZINE_SHELVES;
}

/* Stores are ordered so that a fork finds sound lists: a slot is lost at worst. */
static inline trip_status trip_magazine_take(trip_magazine *magazine, trip_circuit circuit, trip_numbered_slot *out)
{
    uint32_t shelf = trip_magazine_shelf(circuit);
    uint32_t link = atomic_load_explicit(&magazine->shelves[shelf], memory_order_relaxed);
    if (__builtin_expect(
            link == 0 || atomic_load_explicit(&trip_permit_slot_at(link - 1)->circuit, memory_order_relaxed) != circuit,
            0)) {
        trip_status status = trip_magazine_reload(magazine, circuit);
        if (status != TRIP_OK)
            return status;
        link = atomic_load_explicit(&magazine->shelves[shelf], memory_order_relaxed);
    }
    out->number = link - 1;
    out->slot = trip_permit_slot_at(out->number);
    uint32_t next = atomic_load_explicit(&out->slot->link, memory_order_relaxed);
    atomic_store_explicit(&magazine->shelves[shelf], next, memory_order_release);
    magazine->lengths[shelf]--;
    return TRIP_OK;
}

static inline void trip_magazine_put(trip_magazine *magazine, trip_circuit circuit, trip_numbered_slot free_slot)
{
    uint32_t shelf = trip_magazine_shelf(circuit);
    uint32_t room = free_slot.number < TRIP_SHELF_SCARCE ? TRIP_SHELF_MAX : 1;
    if (__builtin_expect(magazine == NULL || magazine->lengths[shelf] >= room, 0)) {
        trip_pool_give(&trip_permits, free_slot.number);
        return;
    }
    uint32_t next = atomic_load_explicit(&magazine->shelves[shelf], memory_order_relaxed);
    atomic_store_explicit(&free_slot.slot->link, next, memory_order_relaxed);
    atomic_store_explicit(&magazine->shelves[shelf], free_slot.number + 1, memory_order_release);
    magazine->lengths[shelf]++;
}

#endif
