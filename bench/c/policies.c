/* libtrip's parts around the permit, called from C through its shared library. Owns how each column uses them. */
#include "policies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trip.h>

#define CAPACITY 64

static void *kept(const void *subject, size_t size)
{
    void *made = malloc(size);
    bench_require(made != NULL, "out of memory");
    return memcpy(made, subject, size);
}

/* ---- Gates ------------------------------------------------------------------------------------------------------- */

static trip_gate gate_of(uint32_t adapt)
{
    trip_gate gate = 0;
    trip_gate_config config;
    trip_gate_config_init(&config, sizeof config);
    config.capacity = CAPACITY;
    config.adapt = adapt;
    bench_require(trip_gate_create(0, NULL, 0, &config, &gate, NULL) == TRIP_OK, "no gate");
    return gate;
}

/* The threads of a column meet at one gate. */
void *prepare_gate(const bench_column *column, uint32_t thread)
{
    static trip_gate shared;
    (void)column, (void)thread;
    if (shared == 0)
        shared = gate_of(TRIP_ADAPT_NONE);
    return kept(&shared, sizeof shared);
}

void *prepare_gate_gradient(const bench_column *column, uint32_t thread)
{
    (void)column, (void)thread;
    trip_gate gate = gate_of(TRIP_ADAPT_GRADIENT);
    return kept(&gate, sizeof gate);
}

void *prepare_gate_full(const bench_column *column, uint32_t thread)
{
    (void)column, (void)thread;
    trip_gate gate = gate_of(TRIP_ADAPT_NONE);
    trip_token token;
    for (uint32_t i = 0; i < CAPACITY; i++)
        bench_require(trip_gate_acquire(gate, &token, NULL) == TRIP_OK, "no token");
    return kept(&gate, sizeof gate);
}

uint64_t run_gate(void *given, uint64_t calls)
{
    trip_gate gate = *(trip_gate *)given;
    trip_shed shed = {.struct_size = sizeof shed};
    trip_token token = 0;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++) {
        wrong += trip_gate_acquire(gate, &token, &shed) != TRIP_OK;
        wrong += trip_token_release(token, TRIP_EFFECT_SUCCESS) != TRIP_OK;
    }
    return wrong;
}

uint64_t run_gate_full(void *given, uint64_t calls)
{
    trip_gate gate = *(trip_gate *)given;
    trip_shed shed = {.struct_size = sizeof shed};
    trip_token token;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++)
        wrong += trip_gate_acquire(gate, &token, &shed) != TRIP_SHED;
    return wrong;
}

/* ---- Deduplication ----------------------------------------------------------------------------------------------- */

#define KEYS 16384 /* so many come round that each is long evicted when it does */
#define ENTRIES 1024
#define HIT_KEY "the key that is there"
#define VALUE_LEN 100

typedef struct dedup_subject {
    trip_dedup dedup;
    char (*keys)[16];
    uint32_t next;
} dedup_subject;

static const char value[VALUE_LEN] = "what the provider said";

static trip_ticket ticket_for(trip_dedup dedup, const char *key, size_t key_len)
{
    trip_ticket ticket = 0;
    char room[VALUE_LEN];
    size_t len;
    return trip_dedup_check(dedup, key, key_len, &ticket, room, sizeof room, &len) == TRIP_OK ? ticket : 0;
}

uint64_t run_dedup_new(void *given, uint64_t calls)
{
    dedup_subject *on = given;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++) {
        const char *key = on->keys[on->next++ % KEYS];
        trip_ticket ticket = ticket_for(on->dedup, key, strlen(key));
        wrong += trip_ticket_complete(ticket, value, VALUE_LEN) != TRIP_OK;
    }
    return wrong;
}

void *prepare_dedup(const bench_column *column, uint32_t thread)
{
    dedup_subject on = {.dedup = 0};
    trip_dedup_config config;
    (void)column, (void)thread;
    trip_dedup_config_init(&config, sizeof config);
    config.max_entries = ENTRIES;
    bench_require(trip_dedup_create(0, &config, &on.dedup, NULL) == TRIP_OK, "no deduplicator");
    on.keys = calloc(KEYS, sizeof *on.keys);
    bench_require(on.keys != NULL, "out of memory");
    for (int i = 0; i < KEYS; i++)
        snprintf(on.keys[i], sizeof *on.keys, "call %d", i);
    bench_require(run_dedup_new(&on, ENTRIES - 1) == 0, "no entries");
    trip_ticket ticket = ticket_for(on.dedup, HIT_KEY, sizeof HIT_KEY - 1);
    bench_require(trip_ticket_complete(ticket, value, VALUE_LEN) == TRIP_OK, "no value");
    return kept(&on, sizeof on);
}

uint64_t run_dedup_hit(void *given, uint64_t calls)
{
    const dedup_subject *on = given;
    trip_ticket ticket;
    char room[VALUE_LEN];
    size_t len;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++)
        wrong +=
            trip_dedup_check(on->dedup, HIT_KEY, sizeof HIT_KEY - 1, &ticket, room, sizeof room, &len) != TRIP_CACHED;
    return wrong;
}

/* ---- Routes ------------------------------------------------------------------------------------------------------ */

void *prepare_route(const bench_column *column, uint32_t thread)
{
    static const char *const providers[] = {"openai", "anthropic", "google"};
    trip_tracker tracker = 0;
    trip_route route = 0;
    (void)column, (void)thread;
    bench_require(trip_tracker_create(NULL, &tracker, NULL) == TRIP_OK, "no tracker");
    bench_require(trip_route_create(tracker, "acme", SIZE_MAX, NULL, &route, NULL) == TRIP_OK, "no route");
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        bench_require(trip_route_add(route, providers[i], SIZE_MAX, 1) == TRIP_OK, "no provider");
    return kept(&route, sizeof route);
}

static uint64_t run_route_as(trip_route route, const char *session, size_t session_len, uint64_t calls)
{
    trip_rejection refused = {.struct_size = sizeof refused};
    trip_permit permit = 0;
    uint32_t index;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < calls; i++) {
        wrong += trip_route_permit(route, session, session_len, 0, &permit, &index, &refused) != TRIP_OK;
        wrong += trip_permit_record_success(permit) != TRIP_OK;
    }
    return wrong;
}

uint64_t run_route(void *given, uint64_t calls)
{
    return run_route_as(*(trip_route *)given, NULL, 0, calls);
}

uint64_t run_route_session(void *given, uint64_t calls)
{
    static const char session[] = "a conversation";
    return run_route_as(*(trip_route *)given, session, sizeof session - 1, calls);
}

/* ---- Retries ----------------------------------------------------------------------------------------------------- */

void *prepare_retry(const bench_column *column, uint32_t thread)
{
    trip_retry retry = 0;
    trip_retry_config config;
    (void)column, (void)thread;
    trip_retry_config_init(&config, sizeof config);
    config.budget_ratio = 1; /* as many as are asked for */
    bench_require(trip_retry_create(0, &config, &retry, NULL) == TRIP_OK, "no rule");
    return kept(&retry, sizeof retry);
}

/* A call whose first attempt fails. */
uint64_t run_retry(void *given, uint64_t calls)
{
    static const char provider[] = "openai";
    const size_t len = sizeof provider - 1;
    trip_retry retry = *(trip_retry *)given;
    trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = TRIP_CLASS_OVERLOADED};
    uint64_t began, delay, wrong = 0;
    for (uint64_t i = 0; i < calls; i++) {
        wrong += trip_retry_begin(retry, provider, len, &began) != TRIP_OK;
        wrong += trip_retry_next(retry, provider, len, 1, began, 0, &outcome, &delay) != TRIP_OK;
    }
    return wrong;
}
