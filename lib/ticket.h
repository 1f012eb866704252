/*
 * Tickets: slots in which a deduplicator notes who makes which call. A slot is in one of these states, in its word
 * beside the generation of the last ticket that it was given out for:
 *
 *   settled     nobody's, or taken from the pool by who will give it out
 *   out         the ticket of a call that is in progress
 *   abandoned   still somebody's, but the call is not his any more: its lease is over, or its deduplicator is gone
 *
 * A ticket becomes out, and from out anything else, with the mutex of its deduplicator held. Abandoned slots wait for
 * those who have them, so that who is late learns so and is not taken for one who settles twice; they are taken away
 * when there are no others.
 */
#ifndef TRIP_TICKET_H
#define TRIP_TICKET_H

#include "pool.h"

#include <stdbool.h>

#define TRIP_TICKET_SLOT_BITS 20
#define TRIP_TICKETS_MAX (UINT32_C(1) << TRIP_TICKET_SLOT_BITS)

struct trip_call;

typedef enum trip_ticket_state {
    TRIP_TICKET_SETTLED = 0,
    TRIP_TICKET_OUT = 1,
    TRIP_TICKET_ABANDONED = 2
} trip_ticket_state;

typedef struct trip_ticket_slot {
    trip_pool_link link;
    uint32_t number;
    _Atomic uint64_t word;  /* generation << 2 | trip_ticket_state */
    _Atomic uint64_t dedup; /* whose it is, or was */
    struct trip_call *call; /* while it is out; under the mutex of its deduplicator */
} trip_ticket_slot;

/* For the caller to give out, or to give back. TRIP_OK, TRIP_E_NOMEM, TRIP_E_CAPACITY: all are out. */
trip_status trip_ticket_take(trip_ticket_slot **out_slot);
void trip_ticket_give(trip_ticket_slot *slot);

/* Give it out. */
trip_ticket trip_ticket_begin(trip_ticket_slot *slot, trip_dedup dedup, struct trip_call *call);

/* The slot of a ticket that was not settled. TRIP_OK, TRIP_E_HANDLE, TRIP_E_CONSUMED. */
trip_status trip_ticket_find(trip_ticket ticket, trip_ticket_slot **out_slot);

/* What has become of it; settled, too, where the slot is another ticket's by now. */
trip_ticket_state trip_ticket_look(const trip_ticket_slot *slot, trip_ticket ticket);

/* Out or abandoned, it is settled, and the slot given back. False: it was taken away meanwhile. */
bool trip_ticket_settle(trip_ticket_slot *slot, trip_ticket ticket);

/* One that is out. */
void trip_ticket_abandon(trip_ticket_slot *slot);

#endif
