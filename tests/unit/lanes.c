/*
 * Two threads on a lane while it ends, round after round: no call begins there after an ordinary permit has been refused
 * elsewhere, no lane of an earlier round comes back, no circuit opens twice, and all that happened is counted.
 */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS 300
#else
#define ROUNDS 1000
#endif

enum { USERS = 2, WARM = 20, AFTERWARDS = 50 };

/* What a thread has done, by its own account. */
typedef struct tally {
    uint64_t permits, successes, failures, cancels, rejections, stale;
} tally;

static void add(tally *sum, const tally *part)
{
    sum->permits += part->permits;
    sum->successes += part->successes;
    sum->failures += part->failures;
    sum->cancels += part->cancels;
    sum->rejections += part->rejections;
    sum->stale += part->stale;
}

/* The users, the watcher and the test take turns at two barriers; what is not atomic changes between rounds only. */
typedef struct traffic {
    pthread_barrier_t begin, end;
    trip_tracker tracker;
    trip_circuit circuit;
    trip_express lane, previous;
    uint64_t round; /* from 1; 0: it is over */
    bool users_fail;
    _Atomic uint64_t refused; /* the last round in which an ordinary permit has been refused */
    _Atomic uint32_t warm;    /* users that have made some calls in this round */
    _Atomic uint64_t begun_too_late, begun_by_the_dead;
    _Atomic uint64_t seed;
    pthread_mutex_t mutex;
    tally all;
} traffic;

static void tell(traffic *t, const tally *own)
{
    pthread_mutex_lock(&t->mutex);
    add(&t->all, own);
    pthread_mutex_unlock(&t->mutex);
}

/* ---- The users --------------------------------------------------------------------------------------------------- */

static bool fails(const traffic *t, uint64_t random)
{
    return t->users_fail && random >> 32 < UINT32_MAX / 4;
}

/* Make a call that the lane has admitted; says whether it ended without the library's knowledge. */
static bool make_express_call(const traffic *t, uint64_t random, tally *own)
{
    trip_status status = TRIP_OK;
    bool failed = fails(t, random), unsaid = !failed && lane_is_healthy(&t->lane);
    if (failed)
        status = trip_permit_record_failure(t->lane.permit);
    else if (!unsaid)
        status = trip_permit_record_success(t->lane.permit);
    own->permits++;
    own->failures += failed;
    own->successes += !failed;
    own->stale += status == TRIP_STALE;
    return unsaid;
}

/* Ordinary permits beside those of the lane. */
static void make_ordinary_call(const traffic *t, uint64_t random, tally *own)
{
    trip_permit permit;
    if (trip_circuit_permit(t->circuit, &permit, NULL) != TRIP_OK) {
        own->rejections++;
        return;
    }
    bool failed = fails(t, random);
    trip_status status = failed ? trip_permit_record_failure(permit) : trip_permit_record_success(permit);
    own->permits++;
    own->failures += failed;
    own->successes += !failed;
    own->stale += status == TRIP_STALE;
}

static void use_the_lane(traffic *t, uint64_t *state, tally *own)
{
    uint64_t unsaid = 0;
    for (uint64_t calls = 0, afterwards = 0; afterwards < AFTERWARDS;) {
        bool refused = atomic_load_explicit(&t->refused, memory_order_acquire) == t->round;
        bool admitted = lane_admits(&t->lane);
        if (admitted && refused)
            atomic_fetch_add(&t->begun_too_late, 1);
        if (lane_admits(&t->previous))
            atomic_fetch_add(&t->begun_by_the_dead, 1);
        if (admitted)
            unsaid += make_express_call(t, draw(state), own);
        else if (t->users_fail)
            make_ordinary_call(t, draw(state), own);
        if (++calls == WARM)
            atomic_fetch_add(&t->warm, 1);
        if (calls % 128 == 0)
            sched_yield(); /* there may be fewer cores than threads, and it is others who end the round */
        afterwards += refused;
    }
    trip_circuit_count(t->circuit, unsaid, unsaid); /* unless the circuit is gone, and its counters with it */
}

static void *user(void *argument)
{
    traffic *t = argument;
    uint64_t state = atomic_fetch_add(&t->seed, 0x9E3779B97F4A7C15u);
    tally own = {0};
    for (;;) {
        pthread_barrier_wait(&t->begin);
        if (t->round == 0)
            break;
        use_the_lane(t, &state, &own);
        pthread_barrier_wait(&t->end);
    }
    tell(t, &own);
    return NULL;
}

/* ---- The watcher ------------------------------------------------------------------------------------------------- */

static void *watcher(void *argument)
{
    traffic *t = argument;
    tally own = {0};
    for (;;) {
        pthread_barrier_wait(&t->begin);
        if (t->round == 0)
            break;
        trip_permit permit;
        trip_status status;
        while ((status = trip_circuit_permit(t->circuit, &permit, NULL)) == TRIP_OK) {
            own.permits++;
            own.cancels++;
            own.stale += trip_permit_cancel(permit) == TRIP_STALE;
        }
        atomic_store_explicit(&t->refused, t->round, memory_order_release);
        own.rejections += status == TRIP_REJECTED_OPEN;
        pthread_barrier_wait(&t->end);
    }
    tell(t, &own);
    return NULL;
}

/* ---- The test's own thread --------------------------------------------------------------------------------------- */

typedef void (*ending)(traffic *t, tally *own);

static void run_rounds(traffic *t, ending end_of_round)
{
    static trip_express told[ROUNDS + 1];
    static const uint64_t nowhere = 0;
    pthread_t threads[USERS + 1];
    tally own = {0};
    pthread_barrier_init(&t->begin, NULL, USERS + 2);
    pthread_barrier_init(&t->end, NULL, USERS + 2);
    pthread_mutex_init(&t->mutex, NULL);
    t->previous = (trip_express){.mask = 0, .value = 1, .word = &nowhere};
    for (int i = 0; i <= USERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, i < USERS ? user : watcher, t), 0);
    for (t->round = 1; t->round <= ROUNDS; t->round++) {
        told[t->round] = t->lane = lane_of(t->circuit);
        ck_assert(lane_admits(&t->lane));
        for (uint64_t earlier = 1; earlier < t->round; earlier++)
            ck_assert(!lane_admits(&told[earlier]));
        atomic_store(&t->warm, 0);
        pthread_barrier_wait(&t->begin);
        while (atomic_load(&t->warm) < USERS && !t->users_fail)
            sched_yield();
        end_of_round(t, &own);
        t->previous = t->lane;
    }
    t->round = 0;
    pthread_barrier_wait(&t->begin);
    for (int i = 0; i <= USERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    add(&t->all, &own);
    ck_assert_uint_eq(atomic_load(&t->begun_too_late), 0);
    ck_assert_uint_eq(atomic_load(&t->begun_by_the_dead), 0);
}

static void require_all_counted(const traffic *t)
{
    trip_circuit_info info = info_of(t->circuit);
    ck_assert_uint_eq(info.opens, ROUNDS);
    ck_assert_uint_eq(info.permits, t->all.permits);
    ck_assert_uint_eq(info.successes, t->all.successes);
    ck_assert_uint_eq(info.failures_total, t->all.failures);
    ck_assert_uint_eq(info.cancels, t->all.cancels);
    ck_assert_uint_eq(info.rejections, t->all.rejections);
    ck_assert_uint_eq(info.stale, t->all.stale);
    ck_assert_uint_eq(permits_out(&info), 0);
}

/* ---- It opens ---------------------------------------------------------------------------------------------------- */

static void close_again(traffic *t, tally *own)
{
    pthread_barrier_wait(&t->end);
    ck_assert_int_eq(trip_tracker_advance(t->tracker, SECOND), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_success(permit_of(t->circuit)), TRIP_OK);
    own->permits++;
    own->successes++;
}

static void open_it(traffic *t, tally *own)
{
    trip_permit permit;
    while (trip_circuit_permit(t->circuit, &permit, NULL) == TRIP_OK) {
        own->permits++;
        own->failures++;
        own->stale += trip_permit_record_failure(permit) == TRIP_STALE;
    }
    own->rejections++;
    close_again(t, own);
}

static traffic traffic_on_one_circuit(void)
{
    trip_config config = manual_config();
    config.failure_threshold = 3;
    config.initial_open_ns = SECOND;
    traffic t = {.tracker = tracker_with(&config), .seed = 99};
    t.circuit = circuit_of(t.tracker, "acme", "openai");
    return t;
}

START_TEST(no_call_begins_on_the_lane_after_a_permit_was_refused)
{
    traffic t = traffic_on_one_circuit();
    run_rounds(&t, open_it);
    require_all_counted(&t);
}
END_TEST

START_TEST(two_users_of_a_lane_open_its_circuit_once)
{
    traffic t = traffic_on_one_circuit();
    t.users_fail = true;
    run_rounds(&t, close_again);
    require_all_counted(&t);
}
END_TEST

/* ---- It is gone -------------------------------------------------------------------------------------------------- */

static void evict_it(traffic *t, tally *own)
{
    (void)own;
    trip_circuit successor;
    ck_assert_int_eq(trip_tracker_circuit(t->tracker, "acme", 4, (const char *)&t->round, sizeof t->round, &successor),
                     TRIP_OK);
    pthread_barrier_wait(&t->end);
    t->circuit = successor;
}

START_TEST(no_call_begins_on_the_lane_of_an_evicted_circuit)
{
    trip_config config = manual_config();
    config.max_circuits = 1;
    traffic t = {.tracker = tracker_with(&config), .seed = 7};
    t.circuit = circuit_of(t.tracker, "acme", "openai");
    run_rounds(&t, evict_it);
}
END_TEST

static void destroy_it(traffic *t, tally *own)
{
    (void)own;
    ck_assert_int_eq(trip_tracker_destroy(t->tracker), TRIP_OK);
    pthread_barrier_wait(&t->end);
    t->tracker = fragile_tracker();
    t->circuit = circuit_of(t->tracker, "acme", "openai");
}

START_TEST(no_call_begins_on_the_lane_of_a_destroyed_tracker)
{
    traffic t = {.tracker = fragile_tracker(), .seed = 11};
    t.circuit = circuit_of(t.tracker, "acme", "openai");
    run_rounds(&t, destroy_it);
}
END_TEST

static Suite *lanes_suite(void)
{
    Suite *suite = suite_create("lanes");
    TCase *ending_lanes = tcase_create("ending");
    tcase_set_timeout(ending_lanes, 300);
    tcase_add_test(ending_lanes, no_call_begins_on_the_lane_after_a_permit_was_refused);
    tcase_add_test(ending_lanes, two_users_of_a_lane_open_its_circuit_once);
    tcase_add_test(ending_lanes, no_call_begins_on_the_lane_of_an_evicted_circuit);
    tcase_add_test(ending_lanes, no_call_begins_on_the_lane_of_a_destroyed_tracker);
    suite_add_tcase(suite, ending_lanes);
    return suite;
}

int main(void)
{
    return run_suite(lanes_suite());
}
