/* What can be seen of a circuit: what it would answer, its state and counters, its key, what a refusal says. Changes
   nothing; takes no lock. */
#include "inspect.h"

#include "abi.h"
#include "steering.h"
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

/* Until the mode ends; where it does not by itself, it is worth asking about as often as a first open period. */
static uint64_t forced_retry(const trip_hearing *hearing, uint64_t word)
{
    uint64_t now = trip_circuit_lately(hearing);
    trip_steer steer = trip_steering_of(hearing->record, word, now);
    if (steer.until == UINT64_MAX)
        return hearing->setting.policy->open_ns[0];
    return steer.until - now;
}

void trip_circuit_refuse(const trip_hearing *hearing, const trip_verdict *verdict, trip_rejection *out_rejection)
{
    if (out_rejection == NULL)
        return;
    trip_view view = trip_word_view(verdict->word, &hearing->setting);
    if (verdict->status == TRIP_REJECTED_RAMP)
        view.retry_after_ns = ramp_retry(verdict->word, &hearing->setting);
    if (verdict->status == TRIP_REJECTED_FORCED)
        view.retry_after_ns = forced_retry(hearing, verdict->word);
    if (trip_abi_size_said(out_rejection) == sizeof *out_rejection) {
        write_rejection(out_rejection, verdict->status, &view);
        return;
    }
    trip_rejection rejection;
    write_rejection(&rejection, verdict->status, &view);
    trip_abi_write(out_rejection, &rejection, sizeof rejection);
}

/* What the circuit would say to a permit, and whether anybody asks it. */
static trip_verdict foresee(trip_hearing *hearing, uint64_t word)
{
    trip_verdict verdict = trip_circuit_judge(hearing, word, TRIP_ON_PERMIT, 0);
    const trip_annex *annex = trip_record_annex(hearing->record);
    uint64_t share;
    if (verdict.status == TRIP_OK && annex != NULL && trip_circuit_is_on_ramp(hearing, word, &share) &&
        !trip_ramp_admits(share, atomic_load(&annex->asked)))
        verdict.status = TRIP_REJECTED_RAMP;
    switch (trip_steering_of(hearing->record, word, trip_circuit_lately(hearing)).mode) {
    case TRIP_MODE_AUTO:
        break;
    case TRIP_MODE_FORCED_OPEN:
        trip_circuit_look(hearing);
        verdict = (trip_verdict){.word = word, .status = TRIP_REJECTED_FORCED};
        break;
    default:
        verdict.status = TRIP_OK;
        break;
    }
    return verdict;
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
    trip_verdict verdict = foresee(&hearing, word);
    if (!trip_record_lives(hearing.record, circuit))
        return TRIP_E_HANDLE;
    if (verdict.status > 0)
        trip_circuit_refuse(&hearing, &verdict, out_rejection);
    return verdict.status;
}

void trip_circuit_counts(const trip_record *record, trip_circuit circuit, uint64_t out_counts[TRIP_COUNTERS])
{
    for (int c = 0; c < TRIP_COUNTERS; c++)
        out_counts[c] = atomic_load_explicit(&record->cell.counts[c], memory_order_acquire);
    trip_magazines_tally(circuit, out_counts);
    for (int c = 0; c < TRIP_COUNTERS; c++)
        out_counts[c] = trip_count_value(out_counts[c]);
}

uint64_t trip_successes(const uint64_t counts[TRIP_COUNTERS])
{
    uint64_t succeeded = counts[TRIP_COUNT_PERMITS] - counts[TRIP_COUNT_OUT] - counts[TRIP_COUNT_FAILURES] -
                         counts[TRIP_COUNT_DROPS] - counts[TRIP_COUNT_CANCELS];
    bool is_ahead = succeeded >> (TRIP_COUNT_BITS - 1) != 0; /* counts are read one by one while calls run */
    return is_ahead ? 0 : succeeded;
}

static trip_circuit_info info_of(const trip_view *view, const uint64_t counts[TRIP_COUNTERS])
{
    return (trip_circuit_info){
        .state = trip_state_told(view->state),
        .failures = view->failures,
        .level = view->level,
        .probes_out = view->probes_out,
        .epoch = view->epoch,
        .retry_after_ns = view->retry_after_ns,
        .open_duration_ns = view->open_duration_ns,
        .permits = counts[TRIP_COUNT_PERMITS],
        .successes = trip_successes(counts),
        .failures_total = counts[TRIP_COUNT_FAILURES],
        .drops = counts[TRIP_COUNT_DROPS],
        .cancels = counts[TRIP_COUNT_CANCELS],
        .rejections = counts[TRIP_COUNT_REJECTIONS],
        .stale = counts[TRIP_COUNT_STALE],
        .opens = counts[TRIP_COUNT_OPENS] + view->opened,
    };
}

static void tell_mode(const trip_hearing *hearing, uint64_t word, trip_circuit_info *info)
{
    uint64_t now = trip_circuit_lately(hearing);
    trip_steer steer = trip_steering_of(hearing->record, word, now);
    info->mode = steer.mode;
    info->mode_left_ns = steer.until == UINT64_MAX ? 0 : steer.until - now;
    if (steer.mode == TRIP_MODE_FORCED_OPEN)
        info->retry_after_ns = forced_retry(hearing, word);
    else if (steer.mode != TRIP_MODE_AUTO)
        info->retry_after_ns = 0;
}

void trip_circuit_info_with(trip_circuit circuit, trip_record *record, uint64_t word, trip_circuit_info *out_info)
{
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, record, trip_magazine_mine());
    trip_circuit_look(&hearing);
    trip_view view = trip_word_view(word, &hearing.setting);
    uint64_t counts[TRIP_COUNTERS];
    trip_circuit_counts(record, circuit, counts);
    *out_info = info_of(&view, counts);
    tell_mode(&hearing, word, out_info);
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

trip_status trip_circuit_key(trip_circuit circuit, char *out_text, size_t capacity, size_t *out_tenant_len,
                             size_t *out_provider_len)
{
    if ((out_text == NULL && capacity != 0) || out_tenant_len == NULL || out_provider_len == NULL)
        return TRIP_E_INVALID;
    const trip_record *record = trip_record_named(circuit);
    if (record == NULL)
        return TRIP_E_HANDLE;
    trip_name_copy copy;
    trip_record_copy_name(record, &copy);
    if (!trip_record_lives(record, circuit))
        return TRIP_E_HANDLE;
    const trip_name *name = &copy.name;
    if (capacity < name->tenant_len + name->provider_len)
        return TRIP_E_CAPACITY;
    if (name->tenant_len != 0)
        memcpy(out_text, name->tenant, name->tenant_len);
    if (name->provider_len != 0)
        memcpy(out_text + name->tenant_len, name->provider, name->provider_len);
    *out_tenant_len = name->tenant_len;
    *out_provider_len = name->provider_len;
    return TRIP_OK;
}
