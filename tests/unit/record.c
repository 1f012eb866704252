/* What a recorded outcome does: its class, and how long its provider asks to be left alone. */
#include "fixture.h"

static trip_outcome outcome_of(uint32_t class)
{
    return (trip_outcome){.struct_size = sizeof(trip_outcome), .status_class = class};
}

static trip_status record(trip_permit permit, uint32_t class, uint64_t retry_after_ns)
{
    trip_outcome outcome = outcome_of(class);
    outcome.retry_after_ns = retry_after_ns;
    return trip_permit_record(permit, &outcome);
}

static void record_once(trip_circuit circuit, uint32_t class, uint64_t retry_after_ns)
{
    ck_assert_int_eq(record(permit_of(circuit), class, retry_after_ns), TRIP_OK);
}

static uint64_t retry_after(trip_circuit circuit)
{
    trip_rejection refused = {.struct_size = sizeof refused};
    ck_assert_int_eq(trip_circuit_peek(circuit, &refused), TRIP_REJECTED_OPEN);
    return refused.retry_after_ns;
}

/* A time is told to the next millisecond, never too short. */
static void require_retry_after(trip_circuit circuit, uint64_t ns)
{
    uint64_t told = retry_after(circuit);
    ck_assert_uint_ge(told, ns);
    ck_assert_uint_lt(told, ns + MS);
}

/* ---- Classes ----------------------------------------------------------------------------------------------------- */

enum { FAILS, SUCCEEDS, TELLS_NOTHING };

static const struct {
    uint32_t class;
    int by_default;
    size_t member;
} classes[] = {
    {TRIP_CLASS_SERVER_ERROR, FAILS, offsetof(trip_config, on_server_error)},
    {TRIP_CLASS_RATE_LIMITED, FAILS, offsetof(trip_config, on_rate_limited)},
    {TRIP_CLASS_OVERLOADED, FAILS, offsetof(trip_config, on_overloaded)},
    {TRIP_CLASS_NETWORK, FAILS, offsetof(trip_config, on_network)},
    {TRIP_CLASS_TIMEOUT, FAILS, offsetof(trip_config, on_timeout)},
    {TRIP_CLASS_QUOTA, FAILS, offsetof(trip_config, on_quota)},
    {TRIP_CLASS_AUTH, SUCCEEDS, offsetof(trip_config, on_auth)},
    {TRIP_CLASS_INVALID_REQUEST, SUCCEEDS, offsetof(trip_config, on_invalid_request)},
    {TRIP_CLASS_CONTEXT_OVERFLOW, SUCCEEDS, offsetof(trip_config, on_context_overflow)},
    {TRIP_CLASS_NOT_FOUND, SUCCEEDS, offsetof(trip_config, on_not_found)},
    {TRIP_CLASS_CONTENT_FILTERED, SUCCEEDS, offsetof(trip_config, on_content_filtered)},
    {TRIP_CLASS_CANCELLED, TELLS_NOTHING, offsetof(trip_config, on_cancelled)},
    {TRIP_CLASS_UNKNOWN, TELLS_NOTHING, offsetof(trip_config, on_unknown)},
};
#define CLASSES (sizeof classes / sizeof *classes)

/* After one failure, so that a success shows. */
static void require_effect(trip_tracker tracker, uint32_t class, int effect)
{
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    record_once(circuit, class, 0);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.failures, effect == FAILS ? 2 : effect == SUCCEEDS ? 0 : 1);
    ck_assert_uint_eq(info.failures_total, 1 + (effect == FAILS));
    ck_assert_uint_eq(info.successes, effect == SUCCEEDS);
    ck_assert_uint_eq(info.cancels, effect == TELLS_NOTHING);
    ck_assert_uint_eq(permits_out(&info), 0);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
}

START_TEST(each_class_has_its_effect)
{
    trip_config config = manual_config();
    require_effect(tracker_with(&config), classes[_i].class, classes[_i].by_default);
    require_effect(tracker_with(&config), TRIP_CLASS_SUCCESS, SUCCEEDS);
}
END_TEST

START_TEST(a_config_gives_a_class_another_effect_and_no_other_class)
{
    for (uint32_t effect = TRIP_EFFECT_FAILURE; effect <= TRIP_EFFECT_NOTHING; effect++) {
        trip_config config = manual_config();
        memcpy((char *)&config + classes[_i].member, &effect, sizeof effect);
        for (size_t other = 0; other < CLASSES; other++) {
            bool is_it = (int)other == _i;
            require_effect(tracker_with(&config), classes[other].class,
                           is_it ? (int)effect : classes[other].by_default);
        }
    }
}
END_TEST

START_TEST(an_effect_that_is_none_is_refused)
{
    trip_config config = manual_config();
    uint32_t effect = TRIP_EFFECT_NOTHING + 1;
    memcpy((char *)&config + classes[_i].member, &effect, sizeof effect);
    trip_tracker tracker = 7;
    trip_error error = {.struct_size = sizeof error};
    ck_assert_int_eq(trip_tracker_create(&config, &tracker, &error), TRIP_E_CONFIG);
    ck_assert_uint_eq(error.field_offset, classes[_i].member);
}
END_TEST

START_TEST(an_outcome_that_is_wrong_settles_nothing)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    trip_permit permit = permit_of(circuit);
    trip_outcome outcome = outcome_of(TRIP_CLASS_UNKNOWN + 1);
    ck_assert_int_eq(trip_permit_record(permit, &outcome), TRIP_E_INVALID);
    ck_assert_int_eq(trip_permit_record(permit, NULL), TRIP_E_INVALID);
    outcome = outcome_of(TRIP_CLASS_TIMEOUT);
    outcome.struct_size = sizeof outcome - 1;
    ck_assert_int_eq(trip_permit_record(permit, &outcome), TRIP_E_INVALID);
    struct {
        trip_outcome known;
        uint64_t unknown;
    } later = {outcome_of(TRIP_CLASS_TIMEOUT), 1};
    later.known.struct_size = sizeof later;
    ck_assert_int_eq(trip_permit_record(permit, &later.known), TRIP_E_TOO_NEW);
    later.unknown = 0;
    ck_assert_int_eq(trip_permit_record(permit, &later.known), TRIP_OK);
    ck_assert_int_eq(trip_permit_record(permit, &later.known), TRIP_E_CONSUMED);
    ck_assert_uint_eq(info_of(circuit).opens, 1);
}
END_TEST

START_TEST(a_permit_of_a_lane_is_recorded_too)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    trip_permit permit = lane_of(circuit).permit;
    ck_assert_int_eq(record(permit, TRIP_CLASS_AUTH, 0), TRIP_OK);
    ck_assert_int_eq(record(permit, TRIP_CLASS_RATE_LIMITED, 5 * SECOND), TRIP_OK);
    require_retry_after(circuit, 5 * SECOND);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.permits, 2);
    ck_assert_uint_eq(info.successes, 1);
}
END_TEST

/* ---- How long the provider asks for ------------------------------------------------------------------------------ */

START_TEST(an_opening_circuit_stays_open_as_long_as_the_provider_asks)
{
    trip_tracker tracker = fragile_tracker(); /* opens for a second */
    trip_circuit longer = circuit_of(tracker, "acme", "longer"), shorter = circuit_of(tracker, "acme", "shorter");
    record_once(longer, TRIP_CLASS_RATE_LIMITED, 1500 * MS);
    record_once(shorter, TRIP_CLASS_RATE_LIMITED, 10 * MS);
    require_retry_after(longer, 1500 * MS);
    require_retry_after(shorter, SECOND);
}
END_TEST

START_TEST(what_a_call_asked_for_earlier_holds_when_another_opens_the_circuit)
{
    trip_config config = manual_config(); /* opens at the fifth, for 30 s */
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    record_once(circuit, TRIP_CLASS_OVERLOADED, 100 * SECOND);
    ck_assert_int_eq(trip_tracker_advance(tracker, 10 * SECOND), TRIP_OK);
    for (int i = 0; i < 4; i++)
        fail_once(circuit);
    require_retry_after(circuit, 90 * SECOND);
}
END_TEST

START_TEST(a_later_hint_lengthens_an_open_period_and_never_shortens_it)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit late[4];
    for (int i = 0; i < 4; i++)
        late[i] = permit_of(circuit);
    record_once(circuit, TRIP_CLASS_RATE_LIMITED, 20 * SECOND);
    uint64_t epoch = info_of(circuit).epoch;
    ck_assert_int_eq(record(late[0], TRIP_CLASS_RATE_LIMITED, 10 * SECOND), TRIP_STALE);
    require_retry_after(circuit, 20 * SECOND);
    ck_assert_uint_eq(info_of(circuit).epoch, epoch);
    ck_assert_int_eq(record(late[1], TRIP_CLASS_RATE_LIMITED, 50 * SECOND), TRIP_STALE);
    require_retry_after(circuit, 50 * SECOND);
    ck_assert_int_eq(record(late[2], TRIP_CLASS_AUTH, 90 * SECOND), TRIP_STALE); /* counts as no failure */
    require_retry_after(circuit, 50 * SECOND);
    ck_assert_int_eq(trip_tracker_advance(tracker, 55 * SECOND), TRIP_OK); /* over, and nobody has asked yet */
    ck_assert_int_eq(record(late[3], TRIP_CLASS_RATE_LIMITED, 5 * SECOND), TRIP_STALE);
    require_retry_after(circuit, 5 * SECOND);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.opens, 1);
    ck_assert_uint_eq(info.stale, 4);
}
END_TEST

START_TEST(a_failed_probe_stays_away_as_long_as_the_provider_asks)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    record_once(circuit, TRIP_CLASS_OVERLOADED, 400 * SECOND); /* beyond max_open_ns, which is no cap on this */
    require_retry_after(circuit, 400 * SECOND);
}
END_TEST

START_TEST(a_hint_has_a_cap_of_its_own)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    trip_circuit circuit = circuit_of(tracker_with(&config), "acme", "openai");
    record_once(circuit, TRIP_CLASS_RATE_LIMITED, UINT64_MAX);
    require_retry_after(circuit, 3600 * SECOND);
    config.max_retry_after_ns = 0;
    circuit = circuit_of(tracker_with(&config), "acme", "openai");
    record_once(circuit, TRIP_CLASS_RATE_LIMITED, 3000 * SECOND);
    require_retry_after(circuit, 30 * SECOND);
}
END_TEST

START_TEST(a_hint_that_is_refused_leaves_the_period_as_it_is)
{
    static const char *const refused[] = {"Infinity", "-1", "1e99", "Sun, 06 Nov 1994 08:49:37 GMT",
                                          "Fri, 31 Dec 9999 23:59:59 GMT"};
    const uint64_t now = UINT64_C(1700000000) * SECOND; /* November 2023 */
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        trip_outcome outcome = outcome_of(TRIP_CLASS_RATE_LIMITED);
        ck_assert_int_eq(
            trip_parse_retry_hint("Retry-After", SIZE_MAX, refused[i], SIZE_MAX, now, &outcome.retry_after_ns),
            TRIP_E_INVALID);
        trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
        ck_assert_int_eq(trip_permit_record(permit_of(circuit), &outcome), TRIP_OK);
        require_retry_after(circuit, SECOND);
    }
}
END_TEST

START_TEST(a_used_up_quota_has_a_period_of_its_own)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit silent = circuit_of(tracker, "acme", "silent"), told = circuit_of(tracker, "acme", "told");
    record_once(silent, TRIP_CLASS_QUOTA, 0);
    require_retry_after(silent, 600 * SECOND);
    record_once(told, TRIP_CLASS_QUOTA, 60 * SECOND);
    require_retry_after(told, 60 * SECOND);
    ck_assert_int_eq(trip_circuit_peek(circuit_of(tracker, "globex", "silent"), NULL), TRIP_OK);
}
END_TEST

START_TEST(what_a_provider_asked_for_dies_with_its_circuit)
{
    trip_config config = manual_config();
    config.failure_threshold = 2;
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    record_once(circuit_of(tracker, "acme", "first"), TRIP_CLASS_RATE_LIMITED, 1000 * SECOND);
    trip_circuit second = circuit_of(tracker, "acme", "second"); /* in the place of the first */
    fail_once(second);
    fail_once(second);
    require_retry_after(second, 30 * SECOND);
}
END_TEST

static Suite *record_suite(void)
{
    Suite *suite = suite_create("record");
    TCase *effects = tcase_create("classes");
    tcase_add_loop_test(effects, each_class_has_its_effect, 0, (int)CLASSES);
    tcase_add_loop_test(effects, a_config_gives_a_class_another_effect_and_no_other_class, 0, (int)CLASSES);
    tcase_add_loop_test(effects, an_effect_that_is_none_is_refused, 0, (int)CLASSES);
    tcase_add_test(effects, an_outcome_that_is_wrong_settles_nothing);
    tcase_add_test(effects, a_permit_of_a_lane_is_recorded_too);
    suite_add_tcase(suite, effects);

    TCase *hints = tcase_create("hints");
    tcase_add_test(hints, an_opening_circuit_stays_open_as_long_as_the_provider_asks);
    tcase_add_test(hints, what_a_call_asked_for_earlier_holds_when_another_opens_the_circuit);
    tcase_add_test(hints, a_later_hint_lengthens_an_open_period_and_never_shortens_it);
    tcase_add_test(hints, a_failed_probe_stays_away_as_long_as_the_provider_asks);
    tcase_add_test(hints, a_hint_has_a_cap_of_its_own);
    tcase_add_test(hints, a_hint_that_is_refused_leaves_the_period_as_it_is);
    tcase_add_test(hints, a_used_up_quota_has_a_period_of_its_own);
    tcase_add_test(hints, what_a_provider_asked_for_dies_with_its_circuit);
    suite_add_tcase(suite, hints);
    return suite;
}

int main(void)
{
    return run_suite(record_suite());
}
