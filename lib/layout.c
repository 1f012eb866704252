/* The layout of a snapshot, as layout.h says: numbers are little-endian, one behind the other, without padding. */
#include "layout.h"

#include "siphash.h"

#include <string.h>

static const char magic[8] = {'T', 'R', 'I', 'P', 'S', 'N', 'A', 'P'};

/* The 16 bytes "libtrip snapshot": fixed, for the checksum is to find damage, not to keep a secret. */
static const trip_hash_key checksum_key = {UINT64_C(0x207069727462696C), UINT64_C(0x746F687370616E73)};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SIZE_SIZE 2
#define CIRCUIT_SIZE 96 /* without its texts */
#define LENGTH_AT 16    /* in the header */
#define LEVEL_MAX 31
#define FAILURES_MAX ((UINT64_C(1) << 23) - 1)

/* The numbers of a circuit, in their order, behind the size of the whole. */
typedef struct member {
    size_t offset; /* in trip_saved */
    size_t size;   /* there and in the bytes */
} member;

#define MEMBER(name)                                                                                                   \
    {                                                                                                                  \
        offsetof(trip_saved, name), sizeof((trip_saved *)0)->name                                                      \
    }

static const member members[] = {
    MEMBER(state),      MEMBER(level),    MEMBER(mode),      MEMBER(tenant_len), MEMBER(provider_len),
    MEMBER(reason_len), MEMBER(failures), MEMBER(open_left), MEMBER(wait_left),  MEMBER(mode_left),
    MEMBER(successes),  MEMBER(failed),   MEMBER(dropped),   MEMBER(cancelled),  MEMBER(rejections),
    MEMBER(stale),      MEMBER(opens),
};

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static char *put(char *to, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (char)(unsigned char)(value >> 8 * i);
    return to + size;
}

static char *put_text(char *to, const char *text, size_t len)
{
    if (len != 0)
        memcpy(to, text, len);
    return to + len;
}

/* Bytes that are there: each taking comes out of what is left, and from nothing there are only zeroes to take. */
typedef struct span {
    const char *at;
    size_t left;
} span;

static const char *take(span *from, size_t size)
{
    static const char nothing[UINT8_MAX];
    if (size > from->left) {
        from->left = 0;
        return nothing;
    }
    const char *at = from->at;
    from->at += size;
    from->left -= size;
    return at;
}

static uint64_t number(span *from, size_t size)
{
    const char *at = take(from, size);
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(unsigned char)at[i] << 8 * i;
    return value;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

size_t trip_layout_size(const trip_saved *circuit)
{
    return CIRCUIT_SIZE + (size_t)circuit->tenant_len + circuit->provider_len + circuit->reason_len;
}

/* A member of a trip_saved, by its size. */
static uint64_t value_of(const trip_saved *circuit, const member *m)
{
    const char *at = (const char *)circuit + m->offset;
    return m->size == 1 ? *(const uint8_t *)at : *(const uint64_t *)(const void *)at;
}

void trip_layout_put(char *out_bytes, const trip_saved *circuit)
{
    char *to = put(out_bytes, trip_layout_size(circuit), SIZE_SIZE);
    for (size_t i = 0; i < COUNT(members); i++)
        to = put(to, value_of(circuit, &members[i]), members[i].size);
    to = put_text(to, circuit->tenant, circuit->tenant_len);
    to = put_text(to, circuit->provider, circuit->provider_len);
    put_text(to, circuit->reason, circuit->reason_len);
}

void trip_layout_finish(char *bytes, size_t len, uint64_t at_unix_ns, uint64_t count)
{
    memcpy(bytes, magic, sizeof magic);
    char *to = put(bytes + sizeof magic, TRIP_LAYOUT_MAJOR, 2);
    to = put(to, TRIP_LAYOUT_MINOR, 2);
    to = put(to, TRIP_LAYOUT_HEADER_SIZE, 4);
    to = put(to, len, 8);
    to = put(to, at_unix_ns, 8);
    put(to, count, 8);
    trip_layout_seal(bytes, len);
}

void trip_layout_seal(char *bytes, size_t len)
{
    put(bytes + LENGTH_AT, len, 8);
    size_t summed = len - TRIP_LAYOUT_CHECKSUM_SIZE;
    trip_hash sum = trip_siphash_of(&checksum_key, bytes, summed);
    put(put(bytes + summed, sum.low, 8), sum.high, 8);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

#define FLAW(status, why)                                                                                              \
    do {                                                                                                               \
        static const trip_flaw flaw = {status, why};                                                                   \
        return &flaw;                                                                                                  \
    } while (0)

static bool is_whole(const char *bytes, size_t len)
{
    size_t summed = len - TRIP_LAYOUT_CHECKSUM_SIZE;
    span end = {bytes + summed, TRIP_LAYOUT_CHECKSUM_SIZE};
    trip_hash sum = trip_siphash_of(&checksum_key, bytes, summed);
    uint64_t low = number(&end, 8), high = number(&end, 8);
    return sum.low == low && sum.high == high;
}

/* In this order: of bytes of another major nothing but the beginning is known, and none is believed before the sum. */
const trip_flaw *trip_layout_open(const char *bytes, size_t len, trip_layout_reader *out_reader)
{
    if (len < TRIP_LAYOUT_HEADER_SIZE + TRIP_LAYOUT_CHECKSUM_SIZE)
        FLAW(TRIP_E_INVALID, "the bytes are too few for a snapshot");
    span from = {bytes, len - TRIP_LAYOUT_CHECKSUM_SIZE};
    if (memcmp(take(&from, sizeof magic), magic, sizeof magic) != 0)
        FLAW(TRIP_E_INVALID, "the bytes are no snapshot: they do not begin as one");
    uint64_t major = number(&from, 2), minor = number(&from, 2);
    uint64_t header_size = number(&from, 4), length = number(&from, 8);
    if (major > TRIP_LAYOUT_MAJOR)
        FLAW(TRIP_E_TOO_NEW, "a later library has written this snapshot, in a layout of its own");
    if (length != len)
        FLAW(TRIP_E_INVALID, "the snapshot is cut off, or has something behind it: its length is another than it says");
    if (!is_whole(bytes, len))
        FLAW(TRIP_E_INVALID, "the snapshot is damaged: its checksum does not match");
    out_reader->at_unix_ns = number(&from, 8);
    out_reader->count = out_reader->circuits_left = number(&from, 8);
    out_reader->is_newer = minor > TRIP_LAYOUT_MINOR;
    if (major < TRIP_LAYOUT_MAJOR || header_size - TRIP_LAYOUT_HEADER_SIZE > from.left) /* below it, it wraps */
        FLAW(TRIP_E_INVALID, "the snapshot is wrong: no library has written this header");
    out_reader->at = bytes + header_size;
    out_reader->left = len - TRIP_LAYOUT_CHECKSUM_SIZE - header_size;
    return NULL;
}

bool trip_layout_has_more(const trip_layout_reader *reader)
{
    return reader->circuits_left != 0 || reader->left != 0;
}

static bool fits_its_state(const trip_saved *c)
{
    switch (c->state) {
    case TRIP_STATE_CLOSED:
        return c->level == 0 && c->open_left == 0 && c->failures <= FAILURES_MAX;
    case TRIP_STATE_OPEN:
        return c->level <= LEVEL_MAX && c->open_left <= TRIP_LAYOUT_LEFT_MAX && c->failures == 0;
    case TRIP_STATE_HALF_OPEN:
        return c->level <= LEVEL_MAX && c->open_left == 0 && c->failures == 0;
    default:
        return false;
    }
}

static bool fits_its_mode(const trip_saved *c)
{
    if (c->mode == TRIP_MODE_AUTO)
        return c->mode_left == 0 && c->reason_len == 0;
    return c->mode <= TRIP_MODE_OBSERVE &&
           (c->mode_left == TRIP_LAYOUT_FOREVER || c->mode_left <= TRIP_LAYOUT_MODE_LEFT_MAX);
}

static bool can_count(const trip_saved *c)
{
    const uint64_t counts[] = {c->successes, c->failed, c->dropped, c->cancelled, c->rejections, c->stale, c->opens};
    for (size_t i = 0; i < COUNT(counts); i++)
        if (counts[i] > TRIP_LAYOUT_COUNT_MAX)
            return false;
    return true;
}

static void read_circuit(span *from, trip_saved *c)
{
    for (size_t i = 0; i < COUNT(members); i++) {
        char *at = (char *)c + members[i].offset;
        uint64_t value = number(from, members[i].size);
        if (members[i].size == 1)
            *(uint8_t *)at = (uint8_t)value;
        else
            *(uint64_t *)(void *)at = value;
    }
    c->tenant = take(from, c->tenant_len);
    c->provider = take(from, c->provider_len);
    c->reason = take(from, c->reason_len);
}

const trip_flaw *trip_layout_next(trip_layout_reader *reader, trip_saved *out_circuit)
{
    span rest = {reader->at, reader->left};
    size_t size = number(&rest, SIZE_SIZE);
    if (reader->circuits_left == 0 || size < CIRCUIT_SIZE || size > reader->left)
        FLAW(TRIP_E_INVALID, "the snapshot is wrong: its circuits are not as many and as long as it says");
    span from = {rest.at, size - SIZE_SIZE};
    read_circuit(&from, out_circuit);
    if (trip_layout_size(out_circuit) > size)
        FLAW(TRIP_E_INVALID, "the snapshot is wrong: its circuits are not as many and as long as it says");
    if (!fits_its_state(out_circuit) || !fits_its_mode(out_circuit) || !can_count(out_circuit) ||
        out_circuit->wait_left > TRIP_LAYOUT_LEFT_MAX) {
        if (reader->is_newer)
            FLAW(TRIP_E_TOO_NEW, "a later library has written this snapshot, and of a circuit what this one cannot be");
        FLAW(TRIP_E_INVALID, "the snapshot is wrong: it says of a circuit what none can be");
    }
    reader->at += size;
    reader->left -= size;
    reader->circuits_left--;
    return NULL;
}
