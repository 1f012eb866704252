/* The one place where the library asks what time it is. */
#ifndef TRIP_CLOCK_H
#define TRIP_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in ns. */
uint64_t trip_clock_precise(void);

/* The same clock as of the last kernel tick: never ahead of the precise one, behind it by less than trip_clock_tick. */
uint64_t trip_clock_coarse(void);

/* Length of a kernel tick in ns. */
uint64_t trip_clock_tick(void);

/* CLOCK_REALTIME in ns: the time of day, since 1970 UTC. It may be set to anything at any time. */
uint64_t trip_clock_of_day(void);

#endif
