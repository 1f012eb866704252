/*
 * Magazines: what a thread keeps at hand so that it need not meet other threads: free permit slots, each still bound to
 * the circuit it served last, and a copy of the policy it used last. A magazine is written by its thread alone. When
 * the thread ends its slots go back to the pool, and the magazine to the next thread that needs one.
 */
#ifndef TRIP_MAGAZINE_H
#define TRIP_MAGAZINE_H

#include "permit.h"
#include "policy.h"

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
trip_magazine *trip_magazine_mine(void);

/* A free slot bound to `circuit`. TRIP_OK, TRIP_E_NOMEM, TRIP_E_CAPACITY. */
trip_status trip_magazine_take(trip_magazine *magazine, trip_circuit circuit, uint32_t *out_slot);

/* Keep a free slot. Without a magazine, and when there are many, it goes to the pool. */
void trip_magazine_put(trip_magazine *magazine, uint32_t slot);

/* Count one thing in a slot that the caller owns. */
void trip_magazine_count(trip_magazine *magazine, trip_permit_slot *slot, trip_counter counter);

/* Some thread is handing in counts to this circuit slot. */
bool trip_magazine_pins(uint32_t circuit_slot);

/* In the child of a fork: the other threads are gone, their magazines are nobody's. */
void trip_magazine_after_fork(void);

#endif
