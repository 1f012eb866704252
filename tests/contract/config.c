/* Reads configs strictly: every key is a field of trip_config, every value fits it or is one that it must refuse. */
#include "config.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef enum field_type { U32, U64, RATIO } field_type;

typedef struct field {
    const char *name;
    size_t offset;
    field_type type;
    const char *selects; /* what the names of its values begin with; NULL: they have none */
} field;

#define FIELD(name, type)                                                                                              \
    {                                                                                                                  \
#name, offsetof(trip_config, name), type, NULL                                                                 \
    }
#define SELECTOR(name, prefix)                                                                                         \
    {                                                                                                                  \
#name, offsetof(trip_config, name), U32, prefix                                                                \
    }
#define EFFECT(name) SELECTOR(name, "TRIP_EFFECT_")
static const field fields[] = {
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
#define FIELD_COUNT (sizeof fields / sizeof fields[0])

static const struct selector {
    const char *name;
    uint32_t number;
} selectors[] = {
    {"TRIP_BACKOFF_FIRST", TRIP_BACKOFF_FIRST},     {"TRIP_BACKOFF_COMPOUND", TRIP_BACKOFF_COMPOUND},
    {"TRIP_DROP_FAILURE", TRIP_DROP_FAILURE},       {"TRIP_DROP_CANCEL", TRIP_DROP_CANCEL},
    {"TRIP_CLOCK_MONOTONIC", TRIP_CLOCK_MONOTONIC}, {"TRIP_CLOCK_MANUAL", TRIP_CLOCK_MANUAL},
    {"TRIP_EFFECT_FAILURE", TRIP_EFFECT_FAILURE},   {"TRIP_EFFECT_SUCCESS", TRIP_EFFECT_SUCCESS},
    {"TRIP_EFFECT_NOTHING", TRIP_EFFECT_NOTHING},
};

static uint32_t selected(const place *where, const field *f, const char *name)
{
    bool is_of_it = f->selects != NULL && strncmp(name, f->selects, strlen(f->selects)) == 0;
    for (size_t i = 0; i < sizeof selectors / sizeof selectors[0]; i++)
        if (is_of_it && strcmp(selectors[i].name, name) == 0)
            return selectors[i].number;
    wrong(where, "config: \"%s\" is no value of %s", name, f->name);
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

static uint64_t integer_of(const place *where, const char *key, const json_t *value, uint64_t max)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max)
        wrong(where, "config: %s must be an integer that fits its type", key);
    return (uint64_t)json_integer_value(value);
}

static void set_field(const place *where, trip_config *config, const field *f, const json_t *value)
{
    char *at = (char *)config + f->offset;
    if (f->type == RATIO) {
        double ratio = ratio_of(where, f->name, value);
        memcpy(at, &ratio, sizeof ratio);
    } else if (f->type == U64) {
        uint64_t ns = integer_of(where, f->name, value, UINT64_MAX);
        memcpy(at, &ns, sizeof ns);
    } else {
        uint32_t number = json_is_string(value) ? selected(where, f, json_string_value(value))
                                                : (uint32_t)integer_of(where, f->name, value, UINT32_MAX);
        memcpy(at, &number, sizeof number);
    }
}

static const field *field_named(const char *name)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

trip_config config_of(const place *where, const json_t *json)
{
    trip_config config;
    if (trip_config_init(&config, sizeof config) != TRIP_OK)
        wrong(where, "trip_config_init failed");
    config.clock = TRIP_CLOCK_MANUAL;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        const field *f = field_named(key);
        if (f == NULL)
            wrong(where, "config: unknown key \"%s\"", key);
        set_field(where, &config, f, value);
    }
    return config;
}

const char *config_field_name(uint32_t offset)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (fields[i].offset == offset)
            return fields[i].name;
    return "none";
}
