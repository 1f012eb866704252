/* Windows, as window.h describes them. */
#include "window.h"

bool trip_window_is_over(trip_tally tally, const trip_window_rule *rule)
{
    if (tally.calls < rule->minimum)
        return false;
    bool too_many_failed =
        rule->failure_share != 0 && tally.failures * TRIP_SHARE_ONE >= rule->failure_share * tally.calls;
    bool too_many_slow = rule->slow_share != 0 && tally.slow * TRIP_SHARE_ONE >= rule->slow_share * tally.calls;
    return too_many_failed || too_many_slow;
}

/* ---- The last calls ---------------------------------------------------------------------------------------------- */

/*
 * The head says how many calls there ever were, how many of those in the window failed and were slow, and how the last
 * one ended. One swap of it counts a call. How that ended is then written among the calls by whoever comes next, for
 * only the head can be swapped at once with its numbers; a call that leaves the window is looked up there.
 *
 *   bits 63-25  calls ever
 *   bits 24-14  failed   of those in the window
 *   bits 13-3   slow
 *   bit  2      the window is empty: what there ever was is behind it
 *   bits 1-0    how the last call ended
 *
 * 39 bits of calls last 17 years at a thousand a second. Beyond that they begin anew, which only somebody could mistake
 * who was not looking for exactly so many calls.
 */
#define NUMBER_SHIFT 25
#define FAILED_SHIFT 14
#define SLOW_SHIFT 3
#define FIELD UINT64_C(2047)
#define EMPTY UINT64_C(4)
#define OUTCOME UINT64_C(3)
#define NUMBERS (UINT64_C(1) << (64 - NUMBER_SHIFT))

static uint64_t number_of(uint64_t head)
{
    return head >> NUMBER_SHIFT;
}

static uint64_t failed_of(uint64_t head)
{
    return head >> FAILED_SHIFT & FIELD;
}

static uint64_t slow_of(uint64_t head)
{
    return head >> SLOW_SHIFT & FIELD;
}

static uint64_t between(uint64_t from, uint64_t to)
{
    return (to - from) & (NUMBERS - 1);
}

/* Another than it was, so that nobody who has seen that can still count in it. */
static uint64_t emptied(uint64_t head)
{
    return (number_of(head) + 1) << NUMBER_SHIFT | EMPTY;
}

static uint64_t with_call(uint64_t head, unsigned left, unsigned outcome)
{
    uint64_t failed = failed_of(head) - (left & TRIP_CALL_FAILED) + (outcome & TRIP_CALL_FAILED);
    uint64_t slow =
        slow_of(head) - (left & TRIP_CALL_SLOW) / TRIP_CALL_SLOW + (outcome & TRIP_CALL_SLOW) / TRIP_CALL_SLOW;
    return (number_of(head) + 1) << NUMBER_SHIFT | failed << FAILED_SHIFT | slow << SLOW_SHIFT | outcome;
}

/* Write down how the last call ended, unless somebody has. */
static void write_last(trip_annex *annex, uint64_t head)
{
    uint64_t number = between(1, number_of(head));
    _Atomic uint64_t *place = &annex->calls[number % annex->call_count];
    uint64_t there = atomic_load_explicit(place, memory_order_acquire);
    if (between(there >> 2, number) - 1 < NUMBERS / 2) /* an earlier call's */
        atomic_compare_exchange_strong_explicit(place, &there, number << 2 | (head & OUTCOME), memory_order_acq_rel,
                                                memory_order_relaxed);
}

/* How the call ended that a full window loses to the next one. It was written down before the head became what it is. */
static unsigned leaving(const trip_annex *annex, uint64_t head)
{
    uint64_t number = between(annex->call_count, number_of(head));
    if (annex->call_count == 1)
        return (unsigned)(head & OUTCOME);
    return (unsigned)(atomic_load_explicit(&annex->calls[number % annex->call_count], memory_order_acquire) & OUTCOME);
}

/* The window begins with the next call. Who is late has a smaller number. */
static void begin_at(trip_annex *annex, uint64_t number)
{
    uint64_t base = atomic_load_explicit(&annex->base, memory_order_acquire);
    while (
        between(base, number) - 1 < NUMBERS / 2 &&
        !atomic_compare_exchange_weak_explicit(&annex->base, &base, number, memory_order_acq_rel, memory_order_acquire))
        ;
}

static uint64_t calls_in(trip_annex *annex, uint64_t head)
{
    uint64_t calls = between(atomic_load_explicit(&annex->base, memory_order_acquire), number_of(head));
    return calls < annex->call_count ? calls : annex->call_count;
}

bool trip_window_add_call(trip_annex *annex, const trip_policy *policy, trip_present present, unsigned outcome,
                          trip_tally *out_tally)
{
    if (annex->call_count != policy->last_calls.size)
        return false;
    uint64_t head = atomic_load_explicit(&annex->head, memory_order_acquire);
    for (;;) {
        bool is_empty = (head & EMPTY) != 0;
        uint64_t calls = is_empty ? 0 : calls_in(annex, head);
        bool is_full = calls == annex->call_count;
        unsigned left = is_full ? leaving(annex, head) : 0;
        if (!trip_is_present(present))
            return false;
        *out_tally = (trip_tally){.calls = calls};
        if (is_full && failed_of(head) == 0 && slow_of(head) == 0 && outcome == 0)
            return true; /* a window of successes is the same after one more */
        if (is_empty)
            begin_at(annex, number_of(head));
        else
            write_last(annex, head);
        uint64_t next = with_call(head, left, outcome);
        if (atomic_compare_exchange_weak_explicit(&annex->head, &head, next, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            *out_tally = (trip_tally){calls + !is_full, failed_of(next), slow_of(next)};
            return true;
        }
    }
}

void trip_window_restart(trip_annex *annex, trip_present present)
{
    uint64_t head = atomic_load_explicit(&annex->head, memory_order_acquire);
    while (trip_is_present(present) &&
           !atomic_compare_exchange_weak_explicit(&annex->head, &head, emptied(head), memory_order_acq_rel,
                                                  memory_order_acquire))
        ;
}

void trip_window_empty(trip_annex *annex)
{
    uint64_t head = atomic_load_explicit(&annex->head, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&annex->head, &head, emptied(head), memory_order_acq_rel,
                                                  memory_order_relaxed))
        ;
    atomic_store_explicit(&annex->calm, 0, memory_order_relaxed);
}

/* ---- The calls of a time ----------------------------------------------------------------------------------------- */

/* A number in a bucket has a tag above it that tells epoch and step. */
#define COUNT_BITS 28
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

/* The finalizer of SplitMix64, as in word.c, so that the upper bits alone tell one mark from another. */
static uint64_t tag_of(uint64_t epoch, uint64_t step)
{
    uint64_t x = trip_window_mark(epoch, step);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return (x ^ x >> 31) & ~COUNT_MASK;
}

static trip_bucket *bucket_of(trip_annex *annex, uint64_t step)
{
    return &annex->buckets[step % annex->bucket_count];
}

/* Add to the number if it is of this tag, else begin it. A number that is as high as it can be stays so. */
static void add(_Atomic uint64_t *place, trip_present present, uint64_t tag, uint64_t amount)
{
    uint64_t there = atomic_load_explicit(place, memory_order_acquire);
    uint64_t next;
    do {
        uint64_t count = amount + ((there ^ tag) <= COUNT_MASK ? there & COUNT_MASK : 0);
        next = tag | (count < COUNT_MASK ? count : COUNT_MASK);
        if (amount == 0 || !trip_is_present(present))
            return;
    } while (!atomic_compare_exchange_weak_explicit(place, &there, next, memory_order_acq_rel, memory_order_acquire));
}

void trip_window_add_bucket(trip_annex *annex, const trip_policy *policy, trip_present present, uint64_t now,
                            uint64_t step, trip_tally amount)
{
    if (annex->bucket_count != policy->lately.size || !trip_window_has(policy, now, step))
        return;
    trip_bucket *bucket = bucket_of(annex, step);
    uint64_t tag = tag_of(present.epoch, step);
    add(&bucket->calls, present, tag, amount.calls);
    add(&bucket->failures, present, tag, amount.failures);
    add(&bucket->slow, present, tag, amount.slow);
}

static uint64_t counted(const _Atomic uint64_t *place, uint64_t tag)
{
    uint64_t there = atomic_load_explicit(place, memory_order_acquire);
    return (there ^ tag) <= COUNT_MASK ? there & COUNT_MASK : 0;
}

trip_tally trip_window_sum(trip_annex *annex, const trip_policy *policy, uint64_t epoch, uint64_t step)
{
    trip_tally sum = {0};
    for (uint32_t i = 0; i < annex->bucket_count && i <= step && annex->bucket_count == policy->lately.size; i++) {
        const trip_bucket *bucket = bucket_of(annex, step - i);
        uint64_t tag = tag_of(epoch, step - i);
        sum.calls += counted(&bucket->calls, tag);
        sum.failures += counted(&bucket->failures, tag);
        sum.slow += counted(&bucket->slow, tag);
    }
    return sum;
}
