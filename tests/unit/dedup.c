/* Deduplication, one caller at a time: keys, tickets, leases and values, bounds, and what every call does with
   nonsense. */
#include "asking.h"

#include "buckets.h"
#include "calls.h"
#include "handle.h"
#include "ticket.h"

#include <errno.h>
#include <unistd.h>

static trip_tracker tracker;
static key a = {"a", 1}, b = {"b", 1}, c = {"c", 1};

static void begin(void)
{
    tracker = fragile_tracker();
}

static trip_dedup plain(void)
{
    return dedup_with(tracker, NULL);
}

/* ---- The config -------------------------------------------------------------------------------------------------- */

START_TEST(the_defaults_are_those_of_the_header)
{
    trip_dedup_config config = dedup_config();
    ck_assert_uint_eq(config.struct_size, sizeof config);
    ck_assert_uint_eq(config.max_entries, 65536);
    ck_assert_uint_eq(config.max_bytes, 64 << 20);
    ck_assert_uint_eq(config.lease_ns, 600 * SECOND);
    ck_assert_uint_eq(config.ttl_ns, 300 * SECOND);
    ck_assert_int_eq(trip_dedup_config_init(NULL, sizeof config), TRIP_E_INVALID);
    ck_assert_int_eq(trip_dedup_config_init(&config, sizeof config - 1), TRIP_E_INVALID);
    ck_assert_int_eq(trip_dedup_config_init(&config, 4097), TRIP_E_INVALID);
}
END_TEST

static trip_status create(const trip_dedup_config *config, trip_error *out_error)
{
    trip_dedup dedup = UNTOUCHED;
    *out_error = (trip_error){.struct_size = sizeof *out_error};
    trip_status status = trip_dedup_create(tracker, config, &dedup, out_error);
    ck_assert(status == TRIP_OK ? dedup != UNTOUCHED : dedup == UNTOUCHED);
    if (status == TRIP_OK)
        ck_assert_int_eq(trip_dedup_destroy(dedup), TRIP_OK);
    return status;
}

static const struct {
    size_t offset;
    bool is_64;
    uint64_t value;
    trip_status status;
} limits[] = {
#define LIMIT(field, value, status)                                                                                    \
    {                                                                                                                  \
        offsetof(trip_dedup_config, field), sizeof(((trip_dedup_config *)0)->field) == 8, value, status                \
    }
    LIMIT(max_entries, 0, TRIP_E_CONFIG),
    LIMIT(max_entries, 1, TRIP_OK),
    LIMIT(max_entries, 16777216, TRIP_OK),
    LIMIT(max_entries, 16777217, TRIP_E_CONFIG),
    LIMIT(max_entries, UINT32_MAX, TRIP_E_CONFIG),
    LIMIT(max_bytes, 0, TRIP_E_CONFIG),
    LIMIT(max_bytes, 1, TRIP_OK),
    LIMIT(max_bytes, UINT64_MAX, TRIP_OK),
    LIMIT(lease_ns, 0, TRIP_E_CONFIG),
    LIMIT(lease_ns, 1, TRIP_OK),
    LIMIT(lease_ns, YEAR, TRIP_OK),
    LIMIT(lease_ns, YEAR + 1, TRIP_E_CONFIG),
    LIMIT(ttl_ns, 0, TRIP_OK),
    LIMIT(ttl_ns, YEAR, TRIP_OK),
    LIMIT(ttl_ns, YEAR + 1, TRIP_E_CONFIG),
    LIMIT(ttl_ns, UINT64_MAX, TRIP_E_CONFIG),
};

START_TEST(each_field_has_its_range)
{
    trip_dedup_config config = dedup_config();
    uint32_t narrow = (uint32_t)limits[_i].value;
    memcpy((char *)&config + limits[_i].offset, limits[_i].is_64 ? (const void *)&limits[_i].value : &narrow,
           limits[_i].is_64 ? 8 : 4);
    trip_error error;
    ck_assert_int_eq(create(&config, &error), limits[_i].status);
    if (limits[_i].status != TRIP_OK) {
        ck_assert_int_eq(error.status, TRIP_E_CONFIG);
        ck_assert_uint_eq(error.field_offset, limits[_i].offset);
        ck_assert(error.message[0] != 0);
    }
}
END_TEST

START_TEST(a_deduplicator_that_cannot_be_created_says_why)
{
    trip_error error, *too_small = &(trip_error){.struct_size = 7};
    struct {
        trip_dedup_config known;
        uint64_t unknown;
    } later = {.known = dedup_config()};
    later.known.struct_size = sizeof later;
    ck_assert_int_eq(create(&later.known, &error), TRIP_OK);
    later.unknown = 1;
    ck_assert_int_eq(create(&later.known, &error), TRIP_E_TOO_NEW);
    later.known.struct_size = 8;
    ck_assert_int_eq(create(&later.known, &error), TRIP_E_INVALID);

    trip_dedup dedup = UNTOUCHED;
    ck_assert_int_eq(trip_dedup_create(tracker, NULL, &dedup, too_small), TRIP_E_INVALID);
    ck_assert_int_eq(trip_dedup_create(tracker, NULL, NULL, &error), TRIP_E_INVALID);
    ck_assert_str_eq(error.message, "out_dedup is NULL");
    ck_assert_int_eq(trip_dedup_create(tracker + 1, NULL, &dedup, &error), TRIP_E_HANDLE);
    ck_assert_str_eq(error.message, "no such tracker");
    ck_assert_uint_eq(dedup, UNTOUCHED);
    ck_assert_int_eq(trip_dedup_create(0, NULL, &dedup, NULL), TRIP_OK);
}
END_TEST

/* ---- A key ------------------------------------------------------------------------------------------------------- */

START_TEST(a_key_is_new_then_in_progress_then_cached)
{
    trip_dedup dedup = plain();
    trip_ticket ticket = ticket_for(dedup, a);
    ck_assert_int_eq(ask(dedup, a).status, TRIP_IN_PROGRESS);
    ck_assert_int_eq(ask(dedup, a).status, TRIP_IN_PROGRESS);
    ck_assert_int_eq(ask(dedup, b).status, TRIP_OK);
    ck_assert_int_eq(trip_ticket_complete(ticket, "one", 3), TRIP_OK);
    ck_assert(is_cached(dedup, a, "one"));
    ck_assert(is_cached(dedup, a, "one"));
    ck_assert_int_eq(ask(dedup, b).status, TRIP_IN_PROGRESS);
    trip_dedup_info info = seen(dedup);
    ck_assert_uint_eq(info.in_progress, 1);
    ck_assert_uint_eq(info.cached, 1);
    ck_assert_uint_eq(info.waiting, 0);
    ck_assert_uint_eq(info.bytes, 1 + 1 + 3);
    ck_assert_uint_eq(info.started, 2);
    ck_assert_uint_eq(info.hits, 2);
    ck_assert_uint_eq(info.joined, 3);
    ck_assert_uint_eq(info.completed, 1);
    ck_assert_uint_eq(info.failed + info.expired + info.evicted, 0);
}
END_TEST

START_TEST(a_ticket_that_fails_frees_its_key_at_once)
{
    trip_dedup dedup = plain();
    ck_assert_int_eq(trip_ticket_fail(ticket_for(dedup, a)), TRIP_OK);
    ck_assert_uint_eq(seen(dedup).in_progress, 0);
    ck_assert_uint_eq(seen(dedup).bytes, 0);
    ck_assert_int_eq(trip_ticket_drop(ticket_for(dedup, a)), TRIP_OK);
    bring(dedup, a, "");
    ck_assert(is_cached(dedup, a, ""));
    ck_assert_uint_eq(seen(dedup).failed, 2);
}
END_TEST

typedef trip_status (*settling)(trip_ticket);

static trip_status complete(trip_ticket ticket)
{
    return trip_ticket_complete(ticket, "late", 4);
}

static const settling settlings[] = {complete, trip_ticket_fail, trip_ticket_drop};
enum { SETTLINGS = sizeof settlings / sizeof *settlings };

START_TEST(a_ticket_is_settled_once)
{
    trip_dedup dedup = plain();
    for (int first = 0; first < SETTLINGS; first++) {
        ck_assert_int_eq(trip_dedup_forget(dedup, "a", 1), TRIP_OK);
        trip_ticket ticket = ticket_for(dedup, a);
        ck_assert_int_eq(trip_ticket_renew(ticket), TRIP_OK);
        ck_assert_int_eq(settlings[first](ticket), TRIP_OK);
        trip_dedup_info before = seen(dedup), after;
        for (int then = 0; then < SETTLINGS; then++)
            ck_assert_int_eq(settlings[then](ticket), TRIP_E_CONSUMED);
        ck_assert_int_eq(trip_ticket_renew(ticket), TRIP_E_CONSUMED);
        after = seen(dedup);
        ck_assert_mem_eq(&before, &after, sizeof after);
    }
}
END_TEST

START_TEST(a_settled_ticket_has_no_part_in_the_one_that_has_its_slot)
{
    trip_dedup dedup = plain();
    trip_ticket old = ticket_for(dedup, a);
    ck_assert_int_eq(trip_ticket_fail(old), TRIP_OK);
    trip_ticket next = ticket_for(dedup, b);
    ck_assert_uint_eq(trip_handle_slot(next, TRIP_TICKET_SLOT_BITS), trip_handle_slot(old, TRIP_TICKET_SLOT_BITS));
    for (int i = 0; i < SETTLINGS; i++)
        ck_assert_int_eq(settlings[i](old), TRIP_E_CONSUMED);
    ck_assert_int_eq(trip_ticket_renew(old), TRIP_E_CONSUMED);
    ck_assert_int_eq(ask(dedup, b).status, TRIP_IN_PROGRESS);
    ck_assert_int_eq(trip_ticket_fail(next), TRIP_OK);
}
END_TEST

START_TEST(a_ticket_that_was_never_given_is_none)
{
    trip_dedup dedup = plain();
    trip_ticket real = ticket_for(dedup, a);
    const trip_ticket garbage[] = {0,
                                   UINT64_MAX,
                                   dedup,
                                   tracker,
                                   real + 1,
                                   real + 1000,
                                   real + (UINT64_C(1) << TRIP_TICKET_SLOT_BITS),
                                   real - (UINT64_C(1) << TRIP_TICKET_SLOT_BITS),
                                   trip_handle_make(TRIP_KIND_TICKET, TRIP_TICKET_SLOT_BITS, 1, TRIP_TICKETS_MAX - 1),
                                   trip_handle_make(TRIP_KIND_TICKET, TRIP_TICKET_SLOT_BITS, 0, 0),
                                   trip_handle_make(TRIP_KIND_TOKEN, TRIP_TICKET_SLOT_BITS, 1, 0)};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        trip_status others = garbage[i] == real - (UINT64_C(1) << TRIP_TICKET_SLOT_BITS) &&
                                     trip_handle_generation(real, TRIP_TICKET_SLOT_BITS) > 1
                                 ? TRIP_E_CONSUMED
                                 : TRIP_E_HANDLE;
        for (int j = 0; j < SETTLINGS; j++)
            ck_assert_int_eq(settlings[j](garbage[i]), others);
        ck_assert_int_eq(trip_ticket_renew(garbage[i]), others);
    }
    ck_assert_int_eq(trip_ticket_complete(real, NULL, 1), TRIP_E_INVALID);
    ck_assert_int_eq(trip_ticket_complete(real, NULL, 0), TRIP_OK);
    ck_assert(is_cached(dedup, a, ""));
}
END_TEST

START_TEST(nonsense_is_refused_and_nothing_written)
{
    trip_dedup dedup = plain();
    trip_ticket ticket = UNTOUCHED;
    size_t len = 7;
    char value[4] = "abc";
    int32_t fd = -7;
#define BAD_WITH(ask_key, ...)                                                                                         \
    ck_assert_int_eq(ask_key(dedup, __VA_ARGS__, NULL, value, 4, &len), TRIP_E_INVALID);                               \
    ck_assert_int_eq(ask_key(dedup, __VA_ARGS__, &ticket, value, 4, NULL), TRIP_E_INVALID);                            \
    ck_assert_int_eq(ask_key(dedup, __VA_ARGS__, &ticket, NULL, 1, &len), TRIP_E_INVALID)
    BAD_WITH(trip_dedup_check, "a", 1);
    BAD_WITH(trip_dedup_wait, "a", 1, 0);
    ck_assert_int_eq(trip_dedup_check(dedup, NULL, 1, &ticket, value, 4, &len), TRIP_E_INVALID);
    ck_assert_int_eq(trip_dedup_wait(dedup, NULL, SIZE_MAX, 0, &ticket, value, 4, &len), TRIP_E_INVALID);
    ck_assert_int_eq(trip_dedup_watch(dedup, "a", 1, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_dedup_watch(dedup, NULL, 1, &fd), TRIP_E_INVALID);
    ck_assert_int_eq(trip_dedup_forget(dedup, NULL, 1), TRIP_E_INVALID);
    ck_assert_int_eq(trip_dedup_inspect(dedup, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_dedup_inspect(dedup, &(trip_dedup_info){.struct_size = 79}), TRIP_E_INVALID);
    const trip_dedup garbage[] = {0, UINT64_MAX, tracker, dedup + 1, dedup + (1 << 16), dedup ^ UINT64_C(1) << 59};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        trip_dedup_info info = {.struct_size = sizeof info, .started = 7};
        ck_assert_int_eq(trip_dedup_check(garbage[i], "a", 1, &ticket, value, 4, &len), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_dedup_wait(garbage[i], "a", 1, UINT64_MAX, &ticket, value, 4, &len), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_dedup_watch(garbage[i], "a", 1, &fd), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_dedup_forget(garbage[i], "a", 1), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_dedup_inspect(garbage[i], &info), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_dedup_destroy(garbage[i]), TRIP_E_HANDLE);
        ck_assert_uint_eq(info.started, 7);
    }
    ck_assert_uint_eq(ticket, UNTOUCHED);
    ck_assert_uint_eq(len, 7);
    ck_assert_str_eq(value, "abc");
    ck_assert_int_eq(fd, -7);
    ck_assert_uint_eq(seen(dedup).started + seen(dedup).joined, 0);
}
END_TEST

START_TEST(errno_is_preserved)
{
    trip_dedup dedup = plain();
    int32_t fd;
    errno = EDOM;
    trip_ticket ticket = ticket_for(dedup, a);
    trip_dedup_watch(dedup, "a", 1, &fd);
    close(fd);
    wait_for(dedup, a, MS);
    trip_ticket_renew(ticket);
    trip_ticket_complete(ticket, "x", 1);
    ask(dedup, a);
    trip_dedup_destroy(dedup);
    trip_ticket_fail(ticket);
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

/* ---- Lengths ----------------------------------------------------------------------------------------------------- */

static char *much(size_t len, char with)
{
    char *bytes = malloc(len + 1);
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, with, len);
    bytes[len] = 0;
    return bytes;
}

START_TEST(keys_have_up_to_65536_bytes_of_any_kind)
{
    trip_dedup dedup = plain();
    char *longest = much(65537, 'k');
    const key keys[] = {{NULL, 0},   {"\0", 1},        {"\0\0", 2},     {"a\0b", 3},
                        {"a\0c", 3}, {longest, 65535}, {longest, 65536}};
    enum { KEYS = sizeof keys / sizeof *keys };
    size_t bytes = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        ck_assert_int_eq(trip_ticket_complete(ticket_for(dedup, keys[i]), (char *)&i, sizeof i), TRIP_OK);
        bytes += keys[i].len + sizeof i;
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        said s = ask(dedup, keys[i]);
        ck_assert_int_eq(s.status, TRIP_CACHED);
        ck_assert_mem_eq(s.value, &i, sizeof i);
    }
    ck_assert_uint_eq(seen(dedup).bytes, bytes);
    ck_assert_int_eq(ask(dedup, (key){"", 0}).status, TRIP_CACHED);
    ck_assert_int_eq(ask(dedup, (key){longest, 65537}).status, TRIP_E_INVALID);
    ck_assert_int_eq(ask(dedup, (key){longest, SIZE_MAX}).status, TRIP_E_INVALID);
    ck_assert_int_eq(wait_for(dedup, (key){longest, 65537}, 0).status, TRIP_E_INVALID);
    int32_t fd = -7;
    ck_assert_int_eq(trip_dedup_watch(dedup, longest, 65537, &fd), TRIP_E_INVALID);
    ck_assert_int_eq(fd, -7);
    ck_assert_int_eq(trip_dedup_forget(dedup, longest, 65537), TRIP_E_INVALID);
    free(longest);
}
END_TEST

START_TEST(a_length_of_size_max_ends_with_a_nul)
{
    trip_dedup dedup = plain();
    trip_ticket ticket = ticket_for(dedup, (key){"name", SIZE_MAX});
    ck_assert_int_eq(trip_ticket_complete(ticket, "value", SIZE_MAX), TRIP_OK);
    ck_assert(is_cached(dedup, (key){"name", 4}, "value"));
    ck_assert_int_eq(trip_dedup_forget(dedup, "name", SIZE_MAX), TRIP_OK);
    ck_assert_int_eq(ask(dedup, named("name")).status, TRIP_OK);
}
END_TEST

START_TEST(values_are_any_bytes_of_any_length)
{
    trip_dedup dedup = plain();
    const size_t lens[] = {0, 1, 7, 255, 256, 65536, 65537, 1000000};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        char *value = much(lens[i], (char)i), *found = much(lens[i], 'z'); /* of NULs, the first time */
        trip_ticket ticket;
        size_t len;
        uint32_t number = (uint32_t)i;
        ck_assert_int_eq(trip_ticket_complete(ticket_for(dedup, numbered(&number)), value, lens[i]), TRIP_OK);
        memset(value, 'y', lens[i]); /* a copy was kept */
        ck_assert_int_eq(trip_dedup_check(dedup, (char *)&number, 4, &ticket, found, lens[i], &len), TRIP_CACHED);
        ck_assert_uint_eq(len, lens[i]);
        memset(value, (char)i, lens[i]);
        ck_assert(memcmp(found, value, lens[i]) == 0);
        free(value);
        free(found);
    }
}
END_TEST

START_TEST(who_has_too_little_room_is_told_how_much_it_takes)
{
    trip_dedup dedup = plain();
    bring(dedup, a, "12345");
    trip_ticket ticket = UNTOUCHED;
    char value[6] = "zzzzz";
    for (size_t capacity = 0; capacity < 5; capacity++) {
        size_t len = 0;
        ck_assert_int_eq(trip_dedup_check(dedup, "a", 1, &ticket, capacity == 0 ? NULL : value, capacity, &len),
                         TRIP_CACHED);
        ck_assert_uint_eq(len, 5);
        ck_assert_str_eq(value, "zzzzz");
        ck_assert_int_eq(trip_dedup_wait(dedup, "a", 1, 0, &ticket, value, capacity, &len), TRIP_CACHED);
        ck_assert_str_eq(value, "zzzzz");
    }
    size_t len = 0;
    ck_assert_int_eq(trip_dedup_check(dedup, "a", 1, &ticket, value, 5, &len), TRIP_CACHED);
    ck_assert_str_eq(value, "12345");
    ck_assert_uint_eq(ticket, UNTOUCHED);
    ck_assert_uint_eq(seen(dedup).hits, 11);
}
END_TEST

/* ---- Time -------------------------------------------------------------------------------------------------------- */

START_TEST(a_value_is_kept_for_its_ttl)
{
    trip_dedup dedup = with_times(tracker, SECOND, 100 * SECOND);
    bring(dedup, a, "x");
    pass(tracker, 100 * SECOND - 1);
    ck_assert(is_cached(dedup, a, "x"));
    pass(tracker, 1);
    ck_assert_int_eq(ask(dedup, a).status, TRIP_OK);
    trip_dedup_info info = seen(dedup);
    ck_assert_uint_eq(info.cached, 0);
    ck_assert_uint_eq(info.evicted, 0);
    ck_assert_uint_eq(info.bytes, 1);
}
END_TEST

START_TEST(asking_for_a_value_does_not_keep_it_longer)
{
    trip_dedup dedup = with_times(tracker, SECOND, 10);
    bring(dedup, a, "x");
    for (int i = 0; i < 9; i++) {
        pass(tracker, 1);
        ck_assert(is_cached(dedup, a, "x"));
    }
    pass(tracker, 1);
    ck_assert_uint_eq(seen(dedup).cached, 0);
}
END_TEST

START_TEST(a_key_whose_lease_is_over_is_free_and_its_ticket_stale)
{
    trip_dedup dedup = with_times(tracker, 100 * SECOND, SECOND);
    for (int i = 0; i < SETTLINGS; i++)
        for (int is_noticed = 0; is_noticed < 2; is_noticed++) {
            trip_ticket first = ticket_for(dedup, a);
            pass(tracker, 100 * SECOND - 1);
            ck_assert_int_eq(ask(dedup, a).status, TRIP_IN_PROGRESS);
            pass(tracker, 1);
            trip_ticket second = is_noticed ? ticket_for(dedup, a) : 0;
            ck_assert_int_eq(trip_ticket_renew(first), TRIP_STALE);
            ck_assert_int_eq(trip_ticket_renew(first), TRIP_STALE);
            ck_assert_int_eq(settlings[i](first), TRIP_STALE);
            ck_assert_int_eq(settlings[i](first), TRIP_E_CONSUMED);
            ck_assert_int_eq(trip_ticket_renew(first), TRIP_E_CONSUMED);
            ck_assert_int_eq(ask(dedup, a).status, is_noticed ? TRIP_IN_PROGRESS : TRIP_OK);
            pass(tracker, is_noticed ? 0 : 100 * SECOND);
            ck_assert_int_eq(is_noticed ? trip_ticket_fail(second) : TRIP_OK, TRIP_OK);
            ck_assert_uint_eq(seen(dedup).in_progress, 0);
        }
    ck_assert_uint_eq(seen(dedup).expired, SETTLINGS * 3);
    ck_assert_uint_eq(seen(dedup).completed, 0);
    ck_assert_uint_eq(seen(dedup).cached, 0);
}
END_TEST

enum { HEAP = 30 }; /* more than any one call sees to */

START_TEST(a_lease_is_over_for_the_last_of_many_before_anybody_comes_to_it)
{
    trip_dedup dedup = with_times(tracker, SECOND, SECOND);
    for (int i = 0; i <= SETTLINGS; i++) {
        trip_ticket tickets[HEAP];
        for (uint32_t k = 0; k < HEAP; k++)
            tickets[k] = ticket_for(dedup, numbered(&k));
        pass(tracker, SECOND);
        ck_assert_int_eq(i < SETTLINGS ? settlings[i](tickets[HEAP - 1]) : trip_ticket_renew(tickets[HEAP - 1]),
                         TRIP_STALE);
        uint32_t last = HEAP - 2;
        ck_assert_int_eq(ask(dedup, numbered(&last)).status, TRIP_OK);
        pass(tracker, SECOND);
    }
}
END_TEST

START_TEST(a_lease_begins_again_when_it_is_renewed)
{
    trip_dedup dedup = with_times(tracker, 10, SECOND);
    trip_ticket first = ticket_for(dedup, a), second = ticket_for(dedup, b);
    pass(tracker, 9);
    ck_assert_int_eq(trip_ticket_renew(first), TRIP_OK);
    pass(tracker, 9);
    ck_assert_int_eq(trip_ticket_renew(second), TRIP_STALE); /* others do not end later for it */
    ck_assert_int_eq(ask(dedup, a).status, TRIP_IN_PROGRESS);
    ck_assert_int_eq(trip_ticket_renew(first), TRIP_OK);
    pass(tracker, 10);
    ck_assert_int_eq(trip_ticket_renew(first), TRIP_STALE);
    ck_assert_uint_eq(seen(dedup).expired, 2);
}
END_TEST

START_TEST(a_ttl_begins_when_the_call_is_complete_and_ends_no_lease)
{
    trip_dedup dedup = with_times(tracker, 1000, 10);
    trip_ticket ticket = ticket_for(dedup, a);
    pass(tracker, 999);
    ck_assert_int_eq(ask(dedup, a).status, TRIP_IN_PROGRESS);
    ck_assert_int_eq(trip_ticket_complete(ticket, "x", 1), TRIP_OK);
    pass(tracker, 9);
    ck_assert(is_cached(dedup, a, "x"));
    pass(tracker, 1);
    ck_assert_int_eq(ask(dedup, a).status, TRIP_OK);
}
END_TEST

START_TEST(with_a_ttl_of_0_nothing_is_cached)
{
    trip_dedup dedup = with_times(tracker, 10, 0);
    bring(dedup, a, "x");
    ck_assert_int_eq(ask(dedup, a).status, TRIP_OK);
    trip_dedup_info info = seen(dedup);
    ck_assert_uint_eq(info.completed, 1);
    ck_assert_uint_eq(info.cached, 0);
    ck_assert_uint_eq(info.bytes, 1);
}
END_TEST

START_TEST(a_deduplicator_without_a_tracker_goes_by_the_machine)
{
    trip_dedup_config config = dedup_config();
    config.lease_ns = 1;
    config.ttl_ns = YEAR;
    trip_dedup dedup = dedup_with(0, &config);
    trip_ticket ticket = ticket_for(dedup, a); /* over by the time it is used */
    while (trip_ticket_renew(ticket) == TRIP_OK)
        ;
    ck_assert_int_eq(trip_ticket_complete(ticket, "x", 1), TRIP_STALE);
}
END_TEST

/* ---- Forgetting -------------------------------------------------------------------------------------------------- */

START_TEST(a_value_is_forgotten_and_a_call_in_progress_goes_on)
{
    trip_dedup dedup = plain();
    bring(dedup, a, "x");
    trip_ticket ticket = ticket_for(dedup, b);
    ck_assert_int_eq(trip_dedup_forget(dedup, "a", 1), TRIP_OK);
    ck_assert_int_eq(trip_dedup_forget(dedup, "a", 1), TRIP_OK);
    ck_assert_int_eq(trip_dedup_forget(dedup, "b", 1), TRIP_OK);
    ck_assert_int_eq(trip_dedup_forget(dedup, "c", 1), TRIP_OK);
    ck_assert_uint_eq(seen(dedup).cached, 0);
    ck_assert_uint_eq(seen(dedup).evicted, 0);
    ck_assert_uint_eq(seen(dedup).bytes, 1);
    ck_assert_int_eq(ask(dedup, b).status, TRIP_IN_PROGRESS);
    ck_assert_int_eq(trip_ticket_complete(ticket, "y", 1), TRIP_OK);
    ck_assert(is_cached(dedup, b, "y"));
    ck_assert_int_eq(ask(dedup, a).status, TRIP_OK);
}
END_TEST

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

static trip_dedup bounded(uint32_t entries, uint64_t bytes)
{
    trip_dedup_config config = dedup_config();
    config.max_entries = entries;
    config.max_bytes = bytes;
    config.lease_ns = 100;
    config.ttl_ns = 1000;
    return dedup_with(tracker, &config);
}

START_TEST(values_that_would_go_first_make_room)
{
    trip_dedup dedup = bounded(3, 1000);
    bring(dedup, b, "2");
    pass(tracker, 1);
    bring(dedup, a, "1");
    pass(tracker, 1);
    bring(dedup, c, "3");
    ck_assert(is_cached(dedup, b, "2")); /* that it was asked for does not save it */
    ticket_for(dedup, named("d"));
    ck_assert_uint_eq(seen(dedup).evicted, 1);
    ck_assert(is_cached(dedup, a, "1"));
    ck_assert(is_cached(dedup, c, "3"));
    ticket_for(dedup, b);
    ck_assert(is_cached(dedup, c, "3"));
    ck_assert_int_eq(ask(dedup, named("d")).status, TRIP_IN_PROGRESS);
    ticket_for(dedup, a);
    ck_assert_int_eq(ask(dedup, c).status, TRIP_E_CAPACITY);
    ck_assert_uint_eq(seen(dedup).evicted, 3);
    ck_assert_uint_eq(seen(dedup).in_progress, 3);
}
END_TEST

START_TEST(what_is_over_makes_room_before_anything_is_evicted)
{
    trip_dedup dedup = bounded(HEAP, 5 * HEAP);
    for (int are_values = 0; are_values < 2; are_values++) {
        for (uint32_t i = 0; i < HEAP; i++)
            if (are_values)
                bring(dedup, numbered(&i), "x");
            else
                ticket_for(dedup, numbered(&i));
        pass(tracker, 1000);
        char all[5 * HEAP] = "";
        ck_assert_int_eq(trip_ticket_fail(ticket_for(dedup, (key){all, sizeof all})), TRIP_OK);
    }
    trip_dedup_info info = seen(dedup);
    ck_assert_uint_eq(info.evicted, 0);
    ck_assert_uint_eq(info.expired, HEAP);
    ck_assert_uint_eq(info.bytes, 0);
}
END_TEST

START_TEST(one_entry_serves_one_call_after_the_other)
{
    trip_dedup dedup = bounded(1, 1000);
    trip_ticket ticket = ticket_for(dedup, a);
    ck_assert_int_eq(ask(dedup, b).status, TRIP_E_CAPACITY);
    ck_assert_int_eq(wait_for(dedup, b, UINT64_MAX).status, TRIP_E_CAPACITY);
    ck_assert_int_eq(trip_ticket_complete(ticket, "x", 1), TRIP_OK);
    ck_assert(is_cached(dedup, a, "x"));
    ticket = ticket_for(dedup, b);
    ck_assert_int_eq(ask(dedup, a).status, TRIP_E_CAPACITY);
    pass(tracker, 100); /* the lease is over: that makes room, too */
    trip_ticket next = ticket_for(dedup, a);
    ck_assert_int_eq(trip_ticket_fail(ticket), TRIP_STALE);
    ck_assert_int_eq(trip_ticket_complete(next, "y", 1), TRIP_OK);
    ck_assert(is_cached(dedup, a, "y"));
    ck_assert_uint_eq(seen(dedup).evicted, 1);
}
END_TEST

START_TEST(bytes_are_bounded_keys_included)
{
    trip_dedup dedup = bounded(100, 10);
    ck_assert_int_eq(ask(dedup, named("eleven byte")).status, TRIP_E_CAPACITY);
    trip_ticket ticket = ticket_for(dedup, named("ten bytes!"));
    ck_assert_int_eq(ask(dedup, a).status, TRIP_E_CAPACITY);
    ck_assert_int_eq(ask(dedup, (key){NULL, 0}).status, TRIP_OK); /* which takes none */
    ck_assert_int_eq(trip_ticket_complete(ticket, "", 0), TRIP_OK);
    ck_assert_uint_eq(seen(dedup).bytes, 10);
    bring(dedup, a, "12345678"); /* 9: in place of the other */
    ck_assert_uint_eq(seen(dedup).bytes, 9);
    ck_assert_uint_eq(seen(dedup).evicted, 1);
    ticket = ticket_for(dedup, b);
    ck_assert(is_cached(dedup, a, "12345678"));
    ck_assert_uint_eq(seen(dedup).bytes, 10);
    ck_assert_int_eq(trip_ticket_complete(ticket, "x", 1), TRIP_OK);
    ck_assert_int_eq(ask(dedup, a).status, TRIP_OK);
    ck_assert(is_cached(dedup, b, "x"));
    ck_assert_uint_eq(seen(dedup).evicted, 2);
}
END_TEST

START_TEST(a_value_without_room_is_not_kept_and_evicts_nobody)
{
    trip_dedup dedup = bounded(100, 10);
    bring(dedup, a, "x");
    bring(dedup, b, "1234567890");
    ck_assert_int_eq(ask(dedup, b).status, TRIP_OK);
    bring(dedup, c, "1234567890a");
    ticket_for(dedup, named("three"));
    trip_ticket ticket = ticket_for(dedup, c);
    ck_assert_int_eq(trip_ticket_complete(ticket, "12345", 5), TRIP_OK); /* 1 + 5 + 1 + 5 > 10 */
    ck_assert_int_eq(ask(dedup, c).status, TRIP_OK);
    ck_assert(is_cached(dedup, a, "x"));
    trip_dedup_info info = seen(dedup);
    ck_assert_uint_eq(info.completed, 4);
    ck_assert_uint_eq(info.evicted, 0);
    ck_assert_uint_eq(info.cached, 1);
    ck_assert_uint_eq(info.bytes, 2 + 1 + 5 + 1);
}
END_TEST

/* ---- Many -------------------------------------------------------------------------------------------------------- */

enum { MANY = 100000, AT_ONCE = 4 /* of each kind, whenever the mutex is taken */ };

static uint32_t held(trip_dedup dedup)
{
    trip_dedup_info info = seen(dedup);
    return info.in_progress + info.cached;
}

/* So many calls, as fast as can be. */
static void make_calls(trip_dedup dedup, uint32_t count, bool are_complete)
{
    trip_status worst = TRIP_OK;
    for (uint32_t i = 0; i < count && worst == TRIP_OK; i++) {
        trip_ticket ticket;
        size_t len;
        worst = trip_dedup_check(dedup, (char *)&i, sizeof i, &ticket, NULL, 0, &len);
        if (worst == TRIP_OK && are_complete)
            worst = trip_ticket_complete(ticket, "x", 1);
    }
    ck_assert_int_eq(worst, TRIP_OK);
}

START_TEST(no_call_pays_for_many_that_are_over)
{
    trip_dedup_config config = dedup_config();
    config.max_entries = 2 * MANY;
    trip_dedup dedup = dedup_with(tracker, &config);
    make_calls(dedup, MANY, _i == 1);
    pass(tracker, YEAR);
    uint32_t probe = MANY - 1; /* the last one is over, too, though nobody has come to it */
    uint32_t calls = 0;
    for (uint32_t before = MANY, after; before != 0; before = after) {
        ck_assert_int_eq(trip_ticket_fail(ticket_for(dedup, numbered(&probe))), TRIP_OK);
        after = held(dedup);
        ck_assert_uint_le(before - after, 4 * AT_ONCE + 1); /* two of the check, the settling, this look; and the key */
        probe = probe == 0 ? 0 : probe - 1;
        calls++;
    }
    ck_assert_uint_eq(seen(dedup).bytes, 0);
    ck_assert_uint_le(calls, MANY / 2 / AT_ONCE);
}
END_TEST

static uint32_t buckets_of(const trip_buckets *buckets)
{
    return TRIP_BUCKETS_FIRST + buckets->more;
}

START_TEST(buckets_come_one_at_a_time_and_lose_nothing)
{
    static trip_link links[MANY];
    trip_buckets buckets = {0};
    uint64_t state = 7;
    uint32_t most_at_once = 0, not_found = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        links[i].hash = draw(&state);
        uint32_t before = buckets_of(&buckets);
        trip_buckets_add(&buckets, &links[i]);
        if (buckets_of(&buckets) - before > most_at_once)
            most_at_once = buckets_of(&buckets) - before;
    }
    ck_assert_uint_eq(most_at_once, 1);
    ck_assert_uint_eq(buckets_of(&buckets), MANY);
    size_t looked_at = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        const trip_link *link = trip_buckets_at(&buckets, links[i].hash);
        for (looked_at++; link != NULL && link != &links[i]; looked_at++)
            link = link->next;
        not_found += link == NULL;
    }
    ck_assert_uint_eq(not_found, 0);
    ck_assert_uint_le(looked_at, 2 * MANY);
    for (uint32_t i = 0; i < MANY; i++)
        trip_buckets_remove(&buckets, &links[i]);
    ck_assert_uint_eq(buckets.count, 0);
    for (uint32_t i = 0; i < MANY; i++)
        not_found += trip_buckets_at(&buckets, links[i].hash) == NULL;
    ck_assert_uint_eq(not_found, MANY);
    trip_buckets_clear(&buckets);
}
END_TEST

START_TEST(keys_whose_hashes_collide_are_two)
{
    trip_calls calls = {.limits = dedup_config(), .dedup = plain(), .is_timed = false};
    const trip_call_key keys[] = {{"ab", 2, 7}, {"ac", 2, 7}, {"abc", 3, 7}, {NULL, 0, 7}, {"ab", 2, 8}};
    enum { KEYS = sizeof keys / sizeof *keys };
    trip_call *made[KEYS];
    trip_aftermath after = {0};
    for (int i = 0; i < KEYS; i++) {
        trip_ticket_slot *slot;
        trip_ticket ticket;
        ck_assert_ptr_null(trip_calls_find(&calls, &keys[i], &after));
        made[i] = trip_call_make(&keys[i]);
        ck_assert_int_eq(trip_ticket_take(&slot), TRIP_OK);
        ck_assert_int_eq(trip_calls_begin(&calls, made[i], slot, &ticket, &after), TRIP_OK);
    }
    for (int i = 0; i < KEYS; i++)
        ck_assert_ptr_eq(trip_calls_find(&calls, &keys[i], &after), made[i]);
    trip_calls_lose(&calls, TRIP_E_HANDLE, &after);
    trip_aftermath_do(&after);
    trip_calls_clear(&calls);
}
END_TEST

/* What a simple-minded list of keys says must be what the deduplicator says. */
START_TEST(a_long_history_goes_as_a_simple_list_has_it)
{
    enum { KEYS = 40, STEPS = 20000, LEASE = 50, TTL = 120 };
    trip_dedup dedup = with_times(tracker, LEASE, TTL);
    struct {
        enum { NOTHING, PROGRESS, VALUE } is;
        uint64_t ends;
        trip_ticket ticket;
        uint32_t value;
    } known[KEYS] = {0};
    uint64_t state = 11, now = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t k = (uint32_t)(draw(&state) % KEYS);
        uint64_t ns = draw(&state) % 8;
        pass(tracker, ns);
        now += ns;
        bool is_over = known[k].is != NOTHING && known[k].ends <= now;
        switch (draw(&state) % 6) {
        case 0:
        case 1:
        case 2: {
            said s = ask(dedup, numbered(&k));
            if (known[k].is == NOTHING || is_over) {
                ck_assert_int_eq(s.status, TRIP_OK);
                known[k].is = PROGRESS;
                known[k].ends = now + LEASE;
                known[k].ticket = s.ticket;
            } else if (known[k].is == PROGRESS) {
                ck_assert_int_eq(s.status, TRIP_IN_PROGRESS);
            } else {
                ck_assert_int_eq(s.status, TRIP_CACHED);
                ck_assert_mem_eq(s.value, &known[k].value, sizeof step);
            }
            break;
        }
        case 3:
            if (known[k].is != PROGRESS)
                break;
            ck_assert_int_eq(trip_ticket_renew(known[k].ticket), is_over ? TRIP_STALE : TRIP_OK);
            known[k].ends = is_over ? known[k].ends : now + LEASE;
            break;
        case 4:
            if (known[k].is != PROGRESS)
                break;
            ck_assert_int_eq(trip_ticket_complete(known[k].ticket, (char *)&step, sizeof step),
                             is_over ? TRIP_STALE : TRIP_OK);
            known[k].is = is_over ? NOTHING : VALUE;
            known[k].ends = now + TTL;
            known[k].value = step;
            break;
        case 5:
            if (known[k].is != PROGRESS)
                break;
            ck_assert_int_eq(trip_ticket_fail(known[k].ticket), is_over ? TRIP_STALE : TRIP_OK);
            known[k].is = NOTHING;
            break;
        }
    }
    for (int i = 0; i < KEYS; i++)
        seen(dedup); /* each sees to a few that are over */
    uint32_t progress = 0, values = 0;
    for (int i = 0; i < KEYS; i++) {
        progress += known[i].is == PROGRESS && known[i].ends > now;
        values += known[i].is == VALUE && known[i].ends > now;
    }
    ck_assert_uint_eq(seen(dedup).in_progress, progress);
    ck_assert_uint_eq(seen(dedup).cached, values);
    ck_assert_uint_eq(seen(dedup).bytes, (uint64_t)progress * 4 + (uint64_t)values * 8);
    ck_assert_uint_eq(seen(dedup).evicted, 0);
}
END_TEST

/* ---- Tickets ----------------------------------------------------------------------------------------------------- */

START_TEST(a_ticket_of_a_destroyed_deduplicator_is_none)
{
    trip_dedup dedup = plain();
    trip_ticket settled = ticket_for(dedup, a), out = ticket_for(dedup, b), late = ticket_for(dedup, c);
    ck_assert_int_eq(trip_ticket_fail(settled), TRIP_OK);
    pass(tracker, 599 * SECOND);
    ck_assert_int_eq(trip_ticket_renew(out), TRIP_OK);
    pass(tracker, SECOND);
    ck_assert_int_eq(trip_ticket_renew(late), TRIP_STALE);
    ck_assert_int_eq(trip_dedup_destroy(dedup), TRIP_OK);
    ck_assert_int_eq(trip_dedup_destroy(dedup), TRIP_E_HANDLE);
    trip_dedup other = plain();
    for (uint32_t i = 0; i < 100; i++)
        ticket_for(other, numbered(&i));
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < SETTLINGS; i++) {
            ck_assert_int_eq(settlings[i](out), TRIP_E_HANDLE);
            ck_assert_int_eq(settlings[i](late), TRIP_E_HANDLE);
            ck_assert_int_eq(settlings[i](settled), TRIP_E_CONSUMED);
        }
        ck_assert_int_eq(trip_ticket_renew(out), TRIP_E_HANDLE);
    }
    ck_assert_uint_eq(seen(other).in_progress, 100);
}
END_TEST

START_TEST(when_its_tracker_is_gone_a_deduplicator_can_only_be_destroyed)
{
    trip_dedup dedup = plain();
    bring(dedup, a, "x");
    trip_ticket ticket = ticket_for(dedup, b);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    int32_t fd = -7;
    ck_assert_int_eq(ask(dedup, a).status, TRIP_E_HANDLE);
    ck_assert_int_eq(wait_for(dedup, b, UINT64_MAX).status, TRIP_E_HANDLE);
    ck_assert_int_eq(trip_dedup_watch(dedup, "b", 1, &fd), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_ticket_complete(ticket, "y", 1), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_ticket_renew(ticket), TRIP_E_HANDLE);
    ck_assert_int_eq(fd, -7);
    ck_assert_int_eq(trip_dedup_forget(dedup, "a", 1), TRIP_OK);
    ck_assert_uint_eq(seen(dedup).cached, 0);
    ck_assert_int_eq(trip_dedup_destroy(dedup), TRIP_OK);
    ck_assert_int_eq(trip_dedup_destroy(dedup), TRIP_E_HANDLE);
}
END_TEST

START_TEST(slots_are_used_again_when_there_are_no_others)
{
    trip_dedup_config config = dedup_config();
    config.max_entries = 1 << 24;
    trip_dedup lost = dedup_with(tracker, &config), full = dedup_with(tracker, &config);
    make_calls(lost, 1000, false);
    trip_ticket of_lost = ticket_for(lost, a);
    ck_assert_int_eq(trip_dedup_destroy(lost), TRIP_OK);
    ck_assert_int_eq(trip_ticket_fail(of_lost), TRIP_E_HANDLE);

    make_calls(full, TRIP_TICKETS_MAX - 1, false);
    trip_ticket of_full = ticket_for(full, a);
    ck_assert_int_eq(ask(full, b).status, TRIP_E_CAPACITY);
    ck_assert_uint_eq(seen(full).in_progress, TRIP_TICKETS_MAX);
    ck_assert_int_eq(trip_ticket_fail(of_lost), TRIP_E_CONSUMED); /* its slot is another's by now */
    ck_assert_int_eq(trip_ticket_fail(of_full), TRIP_OK);
    of_full = ticket_for(full, a);
    ck_assert_int_eq(ask(full, b).status, TRIP_E_CAPACITY);

    pass(tracker, YEAR); /* all leases are over, and in the way of nobody */
    ck_assert_int_eq(ask(full, b).status, TRIP_OK);
    ck_assert_int_eq(trip_dedup_destroy(full), TRIP_OK);
    ck_assert_int_eq(trip_ticket_fail(of_full), TRIP_E_HANDLE);
    trip_dedup next = dedup_with(tracker, &config);
    make_calls(next, 2000, false);
    ck_assert_int_eq(trip_dedup_destroy(next), TRIP_OK);
}
END_TEST

START_TEST(a_ticket_slot_is_retired_with_its_last_generation)
{
    trip_ticket_slot *slot, *other;
    ck_assert_int_eq(trip_ticket_take(&slot), TRIP_OK);
    atomic_store(&slot->word, (trip_handle_generations(TRIP_TICKET_SLOT_BITS) - 2) << 2);
    trip_ticket last = trip_ticket_begin(slot, plain(), NULL);
    ck_assert_uint_eq(trip_handle_generation(last, TRIP_TICKET_SLOT_BITS), (UINT64_C(1) << 39) - 1);
    trip_ticket earlier = last - (UINT64_C(1) << TRIP_TICKET_SLOT_BITS);
    ck_assert(!trip_ticket_settle(slot, earlier));
    ck_assert(trip_ticket_settle(slot, last));
    ck_assert(!trip_ticket_settle(slot, last));
    ck_assert_int_eq(trip_ticket_fail(last), TRIP_E_CONSUMED);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(trip_ticket_take(&other), TRIP_OK);
        ck_assert_ptr_ne(other, slot);
    }
}
END_TEST

/* ---- The suite --------------------------------------------------------------------------------------------------- */

static Suite *dedup_suite(void)
{
    Suite *suite = suite_create("dedup");
    TCase *keys = tcase_create("keys");
    tcase_add_checked_fixture(keys, begin, NULL);
    tcase_set_timeout(keys, 300);
    tcase_add_test(keys, the_defaults_are_those_of_the_header);
    tcase_add_loop_test(keys, each_field_has_its_range, 0, sizeof limits / sizeof *limits);
    tcase_add_test(keys, a_deduplicator_that_cannot_be_created_says_why);
    tcase_add_test(keys, a_key_is_new_then_in_progress_then_cached);
    tcase_add_test(keys, a_ticket_that_fails_frees_its_key_at_once);
    tcase_add_test(keys, a_ticket_is_settled_once);
    tcase_add_test(keys, a_settled_ticket_has_no_part_in_the_one_that_has_its_slot);
    tcase_add_test(keys, a_ticket_that_was_never_given_is_none);
    tcase_add_test(keys, nonsense_is_refused_and_nothing_written);
    tcase_add_test(keys, errno_is_preserved);
    tcase_add_test(keys, keys_have_up_to_65536_bytes_of_any_kind);
    tcase_add_test(keys, a_length_of_size_max_ends_with_a_nul);
    tcase_add_test(keys, values_are_any_bytes_of_any_length);
    tcase_add_test(keys, who_has_too_little_room_is_told_how_much_it_takes);
    tcase_add_test(keys, a_value_is_kept_for_its_ttl);
    tcase_add_test(keys, asking_for_a_value_does_not_keep_it_longer);
    tcase_add_test(keys, a_key_whose_lease_is_over_is_free_and_its_ticket_stale);
    tcase_add_test(keys, a_lease_is_over_for_the_last_of_many_before_anybody_comes_to_it);
    tcase_add_test(keys, a_lease_begins_again_when_it_is_renewed);
    tcase_add_test(keys, a_ttl_begins_when_the_call_is_complete_and_ends_no_lease);
    tcase_add_test(keys, with_a_ttl_of_0_nothing_is_cached);
    tcase_add_test(keys, a_deduplicator_without_a_tracker_goes_by_the_machine);
    tcase_add_test(keys, a_value_is_forgotten_and_a_call_in_progress_goes_on);
    tcase_add_test(keys, values_that_would_go_first_make_room);
    tcase_add_test(keys, what_is_over_makes_room_before_anything_is_evicted);
    tcase_add_test(keys, one_entry_serves_one_call_after_the_other);
    tcase_add_test(keys, bytes_are_bounded_keys_included);
    tcase_add_test(keys, a_value_without_room_is_not_kept_and_evicts_nobody);
    tcase_add_loop_test(keys, no_call_pays_for_many_that_are_over, 0, 2);
    tcase_add_test(keys, buckets_come_one_at_a_time_and_lose_nothing);
    tcase_add_test(keys, keys_whose_hashes_collide_are_two);
    tcase_add_test(keys, a_long_history_goes_as_a_simple_list_has_it);
    tcase_add_test(keys, a_ticket_of_a_destroyed_deduplicator_is_none);
    tcase_add_test(keys, when_its_tracker_is_gone_a_deduplicator_can_only_be_destroyed);
    tcase_add_test(keys, slots_are_used_again_when_there_are_no_others);
    tcase_add_test(keys, a_ticket_slot_is_retired_with_its_last_generation);
    suite_add_tcase(suite, keys);
    return suite;
}

int main(void)
{
    return run_suite(dedup_suite());
}
