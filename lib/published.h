/*
 * Policies as threads read them while they are replaced. A policy that was published never changes; another takes its
 * place by being published too, and by whoever went by the old one being led to the new. The place of a policy that was
 * withdrawn serves for another: who is still reading there finds the serial changed and reads again. So nobody waits, and
 * nobody ever goes by parts of two policies.
 */
#ifndef TRIP_PUBLISHED_H
#define TRIP_PUBLISHED_H

#include "policy.h"
#include "word.h"

#include <stdatomic.h>

#define TRIP_POLICY_PLACE_BITS 26

/* Goes up whenever a circuit may have to be looked at anew: another policy, another mode, a reset. What a thread knows of
   a circuit it knows as of a revision. */
typedef struct trip_alone {
    _Alignas(64) _Atomic uint64_t number; /* in a line of its own, which nobody writes for other reasons */
} trip_alone;

extern trip_alone trip_revision;

/* As much of the revision as fits beside the bare word of a circuit. */
static inline uint64_t trip_revision_mark(void)
{
    return atomic_load_explicit(&trip_revision.number, memory_order_acquire) & TRIP_WORD_PAYLOAD;
}

static inline void trip_revise(void)
{
    atomic_fetch_add_explicit(&trip_revision.number, 1, memory_order_acq_rel);
}

/* TRIP_OK, TRIP_E_NOMEM, TRIP_E_CAPACITY. */
trip_status trip_policy_publish(const trip_policy *policy, uint32_t *out_place);
void trip_policy_withdraw(uint32_t place);

/* The serial of the policy there, which no other has; 0: there is none. */
uint64_t trip_policy_serial(uint32_t place);

/* Copy the policy there. Returns its serial; 0: there is none any more, and what was copied is nothing. */
uint64_t trip_policy_copy(uint32_t place, trip_policy *out_policy);

#endif
