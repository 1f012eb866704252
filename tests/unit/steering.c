/* Modes, and what operators order at once: trip, reset, remove. */
#include "fixture.h"

#include "circuit.h"
#include "steering.h"
#include "tracker.h"

#include <pthread.h>
#include <stdatomic.h>

#define YEAR (UINT64_C(31536000) * SECOND)
#define FOREVER UINT64_C(0)

static void set_mode(trip_circuit circuit, uint32_t mode, uint64_t ttl_ns)
{
    ck_assert_int_eq(trip_circuit_set_mode(circuit, mode, ttl_ns, "because", SIZE_MAX), TRIP_OK);
}

static trip_status ask(trip_circuit circuit, trip_rejection *out_rejection)
{
    trip_permit permit;
    *out_rejection = (trip_rejection){.struct_size = sizeof *out_rejection};
    trip_status status = trip_circuit_permit(circuit, &permit, out_rejection);
    if (status == TRIP_OK)
        ck_assert_int_eq(trip_permit_cancel(permit), TRIP_OK);
    return status;
}

static void require_status(trip_circuit circuit, trip_status wanted)
{
    trip_rejection rejection = {.struct_size = sizeof rejection};
    ck_assert_int_eq(trip_circuit_peek(circuit, &rejection), wanted);
    ck_assert_int_eq(ask(circuit, &rejection), wanted);
}

static void require_explained(trip_circuit circuit, const char *part)
{
    char text[4097];
    size_t len;
    ck_assert_int_eq(trip_circuit_explain(circuit, text, sizeof text - 1, &len), TRIP_OK);
    text[len] = '\0';
    ck_assert_msg(strstr(text, part) != NULL, "%s is not in: %s", part, text);
}

/* ---- Forced open ------------------------------------------------------------------------------------------------- */

START_TEST(a_circuit_that_is_forced_open_refuses_and_says_for_how_long)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    set_mode(circuit, TRIP_MODE_FORCED_OPEN, 10 * SECOND);
    ck_assert_int_eq(trip_tracker_advance(tracker, 4 * SECOND), TRIP_OK);
    trip_rejection rejection;
    ck_assert_int_eq(ask(circuit, &rejection), TRIP_REJECTED_FORCED);
    ck_assert_int_eq(rejection.status, TRIP_REJECTED_FORCED);
    ck_assert_uint_eq(rejection.state, TRIP_STATE_CLOSED);
    ck_assert_uint_eq(rejection.retry_after_ns, 6 * SECOND);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.mode, TRIP_MODE_FORCED_OPEN);
    ck_assert_uint_eq(info.mode_left_ns, 6 * SECOND);
    ck_assert_uint_eq(info.retry_after_ns, 6 * SECOND);
    ck_assert_uint_eq(info.rejections, 1);
    ck_assert_uint_eq(info.opens, 0);
}
END_TEST

START_TEST(without_an_end_it_asks_to_come_back_after_a_first_open_period)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    set_mode(circuit, TRIP_MODE_FORCED_OPEN, FOREVER);
    trip_rejection rejection;
    ck_assert_int_eq(ask(circuit, &rejection), TRIP_REJECTED_FORCED);
    ck_assert_uint_eq(rejection.retry_after_ns, SECOND);
    ck_assert_uint_eq(info_of(circuit).mode_left_ns, 0);
}
END_TEST

START_TEST(forced_open_for_a_second_returns_by_itself_and_keeps_its_reason)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_FORCED_OPEN, SECOND, "key rotation", 12), TRIP_OK);
    require_explained(circuit, "is forced open by an operator");
    require_explained(circuit, "\"key rotation\"; it ends in 1 s");
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND - 1), TRIP_OK);
    require_status(circuit, TRIP_REJECTED_FORCED);
    ck_assert_int_eq(trip_tracker_advance(tracker, 1), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).mode, TRIP_MODE_AUTO);
    require_status(circuit, TRIP_OK);
    require_explained(circuit, "is closed");
    require_explained(circuit, "forced open 1 s ago: \"key rotation\"; that is over since");
}
END_TEST

START_TEST(calls_that_were_admitted_before_still_count_in_the_circuit)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit before = permit_of(circuit);
    set_mode(circuit, TRIP_MODE_FORCED_OPEN, SECOND);
    ck_assert_int_eq(trip_permit_record_failure(before), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_OPEN);
    require_status(circuit, TRIP_REJECTED_FORCED);
    set_mode(circuit, TRIP_MODE_AUTO, FOREVER);
    require_status(circuit, TRIP_REJECTED_OPEN);
}
END_TEST

/* ---- Forced closed, and observing -------------------------------------------------------------------------------- */

/* Whatever is done with a permit that was granted by force, the circuit is as it was and the counters have it. */
static void require_free_permits(trip_circuit circuit, uint32_t state)
{
    trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = TRIP_CLASS_TIMEOUT};
    trip_circuit_info before = info_of(circuit);
    trip_permit permit = permit_of(circuit);
    trip_permit_info told = {.struct_size = sizeof told, .is_probe = 7, .lease_left_ns = 7};
    ck_assert_int_eq(trip_permit_inspect(permit, &told), TRIP_OK);
    ck_assert_uint_eq(told.is_probe, 0);
    ck_assert_uint_eq(told.lease_left_ns, 0);
    ck_assert_int_eq(trip_permit_renew(permit), TRIP_OK);
    ck_assert_int_eq(trip_permit_progress(permit), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_failure(permit), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_failure(permit), TRIP_E_CONSUMED);
    ck_assert_int_eq(trip_permit_record(permit_of(circuit), &outcome), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    ck_assert_int_eq(trip_permit_drop(permit_of(circuit)), TRIP_OK);
    ck_assert_int_eq(trip_permit_cancel(permit_of(circuit)), TRIP_OK);
    trip_circuit_info after = info_of(circuit);
    ck_assert_uint_eq(after.permits, before.permits + 5);
    ck_assert_uint_eq(after.failures_total, before.failures_total + 2);
    ck_assert_uint_eq(after.successes, before.successes + 1);
    ck_assert_uint_eq(after.drops, before.drops + 1);
    ck_assert_uint_eq(after.cancels, before.cancels + 1);
    ck_assert_uint_eq(permits_out(&after), permits_out(&before));
    ck_assert_uint_eq(after.stale, before.stale);
    ck_assert_uint_eq(after.state, state);
    ck_assert_uint_eq(after.epoch, before.epoch);
    ck_assert_uint_eq(after.opens, before.opens);
}

START_TEST(a_circuit_that_is_forced_closed_grants_whatever_its_state_and_keeps_it)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    set_mode(circuit, TRIP_MODE_FORCED_CLOSED, FOREVER);
    require_free_permits(circuit, TRIP_STATE_CLOSED);
    set_mode(circuit, TRIP_MODE_AUTO, FOREVER);
    fail_once(circuit);
    require_status(circuit, TRIP_REJECTED_OPEN);
    set_mode(circuit, TRIP_MODE_FORCED_CLOSED, FOREVER);
    ck_assert_uint_eq(info_of(circuit).retry_after_ns, 0);
    require_free_permits(circuit, TRIP_STATE_OPEN);
    set_mode(circuit, TRIP_MODE_AUTO, FOREVER);
    require_status(circuit, TRIP_REJECTED_OPEN);
    ck_assert_uint_eq(info_of(circuit).retry_after_ns, SECOND);
}
END_TEST

START_TEST(an_observing_circuit_decides_and_counts_and_refuses_nobody)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    set_mode(circuit, TRIP_MODE_OBSERVE, FOREVER);
    fail_once(circuit); /* a call of the closed circuit, which opens it */
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.state, TRIP_STATE_OPEN);
    ck_assert_uint_eq(info.opens, 1);
    ck_assert_uint_eq(info.rejections, 0);
    require_free_permits(circuit, TRIP_STATE_OPEN);
    ck_assert_uint_eq(info_of(circuit).rejections, 5);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    trip_permit probe = permit_of(circuit);
    ck_assert_uint_eq(info_of(circuit).probes_out, 1);
    require_free_permits(circuit, TRIP_STATE_HALF_OPEN);
    ck_assert_uint_eq(info_of(circuit).rejections, 10);
    ck_assert_int_eq(trip_permit_record_success(probe), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
}
END_TEST

START_TEST(a_ramp_of_an_observing_circuit_refuses_nobody)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    config.ramp_ns = 100 * SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    set_mode(circuit, TRIP_MODE_OBSERVE, FOREVER);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    ck_assert_uint_gt(info_of(circuit).rejections, 10);
}
END_TEST

/* ---- The express lane, and what threads know --------------------------------------------------------------------- */

START_TEST(a_lane_ends_with_the_automatic_mode_and_comes_back_with_it)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_express lane = lane_of(circuit);
    ck_assert(lane_admits(&lane));
    set_mode(circuit, TRIP_MODE_FORCED_OPEN, SECOND);
    ck_assert(!lane_admits(&lane));
    trip_express none = lane_of(circuit);
    ck_assert_uint_eq(none.layout, TRIP_EXPRESS_LAYOUT_WORD);
    ck_assert_uint_eq(none.permit, 0);
    ck_assert(!lane_admits(&none));
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK); /* who comes first ends it */
    lane = lane_of(circuit);
    ck_assert(lane_admits(&lane));
}
END_TEST

/* Threads know closed circuits with windows too, whose word is the same before and after. */
START_TEST(a_circuit_with_windows_that_was_used_a_moment_ago_is_forced_open_at_once)
{
    trip_config config = manual_config();
    config.count_window = 10;
    trip_circuit circuit = circuit_of(tracker_with(&config), "acme", "openai");
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    set_mode(circuit, TRIP_MODE_FORCED_OPEN, FOREVER);
    require_status(circuit, TRIP_REJECTED_FORCED);
    set_mode(circuit, TRIP_MODE_AUTO, FOREVER);
    require_status(circuit, TRIP_OK);
}
END_TEST

#define ROUNDS 2000

typedef struct watch {
    trip_circuit circuit;
    pthread_barrier_t ready, done;
    trip_status expected;
    _Atomic uint32_t wrong;
} watch;

static void *ask_each_round(void *argument)
{
    watch *w = argument;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&w->ready);
        for (int i = 0; i < 3; i++) {
            trip_rejection rejection;
            if (ask(w->circuit, &rejection) != w->expected)
                atomic_fetch_add(&w->wrong, 1);
        }
        pthread_barrier_wait(&w->done);
    }
    return NULL;
}

START_TEST(no_thread_is_granted_a_permit_once_a_circuit_is_forced_open)
{
    trip_config config = manual_config();
    config.count_window = _i == 0 ? 0 : 10;
    watch w = {.circuit = circuit_of(tracker_with(&config), "acme", "openai")};
    pthread_barrier_init(&w.ready, NULL, 5);
    pthread_barrier_init(&w.done, NULL, 5);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_each_round, &w), 0);
    for (int round = 0; round < ROUNDS; round++) {
        bool is_open = round % 2 == 1;
        set_mode(w.circuit, is_open ? TRIP_MODE_FORCED_OPEN : TRIP_MODE_AUTO, FOREVER);
        w.expected = is_open ? TRIP_REJECTED_FORCED : TRIP_OK;
        pthread_barrier_wait(&w.ready);
        pthread_barrier_wait(&w.done);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&w.wrong), 0);
    trip_circuit_info info = info_of(w.circuit);
    ck_assert_uint_eq(info.permits, ROUNDS / 2 * 4 * 3);
    ck_assert_uint_eq(info.rejections, ROUNDS / 2 * 4 * 3);
    ck_assert_uint_eq(permits_out(&info), 0);
}
END_TEST

/* The time of a mode is over for all threads at once, and none of them may undo the next order. */
typedef struct tide {
    trip_circuit circuit;
    _Atomic bool stop;
} tide;

static void *ask_on(void *argument)
{
    tide *t = argument;
    trip_rejection rejection;
    while (!atomic_load(&t->stop))
        ask(t->circuit, &rejection);
    return NULL;
}

START_TEST(whoever_comes_too_late_to_end_a_mode_does_not_end_the_next)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    set_mode(circuit, TRIP_MODE_FORCED_OPEN, SECOND);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    trip_hearing hearing; /* of one who has seen that the time is over, and then slept */
    trip_hearing_begin(&hearing, circuit, trip_record_named(circuit), trip_magazine_mine());
    trip_circuit_look(&hearing);

    set_mode(circuit, TRIP_MODE_FORCED_OPEN, FOREVER);
    trip_steering_end(&hearing);
    require_status(circuit, TRIP_REJECTED_FORCED);

    ck_assert_int_eq(trip_circuit_remove(circuit), TRIP_OK);
    trip_circuit next = circuit_of(tracker, "acme", "anthropic"); /* in the same place */
    ck_assert_ptr_eq(trip_record_named(next), hearing.record);
    set_mode(next, TRIP_MODE_FORCED_OPEN, SECOND);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    trip_steering_end(&hearing);
    ck_assert(trip_steering_is_set(trip_record_annex(hearing.record)));
}
END_TEST

START_TEST(whoever_ends_a_mode_whose_time_is_over_does_not_end_the_next)
{
    trip_tracker tracker = fragile_tracker();
    tide t = {.circuit = circuit_of(tracker, "acme", "openai")};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_on, &t), 0);
    for (int round = 0; round < ROUNDS; round++) {
        set_mode(t.circuit, TRIP_MODE_FORCED_OPEN, SECOND);
        ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
        set_mode(t.circuit, TRIP_MODE_FORCED_OPEN, FOREVER);
        for (int i = 0; i < 3; i++)
            require_status(t.circuit, TRIP_REJECTED_FORCED);
    }
    atomic_store(&t.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

/* ---- Trip and reset ---------------------------------------------------------------------------------------------- */

START_TEST(a_circuit_that_is_tripped_is_open_for_a_period_of_its_level)
{
    trip_config config = manual_config();
    config.initial_open_ns = 10 * SECOND;
    config.backoff = TRIP_BACKOFF_COMPOUND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit before = permit_of(circuit);
    ck_assert_int_eq(trip_circuit_trip(circuit), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(before), TRIP_STALE);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.state, TRIP_STATE_OPEN);
    ck_assert_uint_eq(info.retry_after_ns, 10 * SECOND);
    ck_assert_uint_eq(info.opens, 1);
    ck_assert_int_eq(trip_tracker_advance(tracker, 10 * SECOND), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_failure(permit_of(circuit)), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).level, 1);
    ck_assert_int_eq(trip_tracker_advance(tracker, 5 * SECOND), TRIP_OK);
    ck_assert_int_eq(trip_circuit_trip(circuit), TRIP_OK); /* again, from now on */
    info = info_of(circuit);
    ck_assert_uint_eq(info.level, 1);
    ck_assert_uint_eq(info.retry_after_ns, 20 * SECOND);
    ck_assert_int_eq(trip_tracker_advance(tracker, 20 * SECOND), TRIP_OK);
    trip_permit probe = permit_of(circuit);
    ck_assert_int_eq(trip_circuit_trip(circuit), TRIP_OK); /* a half-open one */
    ck_assert_int_eq(trip_permit_record_success(probe), TRIP_STALE);
    info = info_of(circuit);
    ck_assert_uint_eq(info.level, 1);
    ck_assert_uint_eq(info.probes_out, 0);
    ck_assert_uint_eq(info.retry_after_ns, 20 * SECOND);
    ck_assert_uint_eq(info.opens, 4);
}
END_TEST

START_TEST(a_circuit_that_is_reset_is_closed_and_has_forgotten_its_failures)
{
    trip_config config = manual_config();
    config.failure_threshold = 3;
    config.count_window = 4;
    config.count_minimum = 4;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    fail_once(circuit);
    trip_permit before = permit_of(circuit);
    uint64_t epoch = info_of(circuit).epoch;
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).failures, 0);
    ck_assert_uint_ne(info_of(circuit).epoch, epoch);
    ck_assert_int_eq(trip_permit_record_failure(before), TRIP_STALE);
    for (int i = 0; i < 2; i++)
        fail_once(circuit);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED); /* three calls in the window */
    fail_once(circuit);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_OPEN);
    ck_assert_uint_eq(info_of(circuit).failures_total, 6);
}
END_TEST

START_TEST(a_reset_forgets_what_the_provider_asked_to_wait)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_outcome outcome = {
        .struct_size = sizeof outcome, .status_class = TRIP_CLASS_RATE_LIMITED, .retry_after_ns = 100 * SECOND};
    ck_assert_int_eq(trip_permit_record(permit_of(circuit), &outcome), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).retry_after_ns, 100 * SECOND);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    fail_once(circuit);
    ck_assert_uint_eq(info_of(circuit).retry_after_ns, SECOND);
}
END_TEST

/* The first open period is cut short after a second of its hundred, and the next is as long as it should be. */
START_TEST(a_period_that_a_reset_cuts_short_shortens_and_lengthens_no_other)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = 100 * SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    uint64_t epochs[64];
    for (int i = 0; i < 32; i++) {
        fail_once(circuit);
        epochs[2 * i] = info_of(circuit).epoch;
        ck_assert_uint_eq(info_of(circuit).retry_after_ns, 100 * SECOND);
        ck_assert_int_eq(trip_tracker_advance(tracker, (uint64_t)_i * SECOND), TRIP_OK);
        ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
        epochs[2 * i + 1] = info_of(circuit).epoch;
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    }
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < i; j++)
            ck_assert_uint_ne(epochs[i], epochs[j]);
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, 100 * SECOND - 1), TRIP_OK);
    require_status(circuit, TRIP_REJECTED_OPEN);
    ck_assert_int_eq(trip_tracker_advance(tracker, 1), TRIP_OK);
    require_status(circuit, TRIP_OK);
}
END_TEST

START_TEST(a_ramp_after_a_reset_begins_with_it)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = 100 * SECOND;
    config.ramp_ns = 10 * SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    int refused = 0;
    for (int i = 0; i < 100; i++)
        refused += ask(circuit, &(trip_rejection){0}) == TRIP_REJECTED_RAMP;
    ck_assert_int_gt(refused, 50);
    ck_assert_int_eq(trip_tracker_advance(tracker, 10 * SECOND), TRIP_OK);
    for (int second = 0; second < 200; second++) {
        ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
        for (int i = 0; i < 5; i++)
            ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    }
}
END_TEST

/* ---- Removing ---------------------------------------------------------------------------------------------------- */

START_TEST(a_circuit_that_is_removed_is_gone_and_its_name_is_free)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    trip_circuit other = circuit_of(tracker, "acme", "anthropic");
    trip_permit permit = permit_of(other);
    ck_assert_int_eq(trip_circuit_remove(circuit), TRIP_OK);
    ck_assert_int_eq(trip_circuit_remove(circuit), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_trip(circuit), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_OBSERVE, 0, NULL, 0), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_remove(other), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_failure(permit), TRIP_STALE);
    trip_circuit anew = circuit_of(tracker, "acme", "openai");
    ck_assert_uint_ne(anew, circuit);
    ck_assert_uint_eq(info_of(anew).state, TRIP_STATE_CLOSED);
    ck_assert_uint_eq(info_of(anew).permits, 0);
}
END_TEST

START_TEST(the_mode_and_the_story_of_a_circuit_are_not_told_of_the_next_in_its_place)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = TRIP_CLASS_TIMEOUT};
    ck_assert_int_eq(trip_permit_record(permit_of(circuit), &outcome), TRIP_OK);
    set_mode(circuit, TRIP_MODE_FORCED_OPEN, FOREVER);
    require_explained(circuit, "1 timeout");
    ck_assert_int_eq(trip_circuit_remove(circuit), TRIP_OK);
    trip_circuit anew = circuit_of(tracker, "acme", "openai");
    ck_assert_uint_eq(anew & ((UINT64_C(1) << 26) - 1), circuit & ((UINT64_C(1) << 26) - 1)); /* the same place */
    require_status(anew, TRIP_OK);
    char text[4097] = {0};
    size_t len;
    ck_assert_int_eq(trip_circuit_explain(anew, text, 4096, &len), TRIP_OK);
    ck_assert_ptr_null(strstr(text, "timeout"));
    ck_assert_ptr_null(strstr(text, "operator"));
}
END_TEST

START_TEST(a_circuit_in_a_mode_is_not_evicted)
{
    trip_config config = manual_config();
    config.max_circuits = 2;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit forced = circuit_of(tracker, "acme", "forced");
    set_mode(forced, TRIP_MODE_FORCED_OPEN, 1000 * SECOND);
    char name[2] = "a";
    for (int i = 0; i < 20; i++, name[0]++)
        circuit_of(tracker, "acme", name);
    require_status(forced, TRIP_REJECTED_FORCED);
    set_mode(circuit_of(tracker, "acme", name), TRIP_MODE_OBSERVE, FOREVER);
    trip_circuit circuit;
    ck_assert_int_eq(trip_tracker_circuit(tracker, "x", 1, "y", 1, &circuit), TRIP_E_CAPACITY);
    ck_assert_int_eq(trip_tracker_advance(tracker, 1000 * SECOND), TRIP_OK);
    ck_assert_int_eq(trip_tracker_circuit(tracker, "x", 1, "y", 1, &circuit), TRIP_OK);
}
END_TEST

/* ---- Arguments --------------------------------------------------------------------------------------------------- */

START_TEST(a_bad_argument_is_refused_and_changes_nothing)
{
    char text[256] = {0};
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_OBSERVE + 1, 0, NULL, 0), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, UINT32_MAX, 0, NULL, 0), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_FORCED_OPEN, YEAR + 1, NULL, 0), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_FORCED_OPEN, 0, NULL, 1), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_FORCED_OPEN, 0, text, 256), TRIP_E_INVALID);
    ck_assert_uint_eq(info_of(circuit).mode, TRIP_MODE_AUTO);
    require_status(circuit, TRIP_OK);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_FORCED_OPEN, YEAR, text, 255), TRIP_OK);
    require_status(circuit, TRIP_REJECTED_FORCED);
    const trip_circuit garbage[] = {
        0, 1, UINT64_MAX, circuit + 1, circuit ^ UINT64_C(1) << 63, circuit ^ UINT64_C(1) << 27};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        ck_assert_int_eq(trip_circuit_set_mode(garbage[i], TRIP_MODE_AUTO, 0, NULL, 0), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_circuit_trip(garbage[i]), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_circuit_reset(garbage[i]), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_circuit_remove(garbage[i]), TRIP_E_HANDLE);
    }
    require_status(circuit, TRIP_REJECTED_FORCED);
}
END_TEST

START_TEST(an_explanation_says_how_long_it_is_and_writes_nothing_it_has_no_room_for)
{
    char text[4096], untouched[4096];
    size_t len, wanted;
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    ck_assert_int_eq(trip_circuit_explain(circuit, NULL, 0, &wanted), TRIP_E_CAPACITY);
    memset(text, 7, sizeof text);
    memcpy(untouched, text, sizeof text);
    ck_assert_int_eq(trip_circuit_explain(circuit, text, wanted - 1, &len), TRIP_E_CAPACITY);
    ck_assert_mem_eq(text, untouched, sizeof text);
    ck_assert_uint_eq(len, wanted);
    ck_assert_int_eq(trip_circuit_explain(circuit, text, wanted, &len), TRIP_OK);
    ck_assert_mem_eq(text + wanted, untouched + wanted, sizeof text - wanted);
    ck_assert_int_eq(trip_circuit_explain(circuit, text, wanted, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_explain(circuit, NULL, 1, &len), TRIP_E_INVALID);
    ck_assert_int_eq(trip_circuit_explain(0, text, 4096, &len), TRIP_E_HANDLE);
}
END_TEST

START_TEST(the_longest_explanation_fits)
{
    char text[4096], key[255], reason[255];
    size_t len;
    memset(key, 0xFF, sizeof key);
    memset(reason, 0x01, sizeof reason);
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit;
    ck_assert_int_eq(trip_tracker_circuit(tracker, key, 255, key, 255, &circuit), TRIP_OK);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_FORCED_OPEN, YEAR - 1, reason, 255), TRIP_OK);
    ck_assert_int_eq(trip_circuit_explain(circuit, text, sizeof text, &len), TRIP_OK);
    const char *end = "Its policy is the tracker's.";
    ck_assert_mem_eq(text + len - strlen(end), end, strlen(end));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steering");
    TCase *modes = tcase_create("modes");
    tcase_add_test(modes, a_circuit_that_is_forced_open_refuses_and_says_for_how_long);
    tcase_add_test(modes, without_an_end_it_asks_to_come_back_after_a_first_open_period);
    tcase_add_test(modes, forced_open_for_a_second_returns_by_itself_and_keeps_its_reason);
    tcase_add_test(modes, calls_that_were_admitted_before_still_count_in_the_circuit);
    tcase_add_test(modes, a_circuit_that_is_forced_closed_grants_whatever_its_state_and_keeps_it);
    tcase_add_test(modes, an_observing_circuit_decides_and_counts_and_refuses_nobody);
    tcase_add_test(modes, a_ramp_of_an_observing_circuit_refuses_nobody);
    tcase_add_test(modes, a_lane_ends_with_the_automatic_mode_and_comes_back_with_it);
    tcase_add_test(modes, a_circuit_with_windows_that_was_used_a_moment_ago_is_forced_open_at_once);
    suite_add_tcase(suite, modes);

    TCase *threads = tcase_create("threads");
    tcase_set_timeout(threads, 600);
    tcase_add_loop_test(threads, no_thread_is_granted_a_permit_once_a_circuit_is_forced_open, 0, 2);
    tcase_add_test(threads, whoever_comes_too_late_to_end_a_mode_does_not_end_the_next);
    tcase_add_test(threads, whoever_ends_a_mode_whose_time_is_over_does_not_end_the_next);
    suite_add_tcase(suite, threads);

    TCase *orders = tcase_create("orders");
    tcase_add_test(orders, a_circuit_that_is_tripped_is_open_for_a_period_of_its_level);
    tcase_add_test(orders, a_circuit_that_is_reset_is_closed_and_has_forgotten_its_failures);
    tcase_add_test(orders, a_reset_forgets_what_the_provider_asked_to_wait);
    tcase_add_loop_test(orders, a_period_that_a_reset_cuts_short_shortens_and_lengthens_no_other, 0, 3);
    tcase_add_test(orders, a_ramp_after_a_reset_begins_with_it);
    tcase_add_test(orders, a_circuit_that_is_removed_is_gone_and_its_name_is_free);
    tcase_add_test(orders, the_mode_and_the_story_of_a_circuit_are_not_told_of_the_next_in_its_place);
    tcase_add_test(orders, a_circuit_in_a_mode_is_not_evicted);
    suite_add_tcase(suite, orders);

    TCase *arguments = tcase_create("arguments");
    tcase_add_test(arguments, a_bad_argument_is_refused_and_changes_nothing);
    tcase_add_test(arguments, an_explanation_says_how_long_it_is_and_writes_nothing_it_has_no_room_for);
    tcase_add_test(arguments, the_longest_explanation_fits);
    suite_add_tcase(suite, arguments);
    return run_suite(suite);
}
