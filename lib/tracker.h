/* Trackers as the library keeps them: a policy, a clock and a registry of circuits, in type-stable slots. */
#ifndef TRIP_TRACKER_H
#define TRIP_TRACKER_H

#include "events.h"
#include "handle.h"
#include "policy.h"
#include "pool.h"
#include "registry.h"

typedef struct trip_tracker_record {
    trip_pool_link link;
    _Atomic uint64_t life;   /* generation << 1 | 1 while somebody's tracker, | 0 while free */
    _Atomic uint64_t manual; /* the manual clock: low bits of the generation << 58 | ns */
    _Atomic uint32_t clock;  /* TRIP_CLOCK_* */
    trip_registry registry;
    _Atomic uint64_t visits;  /* that go on, with a flag once the tracker is destroyed */
    trip_events events;       /* for visitors alone */
    pthread_mutex_t scraping; /* one at a time tells the metrics; taken before the registry's */
} trip_tracker_record;

extern trip_pool trip_trackers;

/* How many trackers were ever destroyed. */
extern _Atomic uint64_t trip_trackers_destroyed;

/* A tracker's end, with its circuits and permits. What else was made for it finds that it is gone (orphans.c).
   TRIP_E_HANDLE: there was none. */
trip_status trip_tracker_end(trip_tracker tracker);

/* The place that a handle names; NULL for what cannot be a tracker. */
trip_tracker_record *trip_tracker_named(trip_tracker tracker);
bool trip_tracker_lives(const trip_tracker_record *record, trip_tracker tracker); /* in one order with object.c's */

/* Whether the tracker with these low bits of its handle may still be there. */
bool trip_tracker_tag_lives(uint32_t tag);

/* Hold the mutex of a tracker's registry. To wait for it for long is an event. NULL: there is no such tracker, and nothing
   is held. */
trip_tracker_record *trip_tracker_lock(trip_tracker tracker);

/* Hold that of the registry of a circuit that lives, and tell where it does. NULL: there is none, and nothing is held. */
trip_tracker_record *trip_tracker_hold(trip_circuit circuit, trip_record **out_record);
void trip_tracker_unlock(trip_tracker_record *tracker);

/* A tracker with what it has beside its circuits is there until all who visit it have left, be it that it is destroyed
   meanwhile. NULL: it is gone. Lock-free. */
trip_tracker_record *trip_tracker_visit(trip_tracker tracker);
void trip_tracker_leave(trip_tracker tracker);

/* In the child of a fork: all visitors are gone. */
void trip_trackers_after_fork(void);

/* Whether its clock is the manual one. */
bool trip_tracker_is_manual(trip_tracker tracker);

/* What time it is for a tracker that lives. */
uint64_t trip_tracker_time(trip_tracker tracker);

/* The tracker's clock. */
uint64_t trip_tracker_now(trip_tracker tracker, const trip_policy *policy);

/* The same, but of a clock that runs by itself only the coarse reading, which is cheaper and never ahead. */
uint64_t trip_tracker_lately(trip_tracker tracker, const trip_policy *policy);

#endif
