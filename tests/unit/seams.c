/* See seams.h. Linked before the library, these definitions take the place of its own. */
#include "seams.h"

#include "alloc.h"
#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Atomic int64_t allocations_left = INT64_MAX;
_Atomic int64_t allocated;

void *trip_allocate(size_t size)
{
    if (atomic_fetch_sub(&allocations_left, 1) <= 0)
        return NULL;
    void *memory = NULL;
    if (posix_memalign(&memory, 64, size) != 0)
        abort();
    memset(memory, 0, size);
    atomic_fetch_add(&allocated, 1);
    return memory;
}

/* Of bytes that nobody wrote nothing must be made. */
void *trip_allocate_close(size_t size)
{
    void *memory = trip_allocate(size);
    return memory == NULL ? NULL : memset(memory, 0xA5, size);
}

void trip_release(void *memory)
{
    if (memory != NULL)
        atomic_fetch_sub(&allocated, 1);
    free(memory);
}

_Atomic int maps_fail;
_Atomic uint64_t emptied;

void *trip_map(size_t size)
{
    return maps_fail ? NULL : trip_allocate(size);
}

void trip_unmap(void *memory, size_t size)
{
    (void)size;
    trip_release(memory);
}

void trip_empty(void *memory, size_t size)
{
    (void)memory;
    atomic_fetch_add(&emptied, size);
}

_Atomic uint64_t precise_ns = UINT64_C(1000000000000);
_Atomic uint64_t coarse_lag = 3000000;
_Atomic uint64_t precise_readings, coarse_readings;
void (*_Atomic before_reading)(void);

uint64_t trip_clock_precise(void)
{
    void (*act)(void) = atomic_load(&before_reading);
    if (act != NULL)
        act();
    atomic_fetch_add(&precise_readings, 1);
    return atomic_load(&precise_ns);
}

uint64_t trip_clock_coarse(void)
{
    atomic_fetch_add(&coarse_readings, 1);
    return atomic_load(&precise_ns) - atomic_load(&coarse_lag);
}

uint64_t trip_clock_tick(void)
{
    return 4000000;
}

_Atomic uint64_t day_ns = UINT64_C(1700000000000000000);

uint64_t trip_clock_of_day(void)
{
    return atomic_load(&day_ns);
}

_Atomic int entropy_fails;

int getentropy(void *buffer, size_t length)
{
    if (entropy_fails) {
        errno = ENOSYS;
        return -1;
    }
    memset(buffer, 0x5A, length);
    return 0;
}
