/*
 * Permits that are out for too long: calls that hang, and streams that have stalled. Nobody watches them; they are looked
 * for when a permit of their circuit is asked for and it is time to.
 */
#ifndef TRIP_OVERDUE_H
#define TRIP_OVERDUE_H

#include "circuit.h"

/* How a stream ends that has stalled. */
extern const trip_outcome trip_stalled;

/* Whether it is worth a look at this time of the tracker's clock. */
static inline bool trip_overdue_may_be(const trip_annex *annex, const trip_policy *policy, uint64_t now)
{
    return (policy->hang_calls != 0 || policy->stall_ns != 0) &&
           now >= atomic_load_explicit(&annex->look_at, memory_order_acquire);
}

/* A stream of a circuit in this closed epoch that has stalled counts as a failure; and the circuit opens when too many
   calls hang. Takes time in proportion to the permits ever out at once. */
void trip_overdue_look(trip_hearing *hearing, trip_annex *annex, uint64_t epoch, uint64_t now);

/* A stream has told of progress at this time: it may have stalled so much later. */
void trip_overdue_expect(trip_annex *annex, const trip_policy *policy, uint64_t now);

#endif
