/* What the suites share: trackers on the manual clock, circuits by name, and one way to run a suite. */
#ifndef TRIP_TEST_FIXTURE_H
#define TRIP_TEST_FIXTURE_H

#include "trip.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Check has each assertion that holds write its line into a pipe, which takes longer than nearly all that is asserted here:
   in the suites with millions of them most of the time. What crashes is found by the name of its test. */
#define _mark_point(file, line) ((void)0)

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static inline trip_config manual_config(void)
{
    trip_config config;
    ck_assert_int_eq(trip_config_init(&config, sizeof config), TRIP_OK);
    config.clock = TRIP_CLOCK_MANUAL;
    return config;
}

static inline trip_tracker tracker_with(const trip_config *config)
{
    trip_tracker tracker = 0;
    trip_error error = {.struct_size = sizeof error};
    ck_assert_msg(trip_tracker_create(config, &tracker, &error) == TRIP_OK, "%s", error.message);
    return tracker;
}

/* Opens at the first failure, for a second. */
static inline trip_tracker fragile_tracker(void)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    return tracker_with(&config);
}

static inline trip_circuit circuit_of(trip_tracker tracker, const char *tenant, const char *provider)
{
    trip_circuit circuit = 0;
    ck_assert_int_eq(trip_tracker_circuit(tracker, tenant, SIZE_MAX, provider, SIZE_MAX, &circuit), TRIP_OK);
    return circuit;
}

static inline trip_permit permit_of(trip_circuit circuit)
{
    trip_permit permit = 0;
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, NULL), TRIP_OK);
    return permit;
}

static inline void fail_once(trip_circuit circuit)
{
    ck_assert_int_eq(trip_permit_record_failure(permit_of(circuit)), TRIP_OK);
}

static inline trip_circuit_info info_of(trip_circuit circuit)
{
    trip_circuit_info info = {.struct_size = sizeof info};
    ck_assert_int_eq(trip_circuit_inspect(circuit, &info), TRIP_OK);
    return info;
}

static inline trip_express lane_of(trip_circuit circuit)
{
    trip_express lane = {.struct_size = sizeof lane};
    ck_assert_int_eq(trip_circuit_express(circuit, &lane), TRIP_OK);
    return lane;
}

/* Whether the lane admits a call now. */
static inline bool lane_admits(const trip_express *lane)
{
    return (__atomic_load_n(lane->word, __ATOMIC_ACQUIRE) & lane->admit_mask) == lane->value;
}

/* The second look: whether a call of the lane that has succeeded need not be told. */
static inline bool lane_is_healthy(const trip_express *lane)
{
    return (__atomic_load_n(lane->word, __ATOMIC_ACQUIRE) & lane->mask) == lane->value;
}

static inline uint64_t permits_out(const trip_circuit_info *info)
{
    return info->permits - info->successes - info->failures_total - info->drops - info->cancels;
}

/* xorshift64*: Vigna, An experimental exploration of Marsaglia's xorshift generators (2016). */
static inline uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
