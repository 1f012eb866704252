/* How long a provider asks to wait: numbers, durations, and texts that say it. What is wrong is refused, not mended. */
#ifndef TRIP_RETRY_HINT_H
#define TRIP_RETRY_HINT_H

#include "trip.h"
#include "words.h"

#define TRIP_SECOND UINT64_C(1000000000)
#define TRIP_HINT_MAX (365 * 24 * 3600 * TRIP_SECOND) /* nobody is asked to wait longer */

/* The whole text is a number of seconds: "20", "1.5". At most a year. */
bool trip_read_seconds(trip_text text, uint64_t *ns);

/* The whole text is a duration with units: "6m0s", "20ms", "34.07s". At most a year. */
bool trip_read_duration(trip_text text, uint64_t *ns);

/* The wait in a text for people: "Please try again in 6m0s." TRIP_OK, TRIP_NO_HINT, or TRIP_E_INVALID: a number stands
   where the wait should, and it is none. */
trip_status trip_hint_in_text(trip_text text, uint64_t *ns);

#endif
