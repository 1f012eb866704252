/* The allocator seam: the C library's heap. */
#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64
#define PAIR_OF_LINES ((size_t)128)
#define PAGE ((size_t)4096)
#define LARGE 65536

void *trip_allocate(size_t size)
{
    int saved = errno;
    void *memory = NULL;
    if (size >= LINE) {
        size_t padded = (size + PAIR_OF_LINES - 1) & ~(PAIR_OF_LINES - 1);
        if (padded < size || posix_memalign(&memory, size < LARGE ? PAIR_OF_LINES : PAGE, padded) != 0)
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
