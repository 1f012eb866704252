/* Dates that people write into headers, as seconds since 1970 UTC. Knows no locale, no time zone database, no clock. */
#ifndef TRIP_CIVIL_TIME_H
#define TRIP_CIVIL_TIME_H

#include "words.h"

#include <stdint.h>

/* A moment: nanoseconds are rounded up. */
typedef struct trip_moment {
    uint64_t seconds;
    uint32_t nanoseconds; /* below 10^9 */
} trip_moment;

/* One of the three forms of RFC 9110, section 5.6.7, and nothing else. Which day of the week it was is not checked. A
   year of two digits is the latest that is at most 50 years after `now_seconds`. False: it is none, or before 1970. */
bool trip_read_http_date(trip_text text, uint64_t now_seconds, trip_moment *moment);

/* A date and time of RFC 3339, with its offset, and nothing else. */
bool trip_read_rfc3339(trip_text text, trip_moment *moment);

#endif
