/* Plays the steps of routes through the public ABI and turns what they say into facts. Judges nothing but that outputs are
   untouched where nothing may be written. */
#include "policies.h"

#include "names.h"

static trip_route route_argument(const scene *s, const json_t *step)
{
    return object_named(s, step, "route", trip_route_destroy)->handle;
}

static trip_status add(scene *s, trip_route route, const json_t *step)
{
    words provider = words_of(s, step, "provider");
    json_int_t weight = json_object_get(step, "weight") == NULL ? 1 : number_member(&s->where, step, "weight");
    if (weight > UINT32_MAX)
        wrong(&s->where, "\"weight\" must fit 32 bits");
    return trip_route_add(route, provider.text, provider.len, (uint32_t)weight);
}

/* What the step says of its providers, be there a route for them or not. */
static const json_t *providers_of(const scene *s, const json_t *step)
{
    static const char *const keys[] = {"provider", "weight"};
    const json_t *providers = member(&s->where, step, "providers", JSON_ARRAY);
    for (size_t i = 0; i < json_array_size(providers); i++)
        only_keys(&s->where, json_array_get(providers, i), keys, 2);
    return providers;
}

/* TRIP_OK, or what the first of the providers that is not added gets. */
static trip_status add_all(scene *s, trip_route route, const json_t *providers)
{
    trip_status status = TRIP_OK;
    for (size_t i = 0; i < json_array_size(providers) && status == TRIP_OK; i++)
        status = add(s, route, json_array_get(providers, i));
    return status;
}

void do_route(scene *s, const json_t *step, facts *found)
{
    trip_route_config config;
    if (trip_route_config_init(&config, sizeof config) != TRIP_OK)
        wrong(&s->where, "trip_route_config_init failed");
    read_config(&s->where, &route_shape, member(&s->where, step, "config", JSON_OBJECT), &config);
    const json_t *providers = providers_of(s, step);
    words tenant = words_of(s, step, "tenant");
    trip_route route = 0;
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_route_create(s->tracker, tenant.text, tenant.len, &config, &route, &error);
    if (status != TRIP_OK) {
        state_error(&s->where, status, &error, &route_shape, found);
        if (route != 0)
            wrong(&s->where, "%s, and yet out_route was written", trip_status_name(status));
        return;
    }
    keep_object(s, step, route, trip_route_destroy);
    state_status(found, add_all(s, route, providers));
}

void do_route_add(scene *s, const json_t *step, facts *found)
{
    state_status(found, add(s, route_argument(s, step), step));
}

void do_route_permit(scene *s, const json_t *step, facts *found)
{
    words session = words_if_any(s, step, "session");
    trip_permit permit = 0;
    uint32_t index = UINT32_MAX;
    trip_rejection refused = unwritten;
    trip_status status = trip_route_permit(route_argument(s, step), session.text, session.len,
                                           number_if_any(&s->where, step, "avoid"), &permit, &index, &refused);
    state_rejection(&s->where, status, &refused, found);
    if (status == TRIP_OK) {
        state_number(found, "index", index);
        name_handle(&s->where, s->permits, step, permit);
    } else if (permit != 0 || index != UINT32_MAX) {
        wrong(&s->where, "%s, and yet an output was written", trip_status_name(status));
    }
}

void do_route_circuit(scene *s, const json_t *step, facts *found)
{
    json_int_t index = number_member(&s->where, step, "index");
    if (index > UINT32_MAX)
        wrong(&s->where, "\"index\" must fit 32 bits");
    trip_circuit circuit = 0;
    trip_status status = trip_route_circuit(route_argument(s, step), (uint32_t)index, &circuit);
    state_circuit(s, step, status, circuit, found);
}
