/* Configs and errors, as config.h describes them: sizes and versions here, ranges in policy.c. */
#include "config.h"

#include "abi.h"

#include <stddef.h>
#include <string.h>

_Static_assert(offsetof(trip_config, on_server_error) == TRIP_CONFIG_SIZE_1_0,
               "later members go behind the released ones");
_Static_assert(sizeof(trip_error) == TRIP_ERROR_SIZE_1_0, "later members go behind the released ones");

trip_status trip_config_init(trip_config *out_config, size_t struct_size)
{
    if (out_config == NULL || !trip_abi_size_fits(struct_size, TRIP_CONFIG_SIZE_1_0))
        return TRIP_E_INVALID;
    trip_config defaults;
    trip_policy_defaults(&defaults);
    uint32_t size = (uint32_t)struct_size;
    memcpy(out_config, &size, sizeof size);
    trip_abi_write(out_config, &defaults, sizeof defaults);
    return TRIP_OK;
}

trip_status trip_error_tell(trip_error *out_error, trip_status status, uint32_t field_offset, const char *why)
{
    trip_error error = {.status = status, .field_offset = field_offset};
    strncpy(error.message, why, sizeof error.message - 1);
    trip_abi_write(out_error, &error, sizeof error);
    return status;
}

trip_status trip_config_read(const trip_config *config, trip_policy *out_policy, trip_error *out_error)
{
    trip_config complete;
    trip_policy_defaults(&complete);
    trip_status status = TRIP_OK;
    if (config != NULL)
        status = trip_abi_read(config, &complete, sizeof complete, TRIP_CONFIG_SIZE_1_0);
    if (status == TRIP_E_INVALID)
        return trip_error_tell(out_error, status, offsetof(trip_config, struct_size),
                               "struct_size: set it to sizeof(trip_config), or call trip_config_init");
    if (status == TRIP_E_TOO_NEW)
        return trip_error_tell(out_error, status, TRIP_NO_FIELD,
                               "the config asks for what only a later library can do");
    const trip_refusal *refusal = trip_policy_check(&complete);
    if (refusal != NULL)
        return trip_error_tell(out_error, TRIP_E_CONFIG, refusal->field_offset, refusal->why);
    trip_policy_make(&complete, out_policy);
    return TRIP_OK;
}
