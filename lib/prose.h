/* Text for people, written bit by bit into a buffer of a fixed size: what does not fit is left out, and nothing breaks.
   Reads no clock and no locale. */
#ifndef TRIP_PROSE_H
#define TRIP_PROSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIP_PROSE_MAX 4096

typedef struct trip_prose {
    size_t len;
    char text[TRIP_PROSE_MAX];
} trip_prose;

/* As printf has it; no floating point, whose point may be a comma. */
void trip_prose_add(trip_prose *prose, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Any bytes, in quotes: what cannot be printed, quotes and backslashes are written as C would. */
void trip_prose_quote(trip_prose *prose, const char *bytes, size_t len);

/* "12.3 s", "850 ms", "less than 1 ms", "4 min 10 s", "3 h 20 min", "2 d 4 h". */
void trip_prose_duration(trip_prose *prose, uint64_t ns);

/* "2026-11-21T21:05:39Z" */
void trip_prose_date(trip_prose *prose, uint64_t unix_ns);

/* "1 call", "2 calls" */
void trip_prose_count(trip_prose *prose, uint64_t count, const char *singular, const char *plural);

#endif
