/*
 * Circuits: how events reach a word, and the calls that only look. Takes no lock but in trip_circuit_key; reads a clock
 * only where time can change the answer.
 */
#include "circuit.h"

#include "abi.h"
#include "clock.h"
#include "tracker.h"
#include "window.h"

#include <string.h>

#define COARSE_MARGIN 2 /* ticks before a deadline within which the coarse clock is not good enough */

_Atomic(char *) trip_circuit_chunks[(UINT32_C(1) << TRIP_CIRCUIT_SLOT_BITS) >> TRIP_CIRCUIT_CHUNK_BITS];
trip_pool trip_circuits =
    TRIP_POOL(sizeof(trip_record), UINT32_C(1) << TRIP_CIRCUIT_SLOT_BITS, TRIP_CIRCUIT_CHUNK_BITS, trip_circuit_chunks);

_Static_assert(sizeof(trip_record) % 64 == 0, "records do not share cache lines");
_Static_assert(offsetof(trip_record, cell.counts[TRIP_COUNT_FAILURES]) <= 64,
               "a hand-in after successes alone needs no second line");

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

/* The tracker's policy, as a copy that nobody can change under us. If the tracker is gone the copy may be nonsense: the
   circuit is gone too then, and whatever was judged by it is thrown away. */
static const trip_policy *policy_of(trip_hearing *hearing, trip_tracker tracker)
{
    trip_magazine *magazine = hearing->magazine;
    if (magazine == NULL) {
        trip_tracker_policy(tracker, &hearing->spare);
        return &hearing->spare;
    }
    if (magazine->policy_of != tracker) {
        trip_tracker_policy(tracker, &magazine->policy);
        magazine->policy_of = tracker;
    }
    return &magazine->policy;
}

static uint64_t own_time(const trip_record *record, uint64_t tracker_now)
{
    uint64_t elapsed = tracker_now - atomic_load_explicit(&record->cell.base_ns, memory_order_acquire);
    return (int64_t)elapsed < 0 ? 0 : elapsed; /* the coarse clock may not have reached our beginning yet */
}

static trip_tracker tracker_of(const trip_record *record)
{
    return atomic_load_explicit(&record->tracker, memory_order_acquire);
}

static void read_clock(trip_hearing *hearing)
{
    hearing->setting.now =
        own_time(hearing->record, trip_tracker_now(tracker_of(hearing->record), hearing->setting.policy));
}

const trip_policy *trip_circuit_policy(trip_hearing *hearing)
{
    return policy_of(hearing, tracker_of(hearing->record));
}

const trip_policy *trip_circuit_consult(trip_hearing *hearing)
{
    hearing->setting.policy = trip_circuit_policy(hearing);
    trip_record_add_to(&hearing->setting, hearing->record);
    return hearing->setting.policy;
}

uint64_t trip_circuit_lately(const trip_hearing *hearing)
{
    return trip_tracker_lately(tracker_of(hearing->record), hearing->setting.policy);
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

static trip_verdict judge(trip_hearing *hearing, uint64_t word, trip_event event, uint64_t epoch)
{
    trip_setting *setting = &hearing->setting;
    setting->now = 0;
    if (!trip_word_needs_clock(word, event, epoch, setting->policy))
        return trip_word_step(word, event, epoch, setting);
    if (event == TRIP_EVENT_PERMIT && refused_from_afar(hearing, word)) {
        trip_verdict verdict = trip_word_step(word, event, epoch, setting);
        if (verdict.status > 0)
            return verdict;
    }
    read_clock(hearing);
    return trip_word_step(word, event, epoch, setting);
}

/* A circuit that is about to close begins without the calls of before. */
static void prepare_windows(trip_hearing *hearing, uint64_t from, uint64_t to)
{
    bool closes = trip_word_state_of(to) == TRIP_WORD_CLOSED && trip_word_state_of(from) != TRIP_WORD_CLOSED;
    if (!closes || (to & TRIP_WORD_SLOW) == 0)
        return;
    trip_annex *annex = atomic_load_explicit(&hearing->record->annex, memory_order_acquire);
    trip_window_restart(annex, (trip_present){&hearing->record->cell.word, trip_word_epoch(from)});
}

bool trip_circuit_apply(trip_hearing *hearing, trip_event event, uint64_t epoch, trip_verdict *out_verdict)
{
    _Atomic uint64_t *place = &hearing->record->cell.word;
    uint64_t word = atomic_load_explicit(place, memory_order_acquire);
    do {
        trip_circuit_consult(hearing);
        *out_verdict = judge(hearing, word, event, epoch);
        bool vacant = out_verdict->status == TRIP_E_HANDLE;
        if (vacant || !trip_record_lives(hearing->record, hearing->circuit))
            return false;
        if (out_verdict->word == word)
            return true;
        prepare_windows(hearing, word, out_verdict->word);
        /* No word of one life comes again in another, so this succeeds only if the circuit we judged is there. */
    } while (!atomic_compare_exchange_weak_explicit(place, &word, out_verdict->word, memory_order_acq_rel,
                                                    memory_order_acquire));
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

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

/* Begin to look at a circuit. False: there is none. */
static bool find(trip_circuit circuit, trip_hearing *out_hearing)
{
    trip_record *record = trip_record_named(circuit);
    if (record == NULL || !trip_record_lives(record, circuit))
        return false;
    trip_hearing_begin(out_hearing, circuit, record, trip_magazine_mine());
    return true;
}

bool trip_circuit_is_on_ramp(trip_hearing *hearing, uint64_t word, uint64_t *out_share)
{
    const trip_policy *policy = hearing->setting.policy;
    bool has_closed_again = trip_word_stamp(word) != atomic_load_explicit(&hearing->record->born, memory_order_acquire);
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

static uint32_t state_told(trip_word_state state)
{
    return (uint32_t)state - TRIP_WORD_CLOSED + TRIP_STATE_CLOSED;
}

/* As long as others would wait for a probe, but not beyond the end of the ramp. */
static uint64_t ramp_retry(uint64_t word, const trip_setting *setting)
{
    uint64_t end = trip_word_stamp(word) * TRIP_NS_PER_MS + setting->policy->ramp_ns;
    uint64_t left = end > setting->now ? end - setting->now : 0;
    return left < setting->policy->probe_retry_ns ? left : setting->policy->probe_retry_ns;
}

/* Member by member: a struct that was written in small pieces and is at once copied in large ones makes the processor
   wait until the pieces have reached the cache. */
static void write_rejection(trip_rejection *out_rejection, trip_status status, const trip_view *view)
{
    typedef trip_rejection anywhere __attribute__((aligned(1)));
    anywhere *out = out_rejection;
    out->status = status;
    out->state = state_told(view->state);
    out->failures = view->failures;
    out->retry_after_ns = view->retry_after_ns;
    out->open_duration_ns = view->open_duration_ns;
}

void trip_circuit_refuse(const trip_hearing *hearing, const trip_verdict *verdict, trip_rejection *out_rejection)
{
    if (out_rejection == NULL)
        return;
    trip_view view = trip_word_view(verdict->word, &hearing->setting);
    if (verdict->status == TRIP_REJECTED_RAMP)
        view.retry_after_ns = ramp_retry(verdict->word, &hearing->setting);
    if (trip_abi_size_said(out_rejection) == sizeof *out_rejection) {
        write_rejection(out_rejection, verdict->status, &view);
        return;
    }
    trip_rejection rejection;
    write_rejection(&rejection, verdict->status, &view);
    trip_abi_write(out_rejection, &rejection, sizeof rejection);
}

trip_status trip_circuit_peek(trip_circuit circuit, trip_rejection *out_rejection)
{
    if (!trip_abi_may_write(out_rejection, TRIP_REJECTION_SIZE_1_0))
        return TRIP_E_INVALID;
    trip_hearing hearing;
    if (!find(circuit, &hearing))
        return TRIP_E_HANDLE;
    uint64_t word = atomic_load_explicit(&hearing.record->cell.word, memory_order_acquire);
    trip_circuit_consult(&hearing);
    trip_verdict verdict = judge(&hearing, word, TRIP_EVENT_PERMIT, 0);
    const trip_annex *annex = atomic_load_explicit(&hearing.record->annex, memory_order_acquire);
    if (verdict.status == TRIP_OK && annex != NULL) {
        uint64_t share;
        if (trip_circuit_is_on_ramp(&hearing, word, &share) && !trip_ramp_admits(share, atomic_load(&annex->asked)))
            verdict.status = TRIP_REJECTED_RAMP;
    }
    if (!trip_record_lives(hearing.record, circuit))
        return TRIP_E_HANDLE;
    if (verdict.status > 0)
        trip_circuit_refuse(&hearing, &verdict, out_rejection);
    return verdict.status;
}

/* What is in the cell, and what threads have not handed in yet. */
static void count_up(const trip_record *record, trip_circuit circuit, uint64_t out_counts[TRIP_COUNTERS])
{
    for (int c = 0; c < TRIP_COUNTERS; c++)
        out_counts[c] = atomic_load_explicit(&record->cell.counts[c], memory_order_acquire);
    trip_magazines_tally(circuit, out_counts);
    for (int c = 0; c < TRIP_COUNTERS; c++)
        out_counts[c] = trip_count_value(out_counts[c]);
}

static trip_circuit_info info_of(const trip_view *view, const uint64_t counts[TRIP_COUNTERS])
{
    uint64_t failed = counts[TRIP_COUNT_FAILURES];
    uint64_t dropped = counts[TRIP_COUNT_DROPS];
    uint64_t cancelled = counts[TRIP_COUNT_CANCELS];
    uint64_t succeeded = counts[TRIP_COUNT_PERMITS] - counts[TRIP_COUNT_OUT] - failed - dropped - cancelled;
    bool is_ahead = succeeded >> (TRIP_COUNT_BITS - 1) != 0; /* counts are read one by one while calls run */
    return (trip_circuit_info){
        .state = state_told(view->state),
        .mode = TRIP_MODE_AUTO,
        .failures = view->failures,
        .level = view->level,
        .probes_out = view->probes_out,
        .epoch = view->epoch,
        .retry_after_ns = view->retry_after_ns,
        .open_duration_ns = view->open_duration_ns,
        .permits = counts[TRIP_COUNT_PERMITS],
        .successes = is_ahead ? 0 : succeeded,
        .failures_total = failed,
        .drops = dropped,
        .cancels = cancelled,
        .rejections = counts[TRIP_COUNT_REJECTIONS],
        .stale = counts[TRIP_COUNT_STALE],
        .opens = counts[TRIP_COUNT_OPENS] + view->opened,
    };
}

trip_status trip_circuit_inspect(trip_circuit circuit, trip_circuit_info *out_info)
{
    if (out_info == NULL || !trip_abi_may_write(out_info, TRIP_CIRCUIT_INFO_SIZE_1_0))
        return TRIP_E_INVALID;
    trip_hearing hearing;
    if (!find(circuit, &hearing))
        return TRIP_E_HANDLE;
    uint64_t word = atomic_load_explicit(&hearing.record->cell.word, memory_order_acquire);
    trip_circuit_look(&hearing);
    trip_view view = trip_word_view(word, &hearing.setting);
    uint64_t counts[TRIP_COUNTERS];
    count_up(hearing.record, circuit, counts);
    if (view.state == TRIP_WORD_VACANT || !trip_record_lives(hearing.record, circuit))
        return TRIP_E_HANDLE;
    trip_circuit_info info = info_of(&view, counts);
    trip_abi_write(out_info, &info, sizeof info);
    return TRIP_OK;
}

static trip_status copy_key(const trip_record *record, char *out_text, size_t capacity, size_t *out_tenant_len,
                            size_t *out_provider_len)
{
    const unsigned char *tenant = record->by_key.key;
    const unsigned char *provider = tenant + 1 + tenant[0];
    if (capacity < (size_t)tenant[0] + provider[0])
        return TRIP_E_CAPACITY;
    if (tenant[0] != 0)
        memcpy(out_text, tenant + 1, tenant[0]);
    if (provider[0] != 0)
        memcpy(out_text + tenant[0], provider + 1, provider[0]);
    *out_tenant_len = tenant[0];
    *out_provider_len = provider[0];
    return TRIP_OK;
}

trip_status trip_circuit_key(trip_circuit circuit, char *out_text, size_t capacity, size_t *out_tenant_len,
                             size_t *out_provider_len)
{
    if ((out_text == NULL && capacity != 0) || out_tenant_len == NULL || out_provider_len == NULL)
        return TRIP_E_INVALID;
    trip_record *record = trip_record_named(circuit);
    if (record == NULL)
        return TRIP_E_HANDLE;
    trip_tracker owner = tracker_of(record);
    trip_tracker_record *tracker = trip_tracker_named(owner);
    if (tracker == NULL || !trip_record_lives(record, circuit))
        return TRIP_E_HANDLE;
    pthread_mutex_lock(&tracker->registry.mutex);
    trip_status status = TRIP_E_HANDLE;
    if (trip_record_lives(record, circuit) && tracker_of(record) == owner) /* else the mutex is not the key's */
        status = copy_key(record, out_text, capacity, out_tenant_len, out_provider_len);
    pthread_mutex_unlock(&tracker->registry.mutex);
    return status;
}
