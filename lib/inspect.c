/* What can be seen of a circuit: what it would answer, its state and counters, its key, what a refusal says. Changes
   nothing; takes no lock but for the key. */
#include "inspect.h"

#include "abi.h"
#include "tracker.h"

/* Begin to look at a circuit. False: there is none. */
static bool find(trip_circuit circuit, trip_hearing *out_hearing)
{
    trip_record *record = trip_record_named(circuit);
    if (record == NULL || !trip_record_lives(record, circuit))
        return false;
    trip_hearing_begin(out_hearing, circuit, record, trip_magazine_mine());
    return true;
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
    out->state = trip_state_told(view->state);
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
    trip_verdict verdict = trip_circuit_judge(&hearing, word, TRIP_ON_PERMIT, 0);
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
        .state = trip_state_told(view->state),
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

void trip_circuit_info_with(trip_circuit circuit, trip_record *record, uint64_t word, trip_circuit_info *out_info)
{
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, record, trip_magazine_mine());
    trip_circuit_look(&hearing);
    trip_view view = trip_word_view(word, &hearing.setting);
    uint64_t counts[TRIP_COUNTERS];
    count_up(record, circuit, counts);
    *out_info = info_of(&view, counts);
}

bool trip_circuit_info_of(trip_circuit circuit, trip_circuit_info *out_info)
{
    trip_record *record = trip_record_named(circuit);
    if (record == NULL || !trip_record_lives(record, circuit))
        return false;
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    trip_circuit_info info;
    trip_circuit_info_with(circuit, record, word, &info);
    if (trip_word_state_of(word) == TRIP_WORD_VACANT || !trip_record_lives(record, circuit))
        return false;
    *out_info = info;
    return true;
}

trip_status trip_circuit_inspect(trip_circuit circuit, trip_circuit_info *out_info)
{
    if (out_info == NULL || !trip_abi_may_write(out_info, TRIP_CIRCUIT_INFO_SIZE_1_0))
        return TRIP_E_INVALID;
    trip_circuit_info info;
    if (!trip_circuit_info_of(circuit, &info))
        return TRIP_E_HANDLE;
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
    trip_tracker owner = trip_record_tracker(record);
    trip_tracker_record *tracker = trip_tracker_named(owner);
    if (tracker == NULL || !trip_record_lives(record, circuit))
        return TRIP_E_HANDLE;
    pthread_mutex_lock(&tracker->registry.mutex);
    trip_status status = TRIP_E_HANDLE;
    if (trip_record_lives(record, circuit) &&
        trip_record_tracker(record) == owner) /* else the mutex is not the key's */
        status = copy_key(record, out_text, capacity, out_tenant_len, out_provider_len);
    pthread_mutex_unlock(&tracker->registry.mutex);
    return status;
}
