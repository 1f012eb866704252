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

trip_hash trip_siphash(const trip_hash_key *key, const unsigned char *text, size_t len);

#endif
