/* Policies that are replaced while calls run. */
#include "fixture.h"

#include "circuit.h"
#include "published.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static trip_status configure(trip_tracker tracker, uint32_t scope, const char *tenant, const char *provider,
                             const trip_config *config)
{
    return trip_tracker_configure(tracker, scope, tenant, tenant == NULL ? 0 : SIZE_MAX, provider,
                                  provider == NULL ? 0 : SIZE_MAX, config, NULL);
}

static void set_policy(trip_tracker tracker, uint32_t scope, const char *tenant, const char *provider,
                       const trip_config *config)
{
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_tracker_configure(tracker, scope, tenant, tenant == NULL ? 0 : SIZE_MAX, provider,
                                                provider == NULL ? 0 : SIZE_MAX, config, &error);
    ck_assert_msg(status == TRIP_OK, "%s", error.message);
}

static void set_tracker(trip_tracker tracker, const trip_config *config)
{
    set_policy(tracker, TRIP_SCOPE_TRACKER, NULL, NULL, config);
}

static trip_config with_threshold(uint32_t threshold)
{
    trip_config config = manual_config();
    config.failure_threshold = threshold;
    return config;
}

static int failures_to_open(trip_circuit circuit)
{
    int failures = 0;
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    for (; info_of(circuit).state == TRIP_STATE_CLOSED; failures++)
        fail_once(circuit);
    return failures;
}

/* ---- Whose policy holds ------------------------------------------------------------------------------------------ */

START_TEST(the_most_specific_policy_holds_whole_for_circuits_now_and_later)
{
    trip_config tracker_wide = with_threshold(2), provider_wide = with_threshold(3), tenant_wide = with_threshold(4),
                own = with_threshold(5);
    provider_wide.initial_open_ns = 7 * SECOND;
    trip_tracker tracker = tracker_with(NULL);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    tracker = tracker_with(&tracker_wide);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    ck_assert_int_eq(failures_to_open(circuit), 2);
    set_policy(tracker, TRIP_SCOPE_CIRCUIT, "acme", "openai", &own);
    ck_assert_int_eq(failures_to_open(circuit), 5);
    set_policy(tracker, TRIP_SCOPE_PROVIDER, NULL, "openai", &provider_wide);
    set_policy(tracker, TRIP_SCOPE_TENANT, "acme", NULL, &tenant_wide);
    ck_assert_int_eq(failures_to_open(circuit), 5);
    ck_assert_int_eq(failures_to_open(circuit_of(tracker, "acme", "other")), 4);
    ck_assert_int_eq(failures_to_open(circuit_of(tracker, "other", "openai")), 3);
    ck_assert_uint_eq(info_of(circuit_of(tracker, "other", "openai")).retry_after_ns, 7 * SECOND);
    ck_assert_int_eq(failures_to_open(circuit_of(tracker, "other", "other")), 2);
    ck_assert_int_eq(trip_circuit_remove(circuit), TRIP_OK);
    circuit = circuit_of(tracker, "acme", "openai");
    ck_assert_int_eq(failures_to_open(circuit), 5);

    set_policy(tracker, TRIP_SCOPE_CIRCUIT, "acme", "openai", NULL);
    ck_assert_int_eq(failures_to_open(circuit), 4);
    ck_assert_uint_eq(info_of(circuit).retry_after_ns, 30 * SECOND); /* the tenant's, whole */
    set_policy(tracker, TRIP_SCOPE_TENANT, "acme", NULL, NULL);
    ck_assert_int_eq(failures_to_open(circuit), 3);
    set_policy(tracker, TRIP_SCOPE_PROVIDER, NULL, "openai", NULL);
    ck_assert_int_eq(failures_to_open(circuit), 2);
    trip_config later = with_threshold(6);
    set_tracker(tracker, &later);
    ck_assert_int_eq(failures_to_open(circuit), 6);
    set_tracker(tracker, NULL);
    ck_assert_int_eq(failures_to_open(circuit), 2);
    set_policy(tracker, TRIP_SCOPE_TENANT, "nobody", NULL, NULL);
}
END_TEST

/* Texts are told apart by scope, and the empty one is a name like any other. */
START_TEST(a_provider_and_a_tenant_of_the_same_name_have_policies_of_their_own)
{
    trip_config two = with_threshold(2), three = with_threshold(3), four = with_threshold(4);
    trip_tracker tracker = tracker_with(&two);
    set_policy(tracker, TRIP_SCOPE_PROVIDER, NULL, "x", &three);
    set_policy(tracker, TRIP_SCOPE_TENANT, "x", NULL, &four);
    ck_assert_int_eq(failures_to_open(circuit_of(tracker, "y", "x")), 3);
    ck_assert_int_eq(failures_to_open(circuit_of(tracker, "x", "y")), 4);
    set_policy(tracker, TRIP_SCOPE_TENANT, NULL, NULL, &three);
    ck_assert_int_eq(failures_to_open(circuit_of(tracker, "", "y")), 3);
    ck_assert_int_eq(failures_to_open(circuit_of(tracker, "y", "y")), 2);
}
END_TEST

/* ---- What stays -------------------------------------------------------------------------------------------------- */

START_TEST(a_lower_threshold_acts_at_the_next_failure_and_failures_in_a_row_stay)
{
    trip_config five = with_threshold(5), two = with_threshold(2);
    trip_tracker tracker = tracker_with(&five);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    for (int i = 0; i < 3; i++)
        fail_once(circuit);
    trip_permit before = permit_of(circuit);
    set_tracker(tracker, &two);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
    ck_assert_uint_eq(info_of(circuit).failures, 3);
    ck_assert_int_eq(trip_permit_record_failure(before), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_OPEN);
}
END_TEST

START_TEST(levels_and_deadlines_stay_and_a_new_period_holds_from_the_next_opening)
{
    trip_config config = with_threshold(1);
    config.backoff = TRIP_BACKOFF_COMPOUND;
    config.initial_open_ns = 10 * SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, 10 * SECOND), TRIP_OK);
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, 3 * SECOND), TRIP_OK);
    config.initial_open_ns = SECOND;
    set_tracker(tracker, &config);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.level, 1);
    ck_assert_uint_eq(info.retry_after_ns, 17 * SECOND);
    ck_assert_int_eq(trip_tracker_advance(tracker, 17 * SECOND), TRIP_OK);
    fail_once(circuit);
    info = info_of(circuit);
    ck_assert_uint_eq(info.level, 2);
    ck_assert_uint_eq(info.retry_after_ns, 4 * SECOND);
}
END_TEST

START_TEST(a_new_lease_acts_on_probes_that_are_out)
{
    trip_config config = with_threshold(1);
    config.initial_open_ns = SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    trip_permit probe = permit_of(circuit);
    trip_permit_info told = {.struct_size = sizeof told};
    config.probe_lease_ns = 5 * SECOND;
    set_tracker(tracker, &config);
    ck_assert_int_eq(trip_permit_inspect(probe, &told), TRIP_OK);
    ck_assert_uint_eq(told.lease_left_ns, 5 * SECOND);
    ck_assert_int_eq(trip_tracker_advance(tracker, 5 * SECOND), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(probe), TRIP_STALE);
}
END_TEST

/* From all of two to two of three and back, with a probe out and one that has failed. */
START_TEST(a_half_open_circuit_goes_on_by_the_new_number_of_probes)
{
    trip_config config = with_threshold(1);
    config.initial_open_ns = SECOND;
    config.half_open_max_probes = 3;
    config.half_open_successes = 2;
    trip_config tolerant = config;
    tolerant.half_open_probes = 3;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    trip_permit first = permit_of(circuit), second = permit_of(circuit);
    set_tracker(tracker, &tolerant);
    ck_assert_uint_eq(info_of(circuit).probes_out, 2);
    ck_assert_int_eq(trip_permit_record_failure(first), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_HALF_OPEN);
    ck_assert_int_eq(trip_permit_record_success(second), TRIP_OK);
    set_tracker(tracker, &config);
    trip_permit third = permit_of(circuit);
    ck_assert_uint_eq(info_of(circuit).probes_out, 1);
    ck_assert_int_eq(trip_permit_record_success(third), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
}
END_TEST

/* One won and two lost of five; then three must succeed and none may be lost: nobody would ever be granted a probe. */
START_TEST(a_half_open_circuit_whose_probes_are_used_up_by_a_new_policy_grants_another)
{
    trip_config config = with_threshold(1);
    config.initial_open_ns = SECOND;
    config.half_open_successes = 2;
    config.half_open_probes = 5;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    fail_once(circuit);
    fail_once(circuit);
    config.half_open_probes = 3;
    set_tracker(tracker, &config);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
}
END_TEST

START_TEST(jitter_that_comes_later_is_that_of_a_circuit_which_always_had_it)
{
    trip_config plain = with_threshold(1), jittery = plain;
    jittery.jitter = 1.0;
    trip_tracker one = tracker_with(&plain), other = tracker_with(&jittery);
    trip_circuit circuit = circuit_of(one, "acme", "openai"), model = circuit_of(other, "acme", "openai");
    set_tracker(one, &jittery);
    fail_once(circuit);
    fail_once(model);
    ck_assert_uint_gt(info_of(model).retry_after_ns, 30 * SECOND);
    ck_assert_uint_eq(info_of(circuit).retry_after_ns, info_of(model).retry_after_ns);
    set_tracker(one, NULL);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    fail_once(circuit);
    ck_assert_uint_eq(info_of(circuit).retry_after_ns, 30 * SECOND);
}
END_TEST

/* ---- Windows, times, lanes --------------------------------------------------------------------------------------- */

static trip_config with_window(uint32_t calls)
{
    trip_config config = with_threshold(1000);
    config.count_window = calls;
    config.count_minimum = 4;
    return config;
}

static int failures_to_open_now(trip_circuit circuit)
{
    int failures = 0;
    for (; info_of(circuit).state == TRIP_STATE_CLOSED; failures++)
        fail_once(circuit);
    return failures;
}

START_TEST(a_window_of_the_same_size_keeps_its_calls_and_one_of_another_begins_empty)
{
    trip_config ten = with_window(10), also_ten = with_window(10), twenty = with_window(20),
                none = with_threshold(1000);
    also_ten.count_failure_ratio = 0.4;
    trip_tracker tracker = tracker_with(&ten);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    for (int i = 0; i < 3; i++)
        fail_once(circuit);
    set_tracker(tracker, &also_ten);
    ck_assert_int_eq(failures_to_open_now(circuit), 1);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    for (int i = 0; i < 3; i++)
        fail_once(circuit);
    set_tracker(tracker, &twenty);
    ck_assert_int_eq(failures_to_open_now(circuit), 4);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    for (int i = 0; i < 3; i++)
        fail_once(circuit);
    set_tracker(tracker, &none);
    set_tracker(tracker, &twenty); /* the same windows again, that have missed something */
    ck_assert_int_eq(failures_to_open_now(circuit), 4);
}
END_TEST

START_TEST(a_policy_may_begin_and_end_to_ask_for_windows_hung_calls_and_streams)
{
    trip_config plain = with_threshold(1000), hanging = plain, stalling = plain;
    hanging.hang_calls = 2;
    hanging.hang_ns = SECOND;
    stalling.stall_ns = SECOND;
    stalling.failure_threshold = 1;
    trip_tracker tracker = tracker_with(&plain);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_express lane = lane_of(circuit);
    ck_assert_int_eq(trip_tracker_advance(tracker, 100 * SECOND), TRIP_OK);
    trip_permit first = permit_of(circuit), second = permit_of(circuit);
    ck_assert_int_eq(trip_permit_progress(second), TRIP_OK);
    ck_assert_int_eq(trip_tracker_advance(tracker, 100 * SECOND), TRIP_OK);
    set_tracker(tracker, &hanging);
    ck_assert(!lane_admits(&lane));
    ck_assert_uint_eq(lane_of(circuit).layout, TRIP_EXPRESS_LAYOUT_NONE);
    trip_permit third = permit_of(circuit); /* nobody knows for how long the others have been out: since now */
    ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_CLOSED);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    trip_permit refused;
    ck_assert_int_eq(trip_circuit_permit(circuit, &refused, NULL), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    set_tracker(tracker, &stalling);
    trip_permit stream = permit_of(circuit);
    ck_assert_int_eq(trip_permit_progress(stream), TRIP_OK);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    ck_assert_int_eq(trip_circuit_permit(circuit, &refused, NULL), TRIP_REJECTED_OPEN);
    set_tracker(tracker, &plain);
    ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
    lane = lane_of(circuit);
    ck_assert_uint_eq(lane.layout, TRIP_EXPRESS_LAYOUT_WORD);
    ck_assert(lane_admits(&lane));
    const trip_permit late[] = {first, second, third, stream};
    for (size_t i = 0; i < sizeof late / sizeof *late; i++)
        ck_assert_int_eq(trip_permit_record_success(late[i]), TRIP_STALE);
}
END_TEST

START_TEST(a_mode_outlives_the_policies_that_are_replaced_under_it)
{
    trip_config plain = with_threshold(5), slow = with_window(10);
    trip_tracker tracker = tracker_with(&plain);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_FORCED_OPEN, 0, NULL, 0), TRIP_OK);
    trip_permit permit;
    set_tracker(tracker, &slow);
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, NULL), TRIP_REJECTED_FORCED);
    set_tracker(tracker, &plain);
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, NULL), TRIP_REJECTED_FORCED);
    set_tracker(tracker, &slow);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_AUTO, 0, NULL, 0), TRIP_OK);
    ck_assert_uint_eq(lane_of(circuit).layout, TRIP_EXPRESS_LAYOUT_NONE);
    ck_assert_int_eq(failures_to_open_now(circuit), 4);
}
END_TEST

/* ---- While threads call ------------------------------------------------------------------------------------------ */

#define REPLACED 1000
#define CALLERS 4

/* A policy in which each number says which one it is: two are told apart by every decision that is made by them. */
static trip_config numbered(uint32_t number)
{
    trip_config config = with_threshold(number);
    config.initial_open_ns = config.max_open_ns = number * SECOND;
    return config;
}

typedef struct traffic {
    trip_tracker tracker;
    _Atomic uint32_t started;
    _Atomic bool stop;
    _Atomic uint64_t openings, torn;
} traffic;

/* Fail until the circuit opens. By policy N it opens at N failures in a row, or later if that was replaced by a lower one,
   and is then open for N seconds; and a refusal says both numbers. */
static void open_and_judge(traffic *t, trip_circuit circuit)
{
    trip_rejection said = {.struct_size = sizeof said};
    trip_permit permit;
    uint64_t failures = 0;
    while (trip_circuit_permit(circuit, &permit, &said) == TRIP_OK) {
        failures++;
        trip_permit_record_failure(permit);
    }
    uint64_t period = said.retry_after_ns / SECOND;
    bool is_one = (period == 3 && failures >= 3 && failures <= 7) || (period == 7 && failures == 7);
    bool is_said = said.failures == said.open_duration_ns / SECOND && (said.failures == 3 || said.failures == 7);
    atomic_fetch_add(&t->openings, 1);
    if (!is_one || !is_said)
        atomic_fetch_add(&t->torn, 1);
}

static void *call_on(void *argument)
{
    traffic *t = argument;
    char name[16];
    snprintf(name, sizeof name, "caller-%u", atomic_fetch_add(&t->started, 1));
    trip_circuit circuit = circuit_of(t->tracker, name, "openai");
    while (!atomic_load(&t->stop)) {
        open_and_judge(t, circuit);
        trip_circuit_reset(circuit);
    }
    return NULL;
}

START_TEST(of_a_thousand_replaced_policies_none_is_ever_applied_in_part)
{
    trip_config three = numbered(3), seven = numbered(7), odd = numbered(3);
    odd.count_window = 50; /* another shape, another path */
    odd.count_minimum = 50;
    traffic t = {.tracker = tracker_with(&three)};
    trip_circuit open = circuit_of(t.tracker, "acme", "open");
    ck_assert_int_eq(trip_circuit_trip(open), TRIP_OK);
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call_on, &t), 0);
    const trip_config *const turns[] = {&seven, &three, &seven, &odd};
    for (int i = 0; i < REPLACED; i++) {
        uint64_t before = atomic_load(&t.openings);
        if (i % 3 == 0)
            set_tracker(t.tracker, turns[i % 4]);
        else
            set_policy(t.tracker, TRIP_SCOPE_PROVIDER, NULL, "openai", i % 3 == 1 ? turns[i % 4] : NULL);
        while (atomic_load(&t.openings) == before)
            ;
        ck_assert_uint_eq(info_of(open).retry_after_ns, 3 * SECOND);
    }
    atomic_store(&t.stop, true);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&t.torn), 0);
    ck_assert_uint_ge(atomic_load(&t.openings), REPLACED);
}
END_TEST

typedef struct shelf {
    _Atomic uint32_t place;
    _Atomic bool stop;
    _Atomic uint64_t copied, torn;
} shelf;

static void *copy_on(void *argument)
{
    shelf *s = argument;
    while (!atomic_load(&s->stop)) {
        trip_policy policy;
        if (trip_policy_copy(atomic_load(&s->place), &policy) == 0)
            continue;
        uint64_t words[sizeof policy / sizeof(uint64_t)];
        memcpy(words, &policy, sizeof words);
        bool is_whole = true;
        for (size_t i = 1; i < sizeof words / sizeof *words; i++)
            is_whole &= words[i] == words[0];
        atomic_fetch_add(&s->copied, 1);
        atomic_fetch_add(&s->torn, !is_whole);
    }
    return NULL;
}

static uint32_t publish_all_of(int byte)
{
    trip_policy policy;
    uint32_t place;
    memset(&policy, byte, sizeof policy);
    ck_assert_int_eq(trip_policy_publish(&policy, &place), TRIP_OK);
    return place;
}

START_TEST(a_policy_whose_place_is_used_again_is_copied_whole_or_not_at_all)
{
    shelf s = {.place = publish_all_of(1)};
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, copy_on, &s), 0);
    for (int i = 0; i < 100000 || atomic_load(&s.copied) < 1000; i++) {
        trip_policy_withdraw(atomic_load(&s.place));
        atomic_store(&s.place, publish_all_of(i % 250));
    }
    atomic_store(&s.stop, true);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&s.torn), 0);
}
END_TEST

/* ---- Refused ----------------------------------------------------------------------------------------------------- */

static void require_refused(trip_tracker tracker, const trip_config *config, trip_status wanted, uint32_t field)
{
    trip_error error = {.struct_size = sizeof error};
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    ck_assert_int_eq(trip_tracker_configure(tracker, TRIP_SCOPE_TRACKER, NULL, 0, NULL, 0, config, &error), wanted);
    ck_assert_int_eq(error.status, wanted);
    ck_assert_uint_eq(error.field_offset, field);
    ck_assert_uint_gt(strlen(error.message), 10);
    ck_assert_int_eq(failures_to_open(circuit), 2);
}

START_TEST(a_policy_that_a_tracker_cannot_have_is_refused_and_nothing_changes)
{
    trip_config two = with_threshold(2), bad = two;
    trip_tracker tracker = tracker_with(&two);
    bad.clock = TRIP_CLOCK_MONOTONIC;
    require_refused(tracker, &bad, TRIP_E_CONFIG, offsetof(trip_config, clock));
    bad = two;
    bad.max_circuits = 3;
    require_refused(tracker, &bad, TRIP_E_CONFIG, offsetof(trip_config, max_circuits));
    bad = two;
    bad.failure_threshold = 0;
    require_refused(tracker, &bad, TRIP_E_CONFIG, offsetof(trip_config, failure_threshold));
    bad = two;
    bad.half_open_max_probes = 16;
    require_refused(tracker, &bad, TRIP_E_CONFIG, offsetof(trip_config, half_open_max_probes));
    bad = two;
    bad.half_open_successes = 16;
    require_refused(tracker, &bad, TRIP_E_CONFIG, offsetof(trip_config, half_open_max_probes));
    bad = two;
    bad.struct_size = 8;
    require_refused(tracker, &bad, TRIP_E_INVALID, 0);

    trip_config wide = two;
    wide.half_open_max_probes = 63;
    trip_tracker other = tracker_with(&wide);
    bad = wide;
    bad.half_open_probes = 2;
    require_refused(other, &bad, TRIP_E_CONFIG, offsetof(trip_config, half_open_max_probes));
    require_refused(other, &two, TRIP_E_CONFIG, offsetof(trip_config, half_open_max_probes));
    wide.half_open_max_probes = 16;
    set_tracker(other, &wide);
}
END_TEST

START_TEST(a_bad_argument_is_refused_and_changes_nothing)
{
    char text[256] = {0};
    trip_config two = with_threshold(2), one = with_threshold(1);
    trip_tracker tracker = tracker_with(&two);
    trip_error small = {.struct_size = 8};
    ck_assert_int_eq(trip_tracker_configure(tracker, 0, NULL, 0, NULL, 0, &one, &small), TRIP_E_INVALID);
    ck_assert_int_eq(configure(tracker, 4, NULL, NULL, &one), TRIP_E_INVALID);
    ck_assert_int_eq(configure(tracker, UINT32_MAX, "a", "b", &one), TRIP_E_INVALID);
    ck_assert_int_eq(configure(tracker, TRIP_SCOPE_TRACKER, "a", NULL, &one), TRIP_E_INVALID);
    ck_assert_int_eq(configure(tracker, TRIP_SCOPE_TRACKER, NULL, "b", &one), TRIP_E_INVALID);
    ck_assert_int_eq(configure(tracker, TRIP_SCOPE_PROVIDER, "a", "b", &one), TRIP_E_INVALID);
    ck_assert_int_eq(configure(tracker, TRIP_SCOPE_TENANT, "a", "b", &one), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_configure(tracker, 2, NULL, 1, NULL, 0, &one, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_configure(tracker, 2, text, 256, NULL, 0, &one, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_configure(tracker, 1, NULL, 0, text, 256, &one, NULL), TRIP_E_INVALID);
    const trip_tracker garbage[] = {
        0, 1, UINT64_MAX, tracker + 1, tracker + (1 << 16), circuit_of(tracker, "acme", "openai")};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        ck_assert_int_eq(configure(garbage[i], 0, NULL, NULL, &one), TRIP_E_HANDLE);
        ck_assert_int_eq(configure(garbage[i], 0, NULL, NULL, NULL), TRIP_E_HANDLE);
    }
    ck_assert_int_eq(failures_to_open(circuit_of(tracker, "acme", "openai")), 2);
    struct {
        trip_config config;
        uint64_t later;
    } longer = {.config = one, .later = 1};
    longer.config.struct_size = sizeof longer;
    ck_assert_int_eq(configure(tracker, 0, NULL, NULL, &longer.config), TRIP_E_TOO_NEW);
    longer.later = 0;
    ck_assert_int_eq(configure(tracker, 0, NULL, NULL, &longer.config), TRIP_OK);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert_int_eq(configure(tracker, 0, NULL, NULL, &one), TRIP_E_HANDLE);
}
END_TEST

START_TEST(so_many_policies_as_circuits_can_be_set)
{
    trip_config two = with_threshold(2), three = with_threshold(3);
    two.max_circuits = three.max_circuits = 4;
    trip_tracker tracker = tracker_with(&two);
    char name[2] = "a";
    for (int i = 0; i < 4; i++, name[0]++)
        set_policy(tracker, TRIP_SCOPE_TENANT, name, NULL, &three);
    ck_assert_int_eq(configure(tracker, TRIP_SCOPE_TENANT, name, NULL, &three), TRIP_E_CAPACITY);
    set_policy(tracker, TRIP_SCOPE_TENANT, "a", NULL, &two); /* to replace one is no more */
    set_policy(tracker, TRIP_SCOPE_TENANT, "a", NULL, NULL);
    set_policy(tracker, TRIP_SCOPE_TENANT, name, NULL, &three);
    ck_assert_int_eq(failures_to_open(circuit_of(tracker, name, "x")), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("configure");
    TCase *whose = tcase_create("whose");
    tcase_add_test(whose, the_most_specific_policy_holds_whole_for_circuits_now_and_later);
    tcase_add_test(whose, a_provider_and_a_tenant_of_the_same_name_have_policies_of_their_own);
    suite_add_tcase(suite, whose);

    TCase *stays = tcase_create("stays");
    tcase_add_test(stays, a_lower_threshold_acts_at_the_next_failure_and_failures_in_a_row_stay);
    tcase_add_test(stays, levels_and_deadlines_stay_and_a_new_period_holds_from_the_next_opening);
    tcase_add_test(stays, a_new_lease_acts_on_probes_that_are_out);
    tcase_add_test(stays, a_half_open_circuit_goes_on_by_the_new_number_of_probes);
    tcase_add_test(stays, a_half_open_circuit_whose_probes_are_used_up_by_a_new_policy_grants_another);
    tcase_add_test(stays, jitter_that_comes_later_is_that_of_a_circuit_which_always_had_it);
    tcase_add_test(stays, a_window_of_the_same_size_keeps_its_calls_and_one_of_another_begins_empty);
    tcase_add_test(stays, a_policy_may_begin_and_end_to_ask_for_windows_hung_calls_and_streams);
    tcase_add_test(stays, a_mode_outlives_the_policies_that_are_replaced_under_it);
    suite_add_tcase(suite, stays);

    TCase *threads = tcase_create("threads");
    tcase_set_timeout(threads, 600);
    tcase_add_test(threads, of_a_thousand_replaced_policies_none_is_ever_applied_in_part);
    tcase_add_test(threads, a_policy_whose_place_is_used_again_is_copied_whole_or_not_at_all);
    suite_add_tcase(suite, threads);

    TCase *refused = tcase_create("refused");
    tcase_add_test(refused, a_policy_that_a_tracker_cannot_have_is_refused_and_nothing_changes);
    tcase_add_test(refused, a_bad_argument_is_refused_and_changes_nothing);
    tcase_add_test(refused, so_many_policies_as_circuits_can_be_set);
    suite_add_tcase(suite, refused);
    return run_suite(suite);
}
