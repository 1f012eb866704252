/* The statuses of gates and their tokens. */
#include "telling.h"

#include "child.h"
#include "seams.h"
#include "token.h"

static trip_gate gate;
static trip_token token;
static trip_shed shed = {.struct_size = sizeof shed};
static trip_error error = {.struct_size = sizeof error};

static trip_gate_config config_of(uint32_t capacity)
{
    trip_gate_config config;
    TELL(TRIP_OK, trip_gate_config_init, &config, sizeof config);
    config.capacity = capacity;
    return config;
}

static void make(uint32_t capacity)
{
    trip_gate_config config = config_of(capacity);
    TELL(TRIP_OK, trip_gate_create, 0, "pool", 4, &config, &gate, &error);
}

static void tell_create(void)
{
    struct {
        trip_gate_config known;
        uint64_t unknown;
    } later = {.known = config_of(1), .unknown = 1};
    trip_gate_config none = config_of(0);
    later.known.struct_size = sizeof later;
    TELL(TRIP_E_INVALID, trip_gate_config_init, NULL, sizeof none);
    atomic_store(&entropy_fails, 1);
    TELL(TRIP_E_SYSTEM, trip_gate_create, 0, "pool", 4, NULL, &gate, &error);
    atomic_store(&entropy_fails, 0);
    TELL(TRIP_E_INVALID, trip_gate_create, 0, "pool", 4, NULL, NULL, &error);
    TELL(TRIP_E_HANDLE, trip_gate_create, 7, "pool", 4, NULL, &gate, &error);
    TELL(TRIP_E_TOO_NEW, trip_gate_create, 0, "pool", 4, &later.known, &gate, &error);
    TELL(TRIP_E_CONFIG, trip_gate_create, 0, "pool", 4, &none, &gate, &error);
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_gate_create, 0, "pool", 4, NULL, &gate, &error);
    atomic_store(&allocations_left, INT64_MAX);
}

static void tell_too_many(void)
{
    trip_status status;
    while ((status = note("trip_gate_create", trip_gate_create(0, NULL, 0, NULL, &gate, NULL))) == TRIP_OK)
        ;
    ck_assert_int_eq(status, TRIP_E_CAPACITY);
}

static void tell_destroy(void)
{
    TELL(TRIP_OK, trip_gate_destroy, gate);
    TELL(TRIP_E_HANDLE, trip_gate_destroy, gate);
}

static void tell_acquire(void)
{
    trip_gate full;
    make(1);
    full = gate;
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_gate_acquire, full, &token, &shed);
    atomic_store(&allocations_left, INT64_MAX);
    TELL(TRIP_OK, trip_gate_acquire, full, &token, &shed);
    TELL(TRIP_SHED, trip_gate_acquire, full, &token, &shed);
    TELL(TRIP_E_INVALID, trip_gate_acquire, full, NULL, &shed);
    TELL(TRIP_E_HANDLE, trip_gate_acquire, 7, &token, &shed);
    make(TRIP_TOKENS_MAX);
    trip_status status;
    while ((status = note("trip_gate_acquire", trip_gate_acquire(gate, &token, &shed))) == TRIP_OK)
        ;
    ck_assert_int_eq(status, TRIP_E_CAPACITY);
    ck_assert_int_eq(trip_gate_destroy(gate), TRIP_OK);
    gate = full;
}

static void tell_inspect(void)
{
    trip_gate_info info = {.struct_size = sizeof info};
    TELL(TRIP_OK, trip_gate_inspect, gate, &info);
    TELL(TRIP_E_INVALID, trip_gate_inspect, gate, NULL);
    TELL(TRIP_E_HANDLE, trip_gate_inspect, 7, &info);
}

static int release_inherited(void *unused)
{
    (void)unused;
    return trip_token_release(token, TRIP_EFFECT_SUCCESS) == TRIP_STALE ? 0 : 1;
}

static void tell_release(void)
{
    make(1);
    ck_assert_int_eq(trip_gate_acquire(gate, &token, NULL), TRIP_OK);
    ck_assert_int_eq(in_child(release_inherited, NULL), 0);
    note("trip_token_release", TRIP_STALE);
    TELL(TRIP_E_INVALID, trip_token_release, token, 3);
    TELL(TRIP_OK, trip_token_release, token, TRIP_EFFECT_SUCCESS);
    TELL(TRIP_E_CONSUMED, trip_token_release, token, TRIP_EFFECT_SUCCESS);
    TELL(TRIP_E_HANDLE, trip_token_release, 7, TRIP_EFFECT_SUCCESS);
}

void tell_gates(void)
{
    tell_create();
    tell_acquire();
    tell_inspect();
    tell_release();
    tell_too_many();
    tell_destroy();
}
