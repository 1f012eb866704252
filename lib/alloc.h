/* The one place where the library asks for memory. Tests replace it to make each allocation fail in turn. */
#ifndef TRIP_ALLOC_H
#define TRIP_ALLOC_H

#include <stddef.h>

/* Zeroed memory, or NULL. errno is preserved. Processors fetch cache lines in pairs and read ahead within a page: from 64
   bytes on, memory shares no pair of lines with another piece, and from 64 KiB on it begins on a page. */
void *trip_allocate(size_t size);
void trip_release(void *memory);

#endif
