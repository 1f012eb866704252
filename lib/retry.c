/* Retries. */
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
trip_object_kind trip_retries = TRIP_OBJECT_KIND(TRIP_KIND_RETRY, place, end, NULL, chunks);

trip_status trip_retry_config_init(trip_retry_config *out_config, size_t struct_size)
{
    (void)out_config;
    (void)struct_size;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_retry_create(trip_tracker tracker, const trip_retry_config *config, trip_retry *out_retry,
                              trip_error *out_error)
{
    (void)tracker;
    (void)config;
    (void)out_retry;
    (void)out_error;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_retry_destroy(trip_retry retry)
{
    (void)retry;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_retry_delay_for(trip_retry retry, uint32_t attempt, uint64_t *out_delay_ns)
{
    (void)retry;
    (void)attempt;
    (void)out_delay_ns;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_retry_begin(trip_retry retry, const char *provider, size_t provider_len, uint64_t *out_began_ns)
{
    (void)retry;
    (void)provider;
    (void)provider_len;
    (void)out_began_ns;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_retry_next(trip_retry retry, const char *provider, size_t provider_len, uint32_t attempt,
                            uint64_t began_ns, uint64_t last_delay_ns, const trip_outcome *outcome,
                            uint64_t *out_delay_ns)
{
    (void)retry;
    (void)provider;
    (void)provider_len;
    (void)attempt;
    (void)began_ns;
    (void)last_delay_ns;
    (void)outcome;
    (void)out_delay_ns;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_retry_inspect(trip_retry retry, const char *provider, size_t provider_len, trip_retry_info *out_info)
{
    (void)retry;
    (void)provider;
    (void)provider_len;
    (void)out_info;
    return TRIP_E_UNSUPPORTED;
}
