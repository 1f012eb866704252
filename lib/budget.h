/*
 * Budgets: how many retries the calls of a provider have earned, a token bucket for each provider. Calls put in, retries
 * take out; a bucket is full at first and holds no more than the burst. All of it is integers: at any time, exactly,
 * retries <= ratio * calls + burst. Source: the retry budget of Finagle, and the retry throttling of gRPC (gRFC A6).
 *
 * Providers are known by a keyed hash of their names: who chooses names cannot make them collide. They are found without
 * a lock; a new one takes the mutex it is given, and stays as long as the budgets do. When there are as many as may be,
 * or no memory for one, the rest share a bucket.
 */
#ifndef TRIP_BUDGET_H
#define TRIP_BUDGET_H

#include "siphash.h"
#include "trip.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct trip_budget {
    _Alignas(64) trip_hash name; /* fixed */
    _Atomic uint64_t tokens;     /* in 1/TRIP_BUDGET_RETRY */
    _Atomic uint64_t calls;
    _Atomic uint64_t retries;
    _Atomic uint64_t refused;
} trip_budget;

#define TRIP_BUDGET_RETRY UINT64_C(1000000000) /* what one retry takes: ratios are told in decimals */

typedef struct trip_budgets {
    uint64_t earned; /* by a call */
    uint64_t burst;
    uint32_t max_providers;
    uint32_t mask;
    _Atomic uint32_t providers;
    _Atomic(trip_budget *) *table; /* by the low bits of the hash, or the next free place; at most half full */
    trip_budget shared;
} trip_budgets;

/* Of a ratio and a burst in whole retries. False: no memory. */
bool trip_budgets_begin(trip_budgets *budgets, double ratio, uint32_t burst, uint32_t max_providers);
void trip_budgets_end(trip_budgets *budgets);

/* The budget of a provider: one that is there, or the shared one; the same, but made where there is room. */
trip_budget *trip_budget_find(trip_budgets *budgets, const char *provider, size_t provider_len);
trip_budget *trip_budget_get(trip_budgets *budgets, pthread_mutex_t *mutex, const char *provider, size_t provider_len);

/* A call earns. A retry takes: false, there is not enough for one. */
void trip_budget_earn(const trip_budgets *budgets, trip_budget *budget);
bool trip_budget_take(trip_budget *budget);

void trip_budget_tell(const trip_budget *budget, trip_retry_info *out_info);

#endif
