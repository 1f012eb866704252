/*
 * What the suite of statuses shares with the parts of it: each part of the ABI brings about the statuses of its own
 * functions in a file of its own, statuses_*.c, and is a line of the table in statuses.c.
 */
#ifndef TRIP_TEST_TELLING_H
#define TRIP_TEST_TELLING_H

#include "fixture.h"

/* Note what a call of a function answered. Returns it. */
trip_status note(const char *function, trip_status status);

/* Call, note the answer, and require it. */
#define TELL(expected, function, ...) ck_assert_int_eq(note(#function, function(__VA_ARGS__)), expected)

#endif
