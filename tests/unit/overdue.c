/* Calls that hang, and streams: what opens a circuit, or frees it, before a call has ended. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static trip_config hanging_config(void)
{
    trip_config config = manual_config();
    config.hang_calls = 2;
    config.hang_ns = 10 * SECOND;
    config.initial_open_ns = SECOND;
    return config;
}

static void advance(trip_tracker tracker, uint64_t ns)
{
    ck_assert_int_eq(trip_tracker_advance(tracker, ns), TRIP_OK);
}

static trip_status ask(trip_circuit circuit)
{
    trip_permit permit;
    return trip_circuit_permit(circuit, &permit, NULL);
}

/* ---- Calls that hang --------------------------------------------------------------------------------------------- */

START_TEST(calls_that_hang_open_the_circuit_before_they_return)
{
    trip_config config = hanging_config();
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit first = permit_of(circuit);
    advance(tracker, 4 * SECOND);
    trip_permit second = permit_of(circuit);
    advance(tracker, 10 * SECOND - 1); /* the first hangs, the second does not yet */
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    advance(tracker, 1);
    ck_assert_int_eq(ask(circuit), TRIP_REJECTED_OPEN);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.opens, 1);
    ck_assert_uint_eq(permits_out(&info), 2);
    ck_assert_int_eq(trip_permit_record_success(first), TRIP_STALE);
    ck_assert_int_eq(trip_permit_record_failure(second), TRIP_STALE);
    info = info_of(circuit);
    ck_assert_uint_eq(info.opens, 1);
    ck_assert_uint_eq(permits_out(&info), 0);
}
END_TEST

START_TEST(calls_that_return_in_time_do_not_hang_however_many_there_are)
{
    trip_config config = hanging_config();
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit out[3] = {0};
    for (int i = 0; i < 100; i++) {
        trip_permit *place = &out[i % 3];
        if (*place != 0)
            ck_assert_int_eq(trip_permit_record_success(*place), TRIP_OK);
        *place = permit_of(circuit);
        advance(tracker, 3 * SECOND);
    }
    ck_assert_uint_eq(info_of(circuit).opens, 0);
}
END_TEST

START_TEST(calls_of_another_circuit_or_of_before_do_not_count)
{
    trip_config config = hanging_config();
    config.failure_threshold = 1;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai"), other = circuit_of(tracker, "acme", "anthropic");
    for (int i = 0; i < 2; i++) {
        permit_of(other);
        permit_of(circuit); /* outlives the closed circuit that granted it */
    }
    fail_once(circuit);
    advance(tracker, 10 * SECOND);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK); /* a probe: it closes */
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).opens, 1);
    ck_assert_int_eq(ask(other), TRIP_REJECTED_OPEN);
}
END_TEST

#define HUNG 300 /* in slots of all kinds */

static void *ask_later(void *argument)
{
    trip_circuit *circuit = argument;
    return ask(*circuit) == TRIP_REJECTED_OPEN ? NULL : argument;
}

START_TEST(calls_hang_whoever_made_them_and_open_once)
{
    trip_config config = hanging_config();
    config.hang_calls = HUNG;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    for (int i = 0; i < HUNG - 1; i++)
        permit_of(circuit);
    advance(tracker, 10 * SECOND);
    permit_of(circuit);
    advance(tracker, 10 * SECOND);
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_later, &circuit), 0);
    for (int i = 0; i < THREADS; i++) {
        void *admitted;
        ck_assert_int_eq(pthread_join(threads[i], &admitted), 0);
        ck_assert_ptr_null(admitted);
    }
    ck_assert_uint_eq(info_of(circuit).opens, 1);
}
END_TEST

/* ---- Streams ----------------------------------------------------------------------------------------------------- */

static trip_config streaming_config(void)
{
    trip_config config = manual_config();
    config.stall_ns = 5 * SECOND;
    config.failure_threshold = 2;
    config.initial_open_ns = SECOND;
    return config;
}

static void progress(trip_permit permit)
{
    ck_assert_int_eq(trip_permit_progress(permit), TRIP_OK);
}

START_TEST(a_stream_that_stalls_after_its_first_token_is_one_timeout)
{
    trip_config config = streaming_config();
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit stream = permit_of(circuit);
    progress(stream);
    advance(tracker, 5 * SECOND - 1);
    ck_assert_int_eq(trip_permit_cancel(permit_of(circuit)), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).failures, 0);
    advance(tracker, 1);
    for (int i = 0; i < 3; i++) { /* however often it is looked for */
        ck_assert_int_eq(trip_permit_cancel(permit_of(circuit)), TRIP_OK);
        trip_circuit_info info = info_of(circuit);
        ck_assert_uint_eq(info.failures, 1);
        ck_assert_uint_eq(info.failures_total, 0); /* it is counted when it is settled */
        ck_assert_uint_eq(permits_out(&info), 1);
    }
    ck_assert_int_eq(trip_permit_progress(stream), TRIP_STALE);
    ck_assert_int_eq(trip_permit_record_failure(stream), TRIP_STALE);
    ck_assert_int_eq(trip_permit_record_failure(stream), TRIP_E_CONSUMED);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.failures, 1);
    ck_assert_uint_eq(info.failures_total, 1);
    ck_assert_uint_eq(info.stale, 1);
    ck_assert_uint_eq(permits_out(&info), 0);
}
END_TEST

START_TEST(a_place_where_a_stream_has_stalled_is_as_good_as_new)
{
    trip_config config = streaming_config();
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    for (int i = 0; i < 20; i++) { /* in each slot of the thread */
        trip_permit stream = permit_of(circuit);
        progress(stream);
        advance(tracker, 5 * SECOND);
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
        ck_assert_int_eq(trip_permit_record_success(stream), TRIP_STALE);
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    }
    trip_config plain = manual_config();
    plain.failure_threshold = 1000;
    trip_circuit other = circuit_of(tracker_with(&plain), "acme", "openai");
    for (int i = 0; i < 20; i++)
        fail_once(other);
    ck_assert_uint_eq(info_of(other).failures, 20);
}
END_TEST

START_TEST(a_stream_that_goes_on_neither_stalls_nor_hangs)
{
    trip_config config = streaming_config();
    config.hang_calls = 1;
    config.hang_ns = 6 * SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit stream = permit_of(circuit);
    for (int i = 0; i < 20; i++) {
        progress(stream);
        advance(tracker, 4 * SECOND);
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    }
    ck_assert_int_eq(trip_permit_record_success(stream), TRIP_OK);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.successes, 21);
    ck_assert_uint_eq(info.failures_total + info.opens + info.stale, 0);
}
END_TEST

START_TEST(a_call_without_progress_is_no_stream)
{
    trip_config config = streaming_config();
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit call = permit_of(circuit);
    advance(tracker, 100 * SECOND);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(call), TRIP_OK);
}
END_TEST

START_TEST(a_probe_that_has_shown_its_first_token_closes_the_circuit)
{
    trip_config config = streaming_config();
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    fail_once(circuit);
    advance(tracker, SECOND);
    trip_permit probe = permit_of(circuit);
    ck_assert_int_eq(ask(circuit), TRIP_REJECTED_PROBING);
    progress(probe);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
    fail_once(circuit);
    advance(tracker, 5 * SECOND); /* now it stalls, as a call of the closed circuit: the second failure */
    ck_assert_int_eq(ask(circuit), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(trip_permit_record_success(probe), TRIP_STALE);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.opens, 2);
    ck_assert_uint_eq(permits_out(&info), 0);
}
END_TEST

/* Each in a circuit that needs two probes, of which this is the first. */
static trip_permit first_of_two_probes(trip_tracker *out_tracker, trip_circuit *out_circuit)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    config.half_open_successes = 2;
    *out_tracker = tracker_with(&config);
    *out_circuit = circuit_of(*out_tracker, "acme", "openai");
    fail_once(*out_circuit);
    advance(*out_tracker, SECOND);
    return permit_of(*out_circuit);
}

START_TEST(a_probe_that_has_shown_its_first_token_makes_room_for_the_next)
{
    trip_tracker tracker;
    trip_circuit circuit;
    trip_permit first = first_of_two_probes(&tracker, &circuit);
    progress(first);
    progress(first); /* once is enough */
    ck_assert_uint_eq(info_of(circuit).probes_out, 0);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_HALF_OPEN);
    trip_permit second = permit_of(circuit);
    ck_assert_int_eq(trip_permit_record_failure(first), TRIP_OK); /* it has been heard */
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_HALF_OPEN);
    ck_assert_uint_eq(info_of(circuit).failures_total, 2);
    ck_assert_int_eq(trip_permit_record_success(second), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
}
END_TEST

START_TEST(progress_of_what_is_no_permit_gets_a_status)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    ck_assert_int_eq(trip_permit_progress(0), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_permit_progress(circuit), TRIP_E_HANDLE);
    trip_permit permit = permit_of(circuit);
    progress(permit);
    progress(lane_of(circuit).permit);
    trip_permit stale = permit_of(circuit);
    ck_assert_int_eq(trip_permit_record_failure(permit), TRIP_OK);
    ck_assert_int_eq(trip_permit_progress(permit), TRIP_E_CONSUMED);
    ck_assert_int_eq(trip_permit_progress(stale), TRIP_STALE);
}
END_TEST

/* ---- A stream that is settled while it stalls -------------------------------------------------------------------- */

#define ROUNDS 2000

typedef struct race {
    trip_circuit circuit;
    trip_permit stream;
    _Atomic uint32_t go;
    trip_status settled;
} race;

static void *settle_it(void *argument)
{
    race *r = argument;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&r->go) != round)
            ;
        r->settled = trip_permit_record_success(r->stream);
        atomic_store(&r->go, 0);
    }
    return NULL;
}

START_TEST(a_stream_is_settled_or_stalls_and_never_both)
{
    trip_config config = streaming_config();
    config.failure_threshold = 8388607;
    trip_tracker tracker = tracker_with(&config);
    race r = {.circuit = circuit_of(tracker, "acme", "openai")};
    pthread_t other;
    ck_assert_int_eq(pthread_create(&other, NULL, settle_it, &r), 0);
    uint64_t stalled = 0;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        r.stream = permit_of(r.circuit);
        progress(r.stream);
        advance(tracker, 5 * SECOND);
        atomic_store(&r.go, round);
        ck_assert_int_eq(trip_permit_cancel(permit_of(r.circuit)), TRIP_OK);
        while (atomic_load(&r.go) != 0)
            ;
        stalled += r.settled == TRIP_STALE;
        trip_circuit_info info = info_of(r.circuit);
        ck_assert_uint_eq(info.failures_total, stalled);
        ck_assert_uint_eq(info.successes, round - stalled);
        ck_assert_uint_eq(permits_out(&info), 0);
    }
    ck_assert_int_eq(pthread_join(other, NULL), 0);
}
END_TEST

static Suite *overdue_suite(void)
{
    Suite *suite = suite_create("overdue");
    TCase *hanging = tcase_create("hanging");
    tcase_add_test(hanging, calls_that_hang_open_the_circuit_before_they_return);
    tcase_add_test(hanging, calls_that_return_in_time_do_not_hang_however_many_there_are);
    tcase_add_test(hanging, calls_of_another_circuit_or_of_before_do_not_count);
    tcase_add_test(hanging, calls_hang_whoever_made_them_and_open_once);
    suite_add_tcase(suite, hanging);

    TCase *streams = tcase_create("streams");
    tcase_set_timeout(streams, 120);
    tcase_add_test(streams, a_stream_that_stalls_after_its_first_token_is_one_timeout);
    tcase_add_test(streams, a_place_where_a_stream_has_stalled_is_as_good_as_new);
    tcase_add_test(streams, a_stream_that_goes_on_neither_stalls_nor_hangs);
    tcase_add_test(streams, a_call_without_progress_is_no_stream);
    tcase_add_test(streams, a_probe_that_has_shown_its_first_token_closes_the_circuit);
    tcase_add_test(streams, a_probe_that_has_shown_its_first_token_makes_room_for_the_next);
    tcase_add_test(streams, progress_of_what_is_no_permit_gets_a_status);
    tcase_add_test(streams, a_stream_is_settled_or_stalls_and_never_both);
    suite_add_tcase(suite, streams);
    return suite;
}

int main(void)
{
    return run_suite(overdue_suite());
}
