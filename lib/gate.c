/* Gates. */
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
trip_object_kind trip_gates = TRIP_OBJECT_KIND(TRIP_KIND_GATE, place, end, NULL, chunks);

trip_status trip_gate_config_init(trip_gate_config *out_config, size_t struct_size)
{
    (void)out_config;
    (void)struct_size;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_gate_create(trip_tracker tracker, const char *name, size_t name_len, const trip_gate_config *config,
                             trip_gate *out_gate, trip_error *out_error)
{
    (void)tracker;
    (void)name;
    (void)name_len;
    (void)config;
    (void)out_gate;
    (void)out_error;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_gate_destroy(trip_gate gate)
{
    (void)gate;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_gate_acquire(trip_gate gate, trip_token *out_token, trip_shed *out_shed)
{
    (void)gate;
    (void)out_token;
    (void)out_shed;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_token_release(trip_token token, uint32_t effect)
{
    (void)token;
    (void)effect;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_gate_inspect(trip_gate gate, trip_gate_info *out_info)
{
    (void)gate;
    (void)out_info;
    return TRIP_E_UNSUPPORTED;
}
