/* The ring of events: how it is taken from, what becomes of what it has no room for, its descriptor, its end. */
#include "taking.h"

#include "events.h"
#include "seams.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- Taking ------------------------------------------------------------------------------------------------------ */

START_TEST(arguments_are_checked_before_anything_is_done)
{
    trip_tracker tracker = fragile_tracker(), gone = fragile_tracker();
    ck_assert_int_eq(trip_tracker_destroy(gone), TRIP_OK);
    fail_once(circuit_of(tracker, "acme", "openai"));
    trip_event event = {0};
    char text[TEXT_OF_ONE];
    size_t count = 7;
    uint64_t lost = 7;
#define TAKE(tracker, events, size, capacity, text, text_capacity, count, lost)                                        \
    trip_tracker_events(tracker, events, size, capacity, text, text_capacity, count, lost)
    const size_t size = sizeof event, first_released = 104; /* before events of gates had a depth */
    ck_assert_int_eq(TAKE(tracker, NULL, size, 1, text, sizeof text, &count, &lost), TRIP_E_INVALID);
    ck_assert_int_eq(TAKE(tracker, &event, size, 0, text, sizeof text, &count, &lost), TRIP_E_INVALID);
    ck_assert_int_eq(TAKE(tracker, &event, size, 1, NULL, 0, &count, &lost), TRIP_E_INVALID);
    ck_assert_int_eq(TAKE(tracker, &event, size, 1, text, sizeof text, NULL, &lost), TRIP_E_INVALID);
    ck_assert_int_eq(TAKE(tracker, &event, size, 1, text, sizeof text, &count, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(TAKE(tracker, &event, 0, 1, text, sizeof text, &count, &lost), TRIP_E_INVALID);
    ck_assert_int_eq(TAKE(tracker, &event, first_released - 1, 1, text, sizeof text, &count, &lost), TRIP_E_INVALID);
    ck_assert_int_eq(TAKE(tracker, &event, 4097, 1, text, sizeof text, &count, &lost), TRIP_E_INVALID);
    ck_assert_int_eq(TAKE(tracker, &event, SIZE_MAX, 1, text, sizeof text, &count, &lost), TRIP_E_INVALID);
    ck_assert_int_eq(TAKE(7, &event, 0, 1, text, sizeof text, &count, &lost), TRIP_E_INVALID);
    const uint64_t strangers[] = {0, 7, UINT64_MAX, gone, circuit_of(tracker, "acme", "openai")};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        ck_assert_int_eq(TAKE(strangers[i], &event, size, 1, text, sizeof text, &count, &lost), TRIP_E_HANDLE);
    ck_assert_uint_eq(count + lost, 14);
    ck_assert_uint_eq(event.kind, 0);
    ck_assert_int_eq(TAKE(tracker, &event, size, 1, text, sizeof text, &count, &lost), TRIP_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_eq(event.kind, TRIP_EVENT_OPENED);
}
END_TEST

START_TEST(a_text_that_does_not_fit_stays_with_its_event)
{
    trip_tracker tracker = fragile_tracker();
    fail_once(circuit_of(tracker, "acme", "openai"));    /* 10 bytes */
    fail_once(circuit_of(tracker, "acme", "anthropic")); /* 13 */
    fail_once(circuit_of(tracker, "", ""));
    trip_event events[3];
    char text[64] = "untouched";
    size_t count = 7;
    uint64_t lost = 7;
    ck_assert_int_eq(TAKE(tracker, events, sizeof *events, 3, text, 9, &count, &lost), TRIP_E_CAPACITY);
    ck_assert_int_eq(TAKE(tracker, events, sizeof *events, 3, text, 0, &count, &lost), TRIP_E_CAPACITY);
    ck_assert_str_eq(text, "untouched");
    ck_assert_uint_eq(count + lost, 14);
    ck_assert_int_eq(TAKE(tracker, events, sizeof *events, 3, text, 22, &count, &lost), TRIP_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(memcmp(text, "acmeopenai", 10), 0);
    ck_assert_int_eq(TAKE(tracker, events, sizeof *events, 3, text, 13, &count, &lost), TRIP_OK);
    ck_assert_uint_eq(count, 2); /* the last one has an empty name */
    ck_assert_int_eq(memcmp(text, "acmeanthropic", 13), 0);
    ck_assert_uint_eq(events[0].number, 2);
    ck_assert_uint_eq(events[0].provider_offset, 4);
    ck_assert_uint_eq(events[1].number, 3);
    ck_assert_uint_eq(events[1].tenant_len + events[1].provider_len, 0);
}
END_TEST

START_TEST(the_longest_texts_are_told_whole)
{
    trip_tracker tracker = fragile_tracker();
    char long_text[3][255], text[TEXT_OF_ONE];
    for (int i = 0; i < 3; i++)
        memset(long_text[i], 'a' + i, sizeof long_text[i]);
    trip_event event = {.kind = TRIP_EVENT_FORCED, .mode = TRIP_MODE_FORCED_OPEN, .scope = TRIP_SCOPE_PROVIDER};
    trip_event_texts texts = {long_text[0], 255, long_text[1], 255, long_text[2], 255};
    trip_events_tell(tracker, &event, &texts);
    size_t count;
    uint64_t lost;
    ck_assert_int_eq(TAKE(tracker, &event, sizeof event, 1, text, TEXT_OF_ONE - 1, &count, &lost), TRIP_E_CAPACITY);
    ck_assert_int_eq(TAKE(tracker, &event, sizeof event, 1, text, TEXT_OF_ONE, &count, &lost), TRIP_OK);
    ck_assert_uint_eq(event.mode, TRIP_MODE_FORCED_OPEN);
    ck_assert_uint_eq(event.scope, TRIP_SCOPE_PROVIDER);
    ck_assert_uint_eq(event.tenant_len, 255);
    ck_assert_uint_eq(event.provider_len, 255);
    ck_assert_uint_eq(event.reason_len, 255);
    ck_assert_int_eq(memcmp(text + event.tenant_offset, long_text[0], 255), 0);
    ck_assert_int_eq(memcmp(text + event.provider_offset, long_text[1], 255), 0);
    ck_assert_int_eq(memcmp(text + event.reason_offset, long_text[2], 255), 0);
}
END_TEST

START_TEST(events_of_a_later_version_are_written_as_far_as_they_are_known)
{
    struct {
        trip_event known;
        uint64_t unknown[3];
    } later[3];
    memset(later, 0xA5, sizeof later);
    trip_tracker tracker = fragile_tracker();
    fail_once(circuit_of(tracker, "acme", "openai"));
    fail_once(circuit_of(tracker, "acme", "anthropic"));
    char text[64];
    size_t count;
    uint64_t lost;
    ck_assert_int_eq(TAKE(tracker, &later[0].known, sizeof later[0], 3, text, sizeof text, &count, &lost), TRIP_OK);
    ck_assert_uint_eq(count, 2);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(later[i].known.struct_size, sizeof later[0]);
        ck_assert_uint_eq(later[i].known.number, i + 1);
        ck_assert_uint_eq(later[i].unknown[0] | later[i].unknown[1] | later[i].unknown[2], 0);
    }
    ck_assert_uint_eq(later[2].known.struct_size, 0xA5A5A5A5);
}
END_TEST

/* Something happens so many times. */
static void tell(trip_tracker tracker, uint64_t times)
{
    for (uint64_t i = 0; i < times; i++)
        trip_events_tell(tracker, &(trip_event){.kind = TRIP_EVENT_CONFIGURED, .epoch = i},
                         &(trip_event_texts){.tenant = "acme", .tenant_len = 4});
}

static void require_numbers(const told *all, uint64_t first)
{
    for (size_t i = 0; i < all->count; i++)
        ck_assert_uint_eq(all->events[i].number, first + i);
}

START_TEST(what_finds_no_room_is_counted_and_has_no_number)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit late = permit_of(circuit);
    tell(tracker, RING - 1);
    fail_once(circuit);                                             /* the last one that finds room */
    refused(circuit);                                               /* 1 is lost, */
    ck_assert_int_eq(trip_permit_record_success(late), TRIP_STALE); /* 2, */
    tell(tracker, 3);                                               /* 5, */
    move(tracker, SECOND);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK); /* 7 */
    const told *all = take_all(tracker);
    ck_assert_uint_eq(all->count, RING);
    ck_assert_uint_eq(all->lost, 7);
    require_numbers(all, 1);
    ck_assert_uint_eq(all->events[RING - 1].kind, TRIP_EVENT_OPENED);
    for (uint64_t i = 0; i < RING - 1; i++)
        ck_assert_uint_eq(all->events[i].epoch, i);
    fail_once(circuit);
    all = take_all(tracker);
    ck_assert_uint_eq(all->count, 1);
    ck_assert_uint_eq(all->lost, 7);
    require_numbers(all, RING + 1);
}
END_TEST

START_TEST(the_ring_goes_round)
{
    trip_tracker tracker = fragile_tracker();
    uint64_t number = 1, state = 9, waiting = 0, lost = 0;
    trip_event events[64];
    char text[64 * 4];
    for (int step = 0; step < 20000; step++) {
        uint64_t random = draw(&state), times = random % 80;
        tell(tracker, times);
        waiting += times;
        lost += waiting > RING ? waiting - RING : 0;
        waiting = waiting > RING ? RING : waiting;
        size_t capacity = 1 + (random >> 32) % 64, count;
        uint64_t counted;
        ck_assert_int_eq(TAKE(tracker, events, sizeof *events, capacity, text, sizeof text, &count, &counted), TRIP_OK);
        ck_assert_uint_eq(count, waiting < capacity ? waiting : capacity);
        ck_assert_uint_eq(counted, lost);
        waiting -= count;
        for (size_t i = 0; i < count; i++)
            ck_assert_uint_eq(events[i].number, number++);
    }
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_gt(number, 10 * RING);
}
END_TEST

START_TEST(without_memory_events_are_lost_and_nothing_else)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit permit = permit_of(circuit);
    atomic_store(&allocations_left, 0);
    ck_assert_int_eq(trip_permit_record_failure(permit), TRIP_OK);
    trip_status status = trip_circuit_permit(circuit, &permit, NULL);
    atomic_store(&allocations_left, INT64_MAX);
    ck_assert_int_eq(status, TRIP_REJECTED_OPEN);
    ck_assert_uint_eq(info_of(circuit).opens, 1);
    const told *all = take_all(tracker);
    ck_assert_uint_eq(all->count, 0);
    ck_assert_uint_eq(all->lost, 2);
    move(tracker, SECOND);
    permit_of(circuit);
    all = take_all(tracker);
    ck_assert_uint_eq(all->count, 1);
    ck_assert_uint_eq(all->lost, 2);
    ck_assert_uint_eq(all->events[0].kind, TRIP_EVENT_HALF_OPENED);
    ck_assert_uint_eq(all->events[0].number, 1);
}
END_TEST

START_TEST(the_ring_goes_with_its_tracker)
{
    trip_tracker tracker = fragile_tracker();
    circuit_of(tracker, "acme", "openai");
    tell(tracker, 100);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    int64_t before = atomic_load(&allocated);
    for (int i = 0; i < 100; i++) {
        tracker = fragile_tracker();
        fail_once(circuit_of(tracker, "acme", "openai"));
        tell(tracker, RING + 2);
        const told *all = i % 2 == 0 ? take_all(tracker) : NULL;
        if (all != NULL) {
            require_numbers(all, 1);
            ck_assert_uint_eq(all->count, RING);
            ck_assert_uint_eq(all->lost, 3);
        }
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    }
    ck_assert_int_le(atomic_load(&allocated), before + 8); /* chunks of texts, and then no more */
}
END_TEST

/* ---- The descriptor ---------------------------------------------------------------------------------------------- */

static void take_one(trip_tracker tracker)
{
    trip_event event;
    char text[TEXT_OF_ONE];
    size_t count;
    uint64_t lost;
    ck_assert_int_eq(TAKE(tracker, &event, sizeof event, 1, text, sizeof text, &count, &lost), TRIP_OK);
    ck_assert_uint_eq(count, 1);
}

START_TEST(the_descriptor_is_readable_while_events_wait)
{
    for (int early = 0; early < 2; early++) {
        trip_tracker tracker = fragile_tracker();
        int32_t fd = early ? descriptor_of(tracker) : -1;
        ck_assert(!early || !is_readable(fd));
        tell(tracker, 3);
        fd = descriptor_of(tracker);
        ck_assert_int_eq(descriptor_of(tracker), fd);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 3; i++) {
                ck_assert(is_readable(fd));
                take_one(tracker);
            }
            ck_assert(!is_readable(fd));
            forget_all(tracker);
            ck_assert(!is_readable(fd));
            tell(tracker, 3);
        }
        trip_event event;
        char text[1];
        size_t count;
        uint64_t lost;
        ck_assert_int_eq(TAKE(tracker, &event, sizeof event, 1, text, 1, &count, &lost), TRIP_E_CAPACITY);
        ck_assert(is_readable(fd));
        forget_all(tracker);
        ck_assert(!is_readable(fd));
    }
}
END_TEST

START_TEST(the_descriptor_is_written_to_once_between_two_drains)
{
    trip_tracker tracker = fragile_tracker();
    int32_t fd = descriptor_of(tracker);
    for (int round = 0; round < 3; round++) {
        tell(tracker, 10);
        uint64_t written = 0;
        ck_assert_int_eq(read(fd, &written, sizeof written), sizeof written);
        ck_assert_uint_eq(written, 1);
        forget_all(tracker);
    }
}
END_TEST

START_TEST(the_descriptor_is_what_it_says_and_errno_is_kept)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    errno = EDOM;
    int32_t fd = descriptor_of(tracker);
    ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    errno = EDOM;
    fail_once(circuit);
    take_one(tracker);
    forget_all(tracker);
    tell(tracker, RING + 1);
    forget_all(tracker);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(a_descriptor_that_the_system_does_not_give_is_asked_for_again)
{
    trip_tracker tracker = fragile_tracker();
    struct rlimit before, none = {0};
    int32_t fd = 7;
    ck_assert_int_eq(trip_tracker_event_fd(tracker, NULL), TRIP_E_INVALID);
    ck_assert_int_eq(trip_tracker_event_fd(7, &fd), TRIP_E_HANDLE);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    errno = EDOM;
    trip_status status = trip_tracker_event_fd(tracker, &fd);
    int kept = errno;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(status, TRIP_E_SYSTEM);
    ck_assert_int_eq(kept, EDOM);
    ck_assert_int_eq(fd, 7);
    tell(tracker, 1);
    ck_assert(is_readable(descriptor_of(tracker)));
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert_int_eq(trip_tracker_event_fd(tracker, &fd), TRIP_E_HANDLE);
}
END_TEST

START_TEST(a_duplicate_is_readable_once_the_tracker_is_gone)
{
    trip_tracker tracker = fragile_tracker();
    int duplicate = dup(descriptor_of(tracker));
    ck_assert(!is_readable(duplicate));
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert(is_readable(duplicate));
    close(duplicate);
}
END_TEST

/* ---- Destruction ------------------------------------------------------------------------------------------------- */

/* Trackers come and go while threads tell, take and poll: each tracker tells of its own circuits alone. */
typedef struct stage {
    _Atomic uint64_t tracker;
    _Atomic int stop;
    _Atomic uint64_t seed, taken;
} stage;

static void take_from(stage *s, trip_tracker tracker)
{
    trip_event events[50];
    char text[50 * 16];
    size_t count = 0;
    uint64_t lost;
    trip_status status = trip_tracker_events(tracker, events, sizeof *events, 50, text, sizeof text, &count, &lost);
    if (status != TRIP_OK && status != TRIP_E_HANDLE)
        abort();
    atomic_fetch_add(&s->taken, count);
    for (size_t i = 0; i < count; i++)
        if (events[i].tenant_len != sizeof tracker ||
            memcmp(text + events[i].tenant_offset, &tracker, sizeof tracker) != 0)
            abort();
}

/* A circuit's tenant is its tracker. */
static void fail_in_place(trip_tracker tracker, char provider)
{
    trip_circuit circuit;
    trip_permit permit;
    if (trip_tracker_circuit(tracker, (const char *)&tracker, sizeof tracker, &provider, 1, &circuit) == TRIP_OK &&
        trip_circuit_permit(circuit, &permit, NULL) == TRIP_OK)
        trip_permit_record_failure(permit);
}

static void *tell_and_take_without_end(void *argument)
{
    stage *s = argument;
    uint64_t state = atomic_fetch_add(&s->seed, 0x9E3779B97F4A7C15u);
    while (!atomic_load(&s->stop)) {
        trip_tracker tracker = atomic_load(&s->tracker);
        uint64_t random = draw(&state);
        fail_in_place(tracker, (char)(random % 16));
        int32_t fd;
        if ((random >> 32) % 4 == 0)
            take_from(s, tracker);
        if ((random >> 40) % 8 == 0)
            trip_tracker_event_fd(tracker, &fd);
        trip_tracker_advance(tracker, SECOND);
    }
    return NULL;
}

START_TEST(a_tracker_may_be_destroyed_while_others_tell_and_take)
{
    enum { THREADS = 6, TRACKERS = 600 };
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.max_circuits = 8; /* fewer than names: evictions are told too */
    stage s = {.seed = 17};
    atomic_store(&s.tracker, tracker_with(&config));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, tell_and_take_without_end, &s), 0);
    for (int i = 0; i < TRACKERS; i++) {
        trip_tracker old = atomic_exchange(&s.tracker, tracker_with(&config));
        uint64_t before = atomic_load(&s.taken);
        while (atomic_load(&s.taken) == before) /* what the others tell of the old one or of the new one */
            take_from(&s, old);
        ck_assert_int_eq(trip_tracker_destroy(old), TRIP_OK);
    }
    atomic_store(&s.stop, 1);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(trip_tracker_destroy(atomic_load(&s.tracker)), TRIP_OK);
    int32_t fd = descriptor_of(fragile_tracker());
    ck_assert_int_lt(fd, 64); /* the others are closed */
}
END_TEST
static Suite *ring_suite(void)
{
    Suite *suite = suite_create("ring");
    TCase *taking = tcase_create("taking");
    tcase_set_timeout(taking, 120);
    tcase_add_test(taking, arguments_are_checked_before_anything_is_done);
    tcase_add_test(taking, a_text_that_does_not_fit_stays_with_its_event);
    tcase_add_test(taking, the_longest_texts_are_told_whole);
    tcase_add_test(taking, events_of_a_later_version_are_written_as_far_as_they_are_known);
    tcase_add_test(taking, what_finds_no_room_is_counted_and_has_no_number);
    tcase_add_test(taking, the_ring_goes_round);
    tcase_add_test(taking, without_memory_events_are_lost_and_nothing_else);
    tcase_add_test(taking, the_ring_goes_with_its_tracker);
    suite_add_tcase(suite, taking);
    TCase *descriptor = tcase_create("descriptor");
    tcase_add_test(descriptor, the_descriptor_is_readable_while_events_wait);
    tcase_add_test(descriptor, a_duplicate_is_readable_once_the_tracker_is_gone);
    tcase_add_test(descriptor, the_descriptor_is_written_to_once_between_two_drains);
    tcase_add_test(descriptor, the_descriptor_is_what_it_says_and_errno_is_kept);
    tcase_add_test(descriptor, a_descriptor_that_the_system_does_not_give_is_asked_for_again);
    suite_add_tcase(suite, descriptor);
    TCase *destruction = tcase_create("destruction");
    tcase_set_timeout(destruction, 300);
    tcase_add_test(destruction, a_tracker_may_be_destroyed_while_others_tell_and_take);
    suite_add_tcase(suite, destruction);
    return suite;
}

int main(void)
{
    return run_suite(ring_suite());
}
