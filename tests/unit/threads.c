/* Many threads: one probe for fifty, exact counters, permits that wander, and destruction while others call. */
#include "fixture.h"

#include "circuit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define RACERS 50
#ifndef ROUNDS
#define ROUNDS 1000
#endif

static void start(pthread_t *threads, int count, void *(*run)(void *), void *argument)
{
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, argument), 0);
}

static void join(const pthread_t *threads, int count)
{
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

/* ---- Fifty racers, one probe ------------------------------------------------------------------------------------- */

typedef struct race {
    trip_circuit circuit;
    pthread_barrier_t ready, done;
    _Atomic uint32_t granted, refused, other;
    _Atomic uint64_t probe;
} race;

static void *race_for_the_probe(void *argument)
{
    race *r = argument;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&r->ready);
        trip_permit permit;
        trip_status status = trip_circuit_permit(r->circuit, &permit, NULL);
        if (status == TRIP_OK) {
            atomic_fetch_add(&r->granted, 1);
            atomic_store(&r->probe, permit);
        } else if (status == TRIP_REJECTED_PROBING) {
            atomic_fetch_add(&r->refused, 1);
        } else {
            atomic_fetch_add(&r->other, 1);
        }
        pthread_barrier_wait(&r->done);
    }
    return NULL;
}

START_TEST(of_fifty_threads_exactly_one_gets_the_probe)
{
    trip_tracker tracker = fragile_tracker();
    race r = {.circuit = circuit_of(tracker, "acme", "openai")};
    pthread_barrier_init(&r.ready, NULL, RACERS + 1);
    pthread_barrier_init(&r.done, NULL, RACERS + 1);
    pthread_t threads[RACERS];
    start(threads, RACERS, race_for_the_probe, &r);
    fail_once(r.circuit);
    for (int round = 0; round < ROUNDS; round++) {
        ck_assert_int_eq(trip_tracker_advance(tracker, 2 * SECOND), TRIP_OK);
        pthread_barrier_wait(&r.ready);
        pthread_barrier_wait(&r.done);
        ck_assert_uint_eq(atomic_exchange(&r.granted, 0), 1);
        ck_assert_uint_eq(atomic_exchange(&r.refused, 0), RACERS - 1);
        ck_assert_uint_eq(atomic_load(&r.other), 0);
        ck_assert_int_eq(trip_permit_record_failure(atomic_load(&r.probe)), TRIP_OK);
    }
    join(threads, RACERS);
    trip_circuit_info info = info_of(r.circuit);
    ck_assert_uint_eq(info.permits, ROUNDS + 1);
    ck_assert_uint_eq(info.rejections, ROUNDS * (RACERS - 1));
    ck_assert_uint_eq(info.opens, ROUNDS + 1);
}
END_TEST

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

enum { PAIRS = 1000000, COUNTERS = 2 };

static void *count_pairs(void *argument)
{
    const trip_circuit *circuit = argument;
    for (int i = 0; i < PAIRS; i++) {
        trip_permit permit;
        if (trip_circuit_permit(*circuit, &permit, NULL) == TRIP_OK)
            trip_permit_record_success(permit);
    }
    return NULL;
}

START_TEST(two_threads_count_exactly)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    pthread_t threads[COUNTERS];
    start(threads, COUNTERS, count_pairs, &circuit);
    join(threads, COUNTERS);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.permits, COUNTERS * PAIRS);
    ck_assert_uint_eq(info.successes, COUNTERS * PAIRS);
}
END_TEST

typedef struct crowd {
    trip_circuit circuits[40];  /* more than a magazine has accounts at first */
    _Atomic uint64_t counts[5]; /* permits, successes, failures, drops, cancels */
    _Atomic uint64_t seed;
} crowd;

static void *do_everything(void *argument)
{
    crowd *c = argument;
    uint64_t state = atomic_fetch_add(&c->seed, 0x9E3779B97F4A7C15u);
    for (int i = 0; i < 50000; i++) {
        uint64_t random = draw(&state);
        trip_permit permit;
        if (trip_circuit_permit(c->circuits[random % 40], &permit, NULL) != TRIP_OK)
            continue;
        atomic_fetch_add(&c->counts[0], 1);
        static trip_status (*const settlers[])(trip_permit) = {trip_permit_record_success, trip_permit_record_failure,
                                                               trip_permit_drop, trip_permit_cancel};
        unsigned how = (unsigned)(random >> 32) % 4;
        trip_status status = settlers[how](permit);
        if (status != TRIP_OK && status != TRIP_STALE)
            abort();
        atomic_fetch_add(&c->counts[1 + how], 1);
    }
    return NULL;
}

START_TEST(at_rest_every_counter_is_exact)
{
    trip_config config = manual_config();
    config.failure_threshold = 1000;
    trip_tracker tracker = tracker_with(&config);
    crowd c = {.seed = 42};
    for (int i = 0; i < 40; i++) {
        char provider[8];
        snprintf(provider, sizeof provider, "p%d", i);
        c.circuits[i] = circuit_of(tracker, "acme", provider);
    }
    pthread_t threads[8];
    start(threads, 8, do_everything, &c);
    join(threads, 8);
    uint64_t sums[5] = {0};
    for (int i = 0; i < 40; i++) {
        trip_circuit_info info = info_of(c.circuits[i]);
        ck_assert_uint_eq(permits_out(&info), 0);
        uint64_t counts[5] = {info.permits, info.successes, info.failures_total, info.drops, info.cancels};
        for (int k = 0; k < 5; k++)
            sums[k] += counts[k];
    }
    for (int k = 0; k < 5; k++)
        ck_assert_uint_eq(sums[k], atomic_load(&c.counts[k]));
}
END_TEST

/* ---- Permits that wander ----------------------------------------------------------------------------------------- */

static void *settle_elsewhere(void *argument)
{
    trip_permit *permit = argument;
    *permit = (uint64_t)(int64_t)trip_permit_record_failure(*permit);
    return NULL;
}

START_TEST(a_permit_may_be_settled_on_another_thread)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    for (int i = 0; i < 200; i++) {
        trip_permit permit = permit_of(circuit);
        trip_permit settled = permit;
        pthread_t thread;
        start(&thread, 1, settle_elsewhere, &settled);
        join(&thread, 1);
        ck_assert_int_eq((trip_status)settled, TRIP_OK);
        ck_assert_int_eq(trip_permit_record_success(permit), TRIP_E_CONSUMED);
        ck_assert_int_eq(trip_circuit_peek(circuit, NULL), TRIP_REJECTED_OPEN);
        circuit = circuit_of(fragile_tracker(), "acme", "openai");
    }
}
END_TEST

static void *take_and_leave(void *argument)
{
    trip_permit *permit = argument;
    trip_circuit circuit = *permit;
    for (int i = 0; i < 100; i++)
        trip_permit_record_success(permit_of(circuit));
    *permit = permit_of(circuit);
    return NULL;
}

START_TEST(a_thread_may_end_with_permits_out)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    uint32_t made = 0;
    for (int i = 0; i < 1000; i++) {
        trip_permit permit = circuit;
        pthread_t thread;
        start(&thread, 1, take_and_leave, &permit);
        join(&thread, 1);
        ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
        if (i == 200) /* by now this thread keeps as many free slots as it will */
            made = trip_pool_made(&trip_permits);
    }
    ck_assert_uint_eq(trip_pool_made(&trip_permits), made); /* the slots of ended threads are used again */
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.permits, 1000 * 101);
    ck_assert_uint_eq(info.successes, 1000 * 101);
}
END_TEST

typedef struct hoard {
    trip_permit *permits; /* those of each thread, one after another */
    _Atomic uint32_t next;
    pthread_barrier_t settled, done;
} hoard;

enum { HOARDERS = 520, HOARD = 2048 };

static void *settle_and_stay(void *argument)
{
    hoard *h = argument;
    const trip_permit *own = h->permits + atomic_fetch_add(&h->next, 1) * HOARD;
    for (int i = 0; i < HOARD; i++)
        trip_permit_record_success(own[i]); /* the last threads' share was never granted */
    pthread_barrier_wait(&h->settled);
    pthread_barrier_wait(&h->done);
    return NULL;
}

#define CIRCUITS 32 /* of the permits */

START_TEST(threads_that_only_settle_do_not_keep_every_place)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuits[CIRCUITS];
    for (int i = 0; i < CIRCUITS; i++) {
        char provider = (char)('A' + i);
        ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, &provider, 1, &circuits[i]), TRIP_OK);
    }
    hoard h = {.permits = calloc(HOARDERS * HOARD, sizeof(trip_permit))};
    ck_assert_ptr_nonnull(h.permits);
    for (uint32_t i = 0; i < TRIP_PERMITS_MAX; i++)
        h.permits[i] = permit_of(circuits[i % CIRCUITS]);
    pthread_barrier_init(&h.settled, NULL, HOARDERS + 1);
    pthread_barrier_init(&h.done, NULL, HOARDERS + 1);
    pthread_t threads[HOARDERS];
    start(threads, HOARDERS, settle_and_stay, &h);
    pthread_barrier_wait(&h.settled);
    for (int i = 0; i < 1000; i++)
        permit_of(circuits[i % CIRCUITS]);
    pthread_barrier_wait(&h.done);
    join(threads, HOARDERS);
    free(h.permits);
}
END_TEST

/* ---- Settling twice at once -------------------------------------------------------------------------------------- */

typedef struct duel {
    pthread_barrier_t ready, done;
    trip_permit permit;
    _Atomic uint32_t settled, consumed;
} duel;

static void *settle_first(void *argument)
{
    duel *d = argument;
    for (int i = 0; i < 5000; i++) {
        pthread_barrier_wait(&d->ready);
        trip_status status = trip_permit_record_success(d->permit);
        atomic_fetch_add(status == TRIP_OK ? &d->settled : &d->consumed,
                         status == TRIP_OK || status == TRIP_E_CONSUMED);
        pthread_barrier_wait(&d->done);
    }
    return NULL;
}

START_TEST(of_two_who_settle_one_permit_one_is_told)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    duel d = {.permit = 0};
    pthread_barrier_init(&d.ready, NULL, 3);
    pthread_barrier_init(&d.done, NULL, 3);
    pthread_t threads[2];
    start(threads, 2, settle_first, &d);
    for (int i = 0; i < 5000; i++) {
        d.permit = permit_of(circuit);
        pthread_barrier_wait(&d.ready);
        pthread_barrier_wait(&d.done);
    }
    join(threads, 2);
    ck_assert_uint_eq(atomic_load(&d.settled), 5000);
    ck_assert_uint_eq(atomic_load(&d.consumed), 5000);
}
END_TEST

/* ---- Destruction, eviction --------------------------------------------------------------------------------------- */

typedef struct stage {
    _Atomic uint64_t tracker;
    _Atomic uint32_t stop;
    _Atomic uint64_t seed;
} stage;

/* Everything that a caller can do, on a tracker that is replaced all the time. Undocumented statuses abort. */
static void *call_without_end(void *argument)
{
    stage *s = argument;
    uint64_t state = atomic_fetch_add(&s->seed, 0x9E3779B97F4A7C15u);
    trip_circuit_info info = {.struct_size = sizeof info};
    trip_permit_info permit_info = {.struct_size = sizeof permit_info};
    trip_rejection rejection = {.struct_size = sizeof rejection};
    while (!atomic_load(&s->stop)) {
        trip_tracker tracker = atomic_load(&s->tracker);
        uint64_t random = draw(&state);
        char provider[8], key[510];
        size_t a, b;
        int len = snprintf(provider, sizeof provider, "p%d", (int)(random % 20));
        trip_circuit circuit;
        trip_status status = trip_tracker_circuit(tracker, "acme", 4, provider, (size_t)len, &circuit);
        if (status != TRIP_OK && status != TRIP_E_HANDLE && status != TRIP_E_CAPACITY)
            abort();
        if (status != TRIP_OK)
            continue;
        trip_permit permit;
        status = trip_circuit_permit(circuit, &permit, &rejection);
        if (status < 0 && status != TRIP_E_HANDLE)
            abort();
        if (status == TRIP_OK) {
            trip_permit_renew(permit);
            trip_permit_inspect(permit, &permit_info);
            status = random & 1 << 20 ? trip_permit_record_success(permit) : trip_permit_record_failure(permit);
            if (status != TRIP_OK && status != TRIP_STALE && status != TRIP_E_HANDLE)
                abort();
        }
        trip_tracker_advance(tracker, 100 * MS);
        trip_circuit_peek(circuit, &rejection);
        if (random >> 40 % 8 == 0)
            trip_circuit_inspect(circuit, &info);
        trip_circuit_key(circuit, key, sizeof key, &a, &b);
    }
    return NULL;
}

START_TEST(a_tracker_may_be_destroyed_while_others_call)
{
    trip_config config = manual_config();
    config.failure_threshold = 2;
    config.initial_open_ns = SECOND;
    config.max_circuits = 10; /* fewer than names: eviction goes on at the same time */
    stage s = {.seed = 7};
    atomic_store(&s.tracker, tracker_with(&config));
    pthread_t threads[6];
    start(threads, 6, call_without_end, &s);
    for (int i = 0; i < ROUNDS; i++) {
        config.failure_threshold = 1 + (uint32_t)i % 3;
        trip_tracker next = tracker_with(&config);
        trip_tracker old = atomic_exchange(&s.tracker, next);
        ck_assert_int_eq(trip_tracker_destroy(old), TRIP_OK);
    }
    atomic_store(&s.stop, 1);
    join(threads, 6);
}
END_TEST

static void *use_without_end(void *argument)
{
    stage *s = argument;
    while (!atomic_load(&s->stop)) {
        trip_permit permit;
        if (trip_circuit_permit(atomic_load(&s->tracker), &permit, NULL) == TRIP_OK) /* here: a circuit */
            trip_permit_record_success(permit);
    }
    return NULL;
}

START_TEST(a_healthy_circuit_can_be_evicted_however_busy_it_is)
{
    trip_config config = manual_config();
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    stage s = {.seed = 0};
    atomic_store(&s.tracker, circuit_of(tracker, "acme", "openai"));
    pthread_t threads[3];
    start(threads, 3, use_without_end, &s);
    for (uint32_t i = 0; i < 20000; i++) {
        trip_circuit circuit;
        ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, (char *)&i, sizeof i, &circuit), TRIP_OK);
        atomic_store(&s.tracker, circuit);
    }
    atomic_store(&s.stop, 1);
    join(threads, 3);
}
END_TEST

static Suite *threads_suite(void)
{
    Suite *suite = suite_create("threads");
    TCase *racing = tcase_create("racing");
    tcase_set_timeout(racing, 300);
    tcase_add_test(racing, of_fifty_threads_exactly_one_gets_the_probe);
    tcase_add_test(racing, of_two_who_settle_one_permit_one_is_told);
    suite_add_tcase(suite, racing);
    TCase *counting = tcase_create("counting");
    tcase_set_timeout(counting, 300);
    tcase_add_test(counting, two_threads_count_exactly);
    tcase_add_test(counting, at_rest_every_counter_is_exact);
    suite_add_tcase(suite, counting);
    TCase *wandering = tcase_create("wandering");
    tcase_set_timeout(wandering, 300);
    tcase_add_test(wandering, a_permit_may_be_settled_on_another_thread);
    tcase_add_test(wandering, a_thread_may_end_with_permits_out);
    tcase_add_test(wandering, threads_that_only_settle_do_not_keep_every_place);
    tcase_add_test(wandering, a_tracker_may_be_destroyed_while_others_call);
    tcase_add_test(wandering, a_healthy_circuit_can_be_evicted_however_busy_it_is);
    suite_add_tcase(suite, wandering);
    return suite;
}

int main(void)
{
    return run_suite(threads_suite());
}
