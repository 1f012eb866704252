/*
 * Events: what has happened to a tracker and to its circuits, in a ring from which callers take it. Telling never waits for
 * anybody: an event that finds the ring full is lost, and counted. The ring is there from the tracker's first event on,
 * the descriptor since somebody asked for it.
 *
 * The ring is a tracker's own. Whoever touches it visits the tracker (tracker.h), so that it goes when the last one has
 * left: nobody tells an event to a later tracker, or writes to a descriptor that is closed.
 */
#ifndef TRIP_EVENTS_H
#define TRIP_EVENTS_H

#include "trip.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct trip_ring trip_ring;

/* All zero in a tracker to which nothing has happened. */
typedef struct trip_events {
    _Atomic(trip_ring *) ring;
    _Atomic uint64_t lost;
    _Atomic uint32_t woken; /* the descriptor was made readable since it was last found that no event waits */
    _Atomic int32_t fd;     /* plus 1; 0: there is none */
} trip_events;

/* The texts of an event, as bytes of somebody else's, at most 255 each; those that it has not are empty. */
typedef struct trip_event_texts {
    const char *tenant;
    size_t tenant_len;
    const char *provider;
    size_t provider_len;
    const char *reason;
    size_t reason_len;
} trip_event_texts;

/* Tell an event of a tracker, if that is still there. Its number, time of day, offsets and lengths are filled in. */
void trip_events_tell(trip_tracker tracker, const trip_event *event, const trip_event_texts *texts);

/* Whether there is room for one. If not, an event is counted as lost, and need not be put together. */
bool trip_events_have_room(trip_tracker tracker);

/* Count an event as lost that could not be put together. */
void trip_events_lose(trip_tracker tracker);

/* When the last one who visited a tracker that is destroyed has left: close the descriptor, give everything back. */
void trip_events_end(trip_events *events);

/* In the child of a fork: what waits is the parent's, and so is whoever polls the descriptor. */
void trip_events_after_fork(trip_events *events);

#endif
