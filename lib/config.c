/* Configs and errors, as config.h describes them: sizes and versions here, ranges in policy.c. */
#include "config.h"

#include "abi.h"

#include <stddef.h>
#include <string.h>

_Static_assert(offsetof(trip_config, on_server_error) == TRIP_CONFIG_SIZE_1_0,
               "later members go behind the released ones");
_Static_assert(sizeof(trip_error) == TRIP_ERROR_SIZE_1_0, "later members go behind the released ones");

trip_status trip_error_tell(trip_error *out_error, trip_status status, uint32_t field_offset, const char *why)
{
    trip_error error = {.status = status, .field_offset = field_offset};
    size_t len = strlen(why), most = sizeof error.message - 1;
    memcpy(error.message, why, len < most ? len : most);
    trip_abi_write(out_error, &error, sizeof error);
    return status;
}

trip_status trip_error_tell_unmade(trip_error *out_error, trip_status status)
{
    const char *why = status == TRIP_E_HANDLE     ? "no such tracker"
                      : status == TRIP_E_CAPACITY ? "65535 of them exist"
                      : status == TRIP_E_SYSTEM   ? "the system gave no random numbers or no thread key"
                                                  : "out of memory";
    return trip_error_tell(out_error, status, TRIP_NO_FIELD, why);
}

/* ---- Configs of any kind ----------------------------------------------------------------------------------------- */

trip_status trip_config_fill(const trip_config_kind *kind, void *out_config, size_t struct_size)
{
    if (out_config == NULL || !trip_abi_size_fits(struct_size, kind->first_released))
        return TRIP_E_INVALID;
    uint32_t size = (uint32_t)struct_size;
    memcpy(out_config, &size, sizeof size);
    trip_abi_write(out_config, kind->defaults, kind->size);
    return TRIP_OK;
}

trip_status trip_config_complete(const trip_config_kind *kind, const void *config, void *out_complete,
                                 trip_error *out_error)
{
    memcpy(out_complete, kind->defaults, kind->size);
    trip_status status = TRIP_OK;
    if (config != NULL)
        status = trip_abi_read(config, out_complete, kind->size, kind->first_released);
    if (status == TRIP_E_INVALID)
        return trip_error_tell(out_error, status, 0, kind->how);
    if (status == TRIP_E_TOO_NEW)
        return trip_error_tell(out_error, status, TRIP_NO_FIELD,
                               "the config asks for what only a later library can do");
    const trip_refusal *refusal = kind->check(out_complete);
    return refusal == NULL ? TRIP_OK : trip_error_tell(out_error, TRIP_E_CONFIG, refusal->field_offset, refusal->why);
}

/* ---- Those of circuits ------------------------------------------------------------------------------------------- */

static const trip_refusal *check(const void *config)
{
    return trip_policy_check(config);
}

static const trip_config_kind of_circuits = {sizeof(trip_config), TRIP_CONFIG_SIZE_1_0, &trip_policy_defaults, check,
                                             TRIP_HOW_TO_FILL(trip_config)};

trip_status trip_config_init(trip_config *out_config, size_t struct_size)
{
    return trip_config_fill(&of_circuits, out_config, struct_size);
}

trip_status trip_config_read(const trip_config *config, trip_policy *out_policy, trip_error *out_error)
{
    trip_config complete;
    trip_status status = trip_config_complete(&of_circuits, config, &complete, out_error);
    if (status == TRIP_OK)
        trip_policy_make(&complete, out_policy);
    return status;
}
