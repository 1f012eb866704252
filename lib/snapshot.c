/*
 * Snapshots: what the circuits of a tracker know, read while calls run and laid out as layout.h says. Changes nothing.
 * Takes the registry's mutex for one circuit at a time, for the sake of its key, so that nobody waits long for it.
 */
#include "abi.h"
#include "clock.h"
#include "inspect.h"
#include "layout.h"
#include "steering.h"
#include "tracker.h"

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- One circuit ------------------------------------------------------------------------------------------------- */

/* Whoever has a permit now will not tell it to the process that restores this: there, nothing was ever heard of them. */
static void save_counts(const trip_record *record, trip_circuit circuit, trip_saved *saved)
{
    uint64_t counts[TRIP_COUNTERS];
    trip_circuit_counts(record, circuit, counts);
    saved->successes = trip_successes(counts);
    saved->failed = counts[TRIP_COUNT_FAILURES];
    saved->dropped = counts[TRIP_COUNT_DROPS];
    uint64_t told = saved->successes + saved->failed + saved->dropped;
    saved->cancelled = counts[TRIP_COUNT_PERMITS] > told ? counts[TRIP_COUNT_PERMITS] - told : 0;
    saved->rejections = counts[TRIP_COUNT_REJECTIONS];
    saved->stale = counts[TRIP_COUNT_STALE];
    saved->opens = counts[TRIP_COUNT_OPENS];
}

static void save_state(trip_record *record, trip_circuit circuit, trip_saved *saved)
{
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, record, trip_magazine_mine());
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    trip_circuit_look(&hearing);
    trip_view view = trip_word_view(word, &hearing.setting);
    uint64_t now = hearing.setting.now, not_before = hearing.setting.not_before;
    saved->state = (uint8_t)trip_state_told(view.state);
    saved->level = (uint8_t)view.level;
    saved->failures = view.state == TRIP_WORD_CLOSED ? view.failures : 0;
    saved->open_left = view.state == TRIP_WORD_OPEN ? smaller(view.retry_after_ns, TRIP_LAYOUT_LEFT_MAX) : 0;
    saved->wait_left = not_before > now ? smaller(not_before - now, TRIP_LAYOUT_LEFT_MAX) : 0;
    saved->opens += view.opened;
}

/* Under the mutex. The mode is on the tracker's clock. */
static void save_mode(const trip_record *record, trip_saved *saved)
{
    uint64_t now = trip_tracker_time(trip_record_tracker(record));
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    trip_steer steer = trip_steering_of(record, word, now);
    const trip_order *order = trip_steering_order(record);
    if (steer.mode == TRIP_MODE_AUTO)
        return;
    saved->mode = (uint8_t)steer.mode;
    saved->mode_left =
        steer.until == UINT64_MAX ? TRIP_LAYOUT_FOREVER : smaller(steer.until - now, TRIP_LAYOUT_MODE_LEFT_MAX);
    saved->reason = order->reason;
    saved->reason_len = (uint8_t)order->reason_len;
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

/* Bytes that are written as long as there is room, and counted in any case. */
typedef struct writing {
    char *bytes;
    size_t room;
    size_t len;
    uint64_t count;
} writing;

/* With the mutex held, of a circuit that lives. */
static void save(writing *w, trip_record *record, trip_circuit circuit)
{
    trip_key key = trip_registry_key(record);
    trip_saved saved = {
        .tenant = key.tenant,
        .provider = key.provider,
        .tenant_len = (uint8_t)key.tenant_len,
        .provider_len = (uint8_t)key.provider_len,
    };
    save_mode(record, &saved);
    size_t size = trip_layout_size(&saved);
    if (w->len <= w->room && size <= w->room - w->len) {
        save_counts(record, circuit, &saved);
        save_state(record, circuit, &saved);
        trip_layout_put(w->bytes + w->len, &saved);
    }
    w->len += size;
    w->count++;
}

static bool is_of(const trip_record *record, trip_tracker tracker)
{
    return (atomic_load_explicit(&record->life, memory_order_acquire) & 1) != 0 &&
           trip_record_tracker(record) == tracker;
}

/* The circuits that are there from the beginning to the end are in it; others may be. False: the tracker is gone. */
static bool save_all(trip_tracker tracker, writing *w)
{
    uint32_t made = trip_pool_made(&trip_circuits);
    w->len = TRIP_LAYOUT_HEADER_SIZE;
    w->count = 0;
    for (uint32_t slot = 0; slot < made; slot++) {
        trip_record *record = trip_record_at(slot);
        if (!is_of(record, tracker))
            continue;
        trip_tracker_record *owner = trip_tracker_lock(tracker);
        if (owner == NULL)
            return false;
        if (is_of(record, tracker)) /* and stays so, now that we hold the mutex */
            save(w, record, trip_record_handle(atomic_load_explicit(&record->life, memory_order_relaxed), slot));
        trip_tracker_unlock(owner);
    }
    w->len += TRIP_LAYOUT_CHECKSUM_SIZE;
    return trip_tracker_lives(trip_tracker_named(tracker), tracker);
}

/* First without writing, so that too small a buffer stays as it is; only where it suffices then, and no longer does because
   circuits came meanwhile, is something in it that means nothing. The time is read last: who is told that an open period has
   so much left from a moment on must not be told too early a moment. */
trip_status trip_tracker_snapshot(trip_tracker tracker, uint64_t now_unix_ns, char *out_bytes, size_t capacity,
                                  size_t *out_len)
{
    if (out_len == NULL || (out_bytes == NULL && capacity != 0))
        return TRIP_E_INVALID;
    const trip_tracker_record *owner = trip_tracker_named(tracker);
    if (owner == NULL || !trip_tracker_lives(owner, tracker))
        return TRIP_E_HANDLE;
    writing w = {.bytes = NULL};
    if (!save_all(tracker, &w))
        return TRIP_E_HANDLE;
    if (w.len <= capacity) {
        w = (writing){.bytes = out_bytes, .room = capacity - TRIP_LAYOUT_CHECKSUM_SIZE};
        if (!save_all(tracker, &w))
            return TRIP_E_HANDLE;
    }
    *out_len = w.len;
    if (w.len > capacity)
        return TRIP_E_CAPACITY;
    trip_layout_finish(out_bytes, w.len, now_unix_ns != 0 ? now_unix_ns : trip_clock_of_day(), w.count);
    return TRIP_OK;
}
