/*
 * SipHash-1-3 with a 128-bit result, keyed: who does not know the key cannot choose texts that collide.
 * Source: Aumasson, Bernstein: SipHash, a fast short-input PRF (Indocrypt 2012), with one compression and three
 * finalization rounds and the authors' 128-bit output. Reads its arguments, touches nothing else.
 */
#ifndef TRIP_SIPHASH_H
#define TRIP_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct trip_hash {
    uint64_t low;
    uint64_t high;
} trip_hash;

typedef struct trip_hash_key {
    uint64_t k0;
    uint64_t k1;
} trip_hash_key;

/*
 * The hash of two texts of at most 255 bytes, where they lie. The message that is hashed is each text, filled up with
 * zeroes to whole blocks of 8 bytes, and then a byte for the length of each: no two pairs have the same message, and no
 * block is put together from both texts. A text of no bytes may be NULL.
 */
trip_hash trip_siphash(const trip_hash_key *key, const char *first, size_t first_len, const char *second,
                       size_t second_len);

/* The hash of one message of any length, as its authors define it. */
trip_hash trip_siphash_of(const trip_hash_key *key, const char *message, size_t len);

#endif
