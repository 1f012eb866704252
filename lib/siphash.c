/* SipHash-1-3, 128 bits: see siphash.h. */
#include "siphash.h"

#include <endian.h>
#include <string.h>

#define BLOCK sizeof(uint64_t)

typedef struct sip {
    uint64_t a, b, c, d;
} sip;

static inline uint64_t rotate_left(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_round(sip *s)
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

static inline void absorb(sip *s, uint64_t block)
{
    s->d ^= block;
    sip_round(s);
    s->a ^= block;
}

static inline uint64_t squeeze(sip *s)
{
    for (int i = 0; i < 3; i++)
        sip_round(s);
    return s->a ^ s->b ^ s->c ^ s->d;
}

/* ---- Blocks: little-endian, whatever the machine ------------------------------------------------------------------ */

static inline uint64_t eight_at(const char *bytes)
{
    uint64_t block;
    memcpy(&block, bytes, sizeof block);
    return le64toh(block);
}

static inline uint64_t four_at(const char *bytes)
{
    uint32_t half;
    memcpy(&half, bytes, sizeof half);
    return le32toh(half);
}

static inline uint64_t one_at(const char *bytes)
{
    return (unsigned char)*bytes;
}

/* One to seven bytes and zeroes. The parts may overlap: where they do they agree. */
static inline uint64_t short_block(const char *bytes, size_t len)
{
    size_t last = len - 1, middle = len / 2;
    if (len >= 4)
        return four_at(bytes) | four_at(bytes + len - 4) << 8 * (len - 4);
    return one_at(bytes) | one_at(bytes + middle) << 8 * middle | one_at(bytes + last) << 8 * last;
}

/* A text and zeroes up to a whole block. Returns its blocks. */
static inline size_t absorb_text(sip *s, const char *text, size_t len)
{
    size_t whole = len / BLOCK, rest = len % BLOCK;
    for (size_t i = 0; i < whole; i++)
        absorb(s, eight_at(text + i * BLOCK));
    if (rest == 0)
        return whole;
    if (whole != 0) /* eight bytes that end where the text does */
        absorb(s, eight_at(text + len - BLOCK) >> 8 * (BLOCK - rest));
    else
        absorb(s, short_block(text, rest));
    return whole + 1;
}

static inline sip begin(const trip_hash_key *key)
{
    return (sip){
        .a = key->k0 ^ UINT64_C(0x736F6D6570736575),
        .b = key->k1 ^ UINT64_C(0x646F72616E646F6D) ^ 0xEE,
        .c = key->k0 ^ UINT64_C(0x6C7967656E657261),
        .d = key->k1 ^ UINT64_C(0x7465646279746573),
    };
}

static inline trip_hash finish(sip *s)
{
    trip_hash hash;
    s->c ^= 0xEE;
    hash.low = squeeze(s);
    s->b ^= 0xDD;
    hash.high = squeeze(s);
    return hash;
}

trip_hash trip_siphash(const trip_hash_key *key, const char *first, size_t first_len, const char *second,
                       size_t second_len)
{
    sip s = begin(key);
    size_t blocks = absorb_text(&s, first, first_len);
    blocks += absorb_text(&s, second, second_len);
    uint64_t message_len = blocks * BLOCK + 2; /* of which the last block shows the low eight bits */
    absorb(&s, message_len << 56 | (uint64_t)second_len << 8 | first_len);
    return finish(&s);
}

trip_hash trip_siphash_of(const trip_hash_key *key, const char *message, size_t len)
{
    sip s = begin(key);
    size_t rest = len % BLOCK;
    absorb_text(&s, message, len - rest);
    absorb(&s, (uint64_t)len << 56 | (rest == 0 ? 0 : short_block(message + len - rest, rest)));
    return finish(&s);
}
