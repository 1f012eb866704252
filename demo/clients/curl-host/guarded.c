/*
 * Puts a circuit before every transfer of the host, which stays as it is: linked beside it, this swaps the one pointer
 * before main begins. Where that is not possible, the host works as it did without it.
 */
#include "host.h"

#include <stdio.h>
#include <trip.h>

/* A transfer that did not come to CURLE_OK is a failure, HTTP errors included, as the host asks for CURLOPT_FAILONERROR.
   To the host a refused call is a provider that cannot be reached. */
static trip_status guard_transfers(trip_function *out_perform, trip_error *error)
{
    trip_tracker tracker;
    trip_circuit circuit;
    trip_guard guard;
    trip_guard_config config;
    trip_guard_config_init(&config, sizeof config);
    config.rule = TRIP_RULE_ZERO_SUCCEEDS;
    config.refused_result = CURLE_COULDNT_CONNECT;
    trip_status status = trip_tracker_create(NULL, &tracker, error);
    if (status == TRIP_OK)
        status = trip_tracker_circuit(tracker, "", 0, "openai", SIZE_MAX, &circuit);
    if (status == TRIP_OK)
        status = trip_guard_create(circuit, (trip_function)curl_easy_perform, "int32 (pointer)", SIZE_MAX, &config,
                                   NULL, NULL, NULL, &guard, error);
    return status == TRIP_OK ? trip_guard_pointer(guard, out_perform) : status;
}

static __attribute__((constructor)) void swap_pointer(void)
{
    trip_function perform;
    trip_error error = {.struct_size = sizeof error};
    trip_status status = guard_transfers(&perform, &error);
    if (status == TRIP_OK)
        host_perform = (CURLcode(*)(CURL *))perform;
    else
        fprintf(stderr, "guarded: %s: %s\n", trip_status_name(status), error.message);
}
