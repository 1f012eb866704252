/*
 * The way back into Go: functions of the library's that call what Go gave them. They say whose call they are for, so
 * that Go finds what its functions leave for that caller: what went wrong, and a panic, which no C function may see.
 */
#ifndef TRIP_GO_CALLBACKS_H
#define TRIP_GO_CALLBACKS_H

#include <trip.h>

#define TRIP_GO_LOCAL __attribute__((visibility("hidden")))

/* As trip_pipeline_add and trip_guard_create, with a function of Go's by its handle, which a finalizer forgets. */
TRIP_GO_LOCAL trip_status trip_go_pipeline_add(trip_pipeline pipeline, const char *name, size_t name_len,
                                               uintptr_t stage);
TRIP_GO_LOCAL trip_status trip_go_guard_create(trip_circuit circuit, trip_function function, const char *signature,
                                               size_t signature_len, const trip_guard_config *config,
                                               uintptr_t classifier, trip_guard *out_guard, trip_error *out_error);

/* As trip_pipeline_run and trip_guard_call; of arguments and result each has 8 bytes of its own. */
TRIP_GO_LOCAL trip_status trip_go_pipeline_run(trip_pipeline pipeline, const char *input, size_t input_len,
                                               trip_output *out_output, trip_stage_failure *out_failure,
                                               uintptr_t caller);
TRIP_GO_LOCAL trip_status trip_go_guard_call(trip_guard guard, const uint64_t *arguments, size_t argument_count,
                                             uint64_t *out_result, trip_rejection *out_rejection, uintptr_t caller);

#endif
