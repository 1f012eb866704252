/* An allocator, a clock and a source of random numbers that a test can make fail, in place of the library's seams. */
#ifndef TRIP_TEST_SEAMS_H
#define TRIP_TEST_SEAMS_H

#include <stdatomic.h>
#include <stdint.h>

extern _Atomic int64_t allocations_left; /* that will succeed; negative once one was refused */
extern _Atomic int64_t allocated;        /* pieces in use */
extern _Atomic int maps_fail;            /* there is memory, but not in huge pages */
extern _Atomic uint64_t emptied;         /* bytes that were given back and kept */

extern _Atomic uint64_t precise_ns; /* what the clock says */
extern _Atomic uint64_t coarse_lag; /* and how far the coarse one is behind */
extern _Atomic uint64_t precise_readings, coarse_readings;
extern _Atomic uint64_t day_ns;              /* and the time of day */
extern void (*_Atomic before_reading)(void); /* the precise one; NULL: nothing */

extern _Atomic int entropy_fails;

#endif
