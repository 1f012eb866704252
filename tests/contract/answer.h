/* What any call may answer, as facts: statuses, rejections and errors of configs. */
#ifndef CONTRACT_ANSWER_H
#define CONTRACT_ANSWER_H

#include "config.h"
#include "expect.h"

#include <trip.h>

/* A rejection that nobody has written: what to pass to a call, and to state_rejection afterwards. */
extern const trip_rejection unwritten;

void state_status(facts *found, trip_status status);

/* `refused` was `unwritten` before the call: it must be so still unless there was a rejection. */
void state_rejection(const place *where, trip_status status, const trip_rejection *refused, facts *found);

/* `error`, which was zero, must say what the call returned; with TRIP_E_CONFIG it tells which field of `shape`. */
void state_error(const place *where, trip_status status, const trip_error *error, const config_shape *shape,
                 facts *found);

/* "TRIP_STATE_OPEN". */
const char *state_name_of(uint32_t state);

#endif
