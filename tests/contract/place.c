/* Failures with their place, and the strictness about keys and types that all of the runner shares. */
#include "place.h"

#include <check.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

_Noreturn void wrong(const place *where, const char *format, ...)
{
    char what[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (where->step[0] == '\0')
        ck_abort_msg("%s: %s: %s", where->file, where->vector, what);
    else
        ck_abort_msg("%s: %s: step %s: %s", where->file, where->vector, where->step, what);
}

void only_keys(const place *where, const json_t *object, const char *const *allowed, size_t count)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++)
            known = allowed[i] != NULL && strcmp(key, allowed[i]) == 0;
        if (!known)
            wrong(where, "unknown key \"%s\"", key);
    }
}

static const char *type_name(json_type type)
{
    static const char *const names[] = {[JSON_OBJECT] = "an object",
                                        [JSON_ARRAY] = "an array",
                                        [JSON_STRING] = "a text",
                                        [JSON_INTEGER] = "an integer"};
    return names[type];
}

const json_t *member(const place *where, const json_t *object, const char *key, json_type type)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL)
        wrong(where, "\"%s\" is missing", key);
    if (json_typeof(value) != type)
        wrong(where, "\"%s\" must be %s", key, type_name(type));
    return value;
}

const char *text_member(const place *where, const json_t *object, const char *key)
{
    return json_string_value(member(where, object, key, JSON_STRING));
}

json_int_t number_member(const place *where, const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(member(where, object, key, JSON_INTEGER));
    if (number < 0)
        wrong(where, "\"%s\" must not be negative", key);
    return number;
}
