/* The finalizer of SplitMix64: each bit that comes in flips each bit that goes out as good as at random, and no two
   numbers become the same. Source: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators (OOPSLA 2014).
   Arithmetic only. */
#ifndef TRIP_MIX_H
#define TRIP_MIX_H

#include <stdint.h>

static inline uint64_t trip_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

#endif
