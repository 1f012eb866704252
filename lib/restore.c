/*
 * Restoring: how the circuits of a snapshot come into a tracker. All that can fail comes first, under the registry's
 * mutex, and is undone when something does; then every circuit becomes what the snapshot says, against calls that run.
 */
#include "abi.h"
#include "alloc.h"
#include "clock.h"
#include "config.h"
#include "inspect.h"
#include "layout.h"
#include "steering.h"
#include "emit.h"
#include "tracker.h"

/* A snapshot that is being restored. */
typedef struct restoring {
    trip_tracker tracker;
    trip_registry *registry;
    trip_layout_reader circuits; /* at the first one */
    uint64_t elapsed;            /* ns since the snapshot */
    uint8_t *made;               /* a bit for each circuit: it was not there */
} restoring;

static uint64_t left_of(const restoring *r, uint64_t left_then)
{
    return left_then > r->elapsed ? left_then - r->elapsed : 0;
}

static uint32_t saved_mode(const restoring *r, const trip_saved *saved)
{
    bool is_over = saved->mode_left != TRIP_LAYOUT_FOREVER && left_of(r, saved->mode_left) == 0;
    return is_over ? TRIP_MODE_AUTO : saved->mode;
}

static bool was_made(const restoring *r, uint64_t number)
{
    return (r->made[number / 8] >> number % 8 & 1) != 0;
}

static trip_circuit find(const restoring *r, const trip_saved *saved, trip_key *out_key)
{
    *out_key = (trip_key){.tenant = saved->tenant,
                          .provider = saved->provider,
                          .tenant_len = saved->tenant_len,
                          .provider_len = saved->provider_len};
    out_key->hash = trip_key_hash(saved->tenant, saved->tenant_len, saved->provider, saved->provider_len);
    return trip_registry_look_up(r->registry, r->tracker, out_key);
}

/* ---- What can fail ----------------------------------------------------------------------------------------------- */

static trip_status prepare(restoring *r, const trip_saved *saved, uint64_t number)
{
    trip_key key;
    trip_circuit circuit = find(r, saved, &key);
    if (circuit == 0) {
        trip_status status = trip_registry_add(r->registry, r->tracker, &key, &circuit);
        if (status != TRIP_OK)
            return status;
        r->made[number / 8] |= (uint8_t)(1 << number % 8);
    }
    trip_record *record = trip_record_known(circuit);
    bool is_asked = left_of(r, saved->wait_left) != 0, is_steered = saved_mode(r, saved) != TRIP_MODE_AUTO;
    bool has_room =
        (!is_asked || trip_annex_have(&record->annex) != NULL) && (!is_steered || trip_steering_prepare(record));
    return has_room ? TRIP_OK : TRIP_E_NOMEM;
}

static void undo(const restoring *r)
{
    trip_layout_reader reader = r->circuits;
    trip_saved saved;
    for (uint64_t i = 0; trip_layout_next(&reader, &saved) == NULL; i++) {
        trip_key key;
        trip_circuit circuit = was_made(r, i) ? find(r, &saved, &key) : 0;
        if (circuit != 0)
            trip_registry_remove(r->registry, trip_record_known(circuit), TRIP_CAUSE_NONE);
    }
}

static trip_status prepare_all(restoring *r)
{
    trip_layout_reader reader = r->circuits;
    trip_saved saved;
    trip_status status = TRIP_OK;
    for (uint64_t i = 0; status == TRIP_OK && trip_layout_next(&reader, &saved) == NULL; i++)
        status = prepare(r, &saved, i);
    if (status != TRIP_OK)
        undo(r);
    return status;
}

/* ---- What cannot ------------------------------------------------------------------------------------------------- */

static void add_counts(trip_hearing *hearing, const trip_saved *saved)
{
    uint64_t permits = saved->successes + saved->failed + saved->dropped + saved->cancelled;
    const uint64_t amounts[TRIP_COUNTERS] = {
        [TRIP_COUNT_PERMITS] = permits,      [TRIP_COUNT_FAILURES] = saved->failed,
        [TRIP_COUNT_DROPS] = saved->dropped, [TRIP_COUNT_CANCELS] = saved->cancelled,
        [TRIP_COUNT_STALE] = saved->stale,   [TRIP_COUNT_REJECTIONS] = saved->rejections,
        [TRIP_COUNT_OPENS] = saved->opens,
    };
    for (int c = 0; c < TRIP_COUNTERS; c++)
        trip_circuit_count_in_cell(hearing->circuit, (trip_counter)c, amounts[c]);
}

static bool swap(const trip_hearing *hearing, uint64_t *word, uint64_t to)
{
    return atomic_compare_exchange_strong_explicit(&hearing->record->cell.word, word, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

/* Whatever it was. One that has been open for longer waits for a later stamp, until its clock is put forward. */
static void open_circuit(trip_hearing *hearing, uint64_t level, uint64_t left)
{
    uint64_t word = atomic_load_explicit(&hearing->record->cell.word, memory_order_acquire);
    uint64_t to;
    do {
        trip_circuit_look(hearing);
        to = trip_word_open_until(word, hearing->setting.now + left, level);
    } while (!swap(hearing, &word, to));
    trip_circuit_catch_up(hearing, trip_word_deadline(to, hearing->setting.policy) - left);
    trip_emit_restored(hearing, to);
}

/* One that was just made stays in its first epoch: it has not closed again, and is on no ramp. Calls that come in between
   have the last word. */
static void close_circuit(trip_hearing *hearing, uint64_t failures, bool is_new)
{
    trip_verdict verdict;
    hearing->cause = TRIP_CAUSE_RESTORED;
    if (!is_new)
        trip_circuit_apply(hearing, TRIP_ON_RESET, 0, &verdict);
    uint64_t most = trip_circuit_policy(hearing)->failure_threshold - 1;
    uint64_t word = atomic_load_explicit(&hearing->record->cell.word, memory_order_acquire);
    while (trip_word_is_calm(word) &&
           !swap(hearing, &word, trip_word_with_failures(word, failures < most ? failures : most)))
        ;
}

static void ask_to_wait(trip_hearing *hearing, uint64_t wait)
{
    trip_annex *annex = trip_record_annex(hearing->record);
    if (annex == NULL)
        return;
    trip_circuit_look(hearing);
    uint64_t mark = trip_annex_mark(hearing->record, trip_handle_generation(hearing->circuit, TRIP_CIRCUIT_SLOT_BITS));
    trip_annex_set_not_before(annex, mark, wait == 0 ? 0 : trip_word_stamp_at(hearing->setting.now + wait));
}

/* Nothing is ordered of a circuit of which nothing was, and is. */
static void let_steer(const restoring *r, trip_hearing *hearing, const trip_saved *saved)
{
    if (saved_mode(r, saved) == TRIP_MODE_AUTO && !trip_steering_is_set(trip_record_annex(hearing->record)))
        return;
    trip_steer steer = {saved_mode(r, saved), UINT64_MAX};
    if (steer.mode != TRIP_MODE_AUTO && saved->mode_left != TRIP_LAYOUT_FOREVER)
        steer.until = trip_tracker_time(r->tracker) + left_of(r, saved->mode_left);
    trip_steering_put(hearing->record, steer, saved->reason, steer.mode == TRIP_MODE_AUTO ? 0 : saved->reason_len,
                      TRIP_CAUSE_RESTORED);
}

static void become(const restoring *r, const trip_saved *saved, uint64_t number)
{
    trip_key key;
    trip_circuit circuit = find(r, saved, &key);
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, trip_record_known(circuit), trip_magazine_mine());
    add_counts(&hearing, saved);
    if (saved->state == TRIP_STATE_CLOSED)
        close_circuit(&hearing, saved->failures, was_made(r, number));
    else /* half-open: nobody has its probes any more, so that it may be probed anew */
        open_circuit(&hearing, saved->level, left_of(r, saved->open_left));
    ask_to_wait(&hearing, left_of(r, saved->wait_left));
    let_steer(r, &hearing, saved);
}

static void become_all(const restoring *r)
{
    trip_layout_reader reader = r->circuits;
    trip_saved saved;
    for (uint64_t i = 0; trip_layout_next(&reader, &saved) == NULL; i++)
        become(r, &saved, i);
}

/* ---- The call ---------------------------------------------------------------------------------------------------- */

static const trip_flaw *read_all(const char *bytes, size_t len, trip_layout_reader *out_circuits)
{
    const trip_flaw *flaw = trip_layout_open(bytes, len, out_circuits);
    trip_layout_reader reader = *out_circuits;
    trip_saved saved;
    while (flaw == NULL && trip_layout_has_more(&reader))
        flaw = trip_layout_next(&reader, &saved);
    return flaw;
}

static trip_status restore(restoring *r)
{
    r->made = trip_allocate(r->circuits.count / 8 + 1);
    if (r->made == NULL)
        return TRIP_E_NOMEM;
    trip_tracker_record *owner = trip_tracker_lock(r->tracker);
    trip_status status = owner == NULL ? TRIP_E_HANDLE : prepare_all(r);
    if (status == TRIP_OK)
        become_all(r);
    if (owner != NULL)
        trip_tracker_unlock(owner);
    trip_release(r->made);
    return status;
}

static trip_status refuse(trip_error *out_error, trip_status status, const char *why)
{
    return trip_error_tell(out_error, status, TRIP_NO_FIELD, why);
}

trip_status trip_tracker_restore(trip_tracker tracker, uint64_t now_unix_ns, const char *bytes, size_t bytes_len,
                                 trip_error *out_error)
{
    if (!trip_abi_may_write(out_error, TRIP_ERROR_SIZE_1_0))
        return TRIP_E_INVALID;
    if (bytes == NULL || bytes_len > PTRDIFF_MAX)
        return refuse(out_error, TRIP_E_INVALID, "there are no bytes, or more than memory holds");
    trip_tracker_record *owner = trip_tracker_named(tracker);
    if (owner == NULL || !trip_tracker_lives(owner, tracker))
        return refuse(out_error, TRIP_E_HANDLE, "no such tracker");
    restoring r = {.tracker = tracker, .registry = &owner->registry};
    const trip_flaw *flaw = read_all(bytes, bytes_len, &r.circuits);
    if (flaw != NULL)
        return refuse(out_error, flaw->status, flaw->why);
    uint64_t now = now_unix_ns != 0 ? now_unix_ns : trip_clock_of_day();
    r.elapsed = now > r.circuits.at_unix_ns ? now - r.circuits.at_unix_ns : 0;
    switch (restore(&r)) {
    case TRIP_OK:
        return TRIP_OK;
    case TRIP_E_CAPACITY:
        return refuse(out_error, TRIP_E_CAPACITY, "with these circuits there would be more than max_circuits");
    case TRIP_E_NOMEM:
        return refuse(out_error, TRIP_E_NOMEM, "out of memory");
    default:
        return refuse(out_error, TRIP_E_HANDLE, "no such tracker");
    }
}
