/* The allocator seam: the C library's heap. */
#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64

void *trip_allocate(size_t size)
{
    int saved = errno;
    void *memory = NULL;
    if (size >= CACHE_LINE) {
        if (posix_memalign(&memory, CACHE_LINE, size) != 0)
            memory = NULL;
        else
            memset(memory, 0, size);
    } else {
        memory = calloc(1, size);
    }
    errno = saved;
    return memory;
}

void trip_release(void *memory)
{
    int saved = errno;
    free(memory);
    errno = saved;
}
