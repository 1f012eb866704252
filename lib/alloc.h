/* The one place where the library asks for memory. Tests replace it to make each allocation fail in turn. */
#ifndef TRIP_ALLOC_H
#define TRIP_ALLOC_H

#include <stddef.h>

/* Zeroed memory, or NULL. errno is preserved. Processors fetch cache lines in pairs and read ahead within a page: from 64
   bytes on, memory shares no pair of lines with another piece, and from 64 KiB on it begins on a page. */
void *trip_allocate(size_t size);

/* The same for one of many pieces that are used under a lock, or for bytes: wherever there is room, and not zeroed. */
void *trip_allocate_close(size_t size);

void trip_release(void *memory);

#define TRIP_HUGE_PAGE ((size_t)2 << 20)

/* The same for much: `size` is a multiple of huge pages, on which it begins. What is never touched takes no memory. */
void *trip_map(size_t size);
void trip_unmap(void *memory, size_t size);

/* Let the system have the whole pages of this memory, which stays readable and writable. Each of its bytes keeps its
   value or becomes 0. errno is preserved. */
void trip_empty(void *memory, size_t size);

#endif
