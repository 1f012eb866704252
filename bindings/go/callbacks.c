/* The C end of the way back into Go, as callbacks.h describes it: who calls is remembered per thread, for calls within
   calls too. Go's end is callbacks.go. Decides nothing. */
#include "callbacks.h"

#include "_cgo_export.h"

#define MAX_ARGUMENTS 64 /* of a signature */

/* Whose call this thread is in; 0: nobody's in Go. */
static _Thread_local uintptr_t current;

static int32_t stage_of_go(void *user_data, const char *input, size_t input_len, trip_output output)
{
    return tripGoStage(current, (uintptr_t)user_data, (char *)input, input_len, output);
}

static uint32_t classifier_of_go(void *user_data, const void *result, int32_t error_number)
{
    return tripGoClassify(current, (uintptr_t)user_data, (void *)result, error_number);
}

static void finalizer_of_go(void *user_data)
{
    if (user_data)
        tripGoForget((uintptr_t)user_data);
}

trip_status trip_go_pipeline_add(trip_pipeline pipeline, const char *name, size_t name_len, uintptr_t stage)
{
    return trip_pipeline_add(pipeline, name, name_len, stage_of_go, (void *)stage, finalizer_of_go);
}

trip_status trip_go_guard_create(trip_circuit circuit, trip_function function, const char *signature,
                                 size_t signature_len, const trip_guard_config *config, uintptr_t classifier,
                                 trip_guard *out_guard, trip_error *out_error)
{
    return trip_guard_create(circuit, function, signature, signature_len, config, classifier ? classifier_of_go : NULL,
                             (void *)classifier, finalizer_of_go, out_guard, out_error);
}

trip_status trip_go_pipeline_run(trip_pipeline pipeline, const char *input, size_t input_len, trip_output *out_output,
                                 trip_stage_failure *out_failure, uintptr_t caller)
{
    uintptr_t outer = current;
    current = caller;
    trip_status status = trip_pipeline_run(pipeline, input, input_len, out_output, out_failure);
    current = outer;
    return status;
}

trip_status trip_go_guard_call(trip_guard guard, const uint64_t *arguments, size_t argument_count, uint64_t *out_result,
                               trip_rejection *out_rejection, uintptr_t caller)
{
    const void *pointers[MAX_ARGUMENTS];
    for (size_t i = 0; i < argument_count && i < MAX_ARGUMENTS; i++)
        pointers[i] = &arguments[i];
    uintptr_t outer = current;
    current = caller;
    trip_status status =
        trip_guard_call(guard, argument_count ? pointers : NULL, argument_count, out_result, out_rejection);
    current = outer;
    return status;
}
