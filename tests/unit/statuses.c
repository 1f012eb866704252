/*
 * The lists of statuses in trip.h are true: this suite brings about every status that a function's comment lists, notes
 * what each call answered, and compares the two as sets, both ways. What the header lists it reads from the generated
 * signatures.
 */
#include "telling.h"

#include "handle.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>

static json_t *told; /* {function: {status: true}} */

trip_status note(const char *function, trip_status status)
{
    json_t *statuses = json_object_get(told, function);
    if (statuses == NULL) {
        statuses = json_object();
        json_object_set_new(told, function, statuses);
    }
    json_object_set_new(statuses, trip_status_name(status), json_true());
    return status;
}

static trip_tracker breaker; /* opens at the first failure, for a second */
static trip_tracker other_clock;
static trip_rejection rejection = {.struct_size = sizeof rejection};
static trip_circuit_info info = {.struct_size = sizeof info};
static trip_permit_info permit_info = {.struct_size = sizeof permit_info};
static trip_express express = {.struct_size = sizeof express};
static trip_outcome outcome = {.struct_size = sizeof outcome};
static trip_error error = {.struct_size = sizeof error};
static trip_tracker tracker;
static trip_circuit circuit;
static trip_permit permit;
static char text[510];
static size_t len;

static trip_circuit fresh(void)
{
    static uint32_t number;
    number++;
    ck_assert_int_eq(trip_tracker_circuit(breaker, "acme", 4, (char *)&number, sizeof number, &circuit), TRIP_OK);
    return circuit;
}

static trip_circuit opened(void)
{
    fail_once(fresh());
    return circuit;
}

/* A circuit whose only probe is out, as `permit`. */
static trip_circuit probing(void)
{
    opened();
    ck_assert_int_eq(trip_tracker_advance(breaker, SECOND), TRIP_OK);
    permit = permit_of(circuit);
    return circuit;
}

/* A circuit that has just closed again, and admits the first call that is asked for and not the second. */
static trip_circuit on_ramp(void)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    config.ramp_ns = SECOND;
    trip_tracker ramping = tracker_with(&config);
    circuit = circuit_of(ramping, "acme", "openai");
    fail_once(circuit);
    ck_assert_int_eq(trip_tracker_advance(ramping, SECOND), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    ck_assert_int_eq(trip_permit_cancel(permit_of(circuit)), TRIP_OK);
    return circuit;
}

static trip_permit stale_permit(void)
{
    trip_permit late = permit_of(fresh());
    fail_once(circuit);
    return late;
}

static trip_permit settled_permit(void)
{
    trip_permit settled = permit_of(fresh());
    ck_assert_int_eq(trip_permit_cancel(settled), TRIP_OK);
    return settled;
}

/* ---- Trackers ---------------------------------------------------------------------------------------------------- */

static void tell_config_init(void)
{
    trip_config config;
    TELL(TRIP_OK, trip_config_init, &config, sizeof config);
    TELL(TRIP_E_INVALID, trip_config_init, &config, 0);
}

/* Random numbers are asked for once, before the first tracker. */
static void tell_first_tracker(void)
{
    atomic_store(&entropy_fails, 1);
    TELL(TRIP_E_SYSTEM, trip_tracker_create, NULL, &tracker, &error);
    atomic_store(&entropy_fails, 0);
}

static void tell_tracker_create(void)
{
    TELL(TRIP_OK, trip_tracker_create, NULL, &tracker, &error);
    TELL(TRIP_E_INVALID, trip_tracker_create, NULL, NULL, &error);

    struct {
        trip_config known;
        uint64_t unknown;
    } later = {.known = manual_config(), .unknown = 1};
    later.known.struct_size = sizeof later;
    TELL(TRIP_E_TOO_NEW, trip_tracker_create, &later.known, &tracker, &error);
    trip_config config = manual_config();
    config.clock = 2;
    TELL(TRIP_E_CONFIG, trip_tracker_create, &config, &tracker, &error);

    atomic_store(&allocations_left, 0);
    trip_status status;
    while ((status = trip_tracker_create(NULL, &tracker, &error)) == TRIP_OK)
        ; /* the places of the chunk that is there */
    ck_assert_int_eq(note("trip_tracker_create", status), TRIP_E_NOMEM);
    atomic_store(&allocations_left, INT64_MAX);
    while ((status = trip_tracker_create(NULL, &tracker, &error)) == TRIP_OK)
        ;
    ck_assert_int_eq(note("trip_tracker_create", status), TRIP_E_CAPACITY);
}

static void tell_tracker(void)
{
    TELL(TRIP_OK, trip_tracker_advance, breaker, 1);
    TELL(TRIP_E_HANDLE, trip_tracker_advance, 7, 1);
    TELL(TRIP_E_UNSUPPORTED, trip_tracker_advance, other_clock, 1);
    TELL(TRIP_OK, trip_tracker_destroy, other_clock);
    TELL(TRIP_E_HANDLE, trip_tracker_destroy, other_clock);
}

static void tell_events(void)
{
    trip_event event;
    uint64_t lost;
    TELL(TRIP_E_INVALID, trip_tracker_events, breaker, &event, sizeof event, 0, text, sizeof text, &len, &lost);
    TELL(TRIP_E_HANDLE, trip_tracker_events, 7, &event, sizeof event, 1, text, sizeof text, &len, &lost);
    fail_once(fresh());
    TELL(TRIP_E_CAPACITY, trip_tracker_events, breaker, &event, sizeof event, 1, text, 0, &len, &lost);
    TELL(TRIP_OK, trip_tracker_events, breaker, &event, sizeof event, 1, text, sizeof text, &len, &lost);

    int32_t fd;
    struct rlimit before, none = {0};
    TELL(TRIP_E_INVALID, trip_tracker_event_fd, breaker, NULL);
    TELL(TRIP_E_HANDLE, trip_tracker_event_fd, 7, &fd);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    note("trip_tracker_event_fd", trip_tracker_event_fd(breaker, &fd)); /* Check itself needs descriptors */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    TELL(TRIP_OK, trip_tracker_event_fd, breaker, &fd);
}

static void tell_tracker_circuit(void)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.max_circuits = 1;
    trip_tracker small = tracker_with(&config);
    TELL(TRIP_E_INVALID, trip_tracker_circuit, small, NULL, 1, "b", 1, &circuit);
    TELL(TRIP_E_HANDLE, trip_tracker_circuit, 7, "a", 1, "b", 1, &circuit);
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_tracker_circuit, small, "a", 1, "b", 1, &circuit);
    atomic_store(&allocations_left, INT64_MAX);
    TELL(TRIP_OK, trip_tracker_circuit, small, "a", 1, "b", 1, &circuit);
    fail_once(circuit);
    TELL(TRIP_E_CAPACITY, trip_tracker_circuit, small, "a", 1, "c", 1, &circuit);
}

static void tell_snapshots(void)
{
    char bytes[256] = "TRIPSNAP\2"; /* of a later major, until it is written */
    trip_tracker opened_once = fragile_tracker();
    fail_once(circuit_of(opened_once, "acme", "openai"));
    TELL(TRIP_E_TOO_NEW, trip_tracker_restore, opened_once, 1, bytes, sizeof bytes, &error);
    TELL(TRIP_E_INVALID, trip_tracker_snapshot, opened_once, 1, NULL, 1, &len);
    TELL(TRIP_E_HANDLE, trip_tracker_snapshot, 7, 1, bytes, sizeof bytes, &len);
    TELL(TRIP_E_CAPACITY, trip_tracker_snapshot, opened_once, 1, bytes, 1, &len);
    TELL(TRIP_OK, trip_tracker_snapshot, opened_once, 1, bytes, sizeof bytes, &len);

    trip_config config = manual_config();
    config.max_circuits = 1;
    trip_tracker small = tracker_with(&config);
    TELL(TRIP_E_INVALID, trip_tracker_restore, small, 1, bytes, len - 1, &error);
    TELL(TRIP_E_HANDLE, trip_tracker_restore, 7, 1, bytes, len, &error);
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_tracker_restore, small, 1, bytes, len, &error);
    atomic_store(&allocations_left, INT64_MAX);
    TELL(TRIP_OK, trip_tracker_restore, small, 1, bytes, len, &error);
    small = tracker_with(&config);
    circuit_of(small, "umbrella", "openai");
    TELL(TRIP_E_CAPACITY, trip_tracker_restore, small, 1, bytes, len, &error);
}

/* ---- Circuits ---------------------------------------------------------------------------------------------------- */

static void *ask_without_memory(void *argument)
{
    trip_permit none;
    note("trip_circuit_permit", trip_circuit_permit(*(trip_circuit *)argument, &none, NULL));
    return NULL;
}

static void tell_circuit_permit(void)
{
    TELL(TRIP_OK, trip_circuit_permit, fresh(), &permit, NULL);
    TELL(TRIP_REJECTED_OPEN, trip_circuit_permit, opened(), &permit, &rejection);
    TELL(TRIP_REJECTED_PROBING, trip_circuit_permit, probing(), &permit, &rejection);
    TELL(TRIP_REJECTED_RAMP, trip_circuit_permit, on_ramp(), &permit, &rejection);
    TELL(TRIP_E_INVALID, trip_circuit_permit, circuit, NULL, NULL);
    TELL(TRIP_E_HANDLE, trip_circuit_permit, 7, &permit, NULL);

    trip_circuit closed = fresh();
    atomic_store(&allocations_left, 0);
    pthread_t thread; /* a new one needs a magazine */
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_without_memory, &closed), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    atomic_store(&allocations_left, INT64_MAX);
    trip_status status;
    while ((status = trip_circuit_permit(closed, &permit, NULL)) == TRIP_OK)
        ;
    ck_assert_int_eq(note("trip_circuit_permit", status), TRIP_E_CAPACITY);
}

static void tell_circuit(void)
{
    TELL(TRIP_OK, trip_circuit_peek, fresh(), &rejection);
    TELL(TRIP_REJECTED_OPEN, trip_circuit_peek, opened(), &rejection);
    TELL(TRIP_REJECTED_PROBING, trip_circuit_peek, probing(), &rejection);
    TELL(TRIP_REJECTED_RAMP, trip_circuit_peek, on_ramp(), &rejection);
    TELL(TRIP_E_INVALID, trip_circuit_peek, circuit, &(trip_rejection){.struct_size = 1});
    TELL(TRIP_E_HANDLE, trip_circuit_peek, 7, &rejection);

    TELL(TRIP_OK, trip_circuit_inspect, circuit, &info);
    TELL(TRIP_E_INVALID, trip_circuit_inspect, circuit, NULL);
    TELL(TRIP_E_HANDLE, trip_circuit_inspect, 7, &info);

    TELL(TRIP_OK, trip_circuit_key, circuit, text, sizeof text, &len, &len);
    TELL(TRIP_E_INVALID, trip_circuit_key, circuit, NULL, 1, &len, &len);
    TELL(TRIP_E_HANDLE, trip_circuit_key, 7, text, sizeof text, &len, &len);
    TELL(TRIP_E_CAPACITY, trip_circuit_key, circuit, text, 1, &len, &len);

    TELL(TRIP_OK, trip_circuit_express, circuit, &express);
    TELL(TRIP_E_INVALID, trip_circuit_express, circuit, NULL);
    TELL(TRIP_E_HANDLE, trip_circuit_express, 7, &express);

    TELL(TRIP_OK, trip_circuit_count, circuit, 1, 1);
    TELL(TRIP_E_HANDLE, trip_circuit_count, 7, 1, 1);
}

/* ---- Operating --------------------------------------------------------------------------------------------------- */

static trip_circuit forced_open(void)
{
    ck_assert_int_eq(trip_circuit_set_mode(fresh(), TRIP_MODE_FORCED_OPEN, 0, NULL, 0), TRIP_OK);
    return circuit;
}

static void tell_steering(void)
{
    TELL(TRIP_REJECTED_FORCED, trip_circuit_permit, forced_open(), &permit, &rejection);
    TELL(TRIP_REJECTED_FORCED, trip_circuit_peek, forced_open(), &rejection);

    TELL(TRIP_OK, trip_circuit_set_mode, fresh(), TRIP_MODE_OBSERVE, SECOND, "trial", 5);
    TELL(TRIP_E_INVALID, trip_circuit_set_mode, circuit, TRIP_MODE_OBSERVE + 1, 0, NULL, 0);
    TELL(TRIP_E_HANDLE, trip_circuit_set_mode, 7, TRIP_MODE_OBSERVE, 0, NULL, 0);
    circuit = fresh();
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_circuit_set_mode, circuit, TRIP_MODE_OBSERVE, 0, NULL, 0);
    atomic_store(&allocations_left, INT64_MAX);

    TELL(TRIP_OK, trip_circuit_trip, fresh());
    TELL(TRIP_E_HANDLE, trip_circuit_trip, 7);
    TELL(TRIP_OK, trip_circuit_reset, circuit);
    TELL(TRIP_E_HANDLE, trip_circuit_reset, 7);
    TELL(TRIP_OK, trip_circuit_remove, circuit);
    TELL(TRIP_E_HANDLE, trip_circuit_remove, circuit);
}

static void tell_configure(void)
{
    struct {
        trip_config known;
        uint64_t unknown;
    } later = {.known = manual_config(), .unknown = 1};
    trip_config config = manual_config(), bad = config;
    bad.failure_threshold = 0;
    config.max_circuits = later.known.max_circuits = 1;
    later.known.struct_size = sizeof later;
    trip_tracker small = tracker_with(&config);
    TELL(TRIP_OK, trip_tracker_configure, small, TRIP_SCOPE_TENANT, "acme", 4, NULL, 0, &config, &error);
    TELL(TRIP_E_INVALID, trip_tracker_configure, small, 4, NULL, 0, NULL, 0, &config, &error);
    TELL(TRIP_E_HANDLE, trip_tracker_configure, 7, 0, NULL, 0, NULL, 0, &config, &error);
    TELL(TRIP_E_TOO_NEW, trip_tracker_configure, small, 0, NULL, 0, NULL, 0, &later.known, &error);
    TELL(TRIP_E_CONFIG, trip_tracker_configure, small, 0, NULL, 0, NULL, 0, &bad, &error);
    TELL(TRIP_E_CAPACITY, trip_tracker_configure, small, TRIP_SCOPE_TENANT, "zeta", 4, NULL, 0, &config, &error);
    trip_tracker empty = tracker_with(&config);
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_tracker_configure, empty, TRIP_SCOPE_TENANT, "zeta", 4, NULL, 0, &config, &error);
    atomic_store(&allocations_left, INT64_MAX);
}

static void tell_seeing(void)
{
    static char page[1 << 16];
    static trip_circuit circuits[1];
    trip_circuit_info infos[1];
    TELL(TRIP_OK, trip_tracker_circuits, breaker, 0, circuits, infos, sizeof infos[0], 1, &len);
    TELL(TRIP_E_INVALID, trip_tracker_circuits, breaker, 0, circuits, infos, sizeof infos[0], 0, &len);
    TELL(TRIP_E_HANDLE, trip_tracker_circuits, 7, 0, circuits, infos, sizeof infos[0], 1, &len);

    TELL(TRIP_OK, trip_circuit_explain, fresh(), page, sizeof page, &len);
    TELL(TRIP_E_INVALID, trip_circuit_explain, circuit, NULL, 1, &len);
    TELL(TRIP_E_HANDLE, trip_circuit_explain, 7, page, sizeof page, &len);
    TELL(TRIP_E_CAPACITY, trip_circuit_explain, circuit, page, 1, &len);

    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_tracker_metrics, breaker, 0, 0, page, sizeof page, &len);
    atomic_store(&allocations_left, INT64_MAX);
    TELL(TRIP_OK, trip_tracker_metrics, breaker, 0, 0, page, sizeof page, &len);
    TELL(TRIP_E_INVALID, trip_tracker_metrics, breaker, 7, 0, page, sizeof page, &len);
    TELL(TRIP_E_HANDLE, trip_tracker_metrics, 7, 0, 0, page, sizeof page, &len);
    TELL(TRIP_E_CAPACITY, trip_tracker_metrics, breaker, 0, 0, page, 1, &len);
}

/* ---- Permits ----------------------------------------------------------------------------------------------------- */

#define TELL_SETTLING(function)                                                                                        \
    do {                                                                                                               \
        TELL(TRIP_OK, function, permit_of(fresh()));                                                                   \
        TELL(TRIP_STALE, function, stale_permit());                                                                    \
        TELL(TRIP_E_HANDLE, function, 7);                                                                              \
        TELL(TRIP_E_CONSUMED, function, settled_permit());                                                             \
    } while (0)

static void tell_settling(void)
{
    TELL_SETTLING(trip_permit_record_success);
    TELL_SETTLING(trip_permit_record_failure);
    TELL_SETTLING(trip_permit_drop);
    TELL_SETTLING(trip_permit_cancel);
}

static void tell_permit(void)
{
    TELL(TRIP_OK, trip_permit_inspect, permit_of(fresh()), &permit_info);
    TELL(TRIP_STALE, trip_permit_inspect, stale_permit(), &permit_info);
    TELL(TRIP_E_INVALID, trip_permit_inspect, stale_permit(), NULL);
    TELL(TRIP_E_HANDLE, trip_permit_inspect, 7, &permit_info);
    TELL(TRIP_E_CONSUMED, trip_permit_inspect, settled_permit(), &permit_info);

    TELL(TRIP_STALE, trip_permit_renew, stale_permit());
    TELL(TRIP_E_HANDLE, trip_permit_renew, 7);
    TELL(TRIP_E_CONSUMED, trip_permit_renew, settled_permit());
    probing();
    trip_status status;
    while ((status = note("trip_permit_renew", trip_permit_renew(permit))) == TRIP_OK)
        ck_assert_int_eq(trip_tracker_advance(breaker, 300 * SECOND), TRIP_OK);
    ck_assert_int_eq(status, TRIP_E_CAPACITY);
}

static void tell_record(void)
{
    struct {
        trip_outcome known;
        uint64_t unknown;
    } later = {.known = {.struct_size = sizeof later}, .unknown = 1};
    TELL(TRIP_OK, trip_permit_record, permit_of(fresh()), &outcome);
    TELL(TRIP_STALE, trip_permit_record, stale_permit(), &outcome);
    TELL(TRIP_E_INVALID, trip_permit_record, permit_of(fresh()), NULL);
    TELL(TRIP_E_TOO_NEW, trip_permit_record, permit_of(fresh()), &later.known);
    TELL(TRIP_E_HANDLE, trip_permit_record, 7, &outcome);
    TELL(TRIP_E_CONSUMED, trip_permit_record, settled_permit(), &outcome);
}

static void tell_progress(void)
{
    TELL(TRIP_OK, trip_permit_progress, permit_of(fresh()));
    TELL(TRIP_STALE, trip_permit_progress, stale_permit());
    TELL(TRIP_E_HANDLE, trip_permit_progress, 7);
    TELL(TRIP_E_CONSUMED, trip_permit_progress, settled_permit());
}

/* ---- Outcomes ---------------------------------------------------------------------------------------------------- */

static void tell_outcomes(void)
{
    TELL(TRIP_OK, trip_classify_http, 503, "busy", SIZE_MAX, &outcome);
    TELL(TRIP_E_INVALID, trip_classify_http, 503, NULL, 1, &outcome);
    TELL(TRIP_OK, trip_classify_errno, 110, &outcome);
    TELL(TRIP_E_INVALID, trip_classify_errno, 110, NULL);
    TELL(TRIP_OK, trip_classify_text, "timed out", SIZE_MAX, &outcome);
    TELL(TRIP_E_INVALID, trip_classify_text, NULL, 1, &outcome);

    uint64_t wait;
    TELL(TRIP_OK, trip_parse_retry_hint, "Retry-After", SIZE_MAX, "20", SIZE_MAX, 0, &wait);
    TELL(TRIP_NO_HINT, trip_parse_retry_hint, "Date", SIZE_MAX, "20", SIZE_MAX, 0, &wait);
    TELL(TRIP_E_INVALID, trip_parse_retry_hint, "Retry-After", SIZE_MAX, "-1", SIZE_MAX, 0, &wait);
}

/* ---- The sets ---------------------------------------------------------------------------------------------------- */

/* Every status of `one` is in `other`. */
static void require_subset(const char *function, json_t *one, json_t *other, const char *complaint)
{
    const char *status;
    json_t *unused;
    json_object_foreach(one, status, unused)
        ck_assert_msg(json_object_get(other, status) != NULL, "%s: %s %s", function, status, complaint);
}

static void tell_circuits(void)
{
    tell_config_init();
    tell_first_tracker();
    breaker = fragile_tracker();
    other_clock = tracker_with(NULL);
    tell_tracker();
    tell_events();
    tell_tracker_circuit();
    tell_snapshots();
    tell_circuit();
    tell_steering();
    tell_configure();
    tell_seeing();
    tell_settling();
    tell_record();
    tell_progress();
    tell_permit();
    tell_outcomes();
    tell_circuit_permit();
    tell_tracker_create();
}

/* Whose functions are named how. The first has those that no other claims. */
static const struct part {
    void (*tell)(void);
    const char *prefixes[2];
} parts[] = {
    {tell_circuits, {NULL, NULL}},
    {tell_retries, {"trip_retry_", NULL}},
    {tell_dedups, {"trip_dedup_", "trip_ticket_"}},
    {tell_gates, {"trip_gate_", "trip_token_"}},
    {tell_routes, {"trip_route_", NULL}},
    {tell_pipelines, {"trip_pipeline_", "trip_output_"}},
    {tell_guards, {"trip_guard_", NULL}},
};
#define PARTS (int)(sizeof parts / sizeof *parts)

static bool is_named(const char *function, const char *prefix)
{
    return prefix != NULL && strncmp(function, prefix, strlen(prefix)) == 0;
}

static int part_of(const char *function)
{
    for (int i = 1; i < PARTS; i++)
        if (is_named(function, parts[i].prefixes[0]) || is_named(function, parts[i].prefixes[1]))
            return i;
    return 0;
}

START_TEST(every_listed_status_happens_and_every_status_that_happens_is_listed)
{
    told = json_object();
    parts[_i].tell();

    json_error_t where;
    json_t *signatures = json_load_file(TRIP_SIGNATURES, 0, &where);
    ck_assert_msg(signatures != NULL, "%s: %s", TRIP_SIGNATURES, where.text);
    const char *function;
    json_t *signature;
    json_object_foreach(json_object_get(signatures, "functions"), function, signature) {
        json_t *listed = json_object_get(signature, "statuses");
        json_t *happened = json_object_get(told, function);
        if (json_object_size(listed) == 0 || part_of(function) != _i)
            continue;
        require_subset(function, listed, happened, "is listed in trip.h but never happened here");
        require_subset(function, happened, listed, "happened but is not listed in trip.h");
    }
    json_decref(signatures);
    json_decref(told);
}
END_TEST

static Suite *statuses_suite(void)
{
    Suite *suite = suite_create("statuses");
    TCase *listed = tcase_create("listed");
    tcase_set_timeout(listed, 300);
    tcase_add_loop_test(listed, every_listed_status_happens_and_every_status_that_happens_is_listed, 0, PARTS);
    suite_add_tcase(suite, listed);
    return suite;
}

int main(void)
{
    return run_suite(statuses_suite());
}
