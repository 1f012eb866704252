/* The statuses of pipelines and outputs. */
#include "telling.h"

static trip_pipeline pipeline;
static trip_output output;

static int32_t tell_writing(void *user_data, const char *input, size_t input_len, trip_output own)
{
    (void)user_data;
    TELL(TRIP_OK, trip_output_write, own, input, input_len);
    TELL(TRIP_E_INVALID, trip_output_write, own, NULL, 1);
    TELL(TRIP_E_UNSUPPORTED, trip_output_free, own);
    return 0;
}

static int32_t write_too_much(void *user_data, const char *input, size_t input_len, trip_output own)
{
    (void)user_data;
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_output_write, own, input, input_len);
    atomic_store(&allocations_left, INT64_MAX);
    return 0;
}

static int32_t say_no(void *user_data, const char *input, size_t input_len, trip_output own)
{
    (void)user_data;
    (void)input;
    (void)input_len;
    (void)own;
    return 1;
}

static void tell_create(void)
{
    atomic_store(&entropy_fails, 1);
    TELL(TRIP_E_SYSTEM, trip_pipeline_create, &pipeline);
    atomic_store(&entropy_fails, 0);
    TELL(TRIP_E_INVALID, trip_pipeline_create, NULL);
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_pipeline_create, &pipeline);
    atomic_store(&allocations_left, INT64_MAX);
    trip_status status;
    while ((status = note("trip_pipeline_create", trip_pipeline_create(&pipeline))) == TRIP_OK)
        ;
    ck_assert_int_eq(status, TRIP_E_CAPACITY);
    TELL(TRIP_OK, trip_pipeline_destroy, pipeline);
    TELL(TRIP_E_HANDLE, trip_pipeline_destroy, pipeline);
    ck_assert_int_eq(trip_pipeline_create(&pipeline), TRIP_OK);
}

static void tell_output(void)
{
    char byte;
    size_t len;
    TELL(TRIP_OK, trip_pipeline_add, pipeline, "a", 1, tell_writing, NULL, NULL);
    TELL(TRIP_OK, trip_pipeline_run, pipeline, "ab", 2, &output, NULL);
    TELL(TRIP_E_UNSUPPORTED, trip_output_write, output, "a", 1);
    TELL(TRIP_E_INVALID, trip_output_read, output, &byte, 1, NULL);
    TELL(TRIP_E_CAPACITY, trip_output_read, output, &byte, 1, &len);
    TELL(TRIP_OK, trip_output_free, output);
    TELL(TRIP_E_HANDLE, trip_output_free, output);
    TELL(TRIP_E_HANDLE, trip_output_write, output, "a", 1);
    TELL(TRIP_E_HANDLE, trip_output_read, output, &byte, 1, &len);
    TELL(TRIP_OK, trip_pipeline_run, pipeline, NULL, 0, &output, NULL);
    TELL(TRIP_OK, trip_output_read, output, &byte, 1, &len);
}

static void tell_add(void)
{
    uint32_t stages;
    TELL(TRIP_OK, trip_pipeline_count, pipeline, &stages);
    TELL(TRIP_E_INVALID, trip_pipeline_count, pipeline, NULL);
    TELL(TRIP_E_HANDLE, trip_pipeline_count, 7, &stages);
    TELL(TRIP_E_INVALID, trip_pipeline_add, pipeline, "a", 1, NULL, NULL, NULL);
    TELL(TRIP_E_HANDLE, trip_pipeline_add, 7, "a", 1, say_no, NULL, NULL);
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_pipeline_add, pipeline, "a", 1, say_no, NULL, NULL);
    atomic_store(&allocations_left, INT64_MAX);
    trip_status status;
    while ((status = trip_pipeline_add(pipeline, "fails", 5, say_no, NULL, NULL)) == TRIP_OK)
        ;
    ck_assert_int_eq(note("trip_pipeline_add", status), TRIP_E_CAPACITY);
}

/* One without stages, in the place of the one before. */
static void begin_anew(void)
{
    ck_assert_int_eq(trip_pipeline_destroy(pipeline), TRIP_OK);
    ck_assert_int_eq(trip_pipeline_create(&pipeline), TRIP_OK);
}

static void tell_run(void)
{
    TELL(TRIP_STAGE_FAILED, trip_pipeline_run, pipeline, NULL, 0, &output, NULL);
    TELL(TRIP_E_INVALID, trip_pipeline_run, pipeline, NULL, 1, &output, NULL);
    TELL(TRIP_E_HANDLE, trip_pipeline_run, 7, NULL, 0, &output, NULL);
    begin_anew();
    ck_assert_int_eq(trip_pipeline_add(pipeline, "short", 5, write_too_much, NULL, NULL), TRIP_OK);
    TELL(TRIP_E_NOMEM, trip_pipeline_run, pipeline, "a", 1, &output, NULL);
    begin_anew();
    trip_status status;
    while ((status = trip_pipeline_run(pipeline, NULL, 0, &output, NULL)) == TRIP_OK)
        ;
    ck_assert_int_eq(note("trip_pipeline_run", status), TRIP_E_CAPACITY);
}

void tell_pipelines(void)
{
    tell_create();
    tell_output();
    tell_add();
    tell_run();
}
