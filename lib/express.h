/*
 * The express lane: callers read a circuit's word themselves while it is healthy, and settle by an express permit, a
 * handle (handle.h) that names the circuit's place and the epoch in which it is closed. Nothing is kept for a lane.
 */
#ifndef TRIP_EXPRESS_H
#define TRIP_EXPRESS_H

#include "word.h"

/* Settle one call that an express permit admitted; what there is to tell of it as in trip_report. TRIP_OK, TRIP_STALE, TRIP_E_HANDLE. */
trip_status trip_express_settle(trip_permit permit, trip_word_event event, const trip_outcome *outcome);

/* What the permit of a lane is worth now, with the same statuses. */
trip_status trip_express_inspect(trip_permit permit);

#endif
