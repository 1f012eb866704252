/*
 * Backoff: how long to wait before a call is tried again. Arithmetic on integers, and on doubles without libm: the same
 * on every machine. Draws where there is jitter, and touches nothing else.
 */
#ifndef TRIP_BACKOFF_H
#define TRIP_BACKOFF_H

#include "draw.h"
#include "trip.h"

/* min(base * multiplier^(attempt - 1), max), to the nearest nanosecond, or what a double knows of it. */
uint64_t trip_backoff_delay(const trip_retry_config *rule, uint32_t attempt);

/* The same with jitter. Source: Brooker, Exponential Backoff And Jitter (AWS Architecture Blog, 2015), but that
   TRIP_JITTER_DECORRELATED caps what may be drawn instead of what was drawn: else most of the long delays would be the
   cap, and the same for all who wait. */
uint64_t trip_backoff_draw(const trip_retry_config *rule, uint32_t attempt, uint64_t last_delay_ns, trip_draws *draws);

#endif
