/*
 * Handles: what callers hold instead of pointers. A handle names a slot and the generation of what lives there; a slot
 * is used for one thing after another, each in a later generation, and is retired when its generations are used up.
 *
 *            bits 63-59   then              then
 *   tracker  kind 1       generation 43     slot 16
 *   circuit  kind 2       generation 33     slot 26
 *   permit   kind 3       generation 39     slot 20
 *   token    kind 4       generation 39     slot 20
 *   ticket   kind 5       generation 39     slot 20
 *   output   kind 6       generation 32     slot 16    as what follows:
 *   retry 7, dedup 8, gate 9, route 10, pipeline 11, guard 12
 *
 * The permit of an express lane is the exception. It has no slot of its own, but names a circuit's and the epoch in
 * which that is closed:
 *
 *            bit 63        then              then
 *   express  1             stamp 37          slot 26
 *
 * Arithmetic only: whether anything lives there is for the owner of the slots to say.
 */
#ifndef TRIP_HANDLE_H
#define TRIP_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#define TRIP_HANDLE_KIND_SHIFT 59

#define TRIP_TRACKER_SLOT_BITS 16
#define TRIP_CIRCUIT_SLOT_BITS 26
#define TRIP_PERMIT_SLOT_BITS 20

typedef enum trip_kind {
    TRIP_KIND_TRACKER = 1,
    TRIP_KIND_CIRCUIT = 2,
    TRIP_KIND_PERMIT = 3,
    TRIP_KIND_TOKEN = 4,
    TRIP_KIND_TICKET = 5,
    TRIP_KIND_OUTPUT = 6,
    TRIP_KIND_RETRY = 7,
    TRIP_KIND_DEDUP = 8,
    TRIP_KIND_GATE = 9,
    TRIP_KIND_ROUTE = 10,
    TRIP_KIND_PIPELINE = 11,
    TRIP_KIND_GUARD = 12
} trip_kind;

static inline uint64_t trip_handle_make(trip_kind kind, unsigned slot_bits, uint64_t generation, uint32_t slot)
{
    return (uint64_t)kind << TRIP_HANDLE_KIND_SHIFT | generation << slot_bits | slot;
}

static inline bool trip_handle_is(uint64_t handle, trip_kind kind)
{
    return handle >> TRIP_HANDLE_KIND_SHIFT == (uint64_t)kind;
}

static inline uint32_t trip_handle_slot(uint64_t handle, unsigned slot_bits)
{
    return (uint32_t)(handle & ((UINT64_C(1) << slot_bits) - 1));
}

static inline uint64_t trip_handle_generation(uint64_t handle, unsigned slot_bits)
{
    return (handle & ((UINT64_C(1) << TRIP_HANDLE_KIND_SHIFT) - 1)) >> slot_bits;
}

/* One more than the last generation that a handle can carry. */
static inline uint64_t trip_handle_generations(unsigned slot_bits)
{
    return UINT64_C(1) << (TRIP_HANDLE_KIND_SHIFT - slot_bits);
}

#define TRIP_EXPRESS_BIT (UINT64_C(1) << 63)
#define TRIP_EXPRESS_STAMP_MASK ((TRIP_EXPRESS_BIT >> TRIP_CIRCUIT_SLOT_BITS) - 1)

static inline uint64_t trip_express_make(uint64_t stamp, uint32_t circuit_slot)
{
    return TRIP_EXPRESS_BIT | (stamp & TRIP_EXPRESS_STAMP_MASK) << TRIP_CIRCUIT_SLOT_BITS | circuit_slot;
}

static inline uint64_t trip_express_stamp(uint64_t handle)
{
    return (handle & ~TRIP_EXPRESS_BIT) >> TRIP_CIRCUIT_SLOT_BITS;
}

static inline bool trip_is_express(uint64_t handle)
{
    return (handle & TRIP_EXPRESS_BIT) != 0;
}

#endif
