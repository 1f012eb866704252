/* Overdue permits, as overdue.h describes them. Takes no lock. */
#include "overdue.h"

#include "permit.h"
#include "report.h"

const trip_outcome trip_stalled = {.struct_size = sizeof trip_stalled, .status_class = TRIP_CLASS_TIMEOUT};

/* What a look has found so far. */
typedef struct look {
    uint64_t now;
    uint64_t timed_from; /* what was told before says nothing */
    uint64_t next;       /* when something may be overdue that is not yet */
    uint64_t hanging;
} look;

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whether it is time, and if not, when it will be. */
static bool is_due(look *at, uint64_t deadline)
{
    if (at->now >= deadline)
        return true;
    at->next = smaller(at->next, deadline);
    return false;
}

/* Let the stream have failed, unless it goes on or is being settled meanwhile. */
static bool claim_stall(trip_permit_slot *slot, uint64_t progress)
{
    return atomic_compare_exchange_strong_explicit(&slot->progress, &progress, progress | TRIP_PROGRESS_STALLED,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

/* The circuit learns of it now. The permit is out until somebody settles it, and is counted then. */
static void fail(trip_hearing *hearing, uint64_t epoch, uint64_t granted_at)
{
    trip_report report = {.outcome = &trip_stalled, .epoch = epoch, .granted_at = granted_at};
    trip_status status;
    trip_circuit_learn(hearing, &report, trip_circuit_event(hearing, &report), &status);
}

static bool is_out_here(const trip_permit_slot *slot, trip_circuit circuit, uint64_t epoch)
{
    return atomic_load_explicit(&slot->circuit, memory_order_acquire) == circuit &&
           trip_word_epoch(atomic_load_explicit(&slot->bare, memory_order_acquire)) == epoch &&
           trip_permit_is_out(atomic_load_explicit(&slot->word, memory_order_acquire),
                              atomic_load_explicit(&slot->granted, memory_order_acquire));
}

static void examine(trip_hearing *hearing, trip_permit_slot *slot, uint64_t epoch, look *at)
{
    const trip_policy *policy = hearing->setting.policy;
    uint64_t progress = atomic_load_explicit(&slot->progress, memory_order_acquire);
    uint64_t granted_at = atomic_load_explicit(&slot->granted_at, memory_order_acquire);
    if ((progress & TRIP_PROGRESS_STALLED) != 0 || !is_out_here(slot, hearing->circuit, epoch))
        return;
    bool is_stream = (progress & TRIP_PROGRESS_TIME) > at->timed_from;
    uint64_t told = is_stream ? (progress & TRIP_PROGRESS_TIME) - 1 : at->timed_from;
    if (policy->stall_ns != 0 && is_stream && is_due(at, told + policy->stall_ns) && claim_stall(slot, progress)) {
        fail(hearing, epoch, granted_at);
        return;
    }
    uint64_t since = told > granted_at ? told : granted_at; /* a stream that goes on does not hang */
    if (policy->hang_calls != 0)
        at->hanging += is_due(at, since + policy->hang_ns);
}

void trip_overdue_look(trip_hearing *hearing, trip_annex *annex, uint64_t epoch, uint64_t now)
{
    const uint32_t wanted = hearing->setting.policy->hang_calls;
    uint64_t look_at = atomic_load_explicit(&annex->look_at, memory_order_acquire);
    look at = {.now = now,
               .timed_from = atomic_load_explicit(&annex->timed_from, memory_order_acquire),
               .next = wanted != 0 ? now + hearing->setting.policy->hang_ns : UINT64_MAX};
    uint32_t made = trip_pool_made(&trip_permits);
    for (uint32_t i = 0; i < made; i++)
        examine(hearing, trip_permit_slot_at(i), epoch, &at);
    /* If a stream has told of progress meanwhile, whoever comes next looks again. */
    atomic_compare_exchange_strong_explicit(&annex->look_at, &look_at, at.next, memory_order_acq_rel,
                                            memory_order_relaxed);
    if (wanted != 0 && at.hanging >= wanted)
        trip_circuit_open(hearing, TRIP_ON_TRIP, epoch, TRIP_CAUSE_HANGING);
}

void trip_overdue_expect(trip_annex *annex, const trip_policy *policy, uint64_t now)
{
    uint64_t stalled_at = now + policy->stall_ns;
    uint64_t look_at = atomic_load_explicit(&annex->look_at, memory_order_acquire);
    while (stalled_at < look_at && !atomic_compare_exchange_weak_explicit(&annex->look_at, &look_at, stalled_at,
                                                                          memory_order_acq_rel, memory_order_acquire))
        ;
}
