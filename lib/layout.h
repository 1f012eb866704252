/*
 * The layout of a snapshot: what the circuits of a tracker know, as bytes that are the same on every machine and that
 * every later library reads. docs/operating.md has the table. Knows bytes alone: takes nothing from a tracker, reads
 * no clock, allocates nothing, and never looks behind the end of what it is given, whatever that says.
 */
#ifndef TRIP_LAYOUT_H
#define TRIP_LAYOUT_H

#include "trip.h"

#include <stdbool.h>

#define TRIP_LAYOUT_MAJOR 1 /* an earlier library can make nothing of a later one */
#define TRIP_LAYOUT_MINOR 0 /* a later one has members, behind those that an earlier library reads */

#define TRIP_LAYOUT_HEADER_SIZE 40
#define TRIP_LAYOUT_CHECKSUM_SIZE 16

#define TRIP_LAYOUT_FOREVER UINT64_MAX                                 /* a mode without end */
#define TRIP_LAYOUT_LEFT_MAX (UINT64_C(2) * 365 * 86400 * 1000000000)  /* a year, stretched by jitter */
#define TRIP_LAYOUT_MODE_LEFT_MAX (UINT64_C(365) * 86400 * 1000000000) /* what trip_circuit_set_mode takes */
#define TRIP_LAYOUT_COUNT_MAX ((UINT64_C(1) << 48) - 1)                /* what a cell counts to */

/* A circuit as a snapshot has it. The texts are somebody else's. */
typedef struct trip_saved {
    const char *tenant;
    const char *provider;
    const char *reason; /* of the mode */
    uint8_t tenant_len;
    uint8_t provider_len;
    uint8_t reason_len;
    uint8_t state;      /* TRIP_STATE_* */
    uint8_t level;      /* 0 to 31 */
    uint8_t mode;       /* TRIP_MODE_* */
    uint64_t failures;  /* closed: in a row */
    uint64_t open_left; /* open: ns until it may be probed */
    uint64_t wait_left; /* ns that its provider still asks to wait */
    uint64_t mode_left; /* ns until the mode ends; TRIP_LAYOUT_FOREVER: it does not */
    uint64_t successes; /* these four: permits that ended so */
    uint64_t failed;
    uint64_t dropped;
    uint64_t cancelled;
    uint64_t rejections;
    uint64_t stale;
    uint64_t opens;
} trip_saved;

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* The bytes that a circuit takes. */
size_t trip_layout_size(const trip_saved *circuit);

/* Write so many. */
void trip_layout_put(char *out_bytes, const trip_saved *circuit);

/* Complete a snapshot of `len` bytes, in which the circuits lie between header and checksum. */
void trip_layout_finish(char *bytes, size_t len, uint64_t at_unix_ns, uint64_t count);

/* Make the checksum, and the length in the header, that of these bytes: their last part of finishing. */
void trip_layout_seal(char *bytes, size_t len);

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* What is wrong with bytes. */
typedef struct trip_flaw {
    trip_status status;
    const char *why;
} trip_flaw;

/* Where a reader stands. */
typedef struct trip_layout_reader {
    const char *at;
    size_t left; /* bytes of circuits from there on */
    uint64_t circuits_left;
    uint64_t count;
    uint64_t at_unix_ns;
    bool is_newer; /* a later minor wrote it */
} trip_layout_reader;

/* Begin to read: all bytes are there and none is damaged. NULL, or what is wrong. */
const trip_flaw *trip_layout_open(const char *bytes, size_t len, trip_layout_reader *out_reader);

/* Whether there is another circuit, or something wrong in its place. */
bool trip_layout_has_more(const trip_layout_reader *reader);

/* The next one, whose texts lie in the bytes. NULL, or what is wrong: be it that there are no more. */
const trip_flaw *trip_layout_next(trip_layout_reader *reader, trip_saved *out_circuit);

#endif
