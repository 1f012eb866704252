/*
 * Twenty million pairs through the shared library, and at rest every one is counted: on two threads that settle what
 * they are granted, on two of which one settles what the other is granted, and on two that use the express lane. So is
 * every call on more circuits than a thread keeps accounts of.
 */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define PAIRS UINT64_C(200000)
#else
#define PAIRS UINT64_C(10000000)
#endif

enum { THREADS = 2 };

static void run_two(void *(*run)(void *), void *argument)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, argument), 0);
    for (int i = 0; i < THREADS; i++) {
        void *refused = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &refused), 0);
        ck_assert_ptr_null(refused);
    }
}

/* A circuit of a program that has others, so that slots are bound anew. */
static trip_circuit busy_circuit(void)
{
    trip_tracker tracker = fragile_tracker();
    for (int i = 0; i < 100; i++) {
        char provider[16];
        snprintf(provider, sizeof provider, "other %d", i);
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit_of(tracker, "acme", provider))), TRIP_OK);
    }
    return circuit_of(tracker, "acme", "openai");
}

static void require_all_counted(trip_circuit circuit)
{
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.permits, THREADS * PAIRS);
    ck_assert_uint_eq(info.successes, THREADS * PAIRS);
    ck_assert_uint_eq(info.failures_total + info.drops + info.cancels + info.rejections + info.stale + info.opens, 0);
}

/* ---- Granted and settled on one thread --------------------------------------------------------------------------- */

static void *make_pairs(void *argument)
{
    const trip_circuit *circuit = argument;
    for (uint64_t i = 0; i < PAIRS; i++) {
        trip_permit permit;
        if (trip_circuit_permit(*circuit, &permit, NULL) != TRIP_OK || trip_permit_record_success(permit) != TRIP_OK)
            return argument;
    }
    return NULL;
}

START_TEST(two_threads_with_ten_million_pairs_each_count_twenty_million)
{
    trip_circuit circuit = busy_circuit();
    run_two(make_pairs, &circuit);
    require_all_counted(circuit);
}
END_TEST

/* ---- Granted on one thread, settled on the other ----------------------------------------------------------------- */

enum { PLACES = 256 };

/* What one thread has been granted, for the other: a ring. 0: nothing there. */
typedef struct exchange {
    trip_circuit circuit;
    _Alignas(64) _Atomic trip_permit ring[PLACES];
    _Atomic uint32_t role;
} exchange;

static void *grant_all(exchange *e)
{
    for (uint64_t i = 0; i < THREADS * PAIRS; i++) {
        trip_permit permit;
        if (trip_circuit_permit(e->circuit, &permit, NULL) != TRIP_OK)
            abort(); /* the other thread waits for it */
        while (atomic_load_explicit(&e->ring[i % PLACES], memory_order_relaxed) != 0)
            sched_yield();
        atomic_store_explicit(&e->ring[i % PLACES], permit, memory_order_release);
    }
    return NULL;
}

static void *settle_all(exchange *e)
{
    for (uint64_t i = 0; i < THREADS * PAIRS; i++) {
        trip_permit permit;
        while ((permit = atomic_load_explicit(&e->ring[i % PLACES], memory_order_acquire)) == 0)
            sched_yield();
        atomic_store_explicit(&e->ring[i % PLACES], 0, memory_order_relaxed);
        if (trip_permit_record_success(permit) != TRIP_OK)
            abort();
    }
    return NULL;
}

static void *grant_or_settle(void *argument)
{
    exchange *e = argument;
    return atomic_fetch_add(&e->role, 1) == 0 ? grant_all(e) : settle_all(e);
}

START_TEST(permits_that_are_settled_on_the_other_thread_are_counted_too)
{
    exchange e = {.circuit = busy_circuit()};
    run_two(grant_or_settle, &e);
    require_all_counted(e.circuit);
}
END_TEST

/* ---- Admitted by the lane ---------------------------------------------------------------------------------------- */

#define BATCH 1000 /* of which none is out when it is handed in */

static void *take_the_lane(void *argument)
{
    const trip_circuit *circuit = argument;
    trip_express lane = {.struct_size = sizeof lane};
    if (trip_circuit_express(*circuit, &lane) != TRIP_OK)
        return argument;
    for (uint64_t i = 1; i <= PAIRS; i++) {
        if (!lane_admits(&lane) || !lane_is_healthy(&lane))
            return argument;
        if (i % BATCH == 0 && trip_circuit_count(*circuit, BATCH, BATCH) != TRIP_OK)
            return argument;
    }
    return NULL;
}

START_TEST(calls_on_the_lane_are_counted_when_they_are_handed_in)
{
    trip_circuit circuit = busy_circuit();
    run_two(take_the_lane, &circuit);
    require_all_counted(circuit);
}
END_TEST

static void *settle_express_permits(void *argument)
{
    const trip_permit *permit = argument;
    for (uint64_t i = 0; i < PAIRS; i++)
        if (trip_permit_record_success(*permit) != TRIP_OK)
            return argument;
    return NULL;
}

START_TEST(successes_recorded_on_an_express_permit_count_their_permits)
{
    trip_circuit circuit = busy_circuit();
    trip_permit permit = lane_of(circuit).permit;
    run_two(settle_express_permits, &permit);
    require_all_counted(circuit);
}
END_TEST

/* ---- By threads that end ----------------------------------------------------------------------------------------- */

enum { ENDING = 20, ROUNDS = 1500, LOOKS = 20 };

typedef struct crowd {
    trip_circuit refusing, closed;
    trip_permit left[ENDING]; /* out when their threads end */
    _Atomic uint32_t said;    /* how many have had all their answers */
    _Atomic uint32_t wrong;
} crowd;

static void *ask_and_end(void *argument)
{
    crowd *c = argument;
    trip_permit refused, settled;
    if (trip_circuit_permit(c->refusing, &refused, NULL) != TRIP_REJECTED_OPEN ||
        trip_circuit_permit(c->closed, &settled, NULL) != TRIP_OK || trip_permit_cancel(settled) != TRIP_OK)
        atomic_fetch_add(&c->wrong, 1);
    static _Atomic uint32_t place;
    if (trip_circuit_permit(c->closed, &c->left[atomic_fetch_add(&place, 1) % ENDING], NULL) != TRIP_OK)
        atomic_fetch_add(&c->wrong, 1);
    atomic_fetch_add(&c->said, 1);
    return NULL;
}

START_TEST(nothing_is_missed_while_threads_end)
{
    trip_tracker tracker = fragile_tracker();
    crowd c = {.refusing = circuit_of(tracker, "acme", "down"), .closed = circuit_of(tracker, "acme", "up")};
    fail_once(c.refusing);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        pthread_t threads[ENDING];
        atomic_store(&c.said, 0);
        for (int i = 0; i < ENDING; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_and_end, &c), 0);
        while (atomic_load(&c.said) < ENDING)
            sched_yield();
        for (int look = 0; look < LOOKS; look++) { /* no call is in progress, but threads are on their way out */
            ck_assert_uint_eq(info_of(c.refusing).rejections, round * ENDING);
            trip_circuit_info closed = info_of(c.closed);
            ck_assert_uint_eq(closed.permits, 2 * round * ENDING);
            ck_assert_uint_eq(closed.cancels, round * ENDING);
            ck_assert_uint_eq(closed.successes, (round - 1) * ENDING);
            ck_assert_uint_eq(permits_out(&closed), ENDING);
        }
        for (int i = 0; i < ENDING; i++) {
            ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
            ck_assert_int_eq(trip_permit_record_success(c.left[i]), TRIP_OK);
        }
    }
    ck_assert_uint_eq(atomic_load(&c.wrong), 0);
}
END_TEST

/* ---- More circuits than a thread keeps accounts of --------------------------------------------------------------- */

#define CIRCUITS 5000 /* a thread keeps at most 1024 */

/* How often the n-th circuit is asked in a row: some once, so that they never get an account of another's, some until
   they do. */
static uint64_t asked(uint64_t n)
{
    return 1 + n % 4;
}

static void *ask_each(void *argument)
{
    const trip_circuit *circuits = argument;
    for (uint64_t n = 0; n < CIRCUITS; n++)
        for (uint64_t i = 0; i < asked(n); i++) {
            trip_permit permit;
            if (trip_circuit_permit(circuits[n], &permit, NULL) != TRIP_OK)
                return argument;
            if ((i % 2 == 0 ? trip_permit_record_success(permit) : trip_permit_cancel(permit)) != TRIP_OK)
                return argument;
        }
    return NULL;
}

START_TEST(circuits_that_get_in_each_others_way_are_counted_too)
{
    enum { TIMES = 3 };
    static trip_circuit circuits[CIRCUITS];
    trip_tracker tracker = fragile_tracker();
    for (int n = 0; n < CIRCUITS; n++) {
        char provider[16];
        snprintf(provider, sizeof provider, "crowd %d", n);
        circuits[n] = circuit_of(tracker, "acme", provider);
    }
    trip_permit out = permit_of(circuits[7]); /* while the others take its place */
    for (int i = 0; i < TIMES; i++)
        run_two(ask_each, circuits);
    for (uint64_t n = 0; n < CIRCUITS; n++) {
        trip_circuit_info info = info_of(circuits[n]);
        uint64_t cancelled = TIMES * THREADS * (asked(n) / 2);
        ck_assert_uint_eq(info.cancels, cancelled);
        ck_assert_uint_eq(info.permits, TIMES * THREADS * asked(n) + (n == 7));
        ck_assert_uint_eq(info.successes, TIMES * THREADS * asked(n) - cancelled);
    }
    ck_assert_int_eq(trip_permit_record_success(out), TRIP_OK);
    ck_assert_uint_eq(info_of(circuits[7]).successes, TIMES * THREADS * (asked(7) - asked(7) / 2) + 1);
}
END_TEST

static Suite *counting_suite(void)
{
    Suite *suite = suite_create("counting");
    TCase *millions = tcase_create("millions");
    tcase_set_timeout(millions, 600);
    tcase_add_test(millions, two_threads_with_ten_million_pairs_each_count_twenty_million);
    tcase_add_test(millions, permits_that_are_settled_on_the_other_thread_are_counted_too);
    tcase_add_test(millions, calls_on_the_lane_are_counted_when_they_are_handed_in);
    tcase_add_test(millions, successes_recorded_on_an_express_permit_count_their_permits);
    tcase_add_test(millions, nothing_is_missed_while_threads_end);
    tcase_add_test(millions, circuits_that_get_in_each_others_way_are_counted_too);
    suite_add_tcase(suite, millions);
    return suite;
}

int main(void)
{
    return run_suite(counting_suite());
}
