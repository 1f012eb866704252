/* Outputs, as output.h describes them. What is in one is under its mutex while it is written, and never changes again. */
#include "output.h"

#include "abi.h"
#include "alloc.h"

#include <stdint.h>

#define LEAST_CAPACITY 256

typedef struct trip_output_place {
    trip_object object;
    enum { WRITTEN, CLOSED, CALLERS } stage;
    bool is_short; /* there was no memory for something that was written */
    char *bytes;
    size_t len;
    size_t capacity;
} place;

static void end(trip_object *object)
{
    place *o = (place *)object;
    trip_release(o->bytes);
    o->bytes = NULL;
}

static _Atomic(char *) chunks[TRIP_OBJECT_CHUNKS];
trip_object_kind trip_outputs = TRIP_OBJECT_KIND(TRIP_KIND_OUTPUT, place, end, NULL, NULL, chunks);

static place *visit(trip_output output)
{
    return (place *)trip_object_visit(&trip_outputs, output);
}

static void leave(place *o)
{
    trip_object_leave(&trip_outputs, &o->object);
}

/* ---- Those of a run ---------------------------------------------------------------------------------------------- */

trip_status trip_output_open(trip_own_output *out_output)
{
    trip_object *object;
    trip_status status = trip_object_make(&trip_outputs, 0, &object);
    if (status != TRIP_OK)
        return status;
    place *o = (place *)object;
    o->stage = WRITTEN;
    o->is_short = false;
    o->bytes = NULL;
    o->len = o->capacity = 0;
    *out_output = (trip_own_output){o, trip_object_begin(&trip_outputs, object)};
    return TRIP_OK;
}

trip_status trip_output_close(trip_own_output output, trip_bytes *out_bytes)
{
    place *o = output.place;
    pthread_mutex_lock(&o->object.mutex);
    o->stage = CLOSED;
    pthread_mutex_unlock(&o->object.mutex);
    *out_bytes = (trip_bytes){o->len == 0 ? "" : o->bytes, o->len};
    return o->is_short ? TRIP_E_NOMEM : TRIP_OK;
}

void trip_output_discard(trip_own_output output)
{
    trip_object_destroy(&trip_outputs, output.handle);
}

trip_output trip_output_hand_over(trip_own_output output)
{
    pthread_mutex_lock(&output.place->object.mutex);
    output.place->stage = CALLERS;
    pthread_mutex_unlock(&output.place->object.mutex);
    return output.handle;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* Twice as much each time, so that many small writes copy each byte twice at most. */
static bool make_room(place *o, size_t more)
{
    if (more <= o->capacity - o->len)
        return true;
    size_t needed = o->len + more;
    size_t capacity = o->capacity == 0 ? LEAST_CAPACITY : o->capacity;
    while (capacity < needed && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    char *bytes = needed < more || capacity < needed ? NULL : trip_allocate(capacity);
    if (bytes == NULL)
        return false;
    if (o->len != 0)
        memcpy(bytes, o->bytes, o->len);
    trip_release(o->bytes);
    o->bytes = bytes;
    o->capacity = capacity;
    return true;
}

static trip_status append(place *o, const char *bytes, size_t len)
{
    if (o->stage != WRITTEN)
        return TRIP_E_UNSUPPORTED;
    o->is_short = o->is_short || !make_room(o, len);
    if (o->is_short)
        return TRIP_E_NOMEM;
    if (len != 0)
        memcpy(o->bytes + o->len, bytes, len);
    o->len += len;
    return TRIP_OK;
}

trip_status trip_output_write(trip_output output, const char *bytes, size_t bytes_len)
{
    if (!trip_abi_bytes(bytes, &bytes_len))
        return TRIP_E_INVALID;
    place *o = visit(output);
    if (o == NULL)
        return TRIP_E_HANDLE;
    pthread_mutex_lock(&o->object.mutex);
    trip_status status = append(o, bytes, bytes_len);
    pthread_mutex_unlock(&o->object.mutex);
    leave(o);
    return status;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static trip_status copy(const place *o, char *out_bytes, size_t capacity, size_t *out_len)
{
    *out_len = o->len;
    if (o->len > capacity)
        return TRIP_E_CAPACITY;
    if (o->len != 0)
        memcpy(out_bytes, o->bytes, o->len);
    return TRIP_OK;
}

trip_status trip_output_read(trip_output output, char *out_bytes, size_t capacity, size_t *out_len)
{
    if (out_len == NULL || (out_bytes == NULL && capacity != 0))
        return TRIP_E_INVALID;
    place *o = visit(output);
    if (o == NULL)
        return TRIP_E_HANDLE;
    pthread_mutex_lock(&o->object.mutex);
    trip_status status = copy(o, out_bytes, capacity, out_len);
    pthread_mutex_unlock(&o->object.mutex);
    leave(o);
    return status;
}

trip_status trip_output_free(trip_output output)
{
    place *o = visit(output);
    if (o == NULL)
        return TRIP_E_HANDLE;
    pthread_mutex_lock(&o->object.mutex);
    bool is_callers = o->stage == CALLERS;
    pthread_mutex_unlock(&o->object.mutex);
    leave(o);
    return is_callers ? trip_object_destroy(&trip_outputs, output) : TRIP_E_UNSUPPORTED;
}
