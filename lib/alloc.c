/* The allocator seam: the C library's heap, and the system's pages. */
#include "alloc.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE 64
#define PAIR_OF_LINES ((size_t)128)
#define PAGE ((size_t)4096)
#define LARGE 65536

/* Not calloc, which for small pieces is slower than malloc by far. */
void *trip_allocate(size_t size)
{
    int saved = errno;
    void *memory = NULL;
    size_t padded = (size + PAIR_OF_LINES - 1) & ~(PAIR_OF_LINES - 1);
    if (size < LINE)
        memory = malloc(size);
    else if (padded < size || posix_memalign(&memory, size < LARGE ? PAIR_OF_LINES : PAGE, padded) != 0)
        memory = NULL;
    errno = saved;
    return memory == NULL ? NULL : memset(memory, 0, size);
}

void *trip_allocate_close(size_t size)
{
    int saved = errno;
    void *memory = malloc(size);
    errno = saved;
    return memory;
}

void trip_release(void *memory)
{
    int saved = errno;
    free(memory);
    errno = saved;
}

/* ---- Pages ------------------------------------------------------------------------------------------------------- */

/* To begin on a huge page, ask for one more and give back what sticks out at both ends. */
void *trip_map(size_t size)
{
    int saved = errno;
    size_t asked = size + TRIP_HUGE_PAGE;
    char *memory = mmap(NULL, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *begin = NULL;
    if (memory != MAP_FAILED) {
        size_t before = -(uintptr_t)memory % TRIP_HUGE_PAGE;
        begin = memory + before;
        if (before != 0)
            munmap(memory, before);
        munmap(begin + size, TRIP_HUGE_PAGE - before);
        madvise(begin, size, MADV_HUGEPAGE); /* where the system has none, small pages do as well */
    }
    errno = saved;
    return begin;
}

void trip_unmap(void *memory, size_t size)
{
    int saved = errno;
    munmap(memory, size);
    errno = saved;
}

void trip_empty(void *memory, size_t size)
{
    int saved = errno;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t before = -(uintptr_t)memory % page;
    if (size >= before + page)
        madvise((char *)memory + before, (size - before) / page * page, MADV_DONTNEED);
    errno = saved;
}
