/* Turns statuses, rejections and errors into facts. Judges nothing but that outputs are untouched where nothing may be
   written, and agree with the status where something is. */
#include "answer.h"

#include <string.h>

const trip_rejection unwritten = {.struct_size = sizeof(trip_rejection), .status = INT32_MAX, .state = 77};

void state_status(facts *found, trip_status status)
{
    state_name(found, "status", trip_status_name(status));
}

static int is_rejection(trip_status status)
{
    return status == TRIP_REJECTED_OPEN || status == TRIP_REJECTED_PROBING || status == TRIP_REJECTED_FORCED ||
           status == TRIP_REJECTED_RAMP;
}

void state_rejection(const place *where, trip_status status, const trip_rejection *refused, facts *found)
{
    state_status(found, status);
    if (!is_rejection(status)) {
        if (memcmp(&unwritten, refused, sizeof *refused) != 0)
            wrong(where, "%s, and yet out_rejection was written", trip_status_name(status));
        return;
    }
    if (refused->status != status)
        wrong(where, "%s, but out_rejection says %s", trip_status_name(status), trip_status_name(refused->status));
    state_name(found, "state", state_name_of(refused->state));
    state_number(found, "failures", refused->failures);
    state_number(found, "retry_after_ns", refused->retry_after_ns);
    state_number(found, "open_duration_ns", refused->open_duration_ns);
}

void state_error(const place *where, trip_status status, const trip_error *error, const config_shape *shape,
                 facts *found)
{
    state_status(found, status);
    if (error->status != status)
        wrong(where, "%s, but out_error says %s", trip_status_name(status), trip_status_name(error->status));
    if (status < TRIP_OK && error->message[0] == '\0')
        wrong(where, "%s, and out_error does not say why", trip_status_name(status));
    if (status == TRIP_E_CONFIG)
        state_name(found, "field", field_at(shape, error->field_offset));
}

const char *state_name_of(uint32_t state)
{
    static const char *const names[] = {[TRIP_STATE_CLOSED] = "TRIP_STATE_CLOSED",
                                        [TRIP_STATE_OPEN] = "TRIP_STATE_OPEN",
                                        [TRIP_STATE_HALF_OPEN] = "TRIP_STATE_HALF_OPEN"};
    return state < sizeof names / sizeof *names ? names[state] : "a number of no name";
}
