/* The seam to the system's random numbers. */
#include "entropy.h"

#include <errno.h>
#include <unistd.h>

bool trip_entropy(void *out_bytes, size_t len)
{
    int saved = errno;
    bool is_there = getentropy(out_bytes, len) == 0;
    errno = saved;
    return is_there;
}
