/*
 * Permit slots: where permits are granted and settled. Granting is a plain store of the slot's owner to `granted`;
 * settling is one compare-and-swap of `word` by any thread, which puts the slot into the next generation, so that a
 * permit is settled once. The permit is out while the two name the same generation.
 *
 *              bit 63      bits 62-59   then            then
 *   word       is spare    0            generation 39   number 20
 *   granted    0            3            generation 39   number 20      the permit's handle
 *
 * They are two words because a swap that finds a fresh store to its own word has to wait for it (docs/performance.md).
 *
 * A spare belongs to whoever has taken it from the pool, and after it was granted to whoever settles it. The others are a
 * thread's own (magazine.h) and stay its own while they are out: they are free to be granted again as soon as they are
 * settled, by whomever, so that settling on the healthy path writes nothing but the word.
 *
 * Generations begin at 1. Generation 0 is that of a slot that is new, or whose generations are used up.
 */
#ifndef TRIP_PERMIT_H
#define TRIP_PERMIT_H

#include "cell.h"
#include "handle.h"
#include "pool.h"

#define TRIP_PERMITS_MAX (UINT32_C(1) << TRIP_PERMIT_SLOT_BITS)
#define TRIP_PERMITS_SCARCE (TRIP_PERMITS_MAX / 2) /* slots from here on are not hoarded by threads */
#define TRIP_PERMIT_CHUNK_BITS 10                  /* 1024 slots: 64 KiB */

#define TRIP_PERMIT_SPARE (UINT64_C(1) << 63)
#define TRIP_PERMIT_KIND ((uint64_t)TRIP_KIND_PERMIT << TRIP_HANDLE_KIND_SHIFT)
#define TRIP_PERMIT_NAME ((UINT64_C(1) << TRIP_HANDLE_KIND_SHIFT) - 1) /* generation and number */
#define TRIP_PERMIT_GENERATION (UINT64_C(1) << TRIP_PERMIT_SLOT_BITS)  /* one of them */

struct trip_record;

typedef struct trip_permit_slot {
    _Alignas(64) trip_pool_link link; /* in a pool or a magazine, while the slot is a free spare */
    _Atomic uint32_t tracker_tag;     /* low bits of the tracker's handle: is it still there? */
    _Atomic uint64_t word;
    _Atomic uint64_t granted;
    _Atomic uint64_t bare; /* the circuit's word when it was granted, without payload: the epoch */
    _Atomic(struct trip_record *) record;
    _Atomic uint64_t circuit;    /* the handle; 0: never granted */
    _Atomic uint64_t granted_at; /* tracker's ns, where the circuit times its calls */
    _Atomic uint64_t progress;   /* tracker's ns of the last one that was told, plus 1, with flags */
} trip_permit_slot;

/* What has become of a permit that has told of progress. Whoever settles a stream takes the time away first, and whoever
   finds that it has stalled sets the flag while the time is there: one of them decides what it is. A free slot of a
   thread's own never has the flag, so that it need not be cleared when it is granted. */
#define TRIP_PROGRESS_STALLED (UINT64_C(1) << 63)
#define TRIP_PROGRESS_WON (UINT64_C(1) << 62) /* it was a probe, whose success the circuit knows */
#define TRIP_PROGRESS_TIME (TRIP_PROGRESS_WON - 1)

#define TRIP_GRANTED_NEVER (UINT64_MAX / 2) /* ns: later than anything is asked */

/* In the child of a fork: what its parent waits for is not overdue here. */
void trip_permits_after_fork(void);

extern trip_pool trip_permits;
extern _Atomic(char *) trip_permit_chunks[TRIP_PERMITS_MAX >> TRIP_PERMIT_CHUNK_BITS];

/* The slot of a number that was taken from the pool once; and of any number below TRIP_PERMITS_MAX, or NULL. */
static inline trip_permit_slot *trip_permit_slot_at(uint32_t number)
{
    return trip_pool_made_slot(trip_permit_chunks, TRIP_PERMIT_CHUNK_BITS, sizeof(trip_permit_slot), number);
}

static inline trip_permit_slot *trip_permit_slot_if_any(uint32_t number)
{
    return trip_pool_slot(trip_permit_chunks, TRIP_PERMIT_CHUNK_BITS, sizeof(trip_permit_slot), number);
}

static inline uint32_t trip_permit_number(uint64_t word)
{
    return trip_handle_slot(word, TRIP_PERMIT_SLOT_BITS);
}

static inline bool trip_permit_is_out(uint64_t word, uint64_t granted)
{
    return ((word ^ granted) & TRIP_PERMIT_NAME) == 0;
}

/* The word of a slot once its permit is settled. */
static inline uint64_t trip_permit_settled(uint64_t word)
{
    return (word & TRIP_PERMIT_SPARE) | ((word + TRIP_PERMIT_GENERATION) & TRIP_PERMIT_NAME);
}

/* A slot whose generations have all been settled: it is retired, nobody keeps it or gives it back. */
static inline bool trip_permit_is_used_up(uint64_t word)
{
    return (word & TRIP_PERMIT_NAME) < TRIP_PERMIT_GENERATION;
}

/* A thread has its slots in a page of their own. While it goes through them a processor reads ahead, and would take from
   another thread the slots that come next. */
#define TRIP_PERMITS_RUN 64

/* Free spares for the caller to own, as many, on a page that has no others. TRIP_OK, TRIP_E_NOMEM, or TRIP_E_CAPACITY: there
   are slots, but too few to be so generous. */
trip_status trip_permit_slots_take_run(trip_permit_slot *out_slots[TRIP_PERMITS_RUN]);

/* A permit of a circuit that has refused one: it counts what becomes of the call, but its word will not hear of it. Where
   an operator has forced it open: TRIP_REJECTED_FORCED. Tells for how long a probe may be out. TRIP_OK, TRIP_E_HANDLE,
   TRIP_E_NOMEM, TRIP_E_CAPACITY. */
trip_status trip_permit_by_force(trip_circuit circuit, trip_permit *out_permit, uint64_t *out_lease_ns);

/* A free spare, for the caller to own. TRIP_OK, TRIP_E_NOMEM, TRIP_E_CAPACITY. Slots of destroyed trackers whose permits
   were never settled are found when all others are out. */
trip_status trip_permit_slot_take(trip_permit_slot **out_slot);

#endif
