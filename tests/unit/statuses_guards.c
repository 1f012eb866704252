/* The statuses of guards. */
#include "telling.h"

#include "forbid.h"
#include "seams.h"

#include <pthread.h>

static trip_circuit circuit;
static trip_guard guard;
static trip_error error = {.struct_size = sizeof error};

static int8_t fine(void)
{
    return 0;
}

static trip_status create(const char *signature, const trip_guard_config *config)
{
    return note("trip_guard_create", trip_guard_create(circuit, (trip_function)fine, signature, SIZE_MAX, config, NULL,
                                                       NULL, NULL, &guard, &error));
}

static void tell_config(void)
{
    trip_guard_config config;
    TELL(TRIP_OK, trip_guard_config_init, &config, sizeof config);
    TELL(TRIP_E_INVALID, trip_guard_config_init, NULL, sizeof config);
    config.rule = TRIP_RULE_CLASSIFIER;
    ck_assert_int_eq(create("int8 ()", &config), TRIP_E_CONFIG);
    struct {
        trip_guard_config known;
        uint64_t unknown;
    } later = {.known.struct_size = sizeof later, .unknown = 1};
    ck_assert_int_eq(create("int8 ()", &later.known), TRIP_E_TOO_NEW);
}

static void tell_create(void)
{
    ck_assert_int_eq(create("int8 ()", NULL), TRIP_OK);
    ck_assert_int_eq(create("int7 ()", NULL), TRIP_E_INVALID);
    ck_assert_int_eq(create("int8 (...)", NULL), TRIP_E_UNSUPPORTED);
    TELL(TRIP_E_HANDLE, trip_guard_create, 7, (trip_function)fine, "int8 ()", 7, NULL, NULL, NULL, NULL, &guard,
         &error);
    atomic_store(&allocations_left, 0);
    ck_assert_int_eq(create("int8 ()", NULL), TRIP_E_NOMEM);
    atomic_store(&allocations_left, INT64_MAX);
    TELL(TRIP_OK, trip_guard_destroy, guard);
    TELL(TRIP_E_HANDLE, trip_guard_destroy, guard);
    trip_status status;
    while ((status = create("int8 ()", NULL)) == TRIP_OK)
        ;
    ck_assert_int_eq(status, TRIP_E_CAPACITY);
}

static void tell_call(trip_tracker tracker)
{
    TELL(TRIP_OK, trip_guard_call, guard, NULL, 0, NULL, NULL);
    TELL(TRIP_E_INVALID, trip_guard_call, guard, NULL, 1, NULL, NULL);
    TELL(TRIP_E_HANDLE, trip_guard_call, 7, NULL, 0, NULL, NULL);
    fail_once(circuit);
    TELL(TRIP_REJECTED_OPEN, trip_guard_call, guard, NULL, 0, NULL, NULL);
    ck_assert_int_eq(trip_tracker_advance(tracker, SECOND), TRIP_OK);
    trip_permit probe = permit_of(circuit);
    TELL(TRIP_REJECTED_PROBING, trip_guard_call, guard, NULL, 0, NULL, NULL);
    ck_assert_int_eq(trip_permit_record_success(probe), TRIP_OK);
    TELL(TRIP_OK, trip_guard_call, guard, NULL, 0, NULL, NULL);
    TELL(TRIP_REJECTED_RAMP, trip_guard_call, guard, NULL, 0, NULL, NULL);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_FORCED_OPEN, 0, NULL, 0), TRIP_OK);
    TELL(TRIP_REJECTED_FORCED, trip_guard_call, guard, NULL, 0, NULL, NULL);
}

static void *ask_where_it_is_forbidden(void *what)
{
    trip_function function;
    if (forbid(*(forbidden_memory *)what) == 0)
        note("trip_guard_pointer", trip_guard_pointer(guard, &function));
    return NULL;
}

static void tell_pointer(void)
{
    trip_function function;
    forbidden_memory what[] = {EXECUTABLE, EXECUTABLE_OR_MUCH};
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, ask_where_it_is_forbidden, &what[i]), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    TELL(TRIP_OK, trip_guard_pointer, guard, &function);
    TELL(TRIP_E_INVALID, trip_guard_pointer, guard, NULL);
    TELL(TRIP_E_HANDLE, trip_guard_pointer, 7, &function);
}

void tell_guards(void)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    config.ramp_ns = SECOND;
    trip_tracker tracker = tracker_with(&config);
    circuit = circuit_of(tracker, "acme", "openai");
    tell_config();
    tell_create();
    tell_call(tracker);
    tell_pointer();
}
