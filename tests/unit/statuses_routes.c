/* The statuses of routes. */
#include "telling.h"

#include <pthread.h>
#include <stdio.h>

static trip_tracker breaker; /* opens at the first failure, for a second; then a ramp. Room for a few circuits */
static trip_route route;
static trip_permit permit;
static uint32_t place;
static trip_rejection refused = {.struct_size = sizeof refused};
static trip_error error = {.struct_size = sizeof error};

#define CIRCUITS_MAX 8

static void tell_config_init(void)
{
    trip_route_config config;
    TELL(TRIP_OK, trip_route_config_init, &config, sizeof config);
    TELL(TRIP_E_INVALID, trip_route_config_init, NULL, sizeof config);
}

static void tell_create(void)
{
    TELL(TRIP_E_INVALID, trip_route_create, breaker, NULL, 0, NULL, NULL, &error);
    TELL(TRIP_E_HANDLE, trip_route_create, 7, NULL, 0, NULL, &route, &error);
    atomic_store(&entropy_fails, 1);
    TELL(TRIP_E_SYSTEM, trip_route_create, breaker, NULL, 0, NULL, &route, &error);
    atomic_store(&entropy_fails, 0);
    struct {
        trip_route_config known;
        uint64_t unknown;
    } later = {.unknown = 1};
    ck_assert_int_eq(trip_route_config_init(&later.known, sizeof later.known), TRIP_OK);
    later.known.struct_size = sizeof later;
    TELL(TRIP_E_TOO_NEW, trip_route_create, breaker, NULL, 0, &later.known, &route, &error);
    later.known.struct_size = sizeof later.known;
    later.known.order = 2;
    TELL(TRIP_E_CONFIG, trip_route_create, breaker, NULL, 0, &later.known, &route, &error);
    TELL_UNTIL_NO_MORE(trip_route_create, breaker, NULL, 0, NULL, &route, &error);
    TELL(TRIP_OK, trip_route_destroy, route);
    TELL(TRIP_E_HANDLE, trip_route_destroy, route);
}

/* There is one at a time: all other places are taken. */
static void begin_anew(void)
{
    trip_route_destroy(route);
    ck_assert_int_eq(trip_route_create(breaker, "acme", SIZE_MAX, NULL, &route, NULL), TRIP_OK);
}

static trip_circuit route_to(const char *provider)
{
    trip_circuit circuit = 0;
    begin_anew();
    TELL(TRIP_OK, trip_route_add, route, provider, SIZE_MAX, 1);
    TELL(TRIP_OK, trip_route_circuit, route, 0, &circuit);
    return circuit;
}

static trip_status ask(void)
{
    return note("trip_route_permit", trip_route_permit(route, NULL, 0, 0, &permit, &place, &refused));
}

/* From its only provider: each refusal, and no memory for a thread that has none of the library's yet. */
static void *ask_without_memory(void *unused)
{
    (void)unused;
    ck_assert_int_eq(ask(), TRIP_E_NOMEM);
    return NULL;
}

static void tell_permit(void)
{
    trip_circuit circuit = route_to("openai");
    TELL(TRIP_E_INVALID, trip_route_permit, route, NULL, 0, 0, NULL, &place, NULL);
    TELL(TRIP_E_HANDLE, trip_route_permit, 7, NULL, 0, 0, &permit, &place, NULL);
    ck_assert_int_eq(ask(), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_failure(permit), TRIP_OK);
    ck_assert_int_eq(ask(), TRIP_REJECTED_OPEN);
    ck_assert_int_eq(trip_tracker_advance(breaker, SECOND), TRIP_OK);
    ck_assert_int_eq(ask(), TRIP_OK);
    ck_assert_int_eq(ask(), TRIP_REJECTED_PROBING);
    ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
    trip_status status;
    while ((status = ask()) == TRIP_OK)
        ck_assert_int_eq(trip_permit_cancel(permit), TRIP_OK);
    ck_assert_int_eq(status, TRIP_REJECTED_RAMP);
    ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_FORCED_OPEN, 0, NULL, 0), TRIP_OK);
    ck_assert_int_eq(ask(), TRIP_REJECTED_FORCED);

    route_to("google");
    atomic_store(&allocations_left, 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_without_memory, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    atomic_store(&allocations_left, INT64_MAX);
    while ((status = ask()) == TRIP_OK)
        ;
    ck_assert_int_eq(status, TRIP_E_CAPACITY);
}

static void tell_circuit(void)
{
    trip_circuit circuit;
    route_to("anthropic");
    TELL(TRIP_E_INVALID, trip_route_circuit, route, 1, &circuit);
    TELL(TRIP_E_HANDLE, trip_route_circuit, 7, 0, &circuit);
    ck_assert_int_eq(trip_route_add(route, "mistral", SIZE_MAX, 1), TRIP_OK);
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_route_circuit, route, 1, &circuit);
    atomic_store(&allocations_left, INT64_MAX);
    for (int i = 0; i < CIRCUITS_MAX; i++) { /* none of which may go */
        char tenant[8];
        snprintf(tenant, sizeof tenant, "%d", i);
        trip_status status = trip_tracker_circuit(breaker, tenant, SIZE_MAX, "openai", SIZE_MAX, &circuit);
        if (status == TRIP_OK)
            fail_once(circuit);
    }
    TELL(TRIP_E_CAPACITY, trip_route_circuit, route, 1, &circuit);
}

static void tell_add(void)
{
    begin_anew();
    TELL(TRIP_E_INVALID, trip_route_add, route, "openai", SIZE_MAX, 0);
    TELL(TRIP_E_HANDLE, trip_route_add, 7, "openai", SIZE_MAX, 1);
    trip_status status;
    uint32_t number = 0;
    atomic_store(&allocations_left, 0);
    do
        status = trip_route_add(route, (char *)&number, sizeof number, 1);
    while (number++, status == TRIP_OK);
    if (status != TRIP_E_NOMEM) { /* there was room for short names; there is none for a long one */
        char name[255];
        memset(name, 'a', sizeof name);
        begin_anew();
        status = trip_route_add(route, name, sizeof name, 1);
    }
    ck_assert_int_eq(note("trip_route_add", status), TRIP_E_NOMEM);
    atomic_store(&allocations_left, INT64_MAX);
    while ((status = trip_route_add(route, (char *)&number, sizeof number, 1)) == TRIP_OK)
        number++;
    ck_assert_int_eq(note("trip_route_add", status), TRIP_E_CAPACITY);
}

static trip_tracker new_breaker(void)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    config.ramp_ns = SECOND;
    config.max_circuits = CIRCUITS_MAX;
    return tracker_with(&config);
}

void tell_routes(void)
{
    breaker = new_breaker();
    tell_config_init();
    tell_create();
    tell_add();
    tell_circuit();
    breaker = new_breaker();
    tell_permit();
}
