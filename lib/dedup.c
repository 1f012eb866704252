/* Deduplication. */
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
trip_object_kind trip_dedups = TRIP_OBJECT_KIND(TRIP_KIND_DEDUP, place, end, NULL, chunks);

trip_status trip_dedup_config_init(trip_dedup_config *out_config, size_t struct_size)
{
    (void)out_config;
    (void)struct_size;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_dedup_create(trip_tracker tracker, const trip_dedup_config *config, trip_dedup *out_dedup,
                              trip_error *out_error)
{
    (void)tracker;
    (void)config;
    (void)out_dedup;
    (void)out_error;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_dedup_destroy(trip_dedup dedup)
{
    (void)dedup;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_dedup_check(trip_dedup dedup, const char *key, size_t key_len, trip_ticket *out_ticket,
                             char *out_value, size_t capacity, size_t *out_len)
{
    (void)dedup;
    (void)key;
    (void)key_len;
    (void)out_ticket;
    (void)out_value;
    (void)capacity;
    (void)out_len;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_dedup_wait(trip_dedup dedup, const char *key, size_t key_len, uint64_t timeout_ns,
                            trip_ticket *out_ticket, char *out_value, size_t capacity, size_t *out_len)
{
    (void)dedup;
    (void)key;
    (void)key_len;
    (void)timeout_ns;
    (void)out_ticket;
    (void)out_value;
    (void)capacity;
    (void)out_len;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_dedup_watch(trip_dedup dedup, const char *key, size_t key_len, int32_t *out_fd)
{
    (void)dedup;
    (void)key;
    (void)key_len;
    (void)out_fd;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_dedup_forget(trip_dedup dedup, const char *key, size_t key_len)
{
    (void)dedup;
    (void)key;
    (void)key_len;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_dedup_inspect(trip_dedup dedup, trip_dedup_info *out_info)
{
    (void)dedup;
    (void)out_info;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_ticket_complete(trip_ticket ticket, const char *value, size_t value_len)
{
    (void)ticket;
    (void)value;
    (void)value_len;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_ticket_fail(trip_ticket ticket)
{
    (void)ticket;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_ticket_drop(trip_ticket ticket)
{
    (void)ticket;
    return TRIP_E_UNSUPPORTED;
}

trip_status trip_ticket_renew(trip_ticket ticket)
{
    (void)ticket;
    return TRIP_E_UNSUPPORTED;
}
