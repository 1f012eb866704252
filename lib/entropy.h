/* The one place where the library asks the system for random numbers. */
#ifndef TRIP_ENTROPY_H
#define TRIP_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>

/* At most 256 bytes. False: the system has none, and what is there is nothing. errno is preserved. */
bool trip_entropy(void *out_bytes, size_t len);

#endif
