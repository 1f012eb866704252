/* The one place where the library asks for memory. Tests replace it to make each allocation fail in turn. */
#ifndef TRIP_ALLOC_H
#define TRIP_ALLOC_H

#include <stddef.h>

/* Zeroed memory, or NULL; from 64 bytes on it begins on a cache line. errno is preserved. */
void *trip_allocate(size_t size);
void trip_release(void *memory);

#endif
