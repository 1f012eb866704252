/* Texts, as texts.h describes them. They are written and read in atomic pieces: a reader may come at any time. */
#include "texts.h"

#include "pool.h"

#include <string.h>

#define NUMBER_BITS 26
#define NUMBER_MASK ((UINT32_C(1) << NUMBER_BITS) - 1)

#define PIECE sizeof(uint32_t)

typedef struct text {
    trip_pool_link link; /* while the slot is free */
    _Atomic uint32_t pieces[];
} text;

/* Names of up to 26 bytes are short, and there may be as many as circuits. Of longer ones there may be fewer. Chunks are
   of 64 KiB. */
#define SIZE(bytes, number_bits, chunk_bits)                                                                           \
    static _Atomic(char *) chunks_of_##bytes[UINT32_C(1) << ((number_bits) - (chunk_bits))];                           \
    static trip_pool of_##bytes = TRIP_POOL(bytes, UINT32_C(1) << (number_bits), chunk_bits, chunks_of_##bytes);       \
    _Static_assert((number_bits) <= NUMBER_BITS && (bytes) % PIECE == 0, "a place has room for the number")

SIZE(32, 26, 11);
SIZE(64, 24, 10);
SIZE(128, 24, 9);
SIZE(256, 24, 8);
SIZE(520, 24, 7);

static trip_pool *const sizes[] = {&of_32, &of_64, &of_128, &of_256, &of_520};

#define SIZES (sizeof sizes / sizeof *sizes)

_Static_assert(sizeof(text) + TRIP_TEXT_BYTES_MAX == 520, "the longest text fits");
_Static_assert(SIZES < 8, "a place has room for the size, and for none");

static size_t room_in(const trip_pool *size)
{
    return size->slot_size - sizeof(text);
}

static trip_pool *size_of(trip_text_place place)
{
    return sizes[(place >> NUMBER_BITS) - 1];
}

static text *text_at(trip_text_place place)
{
    return trip_pool_at(size_of(place), place & NUMBER_MASK);
}

/* Released one by one: whoever reads a piece of this text also sees that the last one in its place is over. */
static void put(text *to, const unsigned char *bytes, size_t len)
{
    uint32_t piece;
    size_t i = 0;
    for (; len >= PIECE; len -= PIECE, bytes += PIECE) {
        memcpy(&piece, bytes, PIECE);
        atomic_store_explicit(&to->pieces[i++], piece, memory_order_release);
    }
    piece = 0;
    memcpy(&piece, bytes, len);
    if (len != 0)
        atomic_store_explicit(&to->pieces[i], piece, memory_order_release);
}

trip_status trip_texts_keep(const void *bytes, size_t len, trip_text_place *out_place)
{
    uint32_t size = 0;
    while (room_in(sizes[size]) < len)
        size++;
    uint32_t number;
    trip_status status = trip_pool_take(sizes[size], &number);
    if (status != TRIP_OK)
        return status;
    *out_place = (size + 1) << NUMBER_BITS | number;
    put(text_at(*out_place), bytes, len);
    return TRIP_OK;
}

void trip_texts_drop(trip_text_place place)
{
    if (place != 0)
        trip_pool_give(size_of(place), place & NUMBER_MASK);
}

size_t trip_texts_copy(trip_text_place place, void *out_bytes, size_t capacity)
{
    if (place == 0)
        return 0;
    const text *from = text_at(place);
    size_t room = room_in(size_of(place));
    size_t len = room < capacity ? room : capacity;
    size_t whole = len / PIECE;
    for (size_t i = 0; i < whole; i++) {
        uint32_t piece = atomic_load_explicit(&from->pieces[i], memory_order_acquire);
        memcpy((char *)out_bytes + i * PIECE, &piece, PIECE);
    }
    if (len % PIECE != 0) {
        uint32_t piece = atomic_load_explicit(&from->pieces[whole], memory_order_acquire);
        memcpy((char *)out_bytes + whole * PIECE, &piece, len % PIECE);
    }
    return len;
}

const unsigned char *trip_texts_at(trip_text_place place)
{
    return (const unsigned char *)text_at(place)->pieces;
}
