/* Handles by the names that steps give them, as members of an object. */
#include "names.h"

uint64_t named(const place *where, const json_t *names, const char *name)
{
    const json_t *handle = json_object_get(names, name);
    if (handle == NULL)
        wrong(where, "nothing is named \"%s\"", name);
    return (uint64_t)json_integer_value(handle);
}

uint64_t named_by(const place *where, const json_t *names, const json_t *step, const char *key)
{
    return named(where, names, text_member(where, step, key));
}

void name_handle(const place *where, json_t *names, const json_t *step, uint64_t handle)
{
    if (json_object_set_new(names, text_member(where, step, "as"), json_integer((json_int_t)handle)) != 0)
        wrong(where, "out of memory");
}
