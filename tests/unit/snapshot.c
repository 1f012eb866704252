/*
 * Snapshots and what comes of restoring them: every state, at every passage of time, into trackers empty, full and busy,
 * and after a restart.
 */
#include "scene.h"

#include "layout.h"
#include "taking.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- States and times -------------------------------------------------------------------------------------------- */

START_TEST(the_scene_has_every_state)
{
    view v = look_at(scene());
    ck_assert_uint_eq(v.of[FAILING].failures, 2);
    ck_assert_uint_eq(v.of[OPEN].retry_after_ns, 59 * SECOND);
    ck_assert_uint_eq(v.of[OPEN].rejections, 1);
    ck_assert(v.of[OVERDUE].state == TRIP_STATE_OPEN && v.of[OVERDUE].retry_after_ns == 0);
    ck_assert(v.of[PROBING].state == TRIP_STATE_HALF_OPEN && v.of[PROBING].probes_out == 1);
    ck_assert(v.of[LOST].state == TRIP_STATE_OPEN &&
              v.of[LOST].level == 1); /* by its lease, which nobody has noticed */
    ck_assert_uint_eq(v.of[LOST].retry_after_ns, 80 * SECOND);
    ck_assert(v.of[DEEP].level == 1 && v.of[DEEP].retry_after_ns == 5 * SECOND);
    ck_assert_uint_eq(permits_out(&v.of[ODD]), 1);
}
END_TEST

START_TEST(a_restarted_tracker_knows_what_the_old_one_knew)
{
    trip_tracker before = scene(), after = scene_tracker();
    view was = look_at(before);
    restore_well(after, NOON, snapshot_of(before, NOON));
    judge_all(&was, after, 0);
}
END_TEST

START_TEST(open_circuits_stay_open_for_what_is_left_by_the_time_of_day)
{
    trip_tracker before = scene();
    view was = look_at(before);
    bytes b = snapshot_of(before, NOON);
    static const uint64_t passed[] = {1,           30 * SECOND, 59 * SECOND - 1,  59 * SECOND, 59 * SECOND + 1,
                                      80 * SECOND, YEAR,        UINT64_MAX - NOON};
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
        trip_tracker after = scene_tracker();
        restore_well(after, NOON + passed[i], b);
        judge_all(&was, after, passed[i]);
        ck_assert_int_eq(trip_tracker_destroy(after), TRIP_OK);
    }
}
END_TEST

START_TEST(a_time_of_day_before_that_of_the_snapshot_is_no_time)
{
    trip_tracker before = scene();
    view was = look_at(before);
    static const uint64_t backwards[] = {NOON - 1, 1};
    for (int i = 0; i < 2; i++) {
        trip_tracker after = scene_tracker();
        restore_well(after, backwards[i], snapshot_of(before, NOON));
        judge_all(&was, after, 0);
    }
    trip_tracker after = scene_tracker();
    restore_well(after, 1, snapshot_of(before, UINT64_MAX));
    judge_all(&was, after, 0);
}
END_TEST

/* The nanosecond before it refuses; the next one does not; and what happens then goes on where it was. */
START_TEST(a_restored_circuit_lives_on)
{
    trip_tracker after = scene_tracker();
    restore_well(after, NOON, snapshot_of(scene(), NOON));
    pass(after, 59 * SECOND - 1);
    trip_permit permit;
    ck_assert_int_eq(trip_circuit_permit(circuit_at(after, OPEN), &permit, NULL), TRIP_REJECTED_OPEN);
    pass(after, 1);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit_at(after, OPEN))), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit_at(after, OPEN)).state, TRIP_STATE_CLOSED);
    fail_at(after, FAILING, 1);
    ck_assert_uint_eq(info_of(circuit_at(after, FAILING)).retry_after_ns, 60 * SECOND);
    fail_at(after, ODD, 2); /* one was dropped before */
    ck_assert_uint_eq(info_of(circuit_at(after, ODD)).state, TRIP_STATE_OPEN);
}
END_TEST

START_TEST(what_was_half_open_or_due_may_be_probed_at_once_at_its_level)
{
    trip_tracker after = scene_tracker();
    restore_well(after, NOON, snapshot_of(scene(), NOON));
    static const int due[] = {OVERDUE, PROBING};
    for (int i = 0; i < 2; i++) {
        trip_permit probe = permit_of(circuit_at(after, due[i]));
        trip_permit_info info = {.struct_size = sizeof info};
        ck_assert_int_eq(trip_permit_inspect(probe, &info), TRIP_OK);
        ck_assert_uint_eq(info.is_probe, 1);
        ck_assert_int_eq(trip_permit_record_failure(probe), TRIP_OK);
        ck_assert_uint_eq(info_of(circuit_at(after, due[i])).retry_after_ns, 120 * SECOND);
    }
    pass(after, 80 * SECOND);
    fail_at(after, LOST, 1);
    ck_assert_uint_eq(info_of(circuit_at(after, LOST)).retry_after_ns, 240 * SECOND);
}
END_TEST

/* Of the only circuit whose provider has asked. */
static uint64_t wait_left(bytes b)
{
    trip_layout_reader reader;
    trip_saved saved;
    ck_assert_ptr_null(trip_layout_open(b.at, b.len, &reader));
    while (trip_layout_next(&reader, &saved) == NULL)
        if (saved.wait_left != 0)
            return saved.wait_left;
    return 0;
}

START_TEST(what_the_provider_asked_for_still_counts)
{
    trip_tracker after = scene_tracker();
    bytes b = snapshot_of(scene(), NOON);
    restore_well(after, NOON + 100 * SECOND, b);
    fail_at(after, ASKED, 2);
    ck_assert_uint_eq(info_of(circuit_at(after, ASKED)).state, TRIP_STATE_OPEN);
    ck_assert_uint_eq(info_of(circuit_at(after, ASKED)).retry_after_ns, 500 * SECOND);
    pass(after, 1);
    restore_well(after, NOON + 600 * SECOND, b); /* and now it is over, here too */
    ck_assert_uint_eq(wait_left(b), 600 * SECOND);
    ck_assert_uint_eq(wait_left(snapshot_of(after, NOON)), 0);
    fail_at(after, ASKED, 2);
    ck_assert_uint_eq(info_of(circuit_at(after, ASKED)).retry_after_ns, 60 * SECOND);
}
END_TEST

START_TEST(failures_in_a_row_stay_below_a_lower_threshold)
{
    trip_config config = scene_config();
    config.failure_threshold = 1;
    trip_tracker strict = tracker_with(&config);
    bytes b = snapshot_of(scene(), NOON);
    restore_well(strict, NOON, b);
    ck_assert_uint_eq(info_of(circuit_at(strict, FAILING)).failures, 0);
    config.failure_threshold = 2;
    strict = tracker_with(&config);
    restore_well(strict, NOON, b);
    ck_assert_uint_eq(info_of(circuit_at(strict, FAILING)).failures, 1);
    fail_at(strict, FAILING, 1);
    ck_assert_uint_eq(info_of(circuit_at(strict, FAILING)).state, TRIP_STATE_OPEN);
}
END_TEST

START_TEST(an_open_period_of_two_years_is_kept)
{
    trip_config config = scene_config();
    config.initial_open_ns = config.max_open_ns = YEAR;
    config.jitter = 1.0;
    config.max_circuits = 1000;
    trip_tracker before = tracker_with(&config), after = tracker_with(&config);
    uint64_t most = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        trip_circuit circuit;
        ck_assert_int_eq(trip_tracker_circuit(before, "acme", 4, (char *)&i, sizeof i, &circuit), TRIP_OK);
        for (int j = 0; j < 3; j++)
            fail_once(circuit);
        uint64_t left = info_of(circuit).retry_after_ns;
        most = left > most ? left : most;
    }
    ck_assert_uint_ge(most, YEAR + YEAR / 100 * 99);
    restore_well(after, NOON, snapshot_of(before, NOON));
    for (uint32_t i = 0; i < 1000; i++) {
        trip_circuit was, is;
        ck_assert_int_eq(trip_tracker_circuit(before, "acme", 4, (char *)&i, sizeof i, &was), TRIP_OK);
        ck_assert_int_eq(trip_tracker_circuit(after, "acme", 4, (char *)&i, sizeof i, &is), TRIP_OK);
        ck_assert_uint_eq(info_of(is).retry_after_ns, info_of(was).retry_after_ns);
    }
}
END_TEST

/* A window, and a ramp for circuits that have just closed. */
START_TEST(windows_begin_empty_and_nobody_is_on_a_ramp)
{
    trip_config config = scene_config();
    config.count_window = config.count_minimum = 4;
    config.ramp_ns = 600 * SECOND;
    trip_tracker before = tracker_with(&config), after = tracker_with(&config);
    trip_circuit was = circuit_at(before, FAILING);
    for (int i = 0; i < 2; i++) {
        fail_once(was);
        ck_assert_int_eq(trip_permit_record_success(permit_of(was)), TRIP_OK);
    }
    ck_assert_uint_eq(info_of(was).state, TRIP_STATE_OPEN); /* two of four */
    pass(before, 60 * SECOND);
    ck_assert_int_eq(trip_permit_record_success(permit_of(was)), TRIP_OK);
    pass(before, 600 * SECOND);
    fail_once(was);
    restore_well(after, NOON, snapshot_of(before, NOON));
    trip_circuit is = circuit_at(after, FAILING);
    for (int i = 0; i < 3; i++) { /* the failure that was before is not among the last four */
        ck_assert_uint_eq(info_of(is).failures, i == 0);
        ck_assert_int_eq(trip_permit_record_success(permit_of(is)), TRIP_OK);
    }
    fail_once(is);
    ck_assert_uint_eq(info_of(is).state, TRIP_STATE_CLOSED);
}
END_TEST

/* ---- Modes ------------------------------------------------------------------------------------------------------- */

static trip_status ask(trip_tracker tracker, int which)
{
    trip_permit permit;
    trip_status status = trip_circuit_permit(circuit_at(tracker, which), &permit, NULL);
    if (status == TRIP_OK)
        ck_assert_int_eq(trip_permit_cancel(permit), TRIP_OK);
    return status;
}

START_TEST(modes_end_when_they_would_have)
{
    bytes b = snapshot_of(scene(), NOON);
    trip_tracker after = scene_tracker();
    restore_well(after, NOON + 100 * SECOND, b);
    pass(after, 200 * SECOND - 1);
    ck_assert_int_eq(ask(after, FORCED), TRIP_REJECTED_FORCED);
    pass(after, 1);
    ck_assert_int_eq(ask(after, FORCED), TRIP_OK);
    pass(after, YEAR);
    ck_assert_uint_eq(info_of(circuit_at(after, OBSERVED)).mode, TRIP_MODE_OBSERVE);
    after = scene_tracker();
    restore_well(after, NOON + 300 * SECOND, b);
    trip_express lane = lane_of(circuit_at(after, FORCED));
    ck_assert(lane_admits(&lane)); /* as where there never was a mode */
    ck_assert_int_eq(ask(after, FORCED), TRIP_OK);
}
END_TEST

/* Under a mode the circuit has gone on: it is open for 60 s. */
START_TEST(what_a_mode_hides_is_restored_too)
{
    trip_tracker after = scene_tracker();
    restore_well(after, NOON + 20 * SECOND, snapshot_of(scene(), NOON));
    ck_assert_int_eq(ask(after, OBSERVED), TRIP_OK);
    set_mode(after, OBSERVED, TRIP_MODE_AUTO, 0, "");
    ck_assert_uint_eq(info_of(circuit_at(after, OBSERVED)).retry_after_ns, 40 * SECOND);
}
END_TEST

START_TEST(a_mode_that_is_there_becomes_what_the_snapshot_says)
{
    trip_tracker busy = scene_tracker();
    set_mode(busy, CALM, TRIP_MODE_FORCED_OPEN, 0, "here");
    set_mode(busy, FORCED, TRIP_MODE_FORCED_CLOSED, 0, "here");
    restore_well(busy, NOON, snapshot_of(scene(), NOON));
    ck_assert_int_eq(ask(busy, CALM), TRIP_OK);
    ck_assert_int_eq(ask(busy, FORCED), TRIP_REJECTED_FORCED);
}
END_TEST

START_TEST(a_reason_and_an_opening_are_told_as_restored)
{
    trip_tracker after = scene_tracker();
    restore_well(after, NOON, snapshot_of(scene(), NOON));
    ck_assert(explains(after, FORCED, "maintenance"));
    ck_assert(explains(after, OPEN, "was restored"));
    ck_assert(!explains(after, CALM, "was restored"));
}
END_TEST

START_TEST(a_reason_is_kept_whole)
{
    static const size_t lens[] = {0, 1, 254, 255};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        trip_tracker before = scene_tracker(), after = scene_tracker();
        ck_assert_int_eq(trip_circuit_set_mode(circuit_at(before, CALM), TRIP_MODE_OBSERVE, 0, longest_text, lens[i]),
                         TRIP_OK);
        bytes b = snapshot_of(before, NOON);
        restore_well(after, NOON, b);
        bytes again = snapshot_of(after, NOON);
        ck_assert_uint_eq(again.len, b.len);
        ck_assert_mem_eq(again.at, b.at, b.len);
    }
}
END_TEST

/* ---- Events ------------------------------------------------------------------------------------------------------ */

/* How many events of this kind there are, all of them by the cause that is expected here. */
static int count_of(const told *all, uint32_t kind, uint32_t cause)
{
    int count = 0;
    for (size_t i = 0; i < all->count; i++) {
        count += all->events[i].kind == kind;
        ck_assert_uint_eq(all->events[i].cause, cause);
    }
    return count;
}

START_TEST(every_circuit_that_is_restored_open_and_every_mode_is_told)
{
    trip_tracker after = scene_tracker();
    restore_well(after, NOON, snapshot_of(scene(), NOON));
    const told *all = take_all(after);
    ck_assert_int_eq(count_of(all, TRIP_EVENT_OPENED, TRIP_CAUSE_RESTORED), 6);
    ck_assert_int_eq(count_of(all, TRIP_EVENT_FORCED, TRIP_CAUSE_RESTORED), 2);
    ck_assert_uint_eq(all->count, 8);
}
END_TEST

START_TEST(a_circuit_that_closes_because_it_is_restored_says_so)
{
    trip_tracker busy = scene_tracker();
    fail_at(busy, CALM, 3);
    forget_all(busy);
    restore_well(busy, NOON, snapshot_of(scene(), NOON));
    ck_assert_int_eq(count_of(take_all(busy), TRIP_EVENT_CLOSED, TRIP_CAUSE_RESTORED), 1);
}
END_TEST

START_TEST(of_what_was_not_restored_nothing_is_told)
{
    trip_config config = scene_config();
    config.max_circuits = CIRCUITS - 1;
    trip_tracker small = tracker_with(&config);
    ck_assert_int_eq(restore(small, NOON, snapshot_of(scene(), NOON)), TRIP_E_CAPACITY);
    ck_assert_uint_eq(take_all(small)->count, 0);
}
END_TEST

/* ---- Into a tracker that has circuits ---------------------------------------------------------------------------- */

START_TEST(circuits_that_are_there_become_what_the_snapshot_says)
{
    trip_tracker before = scene(), busy = scene_tracker();
    view was = look_at(before);
    trip_permit stale[CIRCUITS];
    view there;
    for (int i = 0; i < CIRCUITS; i++) {
        stale[i] = permit_of(circuit_at(busy, i));
        fail_at(busy, i, 1 + i % 3);
        there.of[i] = info_of(circuit_at(busy, i));
    }
    restore_well(busy, NOON + SECOND, snapshot_of(before, NOON));
    view is = look_at(busy);
    for (int i = 0; i < CIRCUITS; i++) {
        trip_circuit_info grown = was.of[i];
        grown.permits += there.of[i].permits;
        grown.failures_total += there.of[i].failures_total;
        grown.opens += there.of[i].opens;
        is.of[i].cancels += permits_out(&is.of[i]); /* that one */
        judge_restored(&grown, &is.of[i], SECOND);
        ck_assert_uint_ne(is.of[i].epoch, there.of[i].epoch);
        ck_assert_int_eq(trip_permit_record_failure(stale[i]), TRIP_STALE);
    }
}
END_TEST

/* A stamp that is ahead must not hold up what comes next: what is cut short here was open for a year. */
START_TEST(an_open_circuit_may_be_open_for_less_or_closed_and_its_next_period_is_as_long_as_any)
{
    trip_tracker before = scene();
    trip_config config = scene_config();
    config.initial_open_ns = config.max_open_ns = YEAR;
    trip_tracker busy = tracker_with(&config);
    fail_at(busy, OPEN, 3);
    fail_at(busy, FAILING, 3);
    fail_at(busy, OVERDUE, 3);
    restore_well(busy, NOON, snapshot_of(before, NOON));
    ck_assert_uint_eq(info_of(circuit_at(busy, OPEN)).retry_after_ns, 59 * SECOND);
    ck_assert_uint_eq(info_of(circuit_at(busy, FAILING)).failures, 2);
    pass(busy, 59 * SECOND);
    static const int each[] = {OPEN, FAILING, OVERDUE};
    for (int i = 0; i < 3; i++) {
        fail_at(busy, each[i], 1);
        ck_assert_uint_ge(info_of(circuit_at(busy, each[i])).retry_after_ns, YEAR);
        ck_assert_uint_le(info_of(circuit_at(busy, each[i])).retry_after_ns, YEAR + MS);
    }
}
END_TEST

START_TEST(a_snapshot_may_be_restored_again_and_again)
{
    trip_tracker before = scene(), after = scene_tracker();
    bytes b = snapshot_of(before, NOON);
    view was = look_at(before);
    for (int i = 1; i <= 50; i++) {
        restore_well(after, NOON, b);
        view is = look_at(after);
        ck_assert_uint_eq(is.of[OPEN].retry_after_ns, was.of[OPEN].retry_after_ns);
        ck_assert_uint_eq(is.of[FAILING].failures, was.of[FAILING].failures);
        ck_assert_uint_eq(is.of[OPEN].permits, (uint64_t)i * was.of[OPEN].permits);
    }
}
END_TEST

START_TEST(others_stay_as_they_are)
{
    trip_config config = scene_config();
    config.max_circuits = CIRCUITS + 1;
    trip_tracker busy = tracker_with(&config);
    trip_circuit other = circuit_of(busy, "umbrella", "openai");
    for (int i = 0; i < 3; i++)
        fail_once(other);
    trip_circuit_info there = info_of(other), is;
    restore_well(busy, NOON, snapshot_of(scene(), NOON));
    is = info_of(other);
    ck_assert_mem_eq(&is, &there, sizeof is);
}
END_TEST

START_TEST(nobody_has_to_go_for_a_circuit_that_is_restored)
{
    bytes b = snapshot_of(scene(), NOON);
    trip_config config = scene_config();
    trip_tracker full = tracker_with(&config);
    trip_circuit other = circuit_of(full, "umbrella", "openai");
    ck_assert_int_eq(restore(full, NOON, b), TRIP_E_CAPACITY);
    ck_assert_uint_eq(info_of(other).permits, 0);
    bytes only = snapshot_of(full, NOON);
    ck_assert_uint_eq(only.len, TRIP_LAYOUT_HEADER_SIZE + 96 + 14 + TRIP_LAYOUT_CHECKSUM_SIZE); /* that one */
    config.max_circuits = CIRCUITS + 1;
    trip_tracker roomy = tracker_with(&config);
    circuit_of(roomy, "umbrella", "openai");
    circuit_at(roomy, OPEN); /* counts once */
    restore_well(roomy, NOON, b);
    ck_assert_uint_eq(info_of(circuit_at(roomy, OPEN)).state, TRIP_STATE_OPEN);
}
END_TEST

/* ---- The call ---------------------------------------------------------------------------------------------------- */

START_TEST(a_buffer_that_is_too_small_stays_as_it_is)
{
    trip_tracker tracker = scene();
    bytes whole = snapshot_of(tracker, NOON);
    char *room = room_for(whole.len).at, *untouched = room_for(whole.len).at;
    memset(room, 0x5A, whole.len);
    memcpy(untouched, room, whole.len);
    for (size_t capacity = 0; capacity < whole.len; capacity++) {
        size_t len = 7;
        ck_assert_int_eq(trip_tracker_snapshot(tracker, NOON, room, capacity, &len), TRIP_E_CAPACITY);
        ck_assert_uint_eq(len, whole.len);
        ck_assert_mem_eq(room, untouched, whole.len);
    }
    size_t len = 7;
    ck_assert_int_eq(trip_tracker_snapshot(tracker, NOON, room, whole.len, &len), TRIP_OK);
    ck_assert_mem_eq(room, whole.at, whole.len);
}
END_TEST

START_TEST(an_empty_tracker_has_a_snapshot_too)
{
    bytes b = snapshot_of(scene_tracker(), NOON);
    ck_assert_uint_eq(b.len, TRIP_LAYOUT_HEADER_SIZE + TRIP_LAYOUT_CHECKSUM_SIZE);
    restore_well(scene_tracker(), NOON, b);
}
END_TEST

START_TEST(a_snapshot_has_only_the_circuits_of_its_tracker)
{
    trip_tracker other = scene(), gone = scene(), empty = scene_tracker();
    ck_assert_int_eq(trip_tracker_destroy(gone), TRIP_OK);
    bytes b = snapshot_of(empty, NOON);
    ck_assert_uint_eq(b.len, TRIP_LAYOUT_HEADER_SIZE + TRIP_LAYOUT_CHECKSUM_SIZE);
    ck_assert_uint_gt(snapshot_of(other, NOON).len, b.len);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    trip_tracker tracker = scene();
    bytes b = snapshot_of(tracker, NOON);
    size_t len = 7;
    ck_assert_int_eq(trip_tracker_snapshot(tracker, NOON, NULL, 1, &len), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_snapshot(tracker, NOON, b.at, b.len, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_snapshot(tracker + 1, NOON, b.at, b.len, &len), TRIP_E_HANDLE);
    ck_assert_uint_eq(len, 7);
    ck_assert_int_eq(restore(tracker + 1, NOON, b), TRIP_E_HANDLE);
    ck_assert_int_eq(restore(tracker, NOON, (bytes){NULL, 0}), TRIP_E_INVALID);
    ck_assert_int_eq(restore(tracker, NOON, (bytes){NULL, SIZE_MAX}), TRIP_E_INVALID);
    ck_assert_int_eq(restore(tracker, NOON, (bytes){b.at, SIZE_MAX}), TRIP_E_INVALID);
    ck_assert_int_eq(restore(tracker, NOON, (bytes){room_for(1).at, SIZE_MAX}), TRIP_E_INVALID); /* and reads none */
    ck_assert_int_eq(restore(tracker, NOON, (bytes){b.at, SIZE_MAX / 2}), TRIP_E_INVALID);
    ck_assert_int_eq(restore(tracker, NOON, (bytes){b.at, 0}), TRIP_E_INVALID);
    trip_error tiny = {.struct_size = 1};
    ck_assert_int_eq(trip_tracker_restore(tracker, NOON, b.at, b.len, &tiny), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_restore(tracker, NOON, "", 0, NULL), TRIP_E_INVALID);
}
END_TEST

static uint64_t time_of_day(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

START_TEST(without_a_time_of_day_it_is_the_systems)
{
    uint64_t from = time_of_day();
    bytes b = snapshot_of(scene(), 0);
    trip_layout_reader reader;
    ck_assert_ptr_null(trip_layout_open(b.at, b.len, &reader));
    ck_assert(reader.at_unix_ns >= from && reader.at_unix_ns <= time_of_day());
    trip_tracker after = scene_tracker();
    restore_well(after, 0, snapshot_of(scene(), from - 1000 * SECOND));
    ck_assert_uint_eq(info_of(circuit_at(after, OPEN)).retry_after_ns, 0);
}
END_TEST

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

typedef struct busy {
    trip_tracker tracker;
    _Atomic bool done;
    _Atomic uint64_t permits, outcomes;
} busy;

static void *call(void *argument)
{
    busy *b = argument;
    uint64_t state = (uint64_t)(uintptr_t)&state | 1;
    while (!atomic_load(&b->done)) {
        trip_permit permit;
        uint64_t random = draw(&state);
        trip_status status = trip_circuit_permit(circuit_at(b->tracker, (int)(random >> 40) % CIRCUITS), &permit, NULL);
        if (status == TRIP_OK) {
            atomic_fetch_add(&b->permits, 1);
            status = random % 2 == 0 ? trip_permit_record_success(permit) : trip_permit_record_failure(permit);
            if (status != TRIP_OK && status != TRIP_STALE)
                abort();
        }
    }
    return NULL;
}

static void *take_snapshots(void *argument)
{
    busy *b = argument;
    char room[4096];
    while (!atomic_load(&b->done)) {
        size_t len;
        if (trip_tracker_snapshot(b->tracker, NOON, room, sizeof room, &len) != TRIP_OK)
            abort();
        trip_layout_reader reader;
        trip_saved saved;
        if (trip_layout_open(room, len, &reader) != NULL)
            abort();
        while (trip_layout_has_more(&reader))
            if (trip_layout_next(&reader, &saved) != NULL)
                abort();
    }
    return NULL;
}

START_TEST(restoring_and_calling_disturb_nobody)
{
    trip_tracker before = scene();
    view was = look_at(before);
    bytes b = snapshot_of(before, NOON);
    busy all = {.tracker = scene_tracker()};
    restore_well(all.tracker, NOON, b);
    pthread_t threads[3];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call, &all), 0);
    ck_assert_int_eq(pthread_create(&threads[2], NULL, take_snapshots, &all), 0);
    uint64_t restored = 1;
    for (; restored < 500; restored++) {
        restore_well(all.tracker, NOON, b);
        pass(all.tracker, SECOND);
    }
    atomic_store(&all.done, true);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    uint64_t permits = 0, expected = atomic_load(&all.permits);
    for (int i = 0; i < CIRCUITS; i++) {
        trip_circuit_info is = info_of(circuit_at(all.tracker, i));
        ck_assert_uint_eq(permits_out(&is), 0);
        permits += is.permits;
        expected += restored * was.of[i].permits;
    }
    ck_assert_uint_eq(permits, expected);
}
END_TEST

/* ---- A restart --------------------------------------------------------------------------------------------------- */

static trip_tracker monotonic_tracker(void)
{
    trip_config config = scene_config();
    config.clock = TRIP_CLOCK_MONOTONIC;
    config.initial_open_ns = config.max_open_ns = 3600 * SECOND;
    return tracker_with(&config);
}

static void open_and_write(const char *path)
{
    trip_tracker tracker = monotonic_tracker();
    fail_at(tracker, OPEN, 3);
    fail_at(tracker, FAILING, 2);
    bytes b = snapshot_of(tracker, 0);
    FILE *file = fopen(path, "wb");
    ck_assert(file != NULL && fwrite(b.at, 1, b.len, file) == b.len && fclose(file) == 0);
}

static void read_and_be_refused(const char *path)
{
    trip_tracker tracker = monotonic_tracker();
    restore_well(tracker, 0, read_file(path));
    trip_rejection rejection = {.struct_size = sizeof rejection};
    trip_permit permit;
    ck_assert_int_eq(trip_circuit_permit(circuit_at(tracker, OPEN), &permit, &rejection), TRIP_REJECTED_OPEN);
    ck_assert_uint_gt(rejection.retry_after_ns, 1800 * SECOND);            /* less the time that this test takes */
    ck_assert_uint_le(rejection.retry_after_ns, 3600 * SECOND + 100 * MS); /* a tick of the coarse clock more */
    ck_assert_int_eq(trip_circuit_permit(circuit_at(tracker, CALM), &permit, &rejection), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit_at(tracker, FAILING)).failures, 2);
}

static void in_a_process(void (*act)(const char *), const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        act(path);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

START_TEST(a_process_that_starts_again_refuses_at_once)
{
    char path[] = "/tmp/trip-snapshot-XXXXXX";
    ck_assert_int_ge(close(mkstemp(path)), 0);
    in_a_process(open_and_write, path);
    in_a_process(read_and_be_refused, path);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

static Suite *snapshot_suite(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *states = add_case(suite, "states");
    tcase_add_test(states, the_scene_has_every_state);
    tcase_add_test(states, a_restarted_tracker_knows_what_the_old_one_knew);
    tcase_add_test(states, open_circuits_stay_open_for_what_is_left_by_the_time_of_day);
    tcase_add_test(states, a_time_of_day_before_that_of_the_snapshot_is_no_time);
    tcase_add_test(states, a_restored_circuit_lives_on);
    tcase_add_test(states, what_was_half_open_or_due_may_be_probed_at_once_at_its_level);
    tcase_add_test(states, what_the_provider_asked_for_still_counts);
    tcase_add_test(states, failures_in_a_row_stay_below_a_lower_threshold);
    tcase_add_test(states, an_open_period_of_two_years_is_kept);
    tcase_add_test(states, windows_begin_empty_and_nobody_is_on_a_ramp);
    TCase *modes = add_case(suite, "modes");
    tcase_add_test(modes, modes_end_when_they_would_have);
    tcase_add_test(modes, what_a_mode_hides_is_restored_too);
    tcase_add_test(modes, a_mode_that_is_there_becomes_what_the_snapshot_says);
    tcase_add_test(modes, a_reason_and_an_opening_are_told_as_restored);
    tcase_add_test(modes, a_reason_is_kept_whole);
    TCase *events = add_case(suite, "events");
    tcase_add_test(events, every_circuit_that_is_restored_open_and_every_mode_is_told);
    tcase_add_test(events, a_circuit_that_closes_because_it_is_restored_says_so);
    tcase_add_test(events, of_what_was_not_restored_nothing_is_told);
    TCase *there = add_case(suite, "there");
    tcase_add_test(there, circuits_that_are_there_become_what_the_snapshot_says);
    tcase_add_test(there, an_open_circuit_may_be_open_for_less_or_closed_and_its_next_period_is_as_long_as_any);
    tcase_add_test(there, a_snapshot_may_be_restored_again_and_again);
    tcase_add_test(there, others_stay_as_they_are);
    tcase_add_test(there, nobody_has_to_go_for_a_circuit_that_is_restored);
    TCase *calls = add_case(suite, "calls");
    tcase_add_test(calls, a_buffer_that_is_too_small_stays_as_it_is);
    tcase_add_test(calls, an_empty_tracker_has_a_snapshot_too);
    tcase_add_test(calls, a_snapshot_has_only_the_circuits_of_its_tracker);
    tcase_add_test(calls, wrong_arguments_are_refused);
    tcase_add_test(calls, without_a_time_of_day_it_is_the_systems);
    TCase *threads = add_case(suite, "threads");
    tcase_add_test(threads, restoring_and_calling_disturb_nobody);
    TCase *restart = add_case(suite, "restart");
    tcase_add_test(restart, a_process_that_starts_again_refuses_at_once);
    return suite;
}

int main(void)
{
    return run_suite(snapshot_suite());
}
