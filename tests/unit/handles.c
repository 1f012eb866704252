/* Handles: garbage, stale, foreign, destroyed, used up. Whatever is passed gets a documented status, breaks nothing. */
#include "fixture.h"

#include "handle.h"
#include "circuit.h"
#include "permit.h"
#include "tracker.h"

#include <pthread.h>
#include <stdio.h>

START_TEST(a_handle_of_another_kind_is_no_handle)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit permit = permit_of(circuit);
    trip_circuit out = 7;
    ck_assert_int_eq(trip_tracker_circuit(circuit, "a", 1, "b", 1, &out), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_tracker_circuit(permit, "a", 1, "b", 1, &out), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_tracker_destroy(circuit), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_tracker_advance(permit, 1), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_permit(tracker, &out, NULL), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_permit(permit, &out, NULL), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_permit_record_success(tracker), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_permit_record_success(circuit), TRIP_E_HANDLE);
    ck_assert_uint_eq(out, 7);
    ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
}
END_TEST

START_TEST(zero_is_never_a_handle)
{
    trip_circuit_info info = {.struct_size = sizeof info};
    trip_permit permit;
    ck_assert_int_eq(trip_tracker_destroy(0), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_permit(0, &permit, NULL), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_inspect(0, &info), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_permit_drop(0), TRIP_E_HANDLE);
}
END_TEST

#define MORE_THAN_A_TABLE 64 /* circuits, one at least for each place in a thread's first table */

static void *use_all(void *circuits)
{
    for (int i = 0; i < MORE_THAN_A_TABLE; i++)
        ck_assert_int_eq(trip_permit_record_success(permit_of(((trip_circuit *)circuits)[i])), TRIP_OK);
    return NULL;
}

static void *ask_for_zero(void *circuit_or_null)
{
    if (circuit_or_null != NULL)
        ck_assert_int_eq(trip_permit_record_success(permit_of(*(trip_circuit *)circuit_or_null)), TRIP_OK);
    trip_permit permit = 7;
    ck_assert_int_eq(trip_circuit_permit(0, &permit, NULL), TRIP_E_HANDLE);
    ck_assert_uint_eq(permit, 7);
    ck_assert_int_eq(trip_circuit_count(0, 1, 1), TRIP_E_HANDLE);
    return NULL;
}

static void on_a_thread(void *(*what)(void *), void *with)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, what, with), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* What a thread knows of circuits lies in a table, and the empty places of that are no circuits either: neither those
   that never were one's nor those that a thread that has ended leaves to the next. */
START_TEST(zero_is_never_a_handle_whatever_the_thread_knows)
{
    trip_tracker tracker = tracker_with(NULL);
    trip_circuit circuits[MORE_THAN_A_TABLE];
    for (int i = 0; i < MORE_THAN_A_TABLE; i++) {
        char tenant[8];
        snprintf(tenant, sizeof tenant, "t%d", i);
        circuits[i] = circuit_of(tracker, tenant, "openai");
    }
    on_a_thread(ask_for_zero, NULL);
    on_a_thread(ask_for_zero, &circuits[_i]);
    on_a_thread(use_all, circuits);
    on_a_thread(ask_for_zero, NULL);
    on_a_thread(ask_for_zero, &circuits[_i]);
}
END_TEST

START_TEST(a_permit_is_settled_once_whatever_comes_second)
{
    typedef trip_status (*settler)(trip_permit);
    static const settler settlers[] = {trip_permit_record_success, trip_permit_record_failure, trip_permit_drop,
                                       trip_permit_cancel};
    trip_circuit circuit = circuit_of(tracker_with(NULL), "acme", "openai");
    trip_permit_info info = {.struct_size = sizeof info};
    for (int second = 0; second < 4; second++) {
        trip_permit permit = permit_of(circuit);
        ck_assert_int_eq(settlers[_i](permit), TRIP_OK);
        ck_assert_int_eq(settlers[second](permit), TRIP_E_CONSUMED);
        ck_assert_int_eq(trip_permit_renew(permit), TRIP_E_CONSUMED);
        ck_assert_int_eq(trip_permit_inspect(permit, &info), TRIP_E_CONSUMED);
        /* and once more when the slot has been granted again */
        trip_permit next = permit_of(circuit);
        ck_assert_int_eq(settlers[second](permit), TRIP_E_CONSUMED);
        ck_assert_int_eq(trip_permit_cancel(next), TRIP_OK);
    }
}
END_TEST

START_TEST(a_permit_that_was_never_granted_is_no_handle)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    trip_permit permit = permit_of(circuit);
    uint64_t one_generation = UINT64_C(1) << TRIP_PERMIT_SLOT_BITS;
    ck_assert_int_eq(trip_permit_record_failure(permit + one_generation), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_failure(permit + one_generation), TRIP_E_HANDLE); /* free, not granted yet */
    ck_assert_uint_eq(info_of(circuit).failures_total, 0);
}
END_TEST

START_TEST(what_is_destroyed_is_no_handle)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai"), other;
    trip_permit permit = permit_of(circuit), unused;
    trip_circuit_info info = {.struct_size = sizeof info};
    trip_permit_info permit_info = {.struct_size = sizeof permit_info};
    trip_express express = lane_of(circuit);
    char key[510];
    size_t len;
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);

    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_tracker_advance(tracker, 1), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, "openai", 6, &other), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_permit(circuit, &unused, NULL), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_peek(circuit, NULL), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_inspect(circuit, &info), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_key(circuit, key, sizeof key, &len, &len), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_express(circuit, &express), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_count(circuit, 1, 1), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_permit_inspect(permit, &permit_info), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_permit_renew(permit), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_permit_record_success(permit), TRIP_E_HANDLE);

    /* nor is it one when its place is used again */
    for (int i = 0; i < 100; i++) {
        trip_tracker next = fragile_tracker();
        trip_circuit next_circuit = circuit_of(next, "acme", "openai");
        ck_assert_uint_ne(next, tracker);
        ck_assert_uint_ne(next_circuit, circuit);
        ck_assert_int_eq(trip_circuit_permit(circuit, &unused, NULL), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_tracker_advance(tracker, 1), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_tracker_destroy(next), TRIP_OK);
    }
}
END_TEST

START_TEST(a_late_settlement_of_a_destroyed_tracker_does_not_reach_its_successor)
{
    trip_tracker tracker = fragile_tracker();
    trip_permit permit = permit_of(circuit_of(tracker, "acme", "openai"));
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    ck_assert_int_eq(trip_permit_record_failure(permit), TRIP_E_HANDLE);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.state, TRIP_STATE_CLOSED);
    ck_assert_uint_eq(info.permits + info.failures_total, 0);
}
END_TEST

START_TEST(trackers_do_not_share_circuits)
{
    trip_tracker one = fragile_tracker(), two = fragile_tracker();
    trip_circuit in_one = circuit_of(one, "acme", "openai"), in_two = circuit_of(two, "acme", "openai");
    ck_assert_uint_ne(in_one, in_two);
    fail_once(in_one);
    ck_assert_int_eq(trip_circuit_peek(in_one, NULL), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(trip_circuit_peek(in_two, NULL), TRIP_OK);
}
END_TEST

/* ---- A million random handles at every function ------------------------------------------------------------------ */

static bool is_one_of(trip_status status, const trip_status *allowed)
{
    for (; *allowed != INT32_MAX; allowed++)
        if (*allowed == status)
            return true;
    return false;
}

#define EXPECT(call, ...)                                                                                              \
    do {                                                                                                               \
        trip_status status = (call);                                                                                   \
        const trip_status allowed[] = {__VA_ARGS__, INT32_MAX};                                                        \
        ck_assert_msg(is_one_of(status, allowed), "%s with %#jx: %s", #call, (uintmax_t)handle,                        \
                      trip_status_name(status));                                                                       \
    } while (0)

/* Handles as an attacker or an accident would make them: any bits, or real ones with a bit or a field changed. */
static uint64_t forge(uint64_t *state, const uint64_t *real, size_t count)
{
    uint64_t random = draw(state);
    switch (random % 5) {
    case 0:
        return draw(state);
    case 1:
        return real[draw(state) % count] ^ UINT64_C(1) << random / 5 % 64;
    case 2:
        return (random >> 8 & 3) << TRIP_HANDLE_KIND_SHIFT | (draw(state) & 0x3FFFFFF);
    case 3:
        return trip_express_make(draw(state) % 8, (uint32_t)(random >> 8 & 0x1FF));
    default:
        return real[draw(state) % count] + (random >> 8 & 0xFF) - 128;
    }
}

START_TEST(a_million_forged_handles_get_documented_statuses)
{
    trip_tracker victim = fragile_tracker(), gone = fragile_tracker();
    trip_circuit circuit = circuit_of(victim, "acme", "openai");
    trip_circuit circuit_gone = circuit_of(gone, "acme", "openai");
    const uint64_t real[] = {
        victim, circuit,      permit_of(circuit),      lane_of(circuit).permit,
        gone,   circuit_gone, permit_of(circuit_gone), lane_of(circuit_gone).permit,
    };
    ck_assert_int_eq(trip_tracker_destroy(gone), TRIP_OK);

    uint64_t state = 20231108;
    trip_circuit_info info = {.struct_size = sizeof info};
    trip_permit_info permit_info = {.struct_size = sizeof permit_info};
    trip_rejection rejection = {.struct_size = sizeof rejection};
    trip_express express = {.struct_size = sizeof express};
    char text[510];
    size_t len;
    for (int i = 0; i < 1000000; i++) {
        uint64_t handle = forge(&state, real, sizeof real / sizeof *real);
        uint64_t out = 0;
        if (handle != victim) { /* a guess that hits may destroy the tracker, as it should */
            EXPECT(trip_tracker_destroy(handle), TRIP_E_HANDLE);
            EXPECT(trip_tracker_advance(handle, draw(&state) % 1000), TRIP_E_HANDLE);
            EXPECT(trip_tracker_circuit(handle, "a", 1, "b", 1, &out), TRIP_E_HANDLE);
        }
        EXPECT(trip_circuit_peek(handle, &rejection), TRIP_OK, TRIP_REJECTED_OPEN, TRIP_REJECTED_PROBING,
               TRIP_E_HANDLE);
        EXPECT(trip_circuit_inspect(handle, &info), TRIP_OK, TRIP_E_HANDLE);
        EXPECT(trip_circuit_key(handle, text, sizeof text, &len, &len), TRIP_OK, TRIP_E_HANDLE);
        EXPECT(trip_circuit_express(handle, &express), TRIP_OK, TRIP_E_HANDLE);
        EXPECT(trip_circuit_count(handle, draw(&state), draw(&state)), TRIP_OK, TRIP_E_HANDLE);
        EXPECT(trip_permit_inspect(handle, &permit_info), TRIP_OK, TRIP_STALE, TRIP_E_HANDLE, TRIP_E_CONSUMED);
        EXPECT(trip_permit_renew(handle), TRIP_OK, TRIP_STALE, TRIP_E_HANDLE, TRIP_E_CONSUMED);
        EXPECT(trip_circuit_permit(handle, &out, &rejection), TRIP_OK, TRIP_REJECTED_OPEN, TRIP_REJECTED_PROBING,
               TRIP_E_HANDLE);
        if (out != 0)
            EXPECT(trip_permit_cancel(out), TRIP_OK, TRIP_STALE);
        EXPECT(trip_permit_record_success(handle), TRIP_OK, TRIP_STALE, TRIP_E_HANDLE, TRIP_E_CONSUMED);
        EXPECT(trip_permit_record_failure(handle), TRIP_OK, TRIP_STALE, TRIP_E_HANDLE, TRIP_E_CONSUMED);
        EXPECT(trip_permit_drop(handle), TRIP_OK, TRIP_STALE, TRIP_E_HANDLE, TRIP_E_CONSUMED);
        EXPECT(trip_permit_cancel(handle), TRIP_OK, TRIP_STALE, TRIP_E_HANDLE, TRIP_E_CONSUMED);
    }
    ck_assert_int_eq(trip_tracker_destroy(victim), TRIP_OK);
}
END_TEST

/* ---- Slots that are used up -------------------------------------------------------------------------------------- */

START_TEST(a_circuit_slot_that_has_seen_too_much_time_is_retired)
{
    trip_config config = manual_config();
    config.initial_open_ns = config.max_open_ns = UINT64_C(365) * 86400 * SECOND;
    config.failure_threshold = 1;
    uint32_t number = 0;
    for (int year = 0; year < 3; year++) { /* each life leaves the stamp of a deadline a year ahead */
        trip_tracker tracker = tracker_with(&config);
        trip_circuit circuit = circuit_of(tracker, "acme", "openai");
        if (year == 2)
            ck_assert_uint_ne(trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS), number);
        else if (year == 1)
            ck_assert_uint_eq(trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS), number);
        number = trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS);
        fail_once(circuit);
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    }
}
END_TEST

START_TEST(an_epoch_never_comes_again_in_a_slot)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = 1;
    uint64_t last = 0;
    uint32_t number = 0;
    for (int life = 0; life < 1000; life++) {
        trip_tracker tracker = tracker_with(&config);
        trip_circuit circuit = circuit_of(tracker, "acme", "openai");
        uint32_t here = trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS);
        ck_assert(life == 0 || here == number);
        number = here;
        for (int i = 0; i < 3; i++) {
            uint64_t closed_epoch = info_of(circuit).epoch;
            ck_assert_uint_gt(closed_epoch, last);
            last = closed_epoch;
            fail_once(circuit);
            ck_assert_int_eq(trip_tracker_advance(tracker, 3 * MS), TRIP_OK);
            ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
        }
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    }
}
END_TEST

START_TEST(permits_of_a_destroyed_tracker_do_not_occupy_places_for_ever)
{
    for (int round = 0; round < 3; round++) {
        trip_tracker tracker = fragile_tracker();
        trip_circuit circuit = circuit_of(tracker, "acme", "openai");
        trip_permit permit;
        uint32_t granted = 0;
        while (trip_circuit_permit(circuit, &permit, NULL) == TRIP_OK)
            granted++;
        ck_assert_uint_eq(granted, TRIP_PERMITS_MAX);
        ck_assert_int_eq(trip_circuit_permit(circuit, &permit, NULL), TRIP_E_CAPACITY);
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    }
}
END_TEST

START_TEST(an_open_circuit_refuses_even_when_no_permit_can_be_had)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit open = circuit_of(tracker, "acme", "openai"), closed = circuit_of(tracker, "acme", "anthropic");
    fail_once(open);
    trip_permit permit;
    while (trip_circuit_permit(closed, &permit, NULL) == TRIP_OK)
        ;
    trip_rejection rejection = {.struct_size = sizeof rejection};
    while (trip_circuit_permit(open, &permit, &rejection) == TRIP_REJECTED_OPEN && rejection.retry_after_ns == SECOND &&
           info_of(open).rejections < 3)
        ;
    ck_assert_int_eq(trip_circuit_permit(open, &permit, &rejection), TRIP_REJECTED_OPEN);
}
END_TEST

static Suite *handles_suite(void)
{
    Suite *suite = suite_create("handles");
    TCase *wrong = tcase_create("wrong");
    tcase_add_test(wrong, a_handle_of_another_kind_is_no_handle);
    tcase_add_test(wrong, zero_is_never_a_handle);
    tcase_add_loop_test(wrong, zero_is_never_a_handle_whatever_the_thread_knows, 0, 2);
    tcase_add_loop_test(wrong, a_permit_is_settled_once_whatever_comes_second, 0, 4);
    tcase_add_test(wrong, a_permit_that_was_never_granted_is_no_handle);
    tcase_add_test(wrong, what_is_destroyed_is_no_handle);
    tcase_add_test(wrong, a_late_settlement_of_a_destroyed_tracker_does_not_reach_its_successor);
    tcase_add_test(wrong, trackers_do_not_share_circuits);
    suite_add_tcase(suite, wrong);
    TCase *forged = tcase_create("forged");
    tcase_set_timeout(forged, 300);
    tcase_add_test(forged, a_million_forged_handles_get_documented_statuses);
    suite_add_tcase(suite, forged);
    TCase *retired = tcase_create("retired");
    tcase_set_timeout(retired, 120);
    tcase_add_test(retired, a_circuit_slot_that_has_seen_too_much_time_is_retired);
    tcase_add_test(retired, an_epoch_never_comes_again_in_a_slot);
    tcase_add_test(retired, permits_of_a_destroyed_tracker_do_not_occupy_places_for_ever);
    tcase_add_test(retired, an_open_circuit_refuses_even_when_no_permit_can_be_had);
    suite_add_tcase(suite, retired);
    return suite;
}

int main(void)
{
    return run_suite(handles_suite());
}
