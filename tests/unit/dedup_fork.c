/* What becomes of deduplicators when a process splits: of calls in progress, of values, of who waits and who watches. */
#include "waiting.h"

#include "child.h"

static key a = {"a", 1}, b = {"b", 1};

typedef struct family {
    trip_dedup dedup;
    trip_ticket ticket;
    int32_t fd;
    int descriptors;
} family;

static trip_status check(trip_dedup dedup, const char *text, trip_ticket *out_ticket)
{
    char value[8];
    size_t len;
    return trip_dedup_check(dedup, text, 1, out_ticket, value, sizeof value, &len);
}

static int has_calls_of_its_own(void *argument)
{
    const family *f = argument;
    trip_dedup_info info = {.struct_size = sizeof info};
    trip_ticket ticket;
    REQUIRE(trip_dedup_inspect(f->dedup, &info) == TRIP_OK);
    REQUIRE(info.in_progress == 0 && info.waiting == 0 && info.cached == 1 && info.failed == 1);
    REQUIRE(descriptors() == f->descriptors); /* the library's own is closed */
    REQUIRE(trip_ticket_renew(f->ticket) == TRIP_STALE);
    REQUIRE(trip_ticket_complete(f->ticket, "mine", 4) == TRIP_STALE);
    REQUIRE(trip_ticket_fail(f->ticket) == TRIP_E_CONSUMED);
    REQUIRE(check(f->dedup, "b", &ticket) == TRIP_CACHED);
    REQUIRE(check(f->dedup, "a", &ticket) == TRIP_OK);
    REQUIRE(check(f->dedup, "a", &ticket) == TRIP_IN_PROGRESS);
    int32_t fd;
    REQUIRE(trip_dedup_watch(f->dedup, "a", 1, &fd) == TRIP_OK);
    thread waiting = {.dedup = f->dedup, .timeout_ns = UINT64_MAX};
    REQUIRE(pthread_create(&waiting.id, NULL, wait_in_thread, &waiting) == 0);
    until_waiting(f->dedup, 1);
    REQUIRE(!is_readable(fd));
    REQUIRE(trip_ticket_complete(ticket, "child", 5) == TRIP_OK);
    REQUIRE(pthread_join(waiting.id, NULL) == 0);
    REQUIRE(waiting.said.status == TRIP_CACHED && waiting.said.len == 5);
    REQUIRE(is_readable(fd) && !is_readable(f->fd));
    REQUIRE(trip_dedup_destroy(f->dedup) == TRIP_OK);
    REQUIRE(check(f->dedup, "a", &ticket) == TRIP_E_HANDLE);
    REQUIRE(!is_readable(f->fd));
    return 0;
}

START_TEST(in_the_child_keys_in_progress_are_free_and_values_stay)
{
    family f = {.dedup = plain()};
    bring(f.dedup, b, "x");
    f.descriptors = descriptors() + 1;
    f.ticket = ticket_for(f.dedup, a);
    f.fd = watch_of(f.dedup, a);
    thread threads[FEW];
    queue_up(threads, FEW, f.dedup, UINT64_MAX);
    ck_assert_int_eq(in_child(has_calls_of_its_own, &f), 0);
    ck_assert_int_eq(in_child(has_calls_of_its_own, &f), 0);
    ck_assert_uint_eq(seen(f.dedup).waiting, FEW);
    ck_assert(!is_readable(f.fd)); /* whatever has happened in the child */
    ck_assert_uint_gt(left_of(f.fd), 0);
    ck_assert_int_eq(trip_ticket_complete(f.ticket, "parent", 6), TRIP_OK);
    ck_assert(is_readable(f.fd));
    all_get(threads, FEW, "parent");
    close(f.fd);
}
END_TEST

/* The runtime of AddressSanitizer takes no locks around a fork (before that of gcc 14): no thread may be in malloc. */
#ifndef __SANITIZE_ADDRESS__
static int works(void *argument)
{
    trip_dedup dedup = *(const trip_dedup *)argument;
    for (uint32_t i = 0; i < 200; i++) {
        trip_ticket ticket;
        char value[16];
        size_t len;
        uint32_t k = i % KEYS;
        trip_status status = trip_dedup_wait(dedup, (char *)&k, sizeof k, 0, &ticket, value, sizeof value, &len);
        REQUIRE(status == TRIP_OK || status == TRIP_CACHED);
        REQUIRE(status != TRIP_OK || trip_ticket_complete(ticket, "some value", 10) == TRIP_OK);
        REQUIRE(trip_dedup_forget(dedup, (char *)&k, sizeof k) == TRIP_OK);
    }
    REQUIRE(trip_dedup_destroy(dedup) == TRIP_OK);
    return 0;
}

START_TEST(a_child_of_a_busy_process_can_use_its_deduplicators)
{
    pthread_t threads[WORKERS];
    work w = {.dedup = plain(), .seed = 3, .is_exclusive = true};
    employ(threads, &w);
    for (int i = 0; i < 60; i++) {
        trip_dedup dedup = w.dedup;
        ck_assert_int_eq(in_child(works, &dedup), 0);
    }
    dismiss(threads, &w);
}
END_TEST
#endif

/* ---- The suite --------------------------------------------------------------------------------------------------- */

static Suite *fork_suite(void)
{
    Suite *suite = suite_create("dedup_fork");
    TCase *forking = tcase_create("fork");
    tcase_set_timeout(forking, 300);
    tcase_add_test(forking, in_the_child_keys_in_progress_are_free_and_values_stay);
#ifndef __SANITIZE_ADDRESS__
    tcase_add_test(forking, a_child_of_a_busy_process_can_use_its_deduplicators);
#endif
    suite_add_tcase(suite, forking);
    return suite;
}

int main(void)
{
    return run_suite(fork_suite());
}
