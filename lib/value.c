/* Values, as value.h describes them. */
#include "value.h"

#include "alloc.h"

#include <string.h>

trip_value *trip_value_make(const char *bytes, size_t len)
{
    if (len > PTRDIFF_MAX - sizeof(trip_value))
        return NULL;
    trip_value *value = trip_allocate_close(sizeof *value + len);
    if (value == NULL)
        return NULL;
    atomic_store_explicit(&value->holders, 1, memory_order_relaxed);
    value->len = len;
    if (len != 0)
        memcpy(value->bytes, bytes, len);
    return value;
}

trip_value *trip_value_hold(trip_value *value)
{
    atomic_fetch_add_explicit(&value->holders, 1, memory_order_relaxed);
    return value;
}

void trip_value_drop(trip_value *value)
{
    if (value != NULL && atomic_fetch_sub_explicit(&value->holders, 1, memory_order_acq_rel) == 1)
        trip_release(value);
}
