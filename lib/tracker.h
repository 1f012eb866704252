/* Trackers as the library keeps them: a policy, a clock and a registry of circuits, in type-stable slots. */
#ifndef TRIP_TRACKER_H
#define TRIP_TRACKER_H

#include "handle.h"
#include "policy.h"
#include "pool.h"
#include "registry.h"

/* A policy as other threads may read it while its tracker is destroyed: in atomic pieces. */
#define TRIP_POLICY_WORDS (sizeof(trip_policy) / sizeof(uint64_t))
_Static_assert(sizeof(trip_policy) % sizeof(uint64_t) == 0, "a policy is copied in pieces of 64 bits");

typedef struct trip_tracker_record {
    trip_pool_link link;
    _Atomic uint64_t life;   /* generation << 1 | 1 while somebody's tracker, | 0 while free */
    _Atomic uint64_t manual; /* the manual clock: low bits of the generation << 58 | ns */
    trip_registry registry;
    pthread_mutex_t scraping; /* one at a time tells the metrics; taken before the registry's */
    _Atomic uint64_t policy[TRIP_POLICY_WORDS];
} trip_tracker_record;

extern trip_pool trip_trackers;

/* How many trackers were ever destroyed. */
extern _Atomic uint64_t trip_trackers_destroyed;

/* The place that a handle names; NULL for what cannot be a tracker. */
trip_tracker_record *trip_tracker_named(trip_tracker tracker);
bool trip_tracker_lives(const trip_tracker_record *record, trip_tracker tracker);

/* Whether the tracker with these low bits of its handle may still be there. */
bool trip_tracker_tag_lives(uint32_t tag);

/* Copy the policy; of a tracker that is gone, anything. */
void trip_tracker_policy(trip_tracker tracker, trip_policy *out_policy);

/* The tracker's clock. */
uint64_t trip_tracker_now(trip_tracker tracker, const trip_policy *policy);

/* The same, but of a clock that runs by itself only the coarse reading, which is cheaper and never ahead. */
uint64_t trip_tracker_lately(trip_tracker tracker, const trip_policy *policy);

#endif
