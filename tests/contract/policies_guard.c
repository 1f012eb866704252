/* Plays the steps of guards through the public ABI, around functions of libc, and turns what they say into facts. Judges
   nothing but that outputs are untouched where nothing may be written. */
#include "policies.h"

#include "names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 64
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Functions and values ---------------------------------------------------------------------------------------- */

static trip_function function_argument(const scene *s, const json_t *step)
{
    static const struct {
        const char *name;
        trip_function function;
    } functions[] = {{"abs", (trip_function)abs}, {"atoi", (trip_function)atoi}, {"strlen", (trip_function)strlen}};
    const char *name = text_member(&s->where, step, "function");
    for (size_t i = 0; i < COUNT(functions); i++)
        if (strcmp(functions[i].name, name) == 0)
            return functions[i].function;
    wrong(&s->where, "\"%s\" is none of the functions", name);
}

/* These functions take and give what an int, a size_t or a pointer is wide. */
typedef union value {
    int32_t int32;
    uint64_t uint64;
    const char *pointer;
} value;

static value value_of(const scene *s, const json_t *json)
{
    json_int_t number = json_integer_value(json);
    if (json_is_string(json))
        return (value){.pointer = json_string_value(json)};
    if (!json_is_integer(json) || number < INT32_MIN || number > INT32_MAX)
        wrong(&s->where, "an argument must be a text or a number that fits 32 bits");
    return (value){.int32 = (int32_t)number};
}

/* The result as the type says that begins the signature of the guard. */
static void state_result(scene *s, const char *signature, const value *result, facts *found)
{
    char text[24];
    const char *type = signature + strspn(signature, " ");
    size_t len = strcspn(type, " (");
    if (len == 5 && strncmp(type, "int32", len) == 0)
        snprintf(text, sizeof text, "%" PRId32, result->int32);
    else if (len == 6 && strncmp(type, "uint64", len) == 0)
        snprintf(text, sizeof text, "%" PRId64, (int64_t)result->uint64);
    else
        wrong(&s->where, "the result is an int32 or a uint64");
    state_bytes(s, found, "result", text, strlen(text));
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

void do_guard(scene *s, const json_t *step, facts *found)
{
    trip_guard_config config;
    if (trip_guard_config_init(&config, sizeof config) != TRIP_OK)
        wrong(&s->where, "trip_guard_config_init failed");
    if (json_object_get(step, "config") != NULL)
        read_config(&s->where, &guard_shape, member(&s->where, step, "config", JSON_OBJECT), &config);
    words signature = words_of(s, step, "signature");
    trip_circuit circuit = named_by(&s->where, s->circuits, step, "circuit");
    trip_guard guard = 0;
    trip_error error = {.struct_size = sizeof error};
    trip_status status = trip_guard_create(circuit, function_argument(s, step), signature.text, signature.len, &config,
                                           NULL, NULL, NULL, &guard, &error);
    state_error(&s->where, status, &error, &guard_shape, found);
    if (status == TRIP_OK)
        keep_object(s, step, guard, trip_guard_destroy);
    else if (guard != 0)
        wrong(&s->where, "%s, and yet out_guard was written", trip_status_name(status));
}

void do_guard_call(scene *s, const json_t *step, facts *found)
{
    const object *guard = object_named(s, step, "guard", trip_guard_destroy);
    const json_t *arguments = member(&s->where, step, "arguments", JSON_ARRAY);
    size_t count = json_array_size(arguments);
    if (count > ARGUMENTS_MAX)
        wrong(&s->where, "more arguments than a function may have");
    value values[ARGUMENTS_MAX], result = {.uint64 = 0};
    const void *pointers[ARGUMENTS_MAX];
    for (size_t i = 0; i < count; i++) {
        values[i] = value_of(s, json_array_get(arguments, i));
        pointers[i] = &values[i];
    }
    trip_rejection refused = unwritten;
    trip_status status = trip_guard_call(guard->handle, count == 0 ? NULL : pointers, count, &result, &refused);
    state_rejection(&s->where, status, &refused, found);
    if (status == TRIP_OK)
        state_result(s, text_member(&s->where, guard->made_by, "signature"), &result, found);
    else if (result.uint64 != 0)
        wrong(&s->where, "%s, and yet out_result was written", trip_status_name(status));
}
