/* Windows, as window.h describes them. */
#include "window.h"

#include "give_way.h"
#include "mix.h"

static bool reaches(uint64_t part, uint64_t calls, uint64_t share)
{
    return share != 0 && part * TRIP_SHARE_ONE >= share * calls;
}

bool trip_window_is_over(trip_tally tally, const trip_window_rule *rule)
{
    if (tally.calls < rule->minimum)
        return false;
    while (tally.calls > UINT32_MAX / 2) { /* so that the products fit; shares of so many are the same after it */
        tally.calls /= 2;
        tally.failures /= 2;
        tally.slow /= 2;
    }
    return reaches(tally.failures, tally.calls, rule->failure_share) ||
           reaches(tally.slow, tally.calls, rule->slow_share);
}

/* ---- The last calls ---------------------------------------------------------------------------------------------- */

/*
 * The head says how many calls there ever were, how many of those in the window failed and were slow, and how the last
 * few ended. One swap of it counts a call. Calls come in groups of eight: those of the group that is not full are in the
 * head, and before the first call of the next one they are written among the groups, by all who want to be that first
 * call. So a line of memory that other threads want too is swapped once for a call, and another one for eight.
 *
 *   bits 63-40  the number of the next call
 *   bits 39-29  failed   of those in the window
 *   bits 28-18  slow
 *   bit  17     the window is full, since it was last empty
 *   bit  16     it is empty: what there ever was is behind it
 *   bits 15-0   how the calls of the last group ended, two bits each
 *
 * The base says which call is the first since the window was empty, as long as it is not full; above that, how often it
 * has said so. After 16 million calls their numbers begin anew, which only somebody could mistake who was not looking for
 * exactly so many calls.
 */
#define NUMBER_SHIFT 40
#define FAILED_SHIFT 29
#define SLOW_SHIFT 18
#define FIELD UINT64_C(2047)
#define FULL (UINT64_C(1) << 17)
#define EMPTY (UINT64_C(1) << 16)
#define GROUP_MASK (EMPTY - 1)
#define NUMBERS (UINT64_C(1) << (64 - NUMBER_SHIFT))
#define GROUP TRIP_WINDOW_GROUP
#define OUTCOME_BITS 2
#define OUTCOME UINT64_C(3)
#define GIVE_WAY 192

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

static unsigned outcome_in(uint64_t group, uint64_t number)
{
    return (unsigned)(group >> (number % GROUP * OUTCOME_BITS) & OUTCOME);
}

/* Another than it was, so that nobody who has seen that can still count in it. Groups that were never written have number
   0, which therefore is not the first. */
static uint64_t emptied(uint64_t head)
{
    uint64_t number = head == 0 ? GROUP : number_of(head) + 1;
    return number << NUMBER_SHIFT | EMPTY;
}

static uint64_t with_call(uint64_t head, uint64_t filling, unsigned left, unsigned outcome)
{
    uint64_t number = number_of(head);
    uint64_t failed = failed_of(head) - (left & TRIP_CALL_FAILED) + (outcome & TRIP_CALL_FAILED);
    uint64_t slow =
        slow_of(head) - (left & TRIP_CALL_SLOW) / TRIP_CALL_SLOW + (outcome & TRIP_CALL_SLOW) / TRIP_CALL_SLOW;
    uint64_t group = number % GROUP == 0 ? 0 : head & GROUP_MASK;
    group |= (uint64_t)outcome << (number % GROUP * OUTCOME_BITS);
    return (number + 1) << NUMBER_SHIFT | failed << FAILED_SHIFT | slow << SLOW_SHIFT | filling | group;
}

/* A group as it is written: its number above what is in it. */
static uint64_t group_number(uint64_t number)
{
    return (number & (NUMBERS - 1)) / GROUP;
}

static _Atomic uint64_t *place_of(const trip_windows *windows, uint64_t number)
{
    return &windows->groups[group_number(number) & windows->group_mask];
}

/* Write down how the calls of the last group ended, unless somebody has. */
static void write_group(const trip_windows *windows, uint64_t head)
{
    uint64_t last = between(1, number_of(head));
    _Atomic uint64_t *place = place_of(windows, last);
    uint64_t there = atomic_load_explicit(place, memory_order_acquire);
    uint64_t ahead = (group_number(last) - (there >> 16)) & (NUMBERS / GROUP - 1);
    if (ahead - 1 < NUMBERS / GROUP / 2) /* an earlier one is there */
        atomic_compare_exchange_strong_explicit(place, &there, group_number(last) << 16 | (head & GROUP_MASK),
                                                memory_order_acq_rel, memory_order_relaxed);
}

/* How the call ended that a full window loses to the next one. Its group was written before the head became what it is,
   unless it is the one in the head. */
static unsigned leaving(const trip_windows *windows, uint64_t head)
{
    uint64_t number = between(windows->call_count, number_of(head));
    bool is_in_head = group_number(number) == group_number(between(1, number_of(head)));
    return outcome_in(is_in_head ? head : atomic_load_explicit(place_of(windows, number), memory_order_acquire),
                      number);
}

/* The window begins with this call. False: somebody else has said something since `base` was read, and it may be that
   this call is not of the present. */
static bool begin_at(trip_windows *windows, uint64_t base, uint64_t number)
{
    uint64_t next = (base / NUMBERS + 1) * NUMBERS | number;
    return base % NUMBERS == number || atomic_compare_exchange_strong_explicit(
                                           &windows->base, &base, next, memory_order_acq_rel, memory_order_relaxed);
}

static uint64_t calls_in(const trip_windows *windows, uint64_t head)
{
    if ((head & EMPTY) != 0)
        return 0;
    if ((head & FULL) != 0)
        return windows->call_count;
    return between(atomic_load_explicit(&windows->base, memory_order_acquire), number_of(head));
}

bool trip_window_add_call(trip_windows *windows, const trip_policy *policy, trip_present present, unsigned outcome,
                          trip_tally *out_tally)
{
    if (windows->call_count != policy->last_calls.size)
        return false;
    for (;;) {
        uint64_t base = atomic_load_explicit(&windows->base, memory_order_acquire);
        uint64_t head = atomic_load_explicit(&windows->head, memory_order_acquire);
        uint64_t calls = calls_in(windows, head);
        bool is_full = calls == windows->call_count;
        unsigned left = is_full ? leaving(windows, head) : 0;
        if (!trip_is_present(present))
            return false;
        *out_tally = (trip_tally){.calls = calls};
        if (is_full && failed_of(head) == 0 && slow_of(head) == 0 && outcome == 0)
            return true; /* a window of successes is the same after one more */
        if ((head & EMPTY) != 0 && !begin_at(windows, base, number_of(head)))
            continue;
        if ((head & EMPTY) == 0 && number_of(head) % GROUP == 0)
            write_group(windows, head);
        calls += !is_full;
        uint64_t next = with_call(head, calls == windows->call_count ? FULL : 0, left, outcome);
        if (atomic_compare_exchange_weak_explicit(&windows->head, &head, next, memory_order_acq_rel,
                                                  memory_order_relaxed)) {
            *out_tally = (trip_tally){calls, failed_of(next), slow_of(next)};
            return true;
        }
        trip_give_way(GIVE_WAY);
    }
}

void trip_window_restart(trip_windows *windows, trip_present present)
{
    uint64_t head = atomic_load_explicit(&windows->head, memory_order_acquire);
    while (trip_is_present(present) &&
           !atomic_compare_exchange_weak_explicit(&windows->head, &head, emptied(head), memory_order_acq_rel,
                                                  memory_order_acquire))
        ;
}

void trip_window_empty(trip_windows *windows)
{
    uint64_t head = atomic_load_explicit(&windows->head, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&windows->head, &head, emptied(head), memory_order_acq_rel,
                                                  memory_order_relaxed))
        ;
    atomic_store_explicit(&windows->calm, 0, memory_order_relaxed);
}

/* ---- The calls of a time ----------------------------------------------------------------------------------------- */

/* A number in a bucket has a tag above it that tells circuit, epoch and step. */
#define COUNT_BITS 28
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

/* Mixed, so that the upper bits alone tell one mark from another. */
static uint64_t tag_of(trip_present present, uint64_t step)
{
    return trip_mix(trip_window_mark(present, step)) & ~COUNT_MASK;
}

static trip_bucket *bucket_of(trip_windows *windows, uint64_t step)
{
    return &windows->buckets[step % windows->bucket_count];
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

void trip_window_add_bucket(trip_windows *windows, const trip_policy *policy, trip_present present, uint64_t now,
                            uint64_t step, trip_tally amount)
{
    if (windows->bucket_count != policy->lately.size || !trip_window_has(policy, now, step))
        return;
    trip_bucket *bucket = bucket_of(windows, step);
    uint64_t tag = tag_of(present, step);
    add(&bucket->calls, present, tag, amount.calls);
    add(&bucket->failures, present, tag, amount.failures);
    add(&bucket->slow, present, tag, amount.slow);
}

static uint64_t counted(const _Atomic uint64_t *place, uint64_t tag)
{
    uint64_t there = atomic_load_explicit(place, memory_order_acquire);
    return (there ^ tag) <= COUNT_MASK ? there & COUNT_MASK : 0;
}

trip_tally trip_window_sum(trip_windows *windows, const trip_policy *policy, trip_present present, uint64_t step)
{
    trip_tally sum = {0};
    for (uint32_t i = 0; i < windows->bucket_count && i <= step && windows->bucket_count == policy->lately.size; i++) {
        const trip_bucket *bucket = bucket_of(windows, step - i);
        uint64_t tag = tag_of(present, step - i);
        sum.calls += counted(&bucket->calls, tag);
        sum.failures += counted(&bucket->failures, tag);
        sum.slow += counted(&bucket->slow, tag);
    }
    return sum;
}
