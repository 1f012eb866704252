/* Buckets, as buckets.h describes them. Takes no lock, and allocates only when their number has doubled. */
#include "buckets.h"

#include "alloc.h"

#include <stddef.h>
#include <string.h>

#define LAST (TRIP_BUCKETS_FIRST << TRIP_BUCKETS_SEGMENTS) /* more than that there never are */

static uint32_t number_of(const trip_buckets *buckets)
{
    return TRIP_BUCKETS_FIRST + buckets->more;
}

/* The largest power of two that is not above it. */
static uint32_t round_down(uint32_t number)
{
    return UINT32_C(1) << (31 - __builtin_clz(number));
}

static trip_link **bucket(const trip_buckets *buckets, uint32_t number)
{
    if (number < TRIP_BUCKETS_FIRST)
        return (trip_link **)&buckets->first[number];
    uint32_t begin = round_down(number); /* of its segment, which has as many buckets as there are before it */
    return &buckets->segments[__builtin_ctz(begin) - TRIP_BUCKETS_FIRST_BITS][number - begin];
}

/* Half of the buckets are told apart by one bit more than those that have not been divided since. */
static trip_link **bucket_of(const trip_buckets *buckets, uint64_t hash)
{
    uint32_t half = round_down(number_of(buckets));
    uint32_t number = (uint32_t)hash & (2 * half - 1);
    return bucket(buckets, number < number_of(buckets) ? number : number - half);
}

trip_link *trip_buckets_at(const trip_buckets *buckets, uint64_t hash)
{
    return *bucket_of(buckets, hash);
}

/* ---- Segments ---------------------------------------------------------------------------------------------------- */

static size_t bytes_of(uint32_t segment)
{
    return sizeof(trip_link *) << (segment + TRIP_BUCKETS_FIRST_BITS);
}

static trip_link **have_segment(trip_buckets *buckets, uint32_t segment)
{
    size_t bytes = bytes_of(segment);
    if (buckets->segments[segment] == NULL)
        buckets->segments[segment] = bytes < TRIP_HUGE_PAGE ? trip_allocate(bytes) : trip_map(bytes);
    return buckets->segments[segment];
}

void trip_buckets_clear(trip_buckets *buckets)
{
    for (uint32_t i = 0; i < TRIP_BUCKETS_SEGMENTS; i++) {
        if (buckets->segments[i] != NULL && bytes_of(i) >= TRIP_HUGE_PAGE)
            trip_unmap(buckets->segments[i], bytes_of(i));
        else
            trip_release(buckets->segments[i]);
    }
    memset(buckets, 0, sizeof *buckets);
}

/* ---- Growing ----------------------------------------------------------------------------------------------------- */

/* One bucket more, which takes its things from the one whose turn it is to be divided. */
static void divide(trip_buckets *buckets)
{
    uint32_t number = number_of(buckets), half = round_down(number);
    if (number == LAST || have_segment(buckets, (uint32_t)__builtin_ctz(half) - TRIP_BUCKETS_FIRST_BITS) == NULL)
        return;
    trip_link **from = bucket(buckets, number - half), **to = bucket(buckets, number);
    while (*from != NULL) {
        trip_link *link = *from;
        if ((link->hash & half) == 0) {
            from = &link->next;
            continue;
        }
        *from = link->next;
        link->next = *to;
        *to = link;
    }
    buckets->more++;
}

void trip_buckets_add(trip_buckets *buckets, trip_link *link)
{
    if (++buckets->count > number_of(buckets))
        divide(buckets);
    trip_link **at = bucket_of(buckets, link->hash);
    link->next = *at;
    *at = link;
}

void trip_buckets_remove(trip_buckets *buckets, trip_link *link)
{
    trip_link **at = bucket_of(buckets, link->hash);
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    buckets->count--;
}
