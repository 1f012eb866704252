/* What the suites about gates share. */
#ifndef TRIP_TEST_GATES_H
#define TRIP_TEST_GATES_H

#include "taking.h"

#include <pthread.h>
#include <stdatomic.h>

static inline trip_gate_config config_of(uint32_t capacity)
{
    trip_gate_config config;
    ck_assert_int_eq(trip_gate_config_init(&config, sizeof config), TRIP_OK);
    config.capacity = capacity;
    return config;
}

static inline trip_gate gate_with(trip_tracker tracker, const trip_gate_config *config)
{
    trip_gate gate = 0;
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_gate_create(tracker, "the pool", SIZE_MAX, config, &gate, &error);
    ck_assert_msg(status == TRIP_OK, "%s", error.message);
    return gate;
}

static inline trip_gate gate_of(uint32_t capacity)
{
    trip_gate_config config = config_of(capacity);
    return gate_with(0, &config);
}

static inline trip_token acquired(trip_gate gate)
{
    trip_token token = 0;
    ck_assert_int_eq(trip_gate_acquire(gate, &token, NULL), TRIP_OK);
    return token;
}

static inline void released(trip_token token)
{
    ck_assert_int_eq(trip_token_release(token, TRIP_EFFECT_SUCCESS), TRIP_OK);
}

static inline trip_gate_info look(trip_gate gate)
{
    trip_gate_info info = {.struct_size = sizeof info};
    ck_assert_int_eq(trip_gate_inspect(gate, &info), TRIP_OK);
    return info;
}

enum { THREADS = 50, ROUNDS = 2000, PLACES = 7 };

/* Who is inside a gate, counted by those who are. */
typedef struct crowd {
    trip_gate gate;
    _Atomic int32_t inside;
    _Atomic int32_t most;
    _Atomic uint64_t admitted, refused;
    _Atomic uint64_t wrong;
} crowd;

static inline void come_in(crowd *c)
{
    int32_t now = atomic_fetch_add(&c->inside, 1) + 1, most = atomic_load(&c->most);
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
        ;
}

static inline void all_at_once(void *(*what)(void *), void *with)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, what, with), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

#endif
