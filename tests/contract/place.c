/* Failures with their place, and the strictness about keys and types that all of the runner shares. */
#include "place.h"

#include <check.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1000000 /* of a repeated text, so that a typo does not eat the machine */

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

json_t *long_text(const place *where, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_object(value))
        return json_incref((json_t *)member(where, object, key, JSON_STRING));
    static const char *const keys[] = {"repeat", "times"};
    only_keys(where, value, keys, 2);
    const json_t *unit = member(where, value, "repeat", JSON_STRING);
    size_t len = json_string_length(unit), times = (size_t)number_member(where, value, "times");
    if (len == 0 || times > TEXT_MAX / len)
        wrong(where, "%s: a repeated text of no length or too much", key);
    char *bytes = malloc(len * times + 1);
    for (size_t i = 0; bytes != NULL && i < times; i++)
        memcpy(bytes + i * len, json_string_value(unit), len);
    json_t *text = bytes == NULL ? NULL : json_stringn(bytes, len * times);
    free(bytes);
    if (text == NULL)
        wrong(where, "out of memory");
    return text;
}

uint64_t number_if_any(const place *where, const json_t *object, const char *key)
{
    return json_object_get(object, key) == NULL ? 0 : (uint64_t)number_member(where, object, key);
}

json_t *text_if_any(const place *where, const json_t *object, const char *key)
{
    return json_object_get(object, key) == NULL ? NULL : long_text(where, object, key);
}
