/* Plays the steps of pipelines through the public ABI, with stages that do what a vector says, and turns what comes out
   into facts. Judges nothing but that outputs are untouched where nothing may be written. */
#include "policies.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Stages ------------------------------------------------------------------------------------------------------ */

/* A byte of the output, by its place. */
static char byte_of(const char *does, const char *input, size_t len, size_t i)
{
    if (strcmp(does, "reverse") == 0)
        return input[len - 1 - i];
    char c = input[i];
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static int32_t map(const char *does, const char *input, size_t len, trip_output output)
{
    char *bytes = malloc(len + 1);
    if (bytes == NULL)
        return -1;
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_of(does, input, len, i);
    trip_status status = trip_output_write(output, bytes, len);
    free(bytes);
    return status;
}

/* Any stage: what it does is its user data, which check_stage has seen. */
static int32_t perform_stage(void *user_data, const char *input, size_t len, trip_output output)
{
    const json_t *does = user_data, *code = json_object_get(does, "fail"), *tail = json_object_get(does, "append");
    if (json_is_string(does))
        return map(json_string_value(does), input, len, output);
    if (code != NULL)
        return (int32_t)json_integer_value(code);
    trip_status status = trip_output_write(output, input, len);
    return status != TRIP_OK ? status : trip_output_write(output, json_string_value(tail), json_string_length(tail));
}

/* What it does, which is one of those that perform_stage knows. */
static const json_t *check_stage(const scene *s, const json_t *stage)
{
    static const char *const keys[] = {"name", "does"}, *const actions[] = {"append", "fail"};
    only_keys(&s->where, stage, keys, COUNT(keys));
    const json_t *does = json_object_get(stage, "does");
    const char *name = json_is_string(does) ? json_string_value(does) : NULL;
    if (name != NULL && (strcmp(name, "upper") == 0 || strcmp(name, "reverse") == 0))
        return does;
    if (!json_is_object(does) || json_object_size(does) != 1)
        wrong(&s->where, "a stage does \"upper\", \"reverse\", an append or a fail");
    only_keys(&s->where, does, actions, COUNT(actions));
    if (json_object_get(does, "append") != NULL)
        text_member(&s->where, does, "append");
    else if (json_integer_value(member(&s->where, does, "fail", JSON_INTEGER)) == 0)
        wrong(&s->where, "a stage that fails has a code other than 0");
    return does;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static trip_pipeline pipeline_argument(const scene *s, const json_t *step)
{
    return object_named(s, step, "pipeline", trip_pipeline_destroy)->handle;
}

void do_pipeline(scene *s, const json_t *step, facts *found)
{
    trip_pipeline pipeline = 0;
    trip_status status = trip_pipeline_create(&pipeline);
    if (status == TRIP_OK)
        keep_object(s, step, pipeline, trip_pipeline_destroy);
    const json_t *stages = member(&s->where, step, "stages", JSON_ARRAY);
    for (size_t i = 0; i < json_array_size(stages); i++) {
        const json_t *stage = json_array_get(stages, i), *does = check_stage(s, stage);
        words name = words_of(s, stage, "name");
        if (status == TRIP_OK)
            status = trip_pipeline_add(pipeline, name.text, name.len, perform_stage, (json_t *)does, NULL);
    }
    state_status(found, status);
}

static void state_output(scene *s, trip_output output, facts *found)
{
    size_t len = 0;
    trip_status status = trip_output_read(output, NULL, 0, &len);
    char *bytes = malloc(len + 1);
    if (len > 0 && bytes != NULL && status == TRIP_E_CAPACITY)
        status = trip_output_read(output, bytes, len, &len);
    if (status != TRIP_OK || trip_output_free(output) != TRIP_OK)
        wrong(&s->where, "the output can be read or freed only with %s", trip_status_name(status));
    state_bytes(s, found, "output", bytes, len);
    free(bytes);
}

static void state_failure(const scene *s, const trip_stage_failure *failure, facts *found)
{
    if (failure->name_len >= sizeof failure->name || failure->name[failure->name_len] != '\0')
        wrong(&s->where, "the name of the stage has no end");
    state_signed(found, "code", failure->code);
    state_number(found, "stage", failure->stage);
    state_text(found, "stage_name", failure->name, failure->name_len);
}

void do_run(scene *s, const json_t *step, facts *found)
{
    static const trip_stage_failure none = {.struct_size = sizeof none, .code = INT32_MAX};
    static trip_stage_failure failure; /* outlives the comparison; one vector runs at a time */
    failure = none;
    words input = words_of(s, step, "input");
    trip_output output = 0;
    trip_status status = trip_pipeline_run(pipeline_argument(s, step), input.text, input.len, &output, &failure);
    state_status(found, status);
    if (status == TRIP_STAGE_FAILED)
        state_failure(s, &failure, found);
    else if (memcmp(&failure, &none, sizeof none) != 0)
        wrong(&s->where, "%s, and yet out_failure was written", trip_status_name(status));
    if (status == TRIP_OK)
        state_output(s, output, found);
    else if (output != 0)
        wrong(&s->where, "%s, and yet out_output was written", trip_status_name(status));
}

void do_stage_count(scene *s, const json_t *step, facts *found)
{
    uint32_t stages = 0;
    trip_status status = trip_pipeline_count(pipeline_argument(s, step), &stages);
    state_status(found, status);
    if (status == TRIP_OK)
        state_number(found, "stages", stages);
}
