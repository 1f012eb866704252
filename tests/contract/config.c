/* Reads configs strictly: every key is a field of its struct, every value fits it or is one that it must refuse. */
#include "config.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef enum field_type { U32, U64, S32, S64, RATIO } field_type;

typedef struct field {
    const char *name;
    size_t offset;
    field_type type;
    const char *selects; /* what the names of its values begin with; NULL: they have none */
} field;

struct config_shape {
    const field *fields;
    size_t count;
};

#define FIELD(name, type)                                                                                              \
    {                                                                                                                  \
#name, offsetof(STRUCT, name), type, NULL                                                                      \
    }
#define SELECTOR(name, prefix)                                                                                         \
    {                                                                                                                  \
#name, offsetof(STRUCT, name), U32, prefix                                                                     \
    }
#define EFFECT(name) SELECTOR(name, "TRIP_EFFECT_")
#define SHAPE(fields)                                                                                                  \
    {                                                                                                                  \
        fields, sizeof(fields) / sizeof *(fields)                                                                      \
    }

#define STRUCT trip_config
static const field tracker_fields[] = {
    FIELD(failure_threshold, U32),
    FIELD(initial_open_ns, U64),
    FIELD(max_open_ns, U64),
    FIELD(backoff_multiplier, RATIO),
    SELECTOR(backoff, "TRIP_BACKOFF_"),
    FIELD(half_open_max_probes, U32),
    FIELD(half_open_successes, U32),
    SELECTOR(on_drop, "TRIP_DROP_"),
    FIELD(probe_lease_ns, U64),
    FIELD(probe_retry_ns, U64),
    FIELD(jitter, RATIO),
    SELECTOR(clock, "TRIP_CLOCK_"),
    FIELD(max_circuits, U32),
    EFFECT(on_server_error),
    EFFECT(on_rate_limited),
    EFFECT(on_overloaded),
    EFFECT(on_network),
    EFFECT(on_timeout),
    EFFECT(on_quota),
    EFFECT(on_auth),
    EFFECT(on_invalid_request),
    EFFECT(on_context_overflow),
    EFFECT(on_not_found),
    EFFECT(on_content_filtered),
    EFFECT(on_cancelled),
    EFFECT(on_unknown),
    FIELD(half_open_probes, U32),
    FIELD(quota_open_ns, U64),
    FIELD(max_retry_after_ns, U64),
    FIELD(slow_call_ns, U64),
    FIELD(count_window, U32),
    FIELD(count_minimum, U32),
    FIELD(count_failure_ratio, RATIO),
    FIELD(count_slow_ratio, RATIO),
    FIELD(time_window_ns, U64),
    FIELD(time_buckets, U32),
    FIELD(time_minimum, U32),
    FIELD(time_failure_ratio, RATIO),
    FIELD(time_slow_ratio, RATIO),
    FIELD(hang_ns, U64),
    FIELD(hang_calls, U32),
    FIELD(ramp_steps, U32),
    FIELD(ramp_ns, U64),
    FIELD(stall_ns, U64),
};
const config_shape tracker_shape = SHAPE(tracker_fields);
#undef STRUCT

#define STRUCT trip_retry_config
static const field retry_fields[] = {
    FIELD(max_attempts, U32), FIELD(base_delay_ns, U64),        FIELD(max_delay_ns, U64),
    FIELD(multiplier, RATIO), SELECTOR(jitter, "TRIP_JITTER_"), FIELD(max_providers, U32),
    FIELD(seed, U64),         FIELD(max_retry_after_ns, U64),   FIELD(deadline_ns, U64),
    FIELD(classes, U64),      FIELD(budget_ratio, RATIO),       FIELD(budget_burst, U32),
};
const config_shape retry_shape = SHAPE(retry_fields);
#undef STRUCT

#define STRUCT trip_dedup_config
static const field dedup_fields[] = {
    FIELD(max_entries, U32),
    FIELD(max_bytes, U64),
    FIELD(lease_ns, U64),
    FIELD(ttl_ns, U64),
};
const config_shape dedup_shape = SHAPE(dedup_fields);
#undef STRUCT

#define STRUCT trip_gate_config
static const field gate_fields[] = {
    FIELD(capacity, U32),   FIELD(soft_limit, U32),    SELECTOR(adapt, "TRIP_ADAPT_"),
    FIELD(min_limit, U32),  FIELD(initial_limit, U32), FIELD(latency_ns, U64),
    FIELD(decrease, RATIO), FIELD(tolerance, RATIO),   FIELD(smoothing, RATIO),
};
const config_shape gate_shape = SHAPE(gate_fields);
#undef STRUCT

#define STRUCT trip_route_config
static const field route_fields[] = {
    SELECTOR(order, "TRIP_ORDER_"),
    SELECTOR(fallback, "TRIP_FALLBACK_"),
    FIELD(seed, U64),
};
const config_shape route_shape = SHAPE(route_fields);
#undef STRUCT

#define STRUCT trip_guard_config
static const field guard_fields[] = {
    SELECTOR(rule, "TRIP_RULE_"),
    FIELD(refused_result, S64),
    FIELD(refused_double, RATIO),
    FIELD(refused_errno, S32),
};
const config_shape guard_shape = SHAPE(guard_fields);
#undef STRUCT

#define NAMED(constant)                                                                                                \
    {                                                                                                                  \
#constant, constant                                                                                            \
    }
static const struct selector {
    const char *name;
    uint32_t number;
} selectors[] = {
    NAMED(TRIP_BACKOFF_FIRST),       NAMED(TRIP_BACKOFF_COMPOUND), NAMED(TRIP_DROP_FAILURE),
    NAMED(TRIP_DROP_CANCEL),         NAMED(TRIP_CLOCK_MONOTONIC),  NAMED(TRIP_CLOCK_MANUAL),
    NAMED(TRIP_EFFECT_FAILURE),      NAMED(TRIP_EFFECT_SUCCESS),   NAMED(TRIP_EFFECT_NOTHING),
    NAMED(TRIP_JITTER_NONE),         NAMED(TRIP_JITTER_FULL),      NAMED(TRIP_JITTER_EQUAL),
    NAMED(TRIP_JITTER_DECORRELATED), NAMED(TRIP_ADAPT_NONE),       NAMED(TRIP_ADAPT_AIMD),
    NAMED(TRIP_ADAPT_GRADIENT),      NAMED(TRIP_ORDER_LISTED),     NAMED(TRIP_ORDER_WEIGHTED),
    NAMED(TRIP_FALLBACK_REFUSE),     NAMED(TRIP_FALLBACK_ONE),     NAMED(TRIP_RULE_NEGATIVE_FAILS),
    NAMED(TRIP_RULE_ZERO_SUCCEEDS),  NAMED(TRIP_RULE_ZERO_FAILS),  NAMED(TRIP_RULE_ERRNO),
    NAMED(TRIP_RULE_CLASSIFIER),
};

uint32_t selected(const place *where, const char *key, const char *prefix, const char *name)
{
    bool is_of_it = prefix != NULL && strncmp(name, prefix, strlen(prefix)) == 0;
    for (size_t i = 0; i < sizeof selectors / sizeof selectors[0]; i++)
        if (is_of_it && strcmp(selectors[i].name, name) == 0)
            return selectors[i].number;
    wrong(where, "\"%s\" is no value of %s", name, key);
}

static double ratio_of(const place *where, const char *key, const json_t *value)
{
    if (json_is_number(value))
        return json_number_value(value);
    const char *name = json_is_string(value) ? json_string_value(value) : "";
    if (strcmp(name, "NaN") == 0)
        return (double)NAN;
    if (strcmp(name, "Infinity") == 0)
        return (double)INFINITY;
    if (strcmp(name, "-Infinity") == 0)
        return -(double)INFINITY;
    wrong(where, "config: %s must be a number, \"NaN\", \"Infinity\" or \"-Infinity\"", key);
}

static json_int_t integer_of(const place *where, const char *key, const json_t *value, json_int_t min, json_int_t max)
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < min || number > max)
        wrong(where, "config: %s must be an integer that fits its type", key);
    return number;
}

static uint32_t u32_of(const place *where, const field *f, const json_t *value)
{
    return json_is_string(value) ? selected(where, f->name, f->selects, json_string_value(value))
                                 : (uint32_t)integer_of(where, f->name, value, 0, UINT32_MAX);
}

static void set_field(const place *where, void *config, const field *f, const json_t *value)
{
    union {
        double ratio;
        uint64_t u64;
        int64_t s64;
        uint32_t u32;
        int32_t s32;
    } number;
    size_t size = f->type == U32 || f->type == S32 ? sizeof(uint32_t) : sizeof(uint64_t);
    switch (f->type) {
    case U32:
        number.u32 = u32_of(where, f, value);
        break;
    case U64:
        number.u64 = (uint64_t)integer_of(where, f->name, value, 0, INT64_MAX);
        break;
    case S32:
        number.s32 = (int32_t)integer_of(where, f->name, value, INT32_MIN, INT32_MAX);
        break;
    case S64:
        number.s64 = integer_of(where, f->name, value, INT64_MIN, INT64_MAX);
        break;
    case RATIO:
        number.ratio = ratio_of(where, f->name, value);
    }
    memcpy((char *)config + f->offset, &number, size);
}

static const field *field_named(const config_shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->count; i++)
        if (strcmp(shape->fields[i].name, name) == 0)
            return &shape->fields[i];
    return NULL;
}

void read_config(const place *where, const config_shape *shape, const json_t *json, void *config)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        const field *f = field_named(shape, key);
        if (f == NULL)
            wrong(where, "config: unknown key \"%s\"", key);
        set_field(where, config, f, value);
    }
}

trip_config config_of(const place *where, const json_t *json)
{
    trip_config config;
    if (trip_config_init(&config, sizeof config) != TRIP_OK)
        wrong(where, "trip_config_init failed");
    config.clock = TRIP_CLOCK_MANUAL;
    read_config(where, &tracker_shape, json, &config);
    return config;
}

const char *field_at(const config_shape *shape, uint32_t offset)
{
    for (size_t i = 0; i < shape->count; i++)
        if (shape->fields[i].offset == offset)
            return shape->fields[i].name;
    return "none";
}
