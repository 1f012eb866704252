/*
 * Outputs: bytes that a stage of a pipeline appends and that are read afterwards: by the next stage, in place, or by whoever
 * ran the pipeline. An output belongs to its run until that hands it over. Calls nobody back.
 */
#ifndef TRIP_OUTPUT_H
#define TRIP_OUTPUT_H

#include "object.h"

#include <stddef.h>

extern trip_object_kind trip_outputs;

/* An output as the run has it that owns it. */
typedef struct trip_own_output {
    struct trip_output_place *place;
    trip_output handle;
} trip_own_output;

/* Bytes that somebody else owns; not NULL, be it that there are none. */
typedef struct trip_bytes {
    const char *at;
    size_t len;
} trip_bytes;

/* One to be written. TRIP_OK, TRIP_E_NOMEM, TRIP_E_CAPACITY. */
trip_status trip_output_open(trip_own_output *out_output);

/* From now on it can only be read, without a lock. TRIP_OK, or TRIP_E_NOMEM: some of what was written is not there. */
trip_status trip_output_close(trip_own_output output, trip_bytes *out_bytes);

/* The run has no use for it any more: it is gone, or it is the caller's. */
void trip_output_discard(trip_own_output output);
trip_output trip_output_hand_over(trip_own_output output);

#endif
