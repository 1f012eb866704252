/* Products of 128 bits, on machines of 32 bits too. Arithmetic only. */
#ifndef TRIP_WIDE_H
#define TRIP_WIDE_H

#include <stdint.h>

/* The upper half of a product, from the four products of its halves. */
__attribute__((unused)) static inline uint64_t trip_multiply_high_by_halves(uint64_t a, uint64_t b)
{
    uint64_t a0 = a & UINT32_MAX, a1 = a >> 32, b0 = b & UINT32_MAX, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    return a1 * b1 + (middle >> 32) + ((a0 * b1 + (middle & UINT32_MAX)) >> 32);
}

/* The same, by one instruction where there is one. */
static inline uint64_t trip_multiply_high(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)a * b >> 64);
#else
    return trip_multiply_high_by_halves(a, b);
#endif
}

#endif
