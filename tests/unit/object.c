/* Objects by themselves: a kind of our own, whose ends are counted. */
#include "fixture.h"

#include "object.h"
#include "tracker.h"

#include <pthread.h>

typedef struct thing {
    trip_object object;
    _Atomic uint32_t value; /* 0 once it has ended */
} thing;

static _Atomic uint32_t ends;

static void end(trip_object *object)
{
    atomic_store(&((thing *)object)->value, 0);
    atomic_fetch_add(&ends, 1);
}

static _Atomic uint32_t orphans; /* the sum of their values */

static void orphaned(trip_object *object)
{
    atomic_fetch_add(&orphans, atomic_load(&((thing *)object)->value));
}

static _Atomic(char *) chunks[TRIP_OBJECT_CHUNKS];
static trip_object_kind things = TRIP_OBJECT_KIND(TRIP_KIND_OUTPUT, thing, end, NULL, orphaned, chunks);

static uint64_t make_thing(trip_tracker tracker, uint32_t value)
{
    trip_object *object;
    ck_assert_int_eq(trip_object_make(&things, tracker, &object), TRIP_OK);
    atomic_store(&((thing *)object)->value, value);
    return trip_object_begin(&things, object);
}

static uint32_t value_of(uint64_t handle)
{
    trip_object *object = trip_object_visit(&things, handle);
    if (object == NULL)
        return 0;
    uint32_t value = atomic_load(&((thing *)object)->value);
    trip_object_leave(&things, object);
    return value;
}

START_TEST(an_object_is_found_by_its_handle_until_it_is_destroyed)
{
    uint64_t first = make_thing(0, 7), second = make_thing(0, 8);
    ck_assert_uint_ne(first, second);
    ck_assert_uint_eq(value_of(first), 7);
    ck_assert_uint_eq(value_of(second), 8);
    ck_assert_int_eq(trip_object_destroy(&things, first), TRIP_OK);
    ck_assert_uint_eq(atomic_load(&ends), 1);
    ck_assert_uint_eq(value_of(first), 0);
    ck_assert_uint_eq(value_of(second), 8);
    ck_assert_int_eq(trip_object_destroy(&things, first), TRIP_E_HANDLE);
    ck_assert_uint_eq(atomic_load(&ends), 1);
}
END_TEST

START_TEST(a_later_object_in_the_same_place_has_another_handle)
{
    uint64_t first = make_thing(0, 7);
    trip_object *place = trip_object_named(&things, first);
    ck_assert_int_eq(trip_object_destroy(&things, first), TRIP_OK);
    uint64_t second = make_thing(0, 8);
    ck_assert_ptr_eq(trip_object_named(&things, second), place);
    ck_assert_uint_ne(first, second);
    ck_assert_ptr_null(trip_object_visit(&things, first));
    ck_assert(!trip_object_lives(place, first));
    ck_assert(trip_object_lives(place, second));
    ck_assert_int_eq(trip_object_destroy(&things, first), TRIP_E_HANDLE);
    ck_assert_uint_eq(value_of(second), 8);
}
END_TEST

START_TEST(an_object_ends_with_its_last_visitor)
{
    uint64_t handle = make_thing(0, 7);
    trip_object *one = trip_object_visit(&things, handle), *other = trip_object_visit(&things, handle);
    ck_assert_ptr_nonnull(one);
    ck_assert_int_eq(trip_object_destroy(&things, handle), TRIP_OK);
    ck_assert_int_eq(trip_object_destroy(&things, handle), TRIP_E_HANDLE);
    ck_assert_ptr_null(trip_object_visit(&things, handle));
    trip_object_leave(&things, one);
    ck_assert_uint_eq(atomic_load(&ends), 0);
    ck_assert_uint_eq(atomic_load(&((thing *)other)->value), 7);
    trip_object_leave(&things, other);
    ck_assert_uint_eq(atomic_load(&ends), 1);
}
END_TEST

START_TEST(what_cannot_be_an_object_is_none)
{
    uint64_t handle = make_thing(0, 7);
    const uint64_t garbage[] = {0,
                                UINT64_MAX,
                                handle ^ UINT64_C(1) << 63,
                                handle ^ UINT64_C(1) << TRIP_HANDLE_KIND_SHIFT,
                                handle + 1,
                                handle + (1 << TRIP_OBJECT_SLOT_BITS),
                                handle + (UINT64_C(1) << 32 << TRIP_OBJECT_SLOT_BITS),
                                handle | (TRIP_OBJECTS_MAX),
                                handle - (1 << TRIP_OBJECT_SLOT_BITS)};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        ck_assert_ptr_null(trip_object_visit(&things, garbage[i]));
        ck_assert_int_eq(trip_object_destroy(&things, garbage[i]), TRIP_E_HANDLE);
    }
    ck_assert_uint_eq(value_of(handle), 7);
}
END_TEST

START_TEST(one_that_never_began_leaves_its_place_to_the_next)
{
    trip_object *object, *next;
    ck_assert_int_eq(trip_object_make(&things, 0, &object), TRIP_OK);
    trip_object_unmake(&things, object);
    ck_assert_int_eq(trip_object_make(&things, 0, &next), TRIP_OK);
    ck_assert_ptr_eq(next, object);
    ck_assert_uint_eq(atomic_load(&ends), 0);
}
END_TEST

START_TEST(its_time_is_that_of_its_tracker_as_long_as_there_is_one)
{
    trip_config config = manual_config();
    trip_tracker tracker = tracker_with(&config);
    trip_object *object = trip_object_visit(&things, make_thing(tracker, 7));
    trip_object *lonely = trip_object_visit(&things, make_thing(0, 8));
    uint64_t now = 1, machines;
    ck_assert(trip_object_now(object, &now));
    ck_assert_uint_eq(now, 0);
    ck_assert_int_eq(trip_tracker_advance(tracker, 5), TRIP_OK);
    ck_assert(trip_object_now(object, &now));
    ck_assert_uint_eq(now, 5);
    ck_assert(trip_object_now(lonely, &machines));
    ck_assert_uint_gt(machines, 5);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert(!trip_object_now(object, &now));

    trip_object *none;
    ck_assert_int_eq(trip_object_make(&things, tracker, &none), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_object_make(&things, 12345, &none), TRIP_E_HANDLE);
}
END_TEST

START_TEST(orphans_are_those_of_the_tracker_that_are_somebodys)
{
    trip_tracker tracker = fragile_tracker(), other = fragile_tracker();
    trip_object *never_begun;
    make_thing(0, 1);
    make_thing(other, 2);
    uint64_t visited = make_thing(tracker, 4), destroyed = make_thing(tracker, 8), leaving = make_thing(tracker, 16);
    ck_assert_int_eq(trip_object_make(&things, tracker, &never_begun), TRIP_OK);
    atomic_store(&((thing *)never_begun)->value, 32);
    ck_assert_int_eq(trip_object_destroy(&things, destroyed), TRIP_OK);
    trip_object *object = trip_object_visit(&things, visited), *late = trip_object_visit(&things, leaving);
    ck_assert_int_eq(trip_object_destroy(&things, leaving), TRIP_OK);
    make_thing(tracker, 64);
    ck_assert(!trip_object_is_orphan(object));

    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert(trip_object_is_orphan(object));
    trip_objects_orphan(&things, tracker);
    ck_assert_uint_eq(atomic_load(&orphans), 4 + 64);
    uint32_t before = atomic_load(&ends);
    trip_object_leave(&things, object); /* and nobody else is left there */
    ck_assert_int_eq(trip_object_destroy(&things, visited), TRIP_OK);
    trip_object_leave(&things, late);
    ck_assert_uint_eq(atomic_load(&ends), before + 2);
}
END_TEST

START_TEST(there_are_as_many_as_places)
{
    static uint64_t handles[TRIP_OBJECTS_MAX];
    for (uint32_t i = 0; i < TRIP_OBJECTS_MAX; i++)
        handles[i] = make_thing(0, i + 1);
    trip_object *object;
    ck_assert_int_eq(trip_object_make(&things, 0, &object), TRIP_E_CAPACITY);
    ck_assert_int_eq(trip_object_destroy(&things, handles[777]), TRIP_OK);
    ck_assert_uint_eq(value_of(make_thing(0, 5)), 5);
    ck_assert_uint_eq(value_of(handles[TRIP_OBJECTS_MAX - 1]), TRIP_OBJECTS_MAX);
}
END_TEST

#define ROUNDS 2000
#define VISITORS 4

static _Atomic uint64_t now_there;
static _Atomic bool is_over;

/* What is visited has not ended, whoever destroys it meanwhile. */
static void *visit_on(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_over)) {
        trip_object *object = trip_object_visit(&things, atomic_load(&now_there));
        if (object == NULL)
            continue;
        uint32_t value = atomic_load(&((thing *)object)->value);
        bool was_there = value != 0 && atomic_load(&((thing *)object)->value) == value;
        trip_object_leave(&things, object);
        if (!was_there)
            return object;
    }
    return NULL;
}

START_TEST(nothing_ends_while_it_is_visited)
{
    pthread_t visitors[VISITORS];
    for (int i = 0; i < VISITORS; i++)
        ck_assert_int_eq(pthread_create(&visitors[i], NULL, visit_on, NULL), 0);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        uint64_t handle = make_thing(0, i);
        atomic_store(&now_there, handle);
        while (i % 64 == 0 && value_of(handle) != i) {
        }
        ck_assert_int_eq(trip_object_destroy(&things, handle), TRIP_OK);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < VISITORS; i++) {
        void *complaint;
        pthread_join(visitors[i], &complaint);
        ck_assert_ptr_null(complaint);
    }
    ck_assert_uint_eq(atomic_load(&ends), ROUNDS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("object");
    TCase *objects = tcase_create("objects");
    tcase_set_timeout(objects, 600);
    tcase_add_test(objects, an_object_is_found_by_its_handle_until_it_is_destroyed);
    tcase_add_test(objects, a_later_object_in_the_same_place_has_another_handle);
    tcase_add_test(objects, an_object_ends_with_its_last_visitor);
    tcase_add_test(objects, what_cannot_be_an_object_is_none);
    tcase_add_test(objects, one_that_never_began_leaves_its_place_to_the_next);
    tcase_add_test(objects, its_time_is_that_of_its_tracker_as_long_as_there_is_one);
    tcase_add_test(objects, orphans_are_those_of_the_tracker_that_are_somebodys);
    tcase_add_test(objects, there_are_as_many_as_places);
    tcase_add_test(objects, nothing_ends_while_it_is_visited);
    suite_add_tcase(suite, objects);
    return run_suite(suite);
}
