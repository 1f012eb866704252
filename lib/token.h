/*
 * Token slots: where the tokens of all gates are granted and settled. As with permits (permit.h) granting is a plain
 * store of the slot's owner, and settling one compare-and-swap, which puts the slot into the next generation: a token is
 * settled once, by whomever. The token is out while the two words name the same generation.
 *
 *              bits 63-59    then             then
 *   word       0             generation 39    number 20
 *   granted    4             generation 39    number 20     the token's handle
 *
 * Generations begin at 1. Generation 0 is that of a slot that is new, or whose generations are used up.
 */
#ifndef TRIP_TOKEN_H
#define TRIP_TOKEN_H

#include "handle.h"
#include "pool.h"

#define TRIP_TOKEN_SLOT_BITS 20
#define TRIP_TOKENS_MAX (UINT32_C(1) << TRIP_TOKEN_SLOT_BITS)

typedef struct trip_token_slot {
    _Alignas(64) trip_pool_link link;
    _Atomic uint32_t forks; /* that the process came from when the token was granted */
    _Atomic uint64_t word;
    _Atomic uint64_t granted;
    _Atomic uint64_t gate;
    _Atomic uint64_t at_ns;
} trip_token_slot;

/* What a token was granted for. */
typedef struct trip_token_terms {
    trip_gate gate;
    uint64_t at_ns;    /* when, where its gate asks for that */
    bool is_inherited; /* by a fork: it is the parent's */
} trip_token_terms;

/* A free slot, for the caller to own until he grants a token in it or gives it back. TRIP_OK, TRIP_E_NOMEM,
   TRIP_E_CAPACITY. */
trip_status trip_token_take(trip_token_slot **out_slot);
void trip_token_give(trip_token_slot *slot);

trip_token trip_token_grant(trip_token_slot *slot, trip_gate gate, uint64_t at_ns);

/* The token is over, and its slot free for others. TRIP_OK; TRIP_E_HANDLE: there never was such a token;
   TRIP_E_CONSUMED: somebody else was faster. */
trip_status trip_token_settle(trip_token token, trip_token_terms *out_terms);

/* Settle in the callers' stead all tokens that nobody can release any more: those that are inherited, and those of gates
   of which this says that they are gone. */
void trip_tokens_reclaim(bool (*is_gone)(trip_gate gate));

/* In the child of a fork: the tokens that are out are the parent's. */
void trip_tokens_after_fork(void);

#endif
