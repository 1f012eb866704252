/*
 * Watches: descriptors that become readable when something ends. A watch is a timer which nobody reads: those who watch
 * have copies of it, which share it, and all of them are readable when it has fired. Made of system calls, and knows no
 * lock.
 */
#ifndef TRIP_WATCH_H
#define TRIP_WATCH_H

#include <stdint.h>

#define TRIP_WATCH_NEVER UINT64_MAX

/* -1: the system gives no descriptor. All are non-blocking and closed on exec. */
int trip_watch_open(void);
int trip_watch_copy(int watch);

/* A descriptor that is readable, and stays so. */
int trip_watch_over(void);

/* It fires at this time of the machine's clock, and not before. */
void trip_watch_set(int watch, uint64_t at_ns);

/* It has fired when this returns, and is closed; the copies stay. */
void trip_watch_fire(int watch);

/* It is closed, and its copies are somebody else's: those of the parent of a fork. */
void trip_watch_close(int watch);

#endif
