/* The statuses of retries. */
#include "telling.h"

static trip_retry retry;
static trip_error error = {.struct_size = sizeof error};

static void tell_config_init(void)
{
    trip_retry_config config;
    TELL(TRIP_OK, trip_retry_config_init, &config, sizeof config);
    TELL(TRIP_E_INVALID, trip_retry_config_init, NULL, sizeof config);
}

static void tell_create(void)
{
    atomic_store(&entropy_fails, 1);
    TELL(TRIP_E_SYSTEM, trip_retry_create, 0, NULL, &retry, &error);
    atomic_store(&entropy_fails, 0);
    TELL(TRIP_E_INVALID, trip_retry_create, 0, NULL, NULL, &error);
    TELL(TRIP_E_HANDLE, trip_retry_create, 7, NULL, &retry, &error);

    struct {
        trip_retry_config known;
        uint64_t unknown;
    } later = {.unknown = 1};
    ck_assert_int_eq(trip_retry_config_init(&later.known, sizeof later.known), TRIP_OK);
    later.known.struct_size = sizeof later;
    TELL(TRIP_E_TOO_NEW, trip_retry_create, 0, &later.known, &retry, &error);
    later.known.struct_size = sizeof later.known;
    later.known.max_attempts = 0;
    TELL(TRIP_E_CONFIG, trip_retry_create, 0, &later.known, &retry, &error);
    later.known.max_attempts = 1;
    later.known.max_providers = 1;
    TELL_UNTIL_NO_MORE(trip_retry_create, 0, &later.known, &retry, &error);
    TELL(TRIP_OK, trip_retry_destroy, retry);
    TELL(TRIP_E_HANDLE, trip_retry_destroy, retry);
}

/* Seconds of its tracker's clock, a deadline after ten, two attempts, one retry without calls. */
static trip_retry strict_retry(trip_tracker tracker)
{
    trip_retry_config config;
    ck_assert_int_eq(trip_retry_config_init(&config, sizeof config), TRIP_OK);
    config.max_attempts = 2;
    config.jitter = TRIP_JITTER_NONE;
    config.base_delay_ns = SECOND;
    config.deadline_ns = 10 * SECOND;
    config.budget_ratio = 0;
    config.budget_burst = 1;
    ck_assert_int_eq(trip_retry_create(tracker, &config, &retry, NULL), TRIP_OK);
    return retry;
}

static void tell_next(trip_tracker tracker)
{
    uint64_t began, delay;
    struct {
        trip_outcome known;
        uint64_t unknown;
    } outcome = {{.struct_size = sizeof outcome.known, .status_class = TRIP_CLASS_TIMEOUT}, 1};
    TELL(TRIP_OK, trip_retry_begin, retry, NULL, 0, &began);
    TELL(TRIP_E_INVALID, trip_retry_begin, retry, NULL, 1, &began);
    TELL(TRIP_E_HANDLE, trip_retry_begin, 7, NULL, 0, &began);
    TELL(TRIP_OK, trip_retry_next, retry, NULL, 0, 1, began, 0, &outcome.known, &delay);
    TELL(TRIP_NO_RETRY_BUDGET, trip_retry_next, retry, NULL, 0, 1, began, 0, &outcome.known, &delay);
    TELL(TRIP_NO_RETRY_ATTEMPTS, trip_retry_next, retry, NULL, 0, 2, began, 0, &outcome.known, &delay);
    ck_assert_int_eq(trip_tracker_advance(tracker, 10 * SECOND), TRIP_OK);
    TELL(TRIP_NO_RETRY_LATE, trip_retry_next, retry, NULL, 0, 1, began, 0, &outcome.known, &delay);
    outcome.known.status_class = TRIP_CLASS_AUTH;
    TELL(TRIP_NO_RETRY_CLASS, trip_retry_next, retry, NULL, 0, 1, began, 0, &outcome.known, &delay);
    TELL(TRIP_E_INVALID, trip_retry_next, retry, NULL, 0, 1, began, 0, NULL, &delay);
    TELL(TRIP_E_HANDLE, trip_retry_next, 7, NULL, 0, 1, began, 0, &outcome.known, &delay);
    outcome.known.struct_size = sizeof outcome;
    TELL(TRIP_E_TOO_NEW, trip_retry_next, retry, NULL, 0, 1, began, 0, &outcome.known, &delay);
}

static void tell_looking(void)
{
    uint64_t delay;
    trip_retry_info info = {.struct_size = sizeof info};
    TELL(TRIP_OK, trip_retry_delay_for, retry, 1, &delay);
    TELL(TRIP_E_INVALID, trip_retry_delay_for, retry, 1, NULL);
    TELL(TRIP_E_HANDLE, trip_retry_delay_for, 7, 1, &delay);
    TELL(TRIP_OK, trip_retry_inspect, retry, NULL, 0, &info);
    TELL(TRIP_E_INVALID, trip_retry_inspect, retry, NULL, 0, NULL);
    TELL(TRIP_E_HANDLE, trip_retry_inspect, 7, NULL, 0, &info);
}

void tell_retries(void)
{
    tell_config_init();
    tell_create();
    trip_config config = manual_config();
    trip_tracker tracker = tracker_with(&config);
    strict_retry(tracker);
    tell_next(tracker);
    tell_looking();
}
