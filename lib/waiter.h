/*
 * Waiters: threads that wait for what becomes of a call. A waiter lies on its thread's stack, in the line of its call,
 * whose lock guards that. Whoever takes it out of the line owes it an answer, and tells it when he has let go of the
 * lock: the thread then goes on without having to take it.
 */
#ifndef TRIP_WAITER_H
#define TRIP_WAITER_H

#include "value.h"

#include "trip.h"

#include <stdbool.h>

struct trip_call;

typedef struct trip_waiter {
    struct trip_waiter *next; /* a circle, while it is in a line; then the next one that is owed an answer */
    struct trip_waiter *previous;
    struct trip_call *call; /* whose end it waits for; NULL: it is in no line */
    _Atomic uint32_t told;
    trip_status status; /* the answer, once it is told: what trip_dedup_wait returns, */
    trip_ticket ticket; /* with the ticket that belongs to TRIP_OK, */
    trip_value *value;  /* or the value to TRIP_CACHED, which the waiter holds */
} trip_waiter;

/* With the lock held. A line is its first waiter; NULL: nobody waits. */
void trip_waiter_queue(trip_waiter **line, trip_waiter *waiter);
void trip_waiter_unqueue(trip_waiter **line, trip_waiter *waiter);

/* Without it. Sleep until the answer is there, this time of the machine's clock has come, or for no reason. Whether the
   answer is there. UINT64_MAX: the time never comes. */
bool trip_waiter_sleep(trip_waiter *waiter, uint64_t until_ns);

/* The answer is there; the waiter may be gone when this returns. */
void trip_waiter_tell(trip_waiter *waiter);

#endif
