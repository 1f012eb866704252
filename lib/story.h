/*
 * What a circuit remembers of itself for people: when and why it opened last, and how the last calls failed that said how.
 * Each in one word of the annex, under a mark of the circuit's life; times are milliseconds of the tracker's clock.
 */
#ifndef TRIP_STORY_H
#define TRIP_STORY_H

#include "circuit.h"

typedef struct trip_opening {
    uint64_t at_ms;
    uint32_t cause; /* TRIP_CAUSE_*; TRIP_CAUSE_NONE: it never opened, or there was no memory to note it */
} trip_opening;

typedef struct trip_blame {
    uint64_t at_ms;
    uint32_t status_class; /* TRIP_CLASS_* */
    uint32_t http_status;
} trip_blame;

/* Note that the circuit has opened, or that a call has failed. Without memory nothing is noted. Lock-free. */
void trip_story_opened(trip_hearing *hearing, uint32_t cause);
void trip_story_failed(trip_hearing *hearing, const trip_outcome *outcome);

trip_opening trip_story_opening(const trip_hearing *hearing);

/* The failures, in no order. Returns how many there are. */
size_t trip_story_blamed(const trip_hearing *hearing, trip_blame out_blamed[TRIP_BLAMED]);

#endif
