/* The one place where the library asks what time it is. */
#ifndef TRIP_CLOCK_H
#define TRIP_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in ns. */
uint64_t trip_clock_precise(void);

/* The same clock as of the last kernel tick: never ahead of the precise one, behind it by less than trip_clock_tick. */
uint64_t trip_clock_coarse(void);

/* The time of day: ns since 1970 UTC. */
uint64_t trip_clock_of_day(void);

/* Length of a kernel tick in ns. */
uint64_t trip_clock_tick(void);

#endif
