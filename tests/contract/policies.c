/* The objects that a vector makes, by the names that its steps give them, and the texts of a step. Calls nothing of the
   library but what destroys. */
#include "policies.h"

#include <string.h>

/* ---- Objects ----------------------------------------------------------------------------------------------------- */

/* Of those that have had the name, the last one. */
static size_t index_named(const scene *s, const char *name)
{
    for (size_t i = s->object_count; i > 0; i--)
        if (s->objects[i - 1].name != NULL && strcmp(s->objects[i - 1].name, name) == 0)
            return i - 1;
    wrong(&s->where, "no object is named \"%s\"", name);
}

const object *object_named(const scene *s, const json_t *step, const char *key, trip_status (*destroy)(uint64_t))
{
    const object *o = &s->objects[index_named(s, text_member(&s->where, step, key))];
    if (o->destroy != destroy)
        wrong(&s->where, "\"%s\" is no %s", o->name, key);
    return o;
}

void keep_object(scene *s, const json_t *step, uint64_t handle, trip_status (*destroy)(uint64_t))
{
    if (s->object_count == OBJECTS_MAX)
        wrong(&s->where, "more objects than a vector may make");
    s->objects[s->object_count++] =
        (object){.name = text_member(&s->where, step, "as"), .made_by = step, .destroy = destroy, .handle = handle};
}

void do_end(scene *s, const json_t *step, facts *found)
{
    object *o = &s->objects[index_named(s, text_member(&s->where, step, "object"))];
    trip_status status = o->destroy(o->handle);
    o->is_ended |= status == TRIP_OK;
    state_status(found, status);
}

void forget_names(scene *s)
{
    for (size_t i = 0; i < s->object_count; i++)
        s->objects[i].name = NULL;
    json_object_clear(s->tickets);
    json_object_clear(s->tokens);
}

void end_objects(scene *s)
{
    for (size_t i = s->object_count; i > 0; i--) {
        const object *o = &s->objects[i - 1];
        if (!o->is_ended && o->destroy(o->handle) != TRIP_OK)
            wrong(&s->where, "an object could not be destroyed at the end");
    }
}

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

/* The reference is passed on to the scene. */
static words keep(scene *s, json_t *text)
{
    if (text == NULL || json_array_append_new(s->written, text) != 0)
        wrong(&s->where, "out of memory");
    return (words){.text = json_string_value(text), .len = json_string_length(text)};
}

words words_of(scene *s, const json_t *step, const char *key)
{
    return keep(s, long_text(&s->where, step, key));
}

words words_if_any(scene *s, const json_t *step, const char *key)
{
    return json_object_get(step, key) == NULL ? (words){.text = NULL} : words_of(s, step, key);
}

void state_bytes(scene *s, facts *found, const char *key, const char *bytes, size_t len)
{
    words w = keep(s, json_stringn_nocheck(bytes, len));
    state_text(found, key, w.text, w.len);
}
