/* Pages of circuits: each comes once, whatever the size of a page, and whoever comes or goes meanwhile. */
#include "fixture.h"

#include "circuit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#define MANY 1000

static trip_circuit numbered(trip_tracker tracker, unsigned number)
{
    char tenant[16];
    snprintf(tenant, sizeof tenant, "t%u", number);
    return circuit_of(tracker, tenant, "openai");
}

static size_t page_of(trip_tracker tracker, trip_circuit after, trip_circuit *out_circuits, size_t capacity)
{
    size_t count = SIZE_MAX;
    ck_assert_int_eq(trip_tracker_circuits(tracker, after, out_circuits, NULL, 0, capacity, &count), TRIP_OK);
    ck_assert_uint_le(count, capacity);
    return count;
}

/* Every circuit of a tracker, page by page. */
static size_t list(trip_tracker tracker, size_t page, trip_circuit *out_circuits, size_t room)
{
    size_t total = 0, count;
    trip_circuit after = 0;
    do {
        ck_assert_uint_le(total + page, room);
        count = page_of(tracker, after, out_circuits + total, page);
        total += count;
        after = total == 0 ? 0 : out_circuits[total - 1];
    } while (count == page);
    return total;
}

static int by_number(const void *one, const void *other)
{
    trip_circuit a = *(const trip_circuit *)one, b = *(const trip_circuit *)other;
    return (a > b) - (a < b);
}

/* ---- Pages ------------------------------------------------------------------------------------------------------- */

START_TEST(each_circuit_is_on_one_page)
{
    static const size_t pages[] = {1, 2, 7, 100, MANY - 1, MANY, MANY + 1};
    trip_tracker tracker = tracker_with(NULL), other = tracker_with(NULL);
    trip_circuit made[MANY], found[2 * MANY + 1];
    for (unsigned i = 0; i < MANY; i++) {
        made[i] = numbered(tracker, i);
        numbered(other, i); /* they share the pool, place by place */
    }
    qsort(made, MANY, sizeof made[0], by_number);
    for (size_t p = 0; p < sizeof pages / sizeof pages[0]; p++) {
        ck_assert_uint_eq(list(tracker, pages[p], found, sizeof found / sizeof found[0]), MANY);
        qsort(found, MANY, sizeof found[0], by_number);
        ck_assert_mem_eq(found, made, sizeof made);
    }
}
END_TEST

START_TEST(an_empty_tracker_has_an_empty_page)
{
    trip_circuit untouched = 7;
    ck_assert_uint_eq(page_of(tracker_with(NULL), 0, &untouched, 1), 0);
    ck_assert_uint_eq(untouched, 7);
}
END_TEST

START_TEST(a_page_goes_on_behind_a_circuit_that_is_gone)
{
    trip_config config = manual_config();
    config.max_circuits = 3;
    trip_tracker tracker = tracker_with(&config);
    for (unsigned i = 0; i < 3; i++)
        numbered(tracker, i);
    trip_circuit before[4], after[4];
    ck_assert_uint_eq(page_of(tracker, 0, before, 4), 3);
    for (unsigned i = 3; i < 6; i++) /* all of them are evicted */
        numbered(tracker, i);
    ck_assert_int_eq(trip_circuit_peek(before[1], NULL), TRIP_E_HANDLE);
    ck_assert_uint_eq(page_of(tracker, 0, after, 4), 3);
    trip_circuit behind[4];
    size_t expected = 0;
    while (expected < 3 && trip_handle_slot(after[expected], TRIP_CIRCUIT_SLOT_BITS) <=
                               trip_handle_slot(before[1], TRIP_CIRCUIT_SLOT_BITS))
        expected++;
    ck_assert_uint_eq(page_of(tracker, before[1], behind, 4), 3 - expected);
    ck_assert_mem_eq(behind, after + expected, (3 - expected) * sizeof after[0]);
}
END_TEST

START_TEST(a_page_may_begin_behind_a_circuit_of_another_tracker)
{
    trip_tracker tracker = tracker_with(NULL), other = tracker_with(NULL);
    trip_circuit first = numbered(tracker, 0), between = numbered(other, 0), last = numbered(tracker, 1), found[2];
    ck_assert_uint_lt(first, last);
    ck_assert_uint_eq(page_of(tracker, between, found, 2), 1);
    ck_assert_uint_eq(found[0], last);
    ck_assert_int_eq(trip_tracker_destroy(other), TRIP_OK);
    ck_assert_uint_eq(page_of(tracker, between, found, 2), 1);
    ck_assert_uint_eq(found[0], last);
}
END_TEST

/* ---- What is told of each ---------------------------------------------------------------------------------------- */

START_TEST(infos_are_what_inspect_says)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuits[5];
    trip_circuit_info infos[5];
    for (unsigned i = 0; i < 5; i++)
        numbered(tracker, i);
    fail_once(numbered(tracker, 1));
    permit_of(numbered(tracker, 3));
    size_t count;
    ck_assert_int_eq(trip_tracker_circuits(tracker, 0, circuits, infos, sizeof infos[0], 5, &count), TRIP_OK);
    ck_assert_uint_eq(count, 5);
    uint64_t opens = 0, permits = 0;
    for (unsigned i = 0; i < 5; i++) {
        trip_circuit_info info = info_of(circuits[i]);
        ck_assert_mem_eq(&infos[i], &info, sizeof info);
        opens += info.opens;
        permits += info.permits;
    }
    ck_assert_uint_eq(opens, 1);
    ck_assert_uint_eq(permits, 2);
}
END_TEST

/* Of callers who know fewer members than the library, or more: each element is as large as they say. */
START_TEST(infos_have_the_size_that_the_caller_says)
{
    static const size_t sizes[] = {112, sizeof(trip_circuit_info), sizeof(trip_circuit_info) + 1, 4096};
    size_t size = sizes[_i];
    trip_tracker tracker = fragile_tracker();
    for (unsigned i = 0; i < 3; i++)
        permit_of(numbered(tracker, i));
    unsigned char *infos = malloc(4 * size);
    memset(infos, 0xAA, 4 * size);
    trip_circuit circuits[4];
    size_t count;
    ck_assert_int_eq(trip_tracker_circuits(tracker, 0, circuits, (trip_circuit_info *)infos, size, 4, &count), TRIP_OK);
    ck_assert_uint_eq(count, 3);
    for (size_t i = 0; i < 3; i++) {
        trip_circuit_info expected = info_of(circuits[i]);
        expected.struct_size = (uint32_t)size;
        size_t known = size < sizeof expected ? size : sizeof expected;
        ck_assert_mem_eq(infos + i * size, &expected, known);
        for (size_t byte = known; byte < size; byte++)
            ck_assert_uint_eq(infos[i * size + byte], 0);
    }
    for (size_t byte = 3 * size; byte < 4 * size; byte++)
        ck_assert_uint_eq(infos[byte], 0xAA);
    free(infos);
}
END_TEST

/* ---- What is refused --------------------------------------------------------------------------------------------- */

typedef struct answers {
    trip_circuit circuits[2];
    trip_circuit_info infos[2];
    size_t count;
} answers;

static void require_refusal(trip_status expected, trip_tracker tracker, trip_circuit after, size_t info_size,
                            size_t capacity)
{
    answers given, before;
    memset(&given, 0xAA, sizeof given);
    before = given;
    ck_assert_int_eq(
        trip_tracker_circuits(tracker, after, given.circuits, given.infos, info_size, capacity, &given.count),
        expected);
    ck_assert_mem_eq(&given, &before, sizeof given);
}

START_TEST(bad_arguments_are_refused_and_nothing_is_written)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuit = numbered(tracker, 0), circuits[2];
    trip_circuit_info infos[2];
    size_t count = 7, size = sizeof infos[0];
    ck_assert_int_eq(trip_tracker_circuits(tracker, 0, NULL, infos, size, 2, &count), TRIP_E_INVALID);
    ck_assert_uint_eq(count, 7);
    ck_assert_int_eq(trip_tracker_circuits(tracker, 0, circuits, infos, size, 2, NULL), TRIP_E_INVALID);
    require_refusal(TRIP_E_INVALID, tracker, 0, size, 0);
    require_refusal(TRIP_E_INVALID, tracker, 0, 111, 2);
    require_refusal(TRIP_E_INVALID, tracker, 0, 0, 2);
    require_refusal(TRIP_E_INVALID, tracker, 0, 4097, 2);
    require_refusal(TRIP_E_INVALID, tracker, 0, SIZE_MAX, 2);
    ck_assert_int_eq(trip_tracker_circuits(tracker, 0, circuits, NULL, SIZE_MAX, 2, &count), TRIP_OK);

    trip_tracker other = fragile_tracker();
    trip_circuit gone = numbered(other, 0);
    ck_assert_int_eq(trip_tracker_destroy(other), TRIP_OK);
    trip_circuit next_there = gone + (UINT64_C(1) << TRIP_CIRCUIT_SLOT_BITS);
    trip_circuit next_here = circuit + (UINT64_C(1) << TRIP_CIRCUIT_SLOT_BITS);
    trip_circuit never_taken = trip_record_handle(1, (UINT32_C(1) << TRIP_CIRCUIT_SLOT_BITS) - 1);
    const trip_circuit never[] = {1, UINT64_MAX, tracker, permit_of(circuit), next_here, next_there, never_taken};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        require_refusal(TRIP_E_INVALID, tracker, never[i], size, 2);

    require_refusal(TRIP_E_HANDLE, 0, 0, size, 2);
    require_refusal(TRIP_E_HANDLE, circuit, 0, size, 2);
    require_refusal(TRIP_E_HANDLE, tracker + (UINT64_C(1) << TRIP_TRACKER_SLOT_BITS), 0, size, 2);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    require_refusal(TRIP_E_HANDLE, tracker, 0, size, 2);
}
END_TEST

/* ---- While circuits come and go ---------------------------------------------------------------------------------- */

#define STAYING 100
#ifndef ROUNDS
#define ROUNDS 300
#endif

typedef struct traffic {
    trip_tracker tracker;
    _Atomic bool is_over;
} traffic;

static void *come_and_go(void *argument)
{
    traffic *t = argument;
    for (unsigned i = 0; !atomic_load(&t->is_over); i++)
        numbered(t->tracker, STAYING + i);
    return NULL;
}

/* Open circuits are not evicted: those stay. */
START_TEST(who_stays_is_listed_once_while_others_come_and_go)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.max_circuits = 2 * STAYING;
    traffic t = {.tracker = tracker_with(&config)};
    trip_circuit staying[STAYING], found[4 * STAYING];
    for (unsigned i = 0; i < STAYING; i++) {
        staying[i] = numbered(t.tracker, i);
        fail_once(staying[i]);
    }
    qsort(staying, STAYING, sizeof staying[0], by_number);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, &t), 0);
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = list(t.tracker, 13, found, sizeof found / sizeof found[0]);
        size_t seen = 0;
        for (size_t i = 0; i < count; i++)
            seen += bsearch(&found[i], staying, STAYING, sizeof staying[0], by_number) != NULL;
        qsort(found, count, sizeof found[0], by_number);
        ck_assert_uint_eq(seen, STAYING);
        for (size_t i = 1; i < count; i++)
            ck_assert_uint_ne(found[i], found[i - 1]);
    }
    atomic_store(&t.is_over, true);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

static Suite *listing_suite(void)
{
    Suite *suite = suite_create("listing");
    TCase *pages = tcase_create("pages");
    tcase_add_test(pages, each_circuit_is_on_one_page);
    tcase_add_test(pages, an_empty_tracker_has_an_empty_page);
    tcase_add_test(pages, a_page_goes_on_behind_a_circuit_that_is_gone);
    tcase_add_test(pages, a_page_may_begin_behind_a_circuit_of_another_tracker);
    suite_add_tcase(suite, pages);
    TCase *infos = tcase_create("infos");
    tcase_add_test(infos, infos_are_what_inspect_says);
    tcase_add_loop_test(infos, infos_have_the_size_that_the_caller_says, 0, 4);
    tcase_add_test(infos, bad_arguments_are_refused_and_nothing_is_written);
    suite_add_tcase(suite, infos);
    TCase *busy = tcase_create("busy");
    tcase_set_timeout(busy, 300);
    tcase_add_test(busy, who_stays_is_listed_once_while_others_come_and_go);
    suite_add_tcase(suite, busy);
    return suite;
}

int main(void)
{
    return run_suite(listing_suite());
}
