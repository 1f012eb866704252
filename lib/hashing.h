/* uthash as it is used here: without exits when memory is out, on our allocator, and never with a hash of its own.
   Nothing else includes uthash.h. */
#ifndef TRIP_HASHING_H
#define TRIP_HASHING_H

#include "alloc.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) trip_allocate(size)
#define uthash_free(memory, size) trip_release(memory)
#define HASH_FUNCTION(text, len, hash) ((hash) = 0)

#include <uthash.h>

/* Buckets may be fuller than uthash thinks best, which saves up to 16 bytes per circuit: it is not often asked. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 32U

#endif
