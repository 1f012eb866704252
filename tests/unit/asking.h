/* Deduplicators, and what they say of keys, for the suites that are about them. */
#ifndef TRIP_TEST_ASKING_H
#define TRIP_TEST_ASKING_H

#include "fixture.h"

#define UNTOUCHED UINT64_C(0xA5A5A5A5A5A5A5A5)
#define YEAR (UINT64_C(365) * 86400 * SECOND)

static inline trip_dedup_config dedup_config(void)
{
    trip_dedup_config config;
    ck_assert_int_eq(trip_dedup_config_init(&config, sizeof config), TRIP_OK);
    return config;
}

static inline trip_dedup dedup_with(trip_tracker tracker, const trip_dedup_config *config)
{
    trip_dedup dedup = 0;
    trip_error error = {.struct_size = sizeof error};
    ck_assert_msg(trip_dedup_create(tracker, config, &dedup, &error) == TRIP_OK, "%s", error.message);
    return dedup;
}

static inline trip_dedup with_times(trip_tracker tracker, uint64_t lease, uint64_t ttl)
{
    trip_dedup_config config = dedup_config();
    config.lease_ns = lease;
    config.ttl_ns = ttl;
    return dedup_with(tracker, &config);
}

static inline trip_dedup_info seen(trip_dedup dedup)
{
    trip_dedup_info info = {.struct_size = sizeof info};
    ck_assert_int_eq(trip_dedup_inspect(dedup, &info), TRIP_OK);
    ck_assert_uint_eq(info.started, info.completed + info.failed + info.expired + info.in_progress);
    return info;
}

/* ---- What is said of a key --------------------------------------------------------------------------------------- */

typedef struct said {
    trip_status status;
    trip_ticket ticket;
    size_t len;
    char value[256];
} said;

typedef struct key {
    const char *text;
    size_t len;
} key;

static inline key named(const char *text)
{
    return (key){text, strlen(text)};
}

static inline key numbered(const uint32_t *number)
{
    return (key){(const char *)number, sizeof *number};
}

/* That nothing was written which the status does not call for. One assertion, for each of them takes its time. */
static inline said judged(said s)
{
    bool is_right =
        (s.status == TRIP_OK) == (s.ticket != UNTOUCHED) && (s.status == TRIP_CACHED) == (s.len != SIZE_MAX);
    size_t written = s.status == TRIP_CACHED && s.len <= sizeof s.value ? s.len : 0;
    for (size_t i = written; i < sizeof s.value; i++)
        is_right = is_right && s.value[i] == 0x5A;
    ck_assert_msg(is_right, "%s, and yet an output was written, or not", trip_status_name(s.status));
    return s;
}

static inline said nothing_said(void)
{
    said s = {.ticket = UNTOUCHED, .len = SIZE_MAX};
    memset(s.value, 0x5A, sizeof s.value);
    return s;
}

static inline said ask(trip_dedup dedup, key of)
{
    said s = nothing_said();
    s.status = trip_dedup_check(dedup, of.text, of.len, &s.ticket, s.value, sizeof s.value, &s.len);
    return judged(s);
}

static inline said wait_for(trip_dedup dedup, key of, uint64_t timeout_ns)
{
    said s = nothing_said();
    s.status = trip_dedup_wait(dedup, of.text, of.len, timeout_ns, &s.ticket, s.value, sizeof s.value, &s.len);
    return judged(s);
}

static inline trip_ticket ticket_for(trip_dedup dedup, key of)
{
    said s = ask(dedup, of);
    ck_assert_int_eq(s.status, TRIP_OK);
    return s.ticket;
}

static inline bool is_cached(trip_dedup dedup, key of, const char *value)
{
    said s = ask(dedup, of);
    return s.status == TRIP_CACHED && s.len == strlen(value) && memcmp(s.value, value, s.len) == 0;
}

static inline void bring(trip_dedup dedup, key of, const char *value)
{
    ck_assert_int_eq(trip_ticket_complete(ticket_for(dedup, of), value, strlen(value)), TRIP_OK);
}

static inline void pass(trip_tracker tracker, uint64_t ns)
{
    ck_assert_int_eq(trip_tracker_advance(tracker, ns), TRIP_OK);
}

#endif
