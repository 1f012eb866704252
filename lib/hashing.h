/* uthash as registry.c and rules.c use it: without exits when memory is out, on our allocator, and never with a hash of
   its own. To be included before everything that may include uthash.h. */
#ifndef TRIP_HASHING_H
#define TRIP_HASHING_H

#include "alloc.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) trip_allocate(size)
#define uthash_free(memory, size) trip_release(memory)
#define HASH_FUNCTION(text, len, hash) ((hash) = 0)

#include <uthash.h>

#endif
