/* Plays the steps of retries through the public ABI and turns what they say into facts. Judges nothing but that outputs
   are untouched where nothing may be written. */
#include "policies.h"

#include "said.h"

#define UNWRITTEN UINT64_C(0x5afe5afe5afe5afe)

static trip_retry retry_argument(const scene *s, const json_t *step)
{
    return object_named(s, step, "retry", trip_retry_destroy)->handle;
}

static uint32_t attempt_argument(const scene *s, const json_t *step)
{
    json_int_t attempt = number_member(&s->where, step, "attempt");
    if (attempt > UINT32_MAX)
        wrong(&s->where, "\"attempt\" must fit 32 bits");
    return (uint32_t)attempt;
}

/* A number that is written on TRIP_OK, and only then. */
static void state_answer(const scene *s, trip_status status, const char *key, uint64_t number, facts *found)
{
    state_status(found, status);
    if (status == TRIP_OK)
        state_number(found, key, number);
    else if (number != UNWRITTEN)
        wrong(&s->where, "%s, and yet %s was written", trip_status_name(status), key);
}

void do_retry(scene *s, const json_t *step, facts *found)
{
    trip_retry_config config;
    if (trip_retry_config_init(&config, sizeof config) != TRIP_OK)
        wrong(&s->where, "trip_retry_config_init failed");
    read_config(&s->where, &retry_shape, member(&s->where, step, "config", JSON_OBJECT), &config);
    trip_retry retry = 0;
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_retry_create(s->tracker, &config, &retry, &error);
    state_error(&s->where, status, &error, &retry_shape, found);
    if (status == TRIP_OK)
        keep_object(s, step, retry, trip_retry_destroy);
    else if (retry != 0)
        wrong(&s->where, "%s, and yet out_retry was written", trip_status_name(status));
}

void do_delay_for(scene *s, const json_t *step, facts *found)
{
    uint64_t delay = UNWRITTEN;
    trip_status status = trip_retry_delay_for(retry_argument(s, step), attempt_argument(s, step), &delay);
    state_answer(s, status, "delay_ns", delay, found);
}

void do_retry_begin(scene *s, const json_t *step, facts *found)
{
    words provider = words_of(s, step, "provider");
    uint64_t began = UNWRITTEN;
    trip_status status = trip_retry_begin(retry_argument(s, step), provider.text, provider.len, &began);
    state_answer(s, status, "began_ns", began, found);
}

void do_retry_next(scene *s, const json_t *step, facts *found)
{
    words provider = words_of(s, step, "provider");
    trip_outcome outcome = outcome_argument(&s->where, step);
    uint64_t began = (uint64_t)number_member(&s->where, step, "began_ns"), delay = UNWRITTEN;
    trip_status status =
        trip_retry_next(retry_argument(s, step), provider.text, provider.len, attempt_argument(s, step), began,
                        number_if_any(&s->where, step, "last_delay_ns"), &outcome, &delay);
    state_answer(s, status, "delay_ns", delay, found);
}

void do_inspect_retry(scene *s, const json_t *step, facts *found)
{
    words provider = words_of(s, step, "provider");
    trip_retry_info info = {.struct_size = sizeof info};
    trip_status status = trip_retry_inspect(retry_argument(s, step), provider.text, provider.len, &info);
    state_status(found, status);
    if (status != TRIP_OK)
        return;
    state_number(found, "budget", info.budget);
    state_number(found, "calls", info.calls);
    state_number(found, "retries", info.retries);
    state_number(found, "refused", info.refused);
}
