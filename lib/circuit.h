/*
 * Circuits as the library keeps them: a record per circuit, in type-stable slots, and the one way in which events reach
 * its word. A record lives while its `life` matches the handle; what is read from a record counts only if it still
 * lives afterwards.
 */
#ifndef TRIP_CIRCUIT_H
#define TRIP_CIRCUIT_H

#include "annex.h"
#include "cell.h"
#include "handle.h"
#include "hashing.h"
#include "magazine.h"
#include "name.h"
#include "pool.h"
#include "published.h"
#include "siphash.h"
#include "texts.h"
#include "word.h"

typedef struct trip_record {
    _Alignas(64) trip_pool_link link; /* free: in the pool; else the slot's own number */
    _Atomic uint32_t name;            /* place of its name among the texts << 1 | used since the registry last looked
                                         for a victim */
    _Atomic uint64_t life;            /* generation << 1 | 1 while somebody's circuit, | 0 while free */
    _Atomic uint64_t tracker;
    _Atomic uint64_t hash_low; /* of the key */
    _Atomic uint64_t hash_high;
    trip_cell cell;
    _Atomic(trip_annex *) annex; /* NULL: nobody here ever needed one */
    _Atomic uint64_t origin; /* the stamp of its first epoch, fixed for its life; above it the place of its policy */
    UT_hash_handle by_key;   /* under the mutex of the tracker's registry; the key: the bytes of the name */
} trip_record;

#define TRIP_CIRCUIT_CHUNK_BITS 8 /* 256 records: 48 KiB */

extern trip_pool trip_circuits;
extern _Atomic(char *) trip_circuit_chunks[(UINT32_C(1) << TRIP_CIRCUIT_SLOT_BITS) >> TRIP_CIRCUIT_CHUNK_BITS];

static inline trip_record *trip_record_at(uint32_t slot)
{
    return trip_pool_slot(trip_circuit_chunks, TRIP_CIRCUIT_CHUNK_BITS, sizeof(trip_record), slot);
}

static inline trip_circuit trip_record_handle(uint64_t life, uint32_t slot)
{
    return trip_handle_make(TRIP_KIND_CIRCUIT, TRIP_CIRCUIT_SLOT_BITS, life >> 1, slot);
}

/* The place that a handle names, whether or not its circuit still lives there; NULL for what cannot be a circuit. */
static inline trip_record *trip_record_named(trip_circuit circuit)
{
    if (!trip_handle_is(circuit, TRIP_KIND_CIRCUIT))
        return NULL;
    return trip_record_at(trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS));
}

/* The same for a handle that was one once: what a permit slot is bound to. */
static inline trip_record *trip_record_known(trip_circuit circuit)
{
    return trip_pool_made_slot(trip_circuit_chunks, TRIP_CIRCUIT_CHUNK_BITS, sizeof(trip_record),
                               trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS));
}

static inline bool trip_record_lives(const trip_record *record, trip_circuit circuit)
{
    uint64_t life = atomic_load_explicit(&record->life, memory_order_acquire);
    return life == (trip_handle_generation(circuit, TRIP_CIRCUIT_SLOT_BITS) << 1 | 1);
}

static inline uint64_t trip_origin(uint64_t born, uint32_t policy_place)
{
    return (uint64_t)policy_place << TRIP_WORD_STAMP_BITS | born;
}

static inline uint64_t trip_record_born(const trip_record *record)
{
    return atomic_load_explicit(&record->origin, memory_order_acquire) & TRIP_STAMP_MAX;
}

static inline uint32_t trip_record_policy_place(const trip_record *record)
{
    return (uint32_t)(atomic_load_explicit(&record->origin, memory_order_acquire) >> TRIP_WORD_STAMP_BITS);
}

/* Copy the policy by which it goes, and return its serial. */
uint64_t trip_record_policy(const trip_record *record, trip_policy *out_policy);

static inline trip_annex *trip_record_annex(const trip_record *record)
{
    return atomic_load_explicit(&record->annex, memory_order_acquire);
}

static inline trip_windows *trip_record_windows(const trip_record *record)
{
    const trip_annex *annex = trip_record_annex(record);
    return annex == NULL ? NULL : atomic_load_explicit(&annex->windows, memory_order_acquire);
}

static inline trip_tracker trip_record_tracker(const trip_record *record)
{
    return atomic_load_explicit(&record->tracker, memory_order_acquire);
}

/* What an annex adds to a setting. */
static inline void trip_record_add_to(trip_setting *setting, trip_record *record)
{
    const trip_annex *annex = trip_record_annex(record);
    uint64_t generation = atomic_load_explicit(&record->life, memory_order_relaxed) >> 1;
    setting->salt = annex == NULL ? 0 : atomic_load_explicit(&annex->salt, memory_order_acquire);
    setting->not_before = annex == NULL ? 0 : trip_annex_not_before(annex, trip_annex_mark(record, generation));
}

#define TRIP_RECORD_USED UINT32_C(1)

/* Mark the circuit as used, for the registry: a write only when nobody has since it last looked. */
void trip_record_mark_used(trip_record *record);

static inline bool trip_record_is_used(const trip_record *record)
{
    return (atomic_load_explicit(&record->name, memory_order_relaxed) & TRIP_RECORD_USED) != 0;
}

static inline void trip_record_use(trip_record *record)
{
    if (__builtin_expect(!trip_record_is_used(record), 0))
        trip_record_mark_used(record);
}

/* A copy of a name, with room for its bytes. */
typedef struct trip_name_copy {
    trip_name name;
    unsigned char bytes[TRIP_NAME_BYTES_MAX];
} trip_name_copy;

/* Copy the name, without a lock. It is the circuit's if that still lives afterwards; else it may be any, or empty. */
void trip_record_copy_name(const trip_record *record, trip_name_copy *out_copy);

/* Count for a circuit in its cell, if it still lives. */
static inline void trip_circuit_count_in_cell(trip_circuit circuit, trip_counter counter, uint64_t amount)
{
    uint64_t generation = trip_handle_generation(circuit, TRIP_CIRCUIT_SLOT_BITS);
    trip_cell_add(&trip_record_known(circuit)->cell, generation, counter, amount);
}

/* What a call about one circuit works with. */
typedef struct trip_hearing {
    trip_circuit circuit;
    trip_record *record;
    trip_magazine *magazine; /* of this thread; NULL when there was no memory for one */
    trip_setting setting;    /* as of the last judgement */
    uint32_t cause;          /* TRIP_CAUSE_* of TRIP_ON_TRIP and _RESET */
    trip_policy spare;       /* where the policy goes when there is no magazine */
} trip_hearing;

static inline void trip_hearing_begin(trip_hearing *hearing, trip_circuit circuit, trip_record *record,
                                      trip_magazine *magazine)
{
    hearing->circuit = circuit; /* the rest is filled when it is needed */
    hearing->record = record;
    hearing->magazine = magazine;
}

/* Let an event happen: judge it and replace the word, as often as others are faster. What it comes to is counted and told
   where it opens the circuit, and told where it is otherwise of note. False: the circuit is gone. */
bool trip_circuit_apply(trip_hearing *hearing, trip_word_event event, uint64_t epoch, trip_verdict *out_verdict);

/* What the circuit would make of an event, were this its word. The setting has the policy and what the annex adds. */
trip_verdict trip_circuit_judge(trip_hearing *hearing, uint64_t word, trip_word_event event, uint64_t epoch);

/* Whether a circuit with this word refuses a permit, as far as that can be told by a glance at the coarse clock. Says
   false when in doubt, or when the circuit is gone. */
bool trip_circuit_refuses_from_afar(trip_hearing *hearing, uint64_t word, trip_verdict *out_verdict);

/* Fill hearing->setting for a look at `record` now. */
void trip_circuit_look(trip_hearing *hearing);

/* The policy alone. Fill hearing->setting but for the time; what time it is by the tracker's clock, as of the last tick. */
const trip_policy *trip_circuit_policy(trip_hearing *hearing);
const trip_policy *trip_circuit_consult(trip_hearing *hearing);
uint64_t trip_circuit_lately(const trip_hearing *hearing);

/* With the mutex of the registry held: put the circuit's own clock forward to this, unless it is there. An open period that
   is cut short leaves a stamp that is still to come; so no epoch comes again, and nothing that is dated later comes late. */
void trip_circuit_catch_up(const trip_hearing *hearing, uint64_t own_now);

/* Whether a circuit with this word has closed again so lately that it admits but a share of the calls, in 1/2^32. */
bool trip_circuit_is_on_ramp(trip_hearing *hearing, uint64_t word, uint64_t *out_share);

/* Whether the n-th call that is asked for on ramps is one of them. The golden ratio spreads them evenly (Knuth, The Art of
   Computer Programming, volume 3, 6.4): of any hundred in a row the share is right within one or two. */
static inline bool trip_ramp_admits(uint64_t share, uint64_t n)
{
    return n * UINT64_C(0x9E3779B97F4A7C15) >> 32 < share;
}

/* Write a refusal, where the caller wants one. */
void trip_circuit_refuse(const trip_hearing *hearing, const trip_verdict *verdict, trip_rejection *out_rejection);

#endif
