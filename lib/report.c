/* Reports, as report.h describes them. Takes no lock; allocates where a provider asks for time for the first time. */
#include "report.h"

#include "emit.h"
#include "story.h"
#include "tracker.h"
#include "window.h"

static void count(const trip_hearing *hearing, trip_counter counter)
{
    trip_magazine_count(hearing->magazine, hearing->circuit, counter, 1);
}

void trip_circuit_count_outcome(trip_hearing *hearing, trip_word_event event, trip_status status)
{
    static const trip_counter counters[] = {
        [TRIP_ON_FAILURE] = TRIP_COUNT_FAILURES,
        [TRIP_ON_DROP] = TRIP_COUNT_DROPS,
        [TRIP_ON_CANCEL] = TRIP_COUNT_CANCELS,
    };
    if (event != TRIP_ON_SUCCESS) /* which is what is left over */
        count(hearing, counters[event]);
    if (status != TRIP_STALE)
        return;
    count(hearing, TRIP_COUNT_STALE);
    trip_emit_late(hearing);
}

bool trip_circuit_open(trip_hearing *hearing, trip_word_event event, uint64_t epoch, uint32_t cause)
{
    trip_verdict verdict;
    hearing->cause = cause;
    return trip_circuit_apply(hearing, event, epoch, &verdict);
}

/* A failure that only counts: the epoch says that the circuit lives, and the swap that it still does. */
static inline bool count_failure(trip_hearing *hearing, uint64_t epoch)
{
    _Atomic uint64_t *place = &hearing->record->cell.word;
    uint64_t word = atomic_load_explicit(place, memory_order_acquire);
    const trip_policy *policy = trip_circuit_policy(hearing);
    while ((word & TRIP_WORD_SLOW) == 0 && trip_word_only_counts(word, epoch, policy))
        if (atomic_compare_exchange_weak_explicit(place, &word, word + 1, memory_order_acq_rel, memory_order_acquire))
            return true;
    return false;
}

/* For how long the provider wants to be left alone after a call that ended so and counts as a failure. */
static uint64_t wait_asked(const trip_outcome *outcome, const trip_policy *policy)
{
    uint64_t cap = policy->max_retry_after_ns;
    uint64_t asked = outcome->retry_after_ns < cap ? outcome->retry_after_ns : cap;
    return asked == 0 && outcome->status_class == TRIP_CLASS_QUOTA ? policy->quota_open_ns : asked;
}

/* Without memory for it, it is forgotten: the circuit opens as if nothing had been asked for. */
static void remember_wait(trip_hearing *hearing, uint64_t wait)
{
    trip_annex *annex = trip_annex_have(&hearing->record->annex);
    if (annex == NULL)
        return;
    trip_circuit_look(hearing);
    uint64_t generation = trip_handle_generation(hearing->circuit, TRIP_CIRCUIT_SLOT_BITS);
    uint64_t mark = trip_annex_mark(hearing->record, generation);
    uint64_t until = trip_word_stamp_at(hearing->setting.now + wait);
    uint64_t there = atomic_load_explicit(&annex->not_before, memory_order_acquire);
    while (trip_annex_stamp(there, mark) < until && trip_record_lives(hearing->record, hearing->circuit) &&
           !atomic_compare_exchange_weak_explicit(&annex->not_before, &there, trip_annex_stamped(mark, until),
                                                  memory_order_acq_rel, memory_order_acquire))
        ;
}

/* Whether the calls of the time window are too many failures, or too slow. One more success can open the circuit only where
   it is the one that makes the calls enough to be judged, or where others have left the window, as they do from step to
   step: until then there is nothing to judge. */
static __attribute__((noinline)) bool judge_lately(const trip_hearing *hearing, trip_windows *windows,
                                                   trip_present present, uint64_t step)
{
    const trip_policy *policy = hearing->setting.policy;
    uint64_t mark = trip_window_mark(present, step);
    atomic_store_explicit(&windows->calm, mark, memory_order_seq_cst); /* whoever fails from now on takes it back */
    trip_tally sum = trip_window_sum(windows, policy, present, step);
    sum.calls += trip_magazines_calls(hearing->circuit, present.epoch, step, policy->lately.size);
    bool is_calm = sum.calls >= policy->lately.minimum || (sum.failures == 0 && sum.slow == 0);
    if (!is_calm)
        atomic_store_explicit(&windows->calm, 0, memory_order_release);
    return trip_window_is_over(sum, &policy->lately);
}

/* Let the time window have one more call: is it too much now? */
static inline bool are_over_lately(const trip_hearing *hearing, trip_windows *windows, trip_present present,
                                   unsigned outcome)
{
    const trip_policy *policy = hearing->setting.policy;
    uint64_t step = trip_circuit_lately(hearing) / policy->bucket_ns;
    trip_account *account = trip_magazine_account(hearing->magazine, hearing->circuit);
    if (outcome == 0 && account != NULL) {
        trip_account_add_call(account, present.epoch, step);
    } else {
        trip_tally one = {1, (outcome & TRIP_CALL_FAILED) != 0, (outcome & TRIP_CALL_SLOW) != 0};
        trip_window_add_bucket(windows, policy, present, step, step, one);
    }
    bool is_calm = atomic_load_explicit(&windows->calm, memory_order_acquire) == trip_window_mark(present, step);
    return (outcome != 0 || !is_calm) && judge_lately(hearing, windows, present, step);
}

/* Let the windows have the outcome of a call that a closed circuit granted, and open it if that is too much. The setting
   has the policy. */
static inline void observe(trip_hearing *hearing, uint64_t epoch, unsigned outcome)
{
    const trip_policy *policy = hearing->setting.policy;
    trip_windows *windows = trip_record_windows(hearing->record);
    trip_present present = {&hearing->record->cell.word, epoch};
    trip_tally calls;
    if (windows == NULL)
        return;
    bool is_over = policy->last_calls.size != 0 && trip_window_add_call(windows, policy, present, outcome, &calls) &&
                   trip_window_is_over(calls, &policy->last_calls);
    bool is_over_lately = policy->lately.size != 0 && are_over_lately(hearing, windows, present, outcome);
    if (is_over || is_over_lately)
        trip_circuit_open(hearing, TRIP_ON_TRIP, epoch, is_over ? TRIP_CAUSE_COUNT_WINDOW : TRIP_CAUSE_TIME_WINDOW);
}

void trip_circuit_observe_success(trip_hearing *hearing, uint64_t epoch)
{
    observe(hearing, epoch, 0);
}

static bool is_slow_call(const trip_hearing *hearing, const trip_report *report)
{
    const trip_policy *policy = hearing->setting.policy;
    if (policy->slow_call_ns == 0)
        return false;
    if (report->outcome != NULL && report->outcome->duration_ns != 0)
        return report->outcome->duration_ns > policy->slow_call_ns;
    uint64_t now = trip_circuit_lately(hearing);
    uint64_t since = trip_annex_timed_since(trip_record_annex(hearing->record), report->granted_at);
    return now > since && now - since > policy->slow_call_ns;
}

void trip_circuit_hand_in_calls(const trip_account *account)
{
    trip_windows *windows = trip_record_windows(account->record);
    trip_policy policy;
    trip_record_policy(account->record, &policy);
    if (windows == NULL || policy.lately.size == 0)
        return;
    trip_present present = {&account->record->cell.word,
                            atomic_load_explicit(&account->calls_epoch, memory_order_relaxed)};
    trip_tally calls = {.calls = atomic_load_explicit(&account->calls, memory_order_relaxed)};
    uint64_t step = atomic_load_explicit(&account->calls_step, memory_order_relaxed);
    uint64_t now = trip_tracker_lately(account->tracker, &policy) / policy.bucket_ns;
    trip_window_add_bucket(windows, &policy, present, now, step, calls);
}

trip_word_event trip_circuit_event(trip_hearing *hearing, const trip_report *report)
{
    static const trip_word_event events[] = {
        [TRIP_EFFECT_FAILURE] = TRIP_ON_FAILURE,
        [TRIP_EFFECT_SUCCESS] = TRIP_ON_SUCCESS,
        [TRIP_EFFECT_NOTHING] = TRIP_ON_CANCEL,
    };
    if (report->outcome == NULL)
        return report->event;
    return events[trip_policy_effect(trip_circuit_consult(hearing), report->outcome->status_class)];
}

bool trip_circuit_learn(trip_hearing *hearing, const trip_report *report, trip_word_event event,
                        trip_status *out_status)
{
    if (report->outcome != NULL && event == TRIP_ON_FAILURE)
        trip_story_failed(hearing, report->outcome);
    bool may_ask = report->outcome != NULL && event == TRIP_ON_FAILURE;
    uint64_t wait = may_ask ? wait_asked(report->outcome, trip_circuit_consult(hearing)) : 0;
    *out_status = TRIP_OK;
    if (event == TRIP_ON_FAILURE && wait == 0 && count_failure(hearing, report->epoch))
        return true;
    if (wait != 0)
        remember_wait(hearing, wait);
    trip_verdict verdict;
    if (!trip_circuit_apply(hearing, event, report->epoch, &verdict))
        return false;
    *out_status = verdict.status;
    if (verdict.status == TRIP_STALE) {
        if (wait != 0)
            trip_circuit_apply(hearing, TRIP_ON_HINT, 0, &verdict);
        return true;
    }
    bool has_failed =
        event == TRIP_ON_FAILURE || (event == TRIP_ON_DROP && hearing->setting.policy->on_drop == TRIP_DROP_FAILURE);
    bool is_of_interest = (verdict.word & TRIP_WORD_SLOW) != 0 && trip_epoch_state(report->epoch) == TRIP_WORD_CLOSED;
    if (is_of_interest && (has_failed || event == TRIP_ON_SUCCESS))
        observe(hearing, report->epoch,
                (has_failed ? TRIP_CALL_FAILED : 0) | (is_slow_call(hearing, report) ? TRIP_CALL_SLOW : 0));
    return true;
}

bool trip_circuit_tell(trip_hearing *hearing, const trip_report *report, trip_status *out_status)
{
    bool is_failure = report->outcome == NULL && report->event == TRIP_ON_FAILURE;
    if (is_failure && count_failure(hearing, report->epoch)) {
        count(hearing, TRIP_COUNT_FAILURES);
        *out_status = TRIP_OK;
        return true;
    }
    trip_word_event event = trip_circuit_event(hearing, report);
    *out_status = TRIP_OK;
    bool there = report->epoch == TRIP_EPOCH_NONE ? trip_record_lives(hearing->record, hearing->circuit)
                                                  : trip_circuit_learn(hearing, report, event, out_status);
    if (!there)
        return false;
    trip_circuit_count_outcome(hearing, event, *out_status);
    return true;
}
