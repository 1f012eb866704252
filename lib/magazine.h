/*
 * Magazines: what a thread keeps at hand so that it need not meet other threads: accounts of the circuits that it uses,
 * permit slots, and a copy of the policy that it used last. A magazine is written by its thread alone. When the
 * thread ends it goes, with all that is in it, to the next thread that needs one.
 */
#ifndef TRIP_MAGAZINE_H
#define TRIP_MAGAZINE_H

#include "account.h"
#include "permit.h"
#include "policy.h"

/* A thread's own slots serve closed circuits, in turns. There are several because a processor is slow to read a word that
   it has just swapped: with one, asking whether its last permit is settled would wait for that settlement to reach the
   cache (docs/performance.md). */
#define TRIP_OWN_SLOTS 8

typedef struct trip_own_slot {
    _Atomic(trip_permit_slot *) slot; /* NULL: none yet */
    uint64_t free;                    /* its word when it may be granted next */
    struct trip_own_slot *next;       /* whose turn is next; fixed */
} trip_own_slot;

typedef struct trip_magazine {
    trip_account *accounts; /* those of the table */
    uint32_t mask;
    uint32_t collisions; /* of circuits in the table as it is */
    trip_own_slot *turn; /* one of: */
    trip_own_slot own[TRIP_OWN_SLOTS];
    _Atomic(trip_accounts *) table; /* the same for other threads; fixed but for growing */
    struct trip_magazine *next;     /* all magazines ever made; fixed once it is in the list */
    _Atomic uint32_t taken;         /* some thread's */
    trip_spares spares;
    trip_spares tokens; /* token slots (token.h) */
    uint64_t policy_of; /* the circuit that goes by `policy`, as of: */
    uint64_t policy_revision;
    uint64_t policy_serial; /* of the policy; 0: none */
    trip_policy policy;
} trip_magazine;

/* Before the first use, once per process. TRIP_OK or TRIP_E_SYSTEM. */
trip_status trip_magazine_prepare(void);

/* The calling thread's; NULL when there is no memory for one. */
static inline trip_magazine *trip_magazine_mine(void);

/* The account of a circuit; NULL when it has none: its place is another's, it is gone, or magazine is NULL. */
static inline trip_account *trip_magazine_account(trip_magazine *magazine, trip_circuit circuit);

/* Have a free slot of our own come to its turn. TRIP_OK, TRIP_E_NOMEM, TRIP_E_CAPACITY. */
trip_status trip_magazine_prepare_own(trip_magazine *magazine);

/* A free spare. TRIP_OK, TRIP_E_NOMEM, TRIP_E_CAPACITY. */
trip_status trip_magazine_take(trip_magazine *magazine, trip_permit_slot **out_slot);

/* Keep a free spare. Without a magazine, and when there are many, it goes to the pool. */
void trip_magazine_put(trip_magazine *magazine, trip_permit_slot *spare);

/* Count for a circuit: in the thread's account if it has one, else at once in the cell. */
static inline void trip_magazine_count_with(trip_account *account_if_any, trip_circuit circuit, trip_counter counter,
                                            uint64_t amount);
static inline void trip_magazine_count(trip_magazine *magazine, trip_circuit circuit, trip_counter counter,
                                       uint64_t amount);

/* Add to `sum` what all threads have counted for a circuit and not handed in. */
void trip_magazines_tally(trip_circuit circuit, uint64_t sum[TRIP_COUNTERS]);

/* The same for the successes in the steps of its time window that ends with `step`. */
uint64_t trip_magazines_calls(trip_circuit circuit, uint64_t epoch, uint64_t step, uint32_t steps);

/* In the child of a fork: the other threads are gone, their magazines are nobody's. */
void trip_magazine_after_fork(void);

/* ---- What every call does ---------------------------------------------------------------------------------------- */

extern _Thread_local trip_magazine *trip_magazine_of_thread;
trip_magazine *trip_magazine_find(void);
trip_account *trip_magazine_open_account(trip_magazine *magazine, trip_circuit circuit);
void trip_magazine_count_in_cell(trip_circuit circuit, trip_counter counter, uint64_t amount);

static inline trip_magazine *trip_magazine_mine(void)
{
    trip_magazine *mine = trip_magazine_of_thread;
    return __builtin_expect(mine != NULL, 1) ? mine : trip_magazine_find();
}

static inline trip_account *trip_magazine_account(trip_magazine *magazine, trip_circuit circuit)
{
    if (magazine == NULL)
        return NULL;
    trip_account *account = trip_account_at(magazine->accounts, magazine->mask, circuit);
    bool is_it = atomic_load_explicit(&account->circuit, memory_order_relaxed) == circuit;
    return __builtin_expect(is_it, 1) ? account : trip_magazine_open_account(magazine, circuit);
}

static inline void trip_magazine_count_with(trip_account *account, trip_circuit circuit, trip_counter counter,
                                            uint64_t amount)
{
    if (__builtin_expect(account != NULL, 1))
        trip_account_add(account, counter, amount);
    else
        trip_magazine_count_in_cell(circuit, counter, amount);
}

static inline void trip_magazine_count(trip_magazine *magazine, trip_circuit circuit, trip_counter counter,
                                       uint64_t amount)
{
    trip_magazine_count_with(trip_magazine_account(magazine, circuit), circuit, counter, amount);
}

#endif
