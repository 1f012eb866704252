/*
 * Steering: what operators order. The mode of a circuit stands in its annex with the time at which it ends, in one word
 * that permits read; the reason and what else there is to tell of an order is under the mutex of the registry. A circuit
 * in any mode but TRIP_MODE_AUTO is slow, so that whoever asks it for a permit comes here first.
 */
#ifndef TRIP_STEERING_H
#define TRIP_STEERING_H

#include "abi.h"
#include "circuit.h"

typedef struct trip_steer {
    uint32_t mode;
    uint64_t until; /* tracker's ns; UINT64_MAX: without end */
} trip_steer;

/* What an operator has ordered last, over or not. */
typedef struct trip_order {
    bool is_given; /* in this life of the circuit */
    trip_steer steer;
    uint64_t since; /* tracker's ns */
    size_t reason_len;
    char reason[TRIP_TEXT_MAX];
} trip_order;

/* Whether a mode was set that nobody has ended yet, be its time over. */
static inline bool trip_steering_is_set(const trip_annex *annex)
{
    return annex != NULL && atomic_load_explicit(&annex->steer, memory_order_acquire) != 0;
}

/* The mode at this time of the tracker's clock. */
trip_steer trip_steering_of(const trip_record *record, uint64_t word, uint64_t now);

/* The time of a mode is over: let the circuit be as if it had never had one, unless somebody holds the mutex. */
void trip_steering_end(trip_hearing *hearing);

/* Have room for an order. False: no memory. */
bool trip_steering_prepare(trip_record *record);

/* With the mutex held, and room for an order: let it hold, and tell of it. TRIP_CAUSE_OPERATOR or _RESTORED. */
void trip_steering_put(trip_record *record, trip_steer steer, const char *reason, size_t reason_len, uint32_t cause);

/* With the mutex held: the last order; NULL: there was none in this life. */
const trip_order *trip_steering_order(const trip_record *record);

/* With the mutex held: whether circuits by this policy, or in this mode, are slow. */
void trip_steering_set_slow(trip_record *record, const trip_policy *policy);

#endif
