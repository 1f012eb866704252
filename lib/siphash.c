/* SipHash-1-3, 128 bits: see siphash.h. */
#include "siphash.h"

typedef struct sip {
    uint64_t a, b, c, d;
} sip;

static uint64_t rotate_left(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(sip *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotate_left(s->b, 13) ^ s->a;
    s->d = rotate_left(s->d, 16) ^ s->c;
    s->a = rotate_left(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = rotate_left(s->b, 17) ^ s->c;
    s->d = rotate_left(s->d, 21) ^ s->a;
    s->c = rotate_left(s->c, 32);
}

static void absorb(sip *s, uint64_t block)
{
    s->d ^= block;
    sip_round(s);
    s->a ^= block;
}

static uint64_t squeeze(sip *s)
{
    for (int i = 0; i < 3; i++)
        sip_round(s);
    return s->a ^ s->b ^ s->c ^ s->d;
}

/* Up to eight bytes as a little-endian number, whatever the machine. */
static uint64_t little_endian(const unsigned char *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

trip_hash trip_siphash(const trip_hash_key *key, const unsigned char *text, size_t len)
{
    sip s = {
        .a = key->k0 ^ UINT64_C(0x736F6D6570736575),
        .b = key->k1 ^ UINT64_C(0x646F72616E646F6D) ^ 0xEE,
        .c = key->k0 ^ UINT64_C(0x6C7967656E657261),
        .d = key->k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = len - len % 8;
    for (size_t i = 0; i < whole; i += 8)
        absorb(&s, little_endian(text + i, 8));
    absorb(&s, (uint64_t)len << 56 | little_endian(text + whole, len - whole));

    trip_hash hash;
    s.c ^= 0xEE;
    hash.low = squeeze(&s);
    s.b ^= 0xDD;
    hash.high = squeeze(&s);
    return hash;
}
