/*
 * Traps for what the healthy path must never do. The linker leads the calls of the program, and of a library linked into
 * it, to traps.c (`--wrap`): they are counted and go on, on threads that have set their traps. The kernel keeps watch for
 * system calls (seccomp), whoever makes them and however: the first one ends the process.
 */
#ifndef TRIP_TEST_TRAPS_H
#define TRIP_TEST_TRAPS_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct trapped {
    _Atomic uint64_t allocations; /* and releases */
    _Atomic uint64_t clock_readings, locks;
    _Atomic uint64_t system_calls;
    _Atomic int64_t system_call; /* the number of the first */
} trapped;

/* From now on this thread is watched, and can make no system call but to leave. Failure aborts. */
void traps_set(trapped *out_trapped);

/* End the process from a thread that is watched. */
void traps_leave(int status);

#endif
