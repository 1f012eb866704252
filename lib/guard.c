/* Guards. */
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
trip_object_kind trip_guards = TRIP_OBJECT_KIND(TRIP_KIND_GUARD, place, end, NULL, chunks);

trip_status trip_guard_config_init(trip_guard_config *out_config, size_t struct_size)
{
    (void)out_config;
    (void)struct_size;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_guard_create(trip_circuit circuit, trip_function function, const char *signature, size_t signature_len,
                              const trip_guard_config *config, trip_classifier classifier, void *user_data,
                              trip_finalizer finalizer, trip_guard *out_guard, trip_error *out_error)
{
    (void)circuit;
    (void)function;
    (void)signature;
    (void)signature_len;
    (void)config;
    (void)classifier;
    (void)user_data;
    (void)finalizer;
    (void)out_guard;
    (void)out_error;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_guard_destroy(trip_guard guard)
{
    (void)guard;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_guard_call(trip_guard guard, const void *const *arguments, size_t argument_count, void *out_result,
                            trip_rejection *out_rejection)
{
    (void)guard;
    (void)arguments;
    (void)argument_count;
    (void)out_result;
    (void)out_rejection;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_guard_pointer(trip_guard guard, trip_function *out_function)
{
    (void)guard;
    (void)out_function;
    return TRIP_E_UNSUPPORTED;
}
