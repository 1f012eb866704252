/* How a caller's config becomes a policy, or an error says why it does not. */
#ifndef TRIP_CONFIG_H
#define TRIP_CONFIG_H

#include "policy.h"

/* TRIP_OK, or what is told in `out_error`, which may be NULL. A NULL config has the defaults. */
trip_status trip_config_read(const trip_config *config, trip_policy *out_policy, trip_error *out_error);

#define TRIP_NO_FIELD UINT32_MAX

/* Write an error, where the caller wants one. Returns `status`. */
trip_status trip_error_tell(trip_error *out_error, trip_status status, uint32_t field_offset, const char *why);

#endif
