/* The clock seam: CLOCK_MONOTONIC, which the kernel serves from user space, its cheap coarse reading, the time of day. */
#include "clock.h"

#include <stdatomic.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

static uint64_t ns_of(struct timespec t)
{
    return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

uint64_t trip_clock_precise(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail: the clock exists on every Linux */
    return ns_of(t);
}

uint64_t trip_clock_coarse(void)
{
    struct timespec t = {0};
    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &t) != 0)
        return trip_clock_precise();
    return ns_of(t);
}

uint64_t trip_clock_tick(void)
{
    static _Atomic uint64_t tick;
    uint64_t known = atomic_load_explicit(&tick, memory_order_relaxed);
    if (known == 0) {
        struct timespec t = {0};
        clock_getres(CLOCK_MONOTONIC_COARSE, &t);
        known = ns_of(t);
        atomic_store_explicit(&tick, known, memory_order_relaxed);
    }
    return known;
}

uint64_t trip_clock_of_day(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_REALTIME, &t);
    return ns_of(t);
}
