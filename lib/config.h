/* How a caller's config is read: completed with defaults and checked, or an error says why it cannot be. */
#ifndef TRIP_CONFIG_H
#define TRIP_CONFIG_H

#include "policy.h"

/* TRIP_OK, or what is told in `out_error`, which may be NULL. A NULL config has the defaults. */
trip_status trip_config_read(const trip_config *config, trip_policy *out_policy, trip_error *out_error);

/* A kind of config. */
typedef struct trip_config_kind {
    size_t size;
    size_t first_released;
    const void *defaults; /* one of this size */
    const trip_refusal *(*check)(const void *config);
    const char *how; /* "struct_size: set it to sizeof(trip_config), or call trip_config_init" */
} trip_config_kind;

#define TRIP_HOW_TO_FILL(type) "struct_size: set it to sizeof(" #type "), or call " #type "_init"

/* Fill a caller's config with the defaults. TRIP_OK or TRIP_E_INVALID. */
trip_status trip_config_fill(const trip_config_kind *kind, void *out_config, size_t struct_size);

/* Complete a caller's config, of any version or NULL, and check it: TRIP_OK, or what is told in `out_error`. */
trip_status trip_config_complete(const trip_config_kind *kind, const void *config, void *out_complete,
                                 trip_error *out_error);

#define TRIP_NO_FIELD UINT32_MAX

/* Write an error, where the caller wants one. Returns `status`. */
trip_status trip_error_tell(trip_error *out_error, trip_status status, uint32_t field_offset, const char *why);

/* The same for an object (object.h) that could not be made, which the status explains. */
trip_status trip_error_tell_unmade(trip_error *out_error, trip_status status);

#endif
