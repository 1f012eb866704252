/*
 * What a circuit needs beside its word, if it needs anything: windows over its calls, when to look for calls that hang,
 * how far a ramp has come, how long its provider asked to be left alone, what an operator has ordered, what there is to
 * tell of its last opening. Most circuits have none.
 *
 * A place for circuits that once had an annex keeps it for the circuits that come after. None is ever freed, so that who
 * holds one for too long reads and swaps in it without harm: whatever is swapped carries what tells it from any other.
 * Windows have a shape and are swapped for others at a store; in them nothing is swapped unless the circuit's word still
 * is of the epoch that it is meant for (window.h), and a circuit hands none on before its last epoch is over.
 */
#ifndef TRIP_ANNEX_H
#define TRIP_ANNEX_H

#include "policy.h"
#include "word.h"

#include <stdatomic.h>

/* A step of the window over a time: what was counted in it, each number under a tag. */
typedef struct trip_bucket {
    _Atomic uint64_t calls;
    _Atomic uint64_t failures;
    _Atomic uint64_t slow;
} trip_bucket;

typedef struct trip_windows {
    _Alignas(64) struct trip_windows *next; /* in the store, or among those that their circuit has outgrown */
    uint32_t bucket_count;                  /* the shape, which never changes: room for so many buckets */
    uint32_t call_count;                    /* and for how so many calls ended */
    _Atomic uint64_t head;                  /* of the window over the last calls: window.c has its parts */
    _Atomic uint64_t base;                  /* with which call it began */
    _Atomic uint64_t calm;                  /* the mark of the step in which no success can open the circuit */
    trip_bucket *buckets;
    _Atomic uint64_t *groups; /* of calls that have ended, and a mask for their numbers */
    uint64_t group_mask;
} trip_windows;

#define TRIP_WINDOW_GROUP 8

#define TRIP_BLAMED 8 /* failures that a circuit remembers */

struct trip_order;

typedef struct trip_annex {
    _Alignas(64) _Atomic(trip_windows *) windows; /* NULL: no policy here ever had any */
    _Atomic uint64_t salt;                        /* trip_word_salt of the key, where there is jitter */
    _Atomic uint64_t not_before;                  /* stamp before which to call nobody, as one of this life */
    _Atomic uint64_t refused;            /* and of the last open epoch in which it was told that a permit was refused */
    _Atomic uint64_t look_at;            /* tracker's ns: when a call may next be found to hang, a stream to stall */
    _Atomic uint64_t timed_from;         /* tracker's ns: of permits granted before it nobody knows when that was */
    _Atomic uint64_t steer;              /* the mode << 62 | tracker's ns at which it ends: steering.h */
    struct trip_order *order;            /* what an operator has ordered last; under the mutex of the registry */
    trip_windows *outgrown;              /* that this life has had; under the same */
    _Alignas(64) _Atomic uint64_t asked; /* permits that were asked for on ramps */
    _Atomic uint64_t opened;             /* when and why the circuit opened last: story.h */
    _Atomic uint32_t blamed_next;
    _Atomic uint64_t blamed[TRIP_BLAMED]; /* its last failures */
} trip_annex;

/* ---- Whose it is ------------------------------------------------------------------------------------------------- */

/* A mark of one life, or one epoch, of one place. Places number theirs alike, and one that hands its windows on leaves in
   them what it has counted. */
static inline uint64_t trip_annex_mark(const void *place, uint64_t number)
{
    return ((uint64_t)(uintptr_t)place * UINT64_C(0xBF58476D1CE4E5B9) + number + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

/* A stamp as one of the life with this mark: below 26 bits of the mark. */
static inline uint64_t trip_annex_stamped(uint64_t mark, uint64_t stamp)
{
    return mark >> TRIP_WORD_STAMP_BITS << TRIP_WORD_STAMP_BITS | stamp;
}

/* The stamp; 0: it is of another life. */
static inline uint64_t trip_annex_stamp(uint64_t stamped, uint64_t mark)
{
    uint64_t stamp = stamped ^ trip_annex_stamped(mark, 0);
    return stamp >> TRIP_WORD_STAMP_BITS == 0 ? stamp : 0;
}

/* ---- How long the provider asked to be left alone ---------------------------------------------------------------- */

/* Ns of the circuit's clock. */
static inline uint64_t trip_annex_not_before(const trip_annex *annex, uint64_t mark)
{
    uint64_t value = atomic_load_explicit(&annex->not_before, memory_order_acquire);
    return trip_annex_stamp(value, mark) * TRIP_NS_PER_MS;
}

/* Let it be this stamp in the life with this mark, whatever it was. */
static inline void trip_annex_set_not_before(trip_annex *annex, uint64_t mark, uint64_t stamp)
{
    atomic_store_explicit(&annex->not_before, trip_annex_stamped(mark, stamp), memory_order_release);
}

/* ---- Since when calls are timed ---------------------------------------------------------------------------------- */

/* When a permit was granted whose slot says so, or, before calls were timed, says anything. */
static inline uint64_t trip_annex_timed_since(const trip_annex *annex, uint64_t granted_at)
{
    uint64_t from = atomic_load_explicit(&annex->timed_from, memory_order_acquire);
    return granted_at > from ? granted_at : from;
}

/* ---- Having one -------------------------------------------------------------------------------------------------- */

/* The annex at `place`, made if there is none. NULL: no memory. Lock-free. */
trip_annex *trip_annex_have(_Atomic(trip_annex *) *place);

/* With the mutex of the place's registry held: have windows of the policy's shape there if it has any, emptied, for a life
   that begins. False: no memory. */
bool trip_annex_prepare(trip_annex *annex, const trip_policy *policy);

/* The same for a life that goes on and comes from one policy to another: first see that nothing can fail for want of
   memory, then do it. Windows of the same shape stay as they are. */
bool trip_annex_reserve(trip_annex *annex, const trip_policy *to);
void trip_annex_reshape(trip_annex *annex, const trip_policy *from, const trip_policy *to);

/* With the mutex held: nothing is known of the life that begins. */
void trip_annex_forget(trip_annex *annex);

/* Around a fork. */
void trip_annex_lock_store(void);
void trip_annex_unlock_store(void);

#endif
