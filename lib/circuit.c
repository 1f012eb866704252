/* Circuits: how events reach a word. Takes no lock; reads a clock only where time can change the answer. */
#include "circuit.h"

#include "clock.h"
#include "emit.h"
#include "tracker.h"
#include "window.h"

#define COARSE_MARGIN 2 /* ticks before a deadline within which the coarse clock is not good enough */

_Atomic(char *) trip_circuit_chunks[(UINT32_C(1) << TRIP_CIRCUIT_SLOT_BITS) >> TRIP_CIRCUIT_CHUNK_BITS];
trip_pool trip_circuits =
    TRIP_POOL(sizeof(trip_record), UINT32_C(1) << TRIP_CIRCUIT_SLOT_BITS, TRIP_CIRCUIT_CHUNK_BITS, trip_circuit_chunks);

_Static_assert(sizeof(trip_record) % 64 == 0, "records do not share cache lines");
_Static_assert(offsetof(trip_record, cell.counts[TRIP_COUNT_FAILURES]) <= 64,
               "a hand-in after successes alone needs no second line");

/* Who comes too late marks the next one in the place, which does no harm. */
__attribute__((noinline, cold)) void trip_record_mark_used(trip_record *record)
{
    atomic_fetch_or_explicit(&record->name, TRIP_RECORD_USED, memory_order_relaxed);
}

void trip_record_copy_name(const trip_record *record, trip_name_copy *out_copy)
{
    trip_text_place place = atomic_load_explicit(&record->name, memory_order_acquire) >> 1;
    size_t len = trip_texts_copy(place, out_copy->bytes, sizeof out_copy->bytes);
    if (!trip_name_read(out_copy->bytes, len, &out_copy->name))
        out_copy->name = (trip_name){0};
}

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

/* A circuit may be led to another policy, and its old one be withdrawn, while we read. One that is gone may be led to
   somebody else's, or nowhere: whatever was judged by that is thrown away. */
uint64_t trip_record_policy(const trip_record *record, trip_policy *out_policy)
{
    uint64_t serial;
    uint32_t place;
    do {
        place = trip_record_policy_place(record);
        serial = trip_policy_copy(place, out_policy);
    } while (serial == 0 && (trip_record_policy_place(record) != place || trip_policy_serial(place) != 0));
    if (serial == 0)
        *out_policy = (trip_policy){.bucket_ns = 1}; /* see policy.h */
    return serial;
}

/* The copy in the magazine is not the circuit's, or was its own before the latest revision. */
static __attribute__((noinline)) void refresh_policy(trip_magazine *magazine, const trip_hearing *hearing,
                                                     uint64_t revision)
{
    uint64_t serial = trip_policy_serial(trip_record_policy_place(hearing->record));
    if (serial == 0 || serial != magazine->policy_serial)
        magazine->policy_serial = trip_record_policy(hearing->record, &magazine->policy);
    magazine->policy_revision = revision;
    magazine->policy_of = hearing->circuit;
}

static uint64_t own_time(const trip_record *record, uint64_t tracker_now)
{
    uint64_t elapsed = tracker_now - atomic_load_explicit(&record->cell.base_ns, memory_order_acquire);
    return (int64_t)elapsed < 0 ? 0 : elapsed; /* the coarse clock may not have reached our beginning yet */
}

static void read_clock(trip_hearing *hearing)
{
    hearing->setting.now =
        own_time(hearing->record, trip_tracker_now(trip_record_tracker(hearing->record), hearing->setting.policy));
}

const trip_policy *trip_circuit_policy(trip_hearing *hearing)
{
    trip_magazine *magazine = hearing->magazine;
    if (magazine == NULL) {
        trip_record_policy(hearing->record, &hearing->spare);
        return &hearing->spare;
    }
    uint64_t revision = atomic_load_explicit(&trip_revision.number, memory_order_acquire);
    if (magazine->policy_of != hearing->circuit || magazine->policy_revision != revision)
        refresh_policy(magazine, hearing, revision);
    return &magazine->policy;
}

const trip_policy *trip_circuit_consult(trip_hearing *hearing)
{
    hearing->setting.policy = trip_circuit_policy(hearing);
    trip_record_add_to(&hearing->setting, hearing->record);
    return hearing->setting.policy;
}

uint64_t trip_circuit_lately(const trip_hearing *hearing)
{
    return trip_tracker_lately(trip_record_tracker(hearing->record), hearing->setting.policy);
}

void trip_circuit_look(trip_hearing *hearing)
{
    trip_circuit_consult(hearing);
    read_clock(hearing);
}

/* A refusal need not know the time exactly while its deadline is far: the coarse clock is behind, so that the deadline
   has not passed for the precise one either and the time that remains is never told too short. */
static bool refused_from_afar(trip_hearing *hearing, uint64_t word)
{
    if (hearing->setting.policy->clock != TRIP_CLOCK_MONOTONIC)
        return false;
    uint64_t deadline = trip_word_deadline(word, hearing->setting.policy);
    hearing->setting.now = own_time(hearing->record, trip_clock_coarse());
    return deadline != UINT64_MAX && deadline > hearing->setting.now &&
           deadline - hearing->setting.now > COARSE_MARGIN * trip_clock_tick();
}

trip_verdict trip_circuit_judge(trip_hearing *hearing, uint64_t word, trip_word_event event, uint64_t epoch)
{
    trip_setting *setting = &hearing->setting;
    setting->now = 0;
    if (!trip_word_needs_clock(word, event, epoch, setting->policy))
        return trip_word_step(word, event, epoch, setting);
    if (event == TRIP_ON_PERMIT && refused_from_afar(hearing, word)) {
        trip_verdict verdict = trip_word_step(word, event, epoch, setting);
        if (verdict.status > 0)
            return verdict;
    }
    read_clock(hearing);
    return trip_word_step(word, event, epoch, setting);
}

void trip_circuit_catch_up(const trip_hearing *hearing, uint64_t own_now)
{
    uint64_t now = trip_tracker_time(trip_record_tracker(hearing->record));
    if (own_time(hearing->record, now) < own_now)
        atomic_store_explicit(&hearing->record->cell.base_ns, now - own_now, memory_order_release);
}

/* A circuit that is about to close before its open period is over, by the order of somebody who holds the mutex. If the word
   is not replaced after all, that period is over. */
static void cut_short(const trip_hearing *hearing, uint64_t word)
{
    if (trip_word_state_of(word) == TRIP_WORD_OPEN)
        trip_circuit_catch_up(hearing, trip_word_stamp(word) * TRIP_NS_PER_MS);
}

/* A circuit that is about to close, or to close afresh, begins without the calls of before. */
static void prepare_windows(trip_hearing *hearing, uint64_t from, uint64_t to)
{
    bool closes = trip_word_state_of(to) == TRIP_WORD_CLOSED && trip_word_epoch(from) != trip_word_epoch(to);
    if (!closes || (to & TRIP_WORD_SLOW) == 0)
        return;
    trip_windows *windows = trip_record_windows(hearing->record);
    if (windows != NULL)
        trip_window_restart(windows, (trip_present){&hearing->record->cell.word, trip_word_epoch(from)});
}

/* No word of one life comes again in another, so this succeeds only if the circuit that was judged is there. */
static bool replace(trip_hearing *hearing, uint64_t *word, trip_word_event event, const trip_verdict *verdict)
{
    if (trip_emit_is_due(*word, verdict))
        return trip_emit_replacing(hearing, word, event, verdict);
    return atomic_compare_exchange_weak_explicit(&hearing->record->cell.word, word, verdict->word, memory_order_acq_rel,
                                                 memory_order_acquire);
}

bool trip_circuit_apply(trip_hearing *hearing, trip_word_event event, uint64_t epoch, trip_verdict *out_verdict)
{
    uint64_t from, word = atomic_load_explicit(&hearing->record->cell.word, memory_order_acquire);
    do {
        from = word;
        trip_circuit_consult(hearing);
        if (event == TRIP_ON_RESET)
            cut_short(hearing, word);
        *out_verdict = trip_circuit_judge(hearing, word, event, epoch);
        bool vacant = out_verdict->status == TRIP_E_HANDLE;
        if (vacant || !trip_record_lives(hearing->record, hearing->circuit))
            return false;
        if (out_verdict->word == word)
            return true;
        prepare_windows(hearing, word, out_verdict->word);
    } while (!replace(hearing, &word, event, out_verdict));
    if (out_verdict->opened)
        trip_magazine_count(hearing->magazine, hearing->circuit, TRIP_COUNT_OPENS, 1);
    if (event == TRIP_ON_HINT)
        trip_emit_put_off(hearing, from, out_verdict->word);
    return true;
}

bool trip_circuit_refuses_from_afar(trip_hearing *hearing, uint64_t word, trip_verdict *out_verdict)
{
    if (trip_word_state_of(word) != TRIP_WORD_OPEN)
        return false;
    hearing->setting = (trip_setting){.policy = trip_circuit_policy(hearing)}; /* an open circuit needs no more of it */
    *out_verdict = (trip_verdict){.word = word, .status = TRIP_REJECTED_OPEN}; /* what trip_word_step would say */
    return refused_from_afar(hearing, word) && trip_record_lives(hearing->record, hearing->circuit);
}

/* ---- Ramps ------------------------------------------------------------------------------------------------------- */

bool trip_circuit_is_on_ramp(trip_hearing *hearing, uint64_t word, uint64_t *out_share)
{
    const trip_policy *policy = hearing->setting.policy;
    bool has_closed_again = trip_word_stamp(word) != trip_record_born(hearing->record);
    if (policy->ramp_ns == 0 || trip_word_state_of(word) != TRIP_WORD_CLOSED || !has_closed_again)
        return false;
    hearing->setting.now = own_time(hearing->record, trip_circuit_lately(hearing));
    uint64_t closed_at = trip_word_stamp(word) * TRIP_NS_PER_MS;
    uint64_t since = hearing->setting.now > closed_at ? hearing->setting.now - closed_at : 0;
    if (since >= policy->ramp_ns)
        return false;
    uint64_t step = since * policy->ramp_steps / policy->ramp_ns; /* a hundred years at most: it fits */
    *out_share = (step + 1) * TRIP_SHARE_ONE / (policy->ramp_steps + 1);
    return true;
}
