/* Plays the steps of deduplicators through the public ABI and turns what they say into facts. Judges nothing but that
   outputs are untouched where nothing may be written. */
#include "policies.h"

#include "names.h"

#define VALUE_MAX 1000000 /* of a repeated text: place.c */

static trip_dedup dedup_argument(const scene *s, const json_t *step)
{
    return object_named(s, step, "dedup", trip_dedup_destroy)->handle;
}

static trip_ticket ticket_argument(const scene *s, const json_t *step)
{
    return named_by(&s->where, s->tickets, step, "ticket");
}

void do_dedup(scene *s, const json_t *step, facts *found)
{
    trip_dedup_config config;
    if (trip_dedup_config_init(&config, sizeof config) != TRIP_OK)
        wrong(&s->where, "trip_dedup_config_init failed");
    read_config(&s->where, &dedup_shape, member(&s->where, step, "config", JSON_OBJECT), &config);
    trip_dedup dedup = 0;
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_dedup_create(s->tracker, &config, &dedup, &error);
    state_error(&s->where, status, &error, &dedup_shape, found);
    if (status == TRIP_OK)
        keep_object(s, step, dedup, trip_dedup_destroy);
    else if (dedup != 0)
        wrong(&s->where, "%s, and yet out_dedup was written", trip_status_name(status));
}

static char value[VALUE_MAX]; /* room for any: to ask twice would count twice */

static void state_call(scene *s, const json_t *step, trip_status status, trip_ticket ticket, size_t len, facts *found)
{
    state_status(found, status);
    if (status == TRIP_OK)
        name_handle(&s->where, s->tickets, step, ticket);
    else if (ticket != 0)
        wrong(&s->where, "%s, and yet out_ticket was written", trip_status_name(status));
    if (status == TRIP_CACHED && len <= sizeof value)
        state_bytes(s, found, "value", value, len);
    else if (len != SIZE_MAX)
        wrong(&s->where, "%s, and yet out_len was written", trip_status_name(status));
}

void do_check(scene *s, const json_t *step, facts *found)
{
    words key = words_of(s, step, "key");
    trip_ticket ticket = 0;
    size_t len = SIZE_MAX;
    trip_status status =
        trip_dedup_check(dedup_argument(s, step), key.text, key.len, &ticket, value, sizeof value, &len);
    state_call(s, step, status, ticket, len, found);
}

void do_wait(scene *s, const json_t *step, facts *found)
{
    words key = words_of(s, step, "key");
    uint64_t timeout = (uint64_t)number_member(&s->where, step, "timeout_ns");
    trip_ticket ticket = 0;
    size_t len = SIZE_MAX;
    trip_status status =
        trip_dedup_wait(dedup_argument(s, step), key.text, key.len, timeout, &ticket, value, sizeof value, &len);
    state_call(s, step, status, ticket, len, found);
}

void do_complete(scene *s, const json_t *step, facts *found)
{
    words brought = words_of(s, step, "value");
    state_status(found, trip_ticket_complete(ticket_argument(s, step), brought.text, brought.len));
}

void do_fail(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_ticket_fail(ticket_argument(s, step)));
}

void do_drop_ticket(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_ticket_drop(ticket_argument(s, step)));
}

void do_renew_ticket(scene *s, const json_t *step, facts *found)
{
    state_status(found, trip_ticket_renew(ticket_argument(s, step)));
}

void do_forget(scene *s, const json_t *step, facts *found)
{
    words key = words_of(s, step, "key");
    state_status(found, trip_dedup_forget(dedup_argument(s, step), key.text, key.len));
}

void do_inspect_dedup(scene *s, const json_t *step, facts *found)
{
    trip_dedup_info info = {.struct_size = sizeof info};
    trip_status status = trip_dedup_inspect(dedup_argument(s, step), &info);
    state_status(found, status);
    if (status != TRIP_OK)
        return;
    state_number(found, "in_progress", info.in_progress);
    state_number(found, "cached", info.cached);
    state_number(found, "bytes", info.bytes);
    state_number(found, "started", info.started);
    state_number(found, "hits", info.hits);
    state_number(found, "joined", info.joined);
    state_number(found, "completed", info.completed);
    state_number(found, "failed", info.failed);
    state_number(found, "expired", info.expired);
    state_number(found, "evicted", info.evicted);
}
