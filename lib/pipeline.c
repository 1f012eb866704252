/* Pipelines. */
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
trip_object_kind trip_pipelines = TRIP_OBJECT_KIND(TRIP_KIND_PIPELINE, place, end, NULL, chunks);

trip_status trip_pipeline_create(trip_pipeline *out_pipeline)
{
    (void)out_pipeline;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_pipeline_destroy(trip_pipeline pipeline)
{
    (void)pipeline;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_pipeline_add(trip_pipeline pipeline, const char *name, size_t name_len, trip_stage stage,
                              void *user_data, trip_finalizer finalizer)
{
    (void)pipeline;
    (void)name;
    (void)name_len;
    (void)stage;
    (void)user_data;
    (void)finalizer;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_pipeline_count(trip_pipeline pipeline, uint32_t *out_stages)
{
    (void)pipeline;
    (void)out_stages;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_pipeline_run(trip_pipeline pipeline, const char *input, size_t input_len, trip_output *out_output,
                              trip_stage_failure *out_failure)
{
    (void)pipeline;
    (void)input;
    (void)input_len;
    (void)out_output;
    (void)out_failure;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_output_write(trip_output output, const char *bytes, size_t bytes_len)
{
    (void)output;
    (void)bytes;
    (void)bytes_len;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_output_read(trip_output output, char *out_bytes, size_t capacity, size_t *out_len)
{
    (void)output;
    (void)out_bytes;
    (void)capacity;
    (void)out_len;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_output_free(trip_output output)
{
    (void)output;
    return TRIP_E_UNSUPPORTED;
}
