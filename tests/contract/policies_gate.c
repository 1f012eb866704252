/* Plays the steps of gates through the public ABI and turns what they say into facts. Judges nothing but that outputs are
   untouched where nothing may be written. */
#include "policies.h"

#include "names.h"

#include <string.h>

static trip_gate gate_argument(const scene *s, const json_t *step)
{
    return object_named(s, step, "gate", trip_gate_destroy)->handle;
}

void do_gate(scene *s, const json_t *step, facts *found)
{
    trip_gate_config config;
    if (trip_gate_config_init(&config, sizeof config) != TRIP_OK)
        wrong(&s->where, "trip_gate_config_init failed");
    read_config(&s->where, &gate_shape, member(&s->where, step, "config", JSON_OBJECT), &config);
    words name = words_if_any(s, step, "name");
    trip_gate gate = 0;
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_gate_create(s->tracker, name.text, name.len, &config, &gate, &error);
    state_error(&s->where, status, &error, &gate_shape, found);
    if (status == TRIP_OK)
        keep_object(s, step, gate, trip_gate_destroy);
    else if (gate != 0)
        wrong(&s->where, "%s, and yet out_gate was written", trip_status_name(status));
}

void do_acquire(scene *s, const json_t *step, facts *found)
{
    static const trip_shed not_shed = {.struct_size = sizeof not_shed, .status = INT32_MAX};
    trip_shed shed = not_shed;
    trip_token token = 0;
    trip_status status = trip_gate_acquire(gate_argument(s, step), &token, &shed);
    state_status(found, status);
    if (status == TRIP_OK)
        name_handle(&s->where, s->tokens, step, token);
    else if (token != 0)
        wrong(&s->where, "%s, and yet out_token was written", trip_status_name(status));
    if (status != TRIP_SHED) {
        if (memcmp(&shed, &not_shed, sizeof shed) != 0)
            wrong(&s->where, "%s, and yet out_shed was written", trip_status_name(status));
        return;
    }
    if (shed.status != status)
        wrong(&s->where, "TRIP_SHED, but out_shed says %s", trip_status_name(shed.status));
    state_number(found, "depth", shed.depth);
    state_number(found, "limit", shed.limit);
    state_number(found, "capacity", shed.capacity);
}

void do_release(scene *s, const json_t *step, facts *found)
{
    uint32_t effect = TRIP_EFFECT_SUCCESS;
    if (json_object_get(step, "effect") != NULL)
        effect = selected(&s->where, "effect", "TRIP_EFFECT_", text_member(&s->where, step, "effect"));
    state_status(found, trip_token_release(named_by(&s->where, s->tokens, step, "token"), effect));
}

void do_inspect_gate(scene *s, const json_t *step, facts *found)
{
    trip_gate_info info = {.struct_size = sizeof info};
    trip_status status = trip_gate_inspect(gate_argument(s, step), &info);
    state_status(found, status);
    if (status != TRIP_OK)
        return;
    state_number(found, "depth", info.depth);
    state_number(found, "limit", info.limit);
    state_number(found, "capacity", info.capacity);
    state_number(found, "soft_limit", info.soft_limit);
    state_number(found, "soft_depth_percent", (uint64_t)(info.soft_depth_ratio * 100 + 0.5));
    state_number(found, "acquired", info.acquired);
    state_number(found, "released", info.released);
    state_number(found, "shed", info.shed);
    state_number(found, "latency_ns", info.latency_ns);
}
