/* All the events that wait, taken at once, for the suites that are about them. */
#ifndef TRIP_TEST_TAKING_H
#define TRIP_TEST_TAKING_H

#include "fixture.h"

#include <poll.h>

enum { RING = 4096, TEXT_OF_ONE = 765 };

typedef struct told {
    size_t count;
    uint64_t lost;
    trip_event events[RING];
    char text[RING * TEXT_OF_ONE];
} told;

static inline told *take_all(trip_tracker tracker)
{
    static told all;
    memset(all.events, 0xA5, sizeof all.events);
    ck_assert_int_eq(trip_tracker_events(tracker, all.events, sizeof all.events[0], RING, all.text, sizeof all.text,
                                         &all.count, &all.lost),
                     TRIP_OK);
    return &all;
}

static inline void forget_all(trip_tracker tracker)
{
    take_all(tracker);
}

static inline void move(trip_tracker tracker, uint64_t ns)
{
    ck_assert_int_eq(trip_tracker_advance(tracker, ns), TRIP_OK);
}

static inline void refused(trip_circuit circuit)
{
    trip_permit permit;
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, NULL), TRIP_REJECTED_OPEN);
}

/* ---- The descriptor ---------------------------------------------------------------------------------------------- */

static inline int32_t descriptor_of(trip_tracker tracker)
{
    int32_t fd = -1;
    ck_assert_int_eq(trip_tracker_event_fd(tracker, &fd), TRIP_OK);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static inline bool is_readable(int32_t fd)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    ck_assert_int_ge(poll(&at, 1, 0), 0);
    ck_assert_int_eq(at.revents & ~POLLIN, 0);
    return at.revents != 0;
}

#endif
