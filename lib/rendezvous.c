/* Rendezvous hashing, as rendezvous.h describes it. */
#include "rendezvous.h"

#include "siphash.h"
#include "wide.h"

#define FRACTION_BITS 32

/* 00 01 02 ... 0F: the key of the vectors that the authors of SipHash publish. */
static const trip_hash_key published = {UINT64_C(0x0706050403020100), UINT64_C(0x0F0E0D0C0B0A0908)};

uint64_t trip_rendezvous_session(const char *session, size_t len)
{
    return trip_siphash_of(&published, session, len).low;
}

uint64_t trip_rendezvous_provider(const char *provider, size_t len)
{
    return trip_siphash_of(&published, provider, len).high;
}

/* Digit by digit, by squaring: Knuth, The Art of Computer Programming, volume 1, 1.2.2. A greater number never costs
   more. */
uint64_t trip_rendezvous_cost(uint64_t number)
{
    uint64_t x = number | 1; /* 0 has no logarithm */
    uint64_t zeros = (uint64_t)__builtin_clzll(x), fraction = 0;
    x <<= zeros;
    for (int i = 0; i < FRACTION_BITS; i++) { /* x / 2^63 is 1 to 2, its square 1 to 4 */
        x = trip_multiply_high(x, x);
        uint64_t digit = x >> 63;
        fraction = fraction << 1 | digit;
        x <<= 1 - digit;
    }
    return ((zeros + 1) << FRACTION_BITS) - fraction;
}
