/* The statuses of deduplicators and their tickets. */
#include "telling.h"

#include "asking.h"

#include <sys/resource.h>
#include <unistd.h>

static trip_tracker tracker;
static trip_dedup dedup;
static trip_ticket ticket;
static trip_error error = {.struct_size = sizeof error};
static char value[8];
static size_t len;

static void tell_create(void)
{
    struct {
        trip_dedup_config known;
        uint64_t unknown;
    } later = {.unknown = 1};
    TELL(TRIP_OK, trip_dedup_config_init, &later.known, sizeof later.known);
    TELL(TRIP_E_INVALID, trip_dedup_config_init, NULL, sizeof later.known);

    atomic_store(&entropy_fails, 1);
    TELL(TRIP_E_SYSTEM, trip_dedup_create, 0, NULL, &dedup, &error);
    atomic_store(&entropy_fails, 0);
    TELL(TRIP_E_INVALID, trip_dedup_create, 0, NULL, NULL, &error);
    TELL(TRIP_E_HANDLE, trip_dedup_create, 7, NULL, &dedup, &error);
    later.known.struct_size = sizeof later;
    TELL(TRIP_E_TOO_NEW, trip_dedup_create, 0, &later.known, &dedup, &error);
    later.known.struct_size = sizeof later.known;
    later.known.max_entries = 0;
    TELL(TRIP_E_CONFIG, trip_dedup_create, 0, &later.known, &dedup, &error);
    TELL_UNTIL_NO_MORE(trip_dedup_create, 0, NULL, &dedup, &error);
    TELL(TRIP_OK, trip_dedup_destroy, dedup);
    TELL(TRIP_E_HANDLE, trip_dedup_destroy, dedup);
}

/* One that has room for one call, in the place of the last one: there is no other. */
static void begin_anew(void)
{
    trip_dedup_destroy(dedup);
    trip_dedup_config config = dedup_config();
    config.max_entries = 1;
    dedup = dedup_with(tracker, &config);
}

/* Both ways of asking, which say the same. */
#define TELL_ASKING(expected, text, text_len)                                                                          \
    do {                                                                                                               \
        TELL(expected, trip_dedup_check, dedup, text, text_len, &ticket, value, sizeof value, &len);                   \
        if ((expected) == TRIP_OK)                                                                                     \
            ck_assert_int_eq(trip_ticket_fail(ticket), TRIP_OK);                                                       \
        TELL(expected, trip_dedup_wait, dedup, text, text_len, 0, &ticket, value, sizeof value, &len);                 \
    } while (0)

static void tell_asking(void)
{
    begin_anew();
    TELL_ASKING(TRIP_E_INVALID, NULL, 1);
    atomic_store(&allocations_left, 0);
    TELL_ASKING(TRIP_E_NOMEM, "a", 1);
    atomic_store(&allocations_left, INT64_MAX);
    TELL_ASKING(TRIP_OK, "a", 1);
    TELL_ASKING(TRIP_IN_PROGRESS, "a", 1);
    TELL_ASKING(TRIP_E_CAPACITY, "b", 1);
    ck_assert_int_eq(trip_ticket_complete(ticket, "x", 1), TRIP_OK);
    TELL_ASKING(TRIP_CACHED, "a", 1);
    ck_assert_int_eq(trip_dedup_destroy(dedup), TRIP_OK);
    TELL_ASKING(TRIP_E_HANDLE, "a", 1);
}

static void tell_watch(void)
{
    int32_t fd;
    begin_anew();
    TELL(TRIP_OK, trip_dedup_watch, dedup, "a", 1, &fd);
    ck_assert_int_eq(close(fd), 0);
    TELL(TRIP_E_INVALID, trip_dedup_watch, dedup, "a", 1, NULL);
    TELL(TRIP_E_HANDLE, trip_dedup_watch, 7, "a", 1, &fd);
    struct rlimit before, none = {0};
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    trip_status status = note("trip_dedup_watch", trip_dedup_watch(dedup, "a", 1, &fd));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(status, TRIP_E_SYSTEM);
}

static void tell_seeing(void)
{
    trip_dedup_info info = {.struct_size = sizeof info};
    TELL(TRIP_OK, trip_dedup_forget, dedup, "a", 1);
    TELL(TRIP_E_INVALID, trip_dedup_forget, dedup, NULL, 1);
    TELL(TRIP_E_HANDLE, trip_dedup_forget, 7, "a", 1);
    TELL(TRIP_OK, trip_dedup_inspect, dedup, &info);
    TELL(TRIP_E_INVALID, trip_dedup_inspect, dedup, NULL);
    TELL(TRIP_E_HANDLE, trip_dedup_inspect, 7, &info);
}

/* ---- Tickets ----------------------------------------------------------------------------------------------------- */

static trip_ticket fresh(void)
{
    begin_anew();
    return ticket_for(dedup, (key){"a", 1});
}

static trip_ticket stale(void)
{
    trip_ticket late = fresh();
    pass(tracker, 600 * SECOND);
    return late;
}

static trip_ticket settled(void)
{
    trip_ticket over = fresh();
    ck_assert_int_eq(trip_ticket_fail(over), TRIP_OK);
    return over;
}

static trip_status complete(trip_ticket with)
{
    return trip_ticket_complete(with, "x", 1);
}

static void tell_tickets(void)
{
    static const struct {
        const char *name;
        trip_status (*act)(trip_ticket);
    } acts[] = {{"trip_ticket_complete", complete},
                {"trip_ticket_fail", trip_ticket_fail},
                {"trip_ticket_drop", trip_ticket_drop},
                {"trip_ticket_renew", trip_ticket_renew}};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        ck_assert_int_eq(note(acts[i].name, acts[i].act(fresh())), TRIP_OK);
        ck_assert_int_eq(note(acts[i].name, acts[i].act(stale())), TRIP_STALE);
        ck_assert_int_eq(note(acts[i].name, acts[i].act(settled())), TRIP_E_CONSUMED);
        ck_assert_int_eq(note(acts[i].name, acts[i].act(7)), TRIP_E_HANDLE);
    }
    TELL(TRIP_E_INVALID, trip_ticket_complete, fresh(), NULL, 1);
    ticket = fresh();
    atomic_store(&allocations_left, 0);
    TELL(TRIP_E_NOMEM, trip_ticket_complete, ticket, "x", 1);
    atomic_store(&allocations_left, INT64_MAX);
}

void tell_dedups(void)
{
    tell_create();
    tracker = fragile_tracker();
    tell_asking();
    tell_watch();
    tell_seeing();
    tell_tickets();
}
