/*
 * The state machine of a circuit: one 64-bit word, and one pure function from (word, event, now, policy) to (word',
 * verdict). Everything a circuit can do is in this file and word.c. They must never read a clock, take a lock,
 * allocate, or touch any memory but their arguments; where the word lives is somebody else's business.
 *
 *   bits 63-62  state: 0 vacant, 1 closed, 2 open, 3 half-open
 *   bit  61     slow: the circuit needs more than the word (annex.h); carried along
 *   bits 60-23  stamp: milliseconds, rounded up, of the circuit's own clock
 *   bits 22-0   payload
 *
 *   closed      stamp: when it closed             payload: 23 bits failures in a row
 *   open        stamp: the deadline's millisecond payload: level 5, units 18; deadline = stamp - units * 4 ns
 *   half-open   stamp: when probing began         payload: level 5, probes out 6, won 6, quarters 6;
 *                                                 lease deadline = stamp + lease * (1 + quarters / 4);
 *                                                 where the policy tallies: out 4, won 4, lost 4 instead of out and won
 *   vacant      stamp: the last one used in this place
 *
 * (state, stamp) is the epoch. Every way from an epoch back to its state passes a later stamp, so no epoch comes again
 * and a permit that carries the epoch of its grant can never be taken for another's.
 *
 * Time is nanoseconds of the circuit's own clock, which starts at the stamp that the place left off at. 38 bits of
 * milliseconds are 8.7 years. A stamp that would pass them stays at the last one: circuits of that age still open and
 * close, but their epochs may repeat. TRIP_STAMP_RETIRE leaves five years of life and two of open period above it.
 */
#ifndef TRIP_WORD_H
#define TRIP_WORD_H

#include "policy.h"

#include <stdbool.h>

#define TRIP_NS_PER_MS UINT64_C(1000000)
#define TRIP_STAMP_MAX ((UINT64_C(1) << 38) - 1) /* ms */
#define TRIP_STAMP_RETIRE UINT64_C(53970000000)  /* a place whose last stamp is past this is not used again */

typedef enum trip_word_state {
    TRIP_WORD_VACANT = 0,
    TRIP_WORD_CLOSED = 1,
    TRIP_WORD_OPEN = 2,
    TRIP_WORD_HALF_OPEN = 3
} trip_word_state;

/* A permit asks for admission; the others concern a permit that was granted in some epoch. TRIP says that more than its
   own outcome speaks for opening a closed circuit. The last three concern whatever epoch there is and are never stale: HINT
   says that the setting's `not_before` may be later than it was, OPEN and RESET are an operator's. */
typedef enum trip_word_event {
    TRIP_ON_PERMIT,
    TRIP_ON_SUCCESS,
    TRIP_ON_FAILURE,
    TRIP_ON_DROP,
    TRIP_ON_CANCEL,
    TRIP_ON_RENEW,
    TRIP_ON_TRIP,
    TRIP_ON_HINT,
    TRIP_ON_OPEN,
    TRIP_ON_RESET
} trip_word_event;

/* What a circuit brings to every step beside its word. */
typedef struct trip_setting {
    const trip_policy *policy;
    uint64_t now;        /* ns of the circuit's clock */
    uint64_t salt;       /* trip_word_salt of its key, for jitter */
    uint64_t not_before; /* ns of the circuit's clock: no open period that begins now ends before that */
} trip_setting;

typedef struct trip_verdict {
    uint64_t word;      /* the word that must replace the one that was judged; equal to it when nothing changes */
    trip_status status; /* TRIP_OK, TRIP_REJECTED_OPEN, TRIP_REJECTED_PROBING, TRIP_STALE, TRIP_E_CAPACITY (a renewal
                           that the word cannot hold), TRIP_E_HANDLE (vacant) */
    bool opened;        /* an open period has begun, be it over already */
    bool lost;          /* the lease of a probe had run out: that comes first */
} trip_verdict;

/* A word spelled out at a moment: expiry applied, nothing changed. */
typedef struct trip_view {
    trip_word_state state;
    uint32_t failures; /* closed: in a row; else threshold + level */
    uint32_t level;
    uint32_t probes_out;
    uint64_t epoch;
    uint64_t retry_after_ns;   /* what a refusal says; 0 where a permit would be granted */
    uint64_t open_duration_ns; /* the period of the level; 0 when closed */
    uint64_t lease_left_ns;    /* half-open with a probe out; else 0 */
    bool opened;               /* expiry has opened the circuit, and the word does not show it yet */
} trip_view;

/* The state machine. `epoch` is that of the permit's grant; TRIP_ON_PERMIT ignores it. A verdict of TRIP_STALE or
   TRIP_E_... leaves the word as it is. */
trip_verdict trip_word_step(uint64_t word, trip_word_event event, uint64_t epoch, const trip_setting *setting);

trip_view trip_word_view(uint64_t word, const trip_setting *setting);

/* Whether the half-open words of a policy count lost probes too, in narrower fields. All policies that a word meets agree
   on it. */
bool trip_word_tallies(const trip_policy *policy);

/* False where `now` cannot change what the step answers, so that the caller need not read a clock. */
bool trip_word_needs_clock(uint64_t word, trip_word_event event, uint64_t epoch, const trip_policy *policy);

/* The stamp of a moment: its millisecond, rounded up, so that nothing dated by it can be early. */
uint64_t trip_word_stamp_at(uint64_t ns);

/* When the word next changes by itself: the end of the open period or of the lease. UINT64_MAX: never. */
uint64_t trip_word_deadline(uint64_t word, const trip_policy *policy);

/* A closed word without failures, `stamp` milliseconds into its clock, slow if that is TRIP_WORD_SLOW and not 0; the vacant word that keeps a place's last stamp;
   half-open with no probe out, in a new epoch (any other word: unchanged). */
uint64_t trip_word_closed(uint64_t stamp, uint64_t slow);
uint64_t trip_word_vacant(uint64_t stamp);
uint64_t trip_word_forget_probes(uint64_t word, const trip_policy *policy);

/* What a circuit becomes that is told from outside what it is. Open until a deadline at a level, in a new epoch, whatever it
   was; until later than that where its stamp has run ahead. Closed with so many failures in a row, in the epoch in which it
   is closed already. */
uint64_t trip_word_open_until(uint64_t word, uint64_t deadline, uint64_t level);
uint64_t trip_word_with_failures(uint64_t word, uint64_t failures);

/* FNV-1a, 64 bits, over length and bytes of tenant and provider: unkeyed, the same in every process. */
uint64_t trip_word_salt(const unsigned char *tenant, size_t tenant_len, const unsigned char *provider,
                        size_t provider_len);

/* ---- Fields ------------------------------------------------------------------------------------------------------ */

#define TRIP_WORD_STATE_SHIFT 62
#define TRIP_WORD_SLOW (UINT64_C(1) << 61)
#define TRIP_WORD_STAMP_SHIFT 23
#define TRIP_WORD_STAMP_BITS 38
#define TRIP_WORD_PAYLOAD ((UINT64_C(1) << TRIP_WORD_STAMP_SHIFT) - 1)

static inline trip_word_state trip_word_state_of(uint64_t word)
{
    return (trip_word_state)(word >> TRIP_WORD_STATE_SHIFT);
}

static inline uint64_t trip_word_stamp(uint64_t word)
{
    return word >> TRIP_WORD_STAMP_SHIFT & TRIP_STAMP_MAX;
}

/* State and stamp in their places: the word of an epoch before anything has happened in it. */
static inline uint64_t trip_word_bare(uint64_t word)
{
    return word & ~TRIP_WORD_PAYLOAD;
}

static inline uint64_t trip_word_epoch(uint64_t word)
{
    return word >> TRIP_WORD_STATE_SHIFT << TRIP_WORD_STAMP_BITS | trip_word_stamp(word);
}

/* ---- Quick answers: what trip_word_step would say, where it is asked most ---------------------------------------- */

/* Closed, without failures. */
static inline bool trip_word_is_calm(uint64_t word)
{
    return trip_word_state_of(word) == TRIP_WORD_CLOSED && (word & TRIP_WORD_PAYLOAD) == 0;
}

/* The state that an epoch is of. */
static inline trip_word_state trip_epoch_state(uint64_t epoch)
{
    return (trip_word_state)(epoch >> TRIP_WORD_STAMP_BITS);
}

/* The epoch of a permit that was granted by force: no circuit is ever in it. */
#define TRIP_EPOCH_NONE 0

/* Closed, without failures, nothing slow: a permit is granted and a success changes nothing, whatever the time. */
static inline bool trip_word_is_healthy(uint64_t word)
{
    return (word & ~(TRIP_STAMP_MAX << TRIP_WORD_STAMP_SHIFT)) == (uint64_t)TRIP_WORD_CLOSED << TRIP_WORD_STATE_SHIFT;
}

/* Closed in this epoch, and with one more failure still: a failure only adds to the word, whatever the time. */
static inline bool trip_word_only_counts(uint64_t word, uint64_t epoch, const trip_policy *policy)
{
    return trip_word_state_of(word) == TRIP_WORD_CLOSED && trip_word_epoch(word) == epoch &&
           (word & TRIP_WORD_PAYLOAD) + 1 < policy->failure_threshold;
}

#endif
