/* Routes. */
#include "abi.h"
#include "config.h"
#include "kinds.h"

typedef struct place {
    trip_object object;
} place;

static void end(trip_object *object)
{
    (void)object;
}

static _Atomic(char *) chunks[TRIP_OBJECT_CHUNKS];
trip_object_kind trip_routes = TRIP_OBJECT_KIND(TRIP_KIND_ROUTE, place, end, NULL, chunks);

trip_status trip_route_config_init(trip_route_config *out_config, size_t struct_size)
{
    (void)out_config;
    (void)struct_size;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_route_create(trip_tracker tracker, const char *tenant, size_t tenant_len,
                              const trip_route_config *config, trip_route *out_route, trip_error *out_error)
{
    (void)tracker;
    (void)tenant;
    (void)tenant_len;
    (void)config;
    (void)out_route;
    (void)out_error;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_route_destroy(trip_route route)
{
    (void)route;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_route_add(trip_route route, const char *provider, size_t provider_len, uint32_t weight)
{
    (void)route;
    (void)provider;
    (void)provider_len;
    (void)weight;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_route_permit(trip_route route, const char *session, size_t session_len, uint64_t avoid,
                              trip_permit *out_permit, uint32_t *out_index, trip_rejection *out_rejection)
{
    (void)route;
    (void)session;
    (void)session_len;
    (void)avoid;
    (void)out_permit;
    (void)out_index;
    (void)out_rejection;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_route_circuit(trip_route route, uint32_t index, trip_circuit *out_circuit)
{
    (void)route;
    (void)index;
    (void)out_circuit;
    return TRIP_E_UNSUPPORTED;
}
