/*
 * What the suite of statuses shares with the parts of it: each part of the ABI brings about the statuses of its own
 * functions in a file of its own, statuses_*.c, and is a line of the table in statuses.c.
 */
#ifndef TRIP_TEST_TELLING_H
#define TRIP_TEST_TELLING_H

#include "fixture.h"
#include "seams.h"

/* Note what a call of a function answered. Returns it. */
trip_status note(const char *function, trip_status status);

/* Call, note the answer, and require it. */
#define TELL(expected, function, ...) ck_assert_int_eq(note(#function, function(__VA_ARGS__)), expected)

/* Note what a function that makes things answers until there is no memory for another one, and then until there is no
   place. One of those it has made is where it put the last. */
#define TELL_UNTIL_NO_MORE(function, ...)                                                                              \
    do {                                                                                                               \
        trip_status last;                                                                                              \
        atomic_store(&allocations_left, 0);                                                                            \
        while ((last = note(#function, function(__VA_ARGS__))) == TRIP_OK) {                                           \
        }                                                                                                              \
        ck_assert_int_eq(last, TRIP_E_NOMEM);                                                                          \
        atomic_store(&allocations_left, INT64_MAX);                                                                    \
        while ((last = note(#function, function(__VA_ARGS__))) == TRIP_OK) {                                           \
        }                                                                                                              \
        ck_assert_int_eq(last, TRIP_E_CAPACITY);                                                                       \
    } while (0)

/* The parts. */
void tell_gates(void);
void tell_pipelines(void);
void tell_guards(void);
void tell_retries(void);
void tell_routes(void);
void tell_dedups(void);

#endif
