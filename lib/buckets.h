/*
 * Buckets: things found by their hash, which carry their own links. There comes one bucket at a time, so that no caller
 * ever pays for all things that are there: W. Litwin, Linear Hashing: A New Tool for File and Table Addressing (VLDB
 * 1980), in memory as P. Larson, Dynamic Hash Tables (CACM 1988). They know nothing of keys, and belong to whoever
 * holds a lock.
 */
#ifndef TRIP_BUCKETS_H
#define TRIP_BUCKETS_H

#include <stdint.h>

/* How each thing begins. */
typedef struct trip_link {
    struct trip_link *next;
    uint64_t hash;
} trip_link;

#define TRIP_BUCKETS_FIRST_BITS 4
#define TRIP_BUCKETS_FIRST (UINT32_C(1) << TRIP_BUCKETS_FIRST_BITS)
#define TRIP_BUCKETS_SEGMENTS 20 /* each twice as large as the one before, for 2^24 things in all */

/* All zero when there is nothing in them. */
typedef struct trip_buckets {
    uint32_t count; /* of things */
    uint32_t more;  /* buckets beyond the first ones */
    trip_link *first[TRIP_BUCKETS_FIRST];
    trip_link **segments[TRIP_BUCKETS_SEGMENTS];
} trip_buckets;

/* The first of those among which the ones with a hash are: to be followed by `next`. */
trip_link *trip_buckets_at(const trip_buckets *buckets, uint64_t hash);

/* Cannot fail: without memory for more buckets those that are there grow fuller. */
void trip_buckets_add(trip_buckets *buckets, trip_link *link);
void trip_buckets_remove(trip_buckets *buckets, trip_link *link);

/* Give all memory back; what the links belong to is not theirs. */
void trip_buckets_clear(trip_buckets *buckets);

#endif
