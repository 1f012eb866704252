/* What is told of circuits and trackers, in which words, once; by however many threads. */
#include "taking.h"

#include "emit.h"
#include "published.h"
#include "seams.h"
#include "tracker.h"

#include <pthread.h>
#include <sched.h>

static void require_text(const told *all, uint32_t offset, uint32_t len, const char *expected)
{
    ck_assert_uint_eq(len, strlen(expected));
    ck_assert_int_eq(memcmp(all->text + offset, expected, len), 0);
}

/* What is expected of an event; what is not named here is told in every one. */
typedef struct expected {
    uint32_t kind, cause, state, failures;
    uint64_t duration_ns;
} expected;

/* The next event of `all` is this one, of "acme" at "openai". */
static const trip_event *require_next(const told *all, size_t *at, trip_circuit circuit, expected e)
{
    ck_assert_uint_lt(*at, all->count);
    const trip_event *event = &all->events[(*at)++];
    ck_assert_uint_eq(event->kind, e.kind);
    ck_assert_uint_eq(event->cause, e.cause);
    ck_assert_uint_eq(event->state, e.state);
    ck_assert_uint_eq(event->failures, e.failures);
    ck_assert_uint_eq(event->duration_ns, e.duration_ns);
    ck_assert_uint_eq(event->struct_size, sizeof *event);
    ck_assert_uint_eq(event->circuit, circuit);
    ck_assert_uint_eq(event->mode, TRIP_MODE_AUTO);
    ck_assert_uint_eq(event->scope, TRIP_SCOPE_CIRCUIT);
    ck_assert_uint_eq(event->reserved, 0);
    require_text(all, event->tenant_offset, event->tenant_len, "acme");
    require_text(all, event->provider_offset, event->provider_len, "openai");
    ck_assert_uint_eq(event->reason_len, 0);
    return event;
}

#define NEXT(...) require_next(all, &at, circuit, (expected){__VA_ARGS__})

static trip_config config_of(uint32_t threshold)
{
    trip_config config = manual_config();
    config.failure_threshold = threshold;
    config.initial_open_ns = SECOND;
    return config;
}

/* ---- What is told ------------------------------------------------------------------------------------------------ */

START_TEST(a_tracker_to_which_nothing_happens_has_nothing_to_tell)
{
    trip_config config = config_of(2);
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    for (int i = 0; i < 10; i++) {
        fail_once(circuit);
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    }
    const told *all = take_all(tracker);
    ck_assert_uint_eq(all->count, 0);
    ck_assert_uint_eq(all->lost, 0);
    ck_assert_uint_eq(all->events[0].kind, 0xA5A5A5A5);
    ck_assert_ptr_null(atomic_load(&trip_tracker_named(tracker)->events.ring));
}
END_TEST

START_TEST(each_transition_is_told_with_all_that_it_is)
{
    trip_config config = config_of(2);
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    move(tracker, 10 * SECOND);
    fail_once(circuit);
    fail_once(circuit);
    uint64_t opened = info_of(circuit).epoch;
    move(tracker, SECOND / 2);
    refused(circuit);
    refused(circuit);
    const uint64_t then = atomic_fetch_add(&day_ns, SECOND);
    move(tracker, SECOND / 2);
    trip_permit probe = permit_of(circuit);
    uint64_t probed = info_of(circuit).epoch;
    ck_assert_int_eq(trip_permit_record_failure(probe), TRIP_OK);
    uint64_t reopened = info_of(circuit).epoch;
    move(tracker, 2 * SECOND);
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    uint64_t closed = info_of(circuit).epoch;

    const told *all = take_all(tracker);
    ck_assert_uint_eq(all->count, 6);
    ck_assert_uint_eq(all->lost, 0);
    size_t at = 0;
    const trip_event *e = NEXT(TRIP_EVENT_OPENED, TRIP_CAUSE_FAILURES, TRIP_STATE_OPEN, 2, SECOND);
    ck_assert_uint_eq(e->number, 1);
    ck_assert_uint_eq(e->at_ns, 10 * SECOND);
    ck_assert_uint_eq(e->at_unix_ns, then);
    ck_assert_uint_eq(e->epoch, opened);
    e = NEXT(TRIP_EVENT_REFUSED_FIRST, TRIP_CAUSE_NONE, TRIP_STATE_OPEN, 2, 0);
    ck_assert_uint_eq(e->number, 2);
    ck_assert_uint_eq(e->at_ns, 10 * SECOND + SECOND / 2);
    ck_assert_uint_eq(e->epoch, opened);
    e = NEXT(TRIP_EVENT_HALF_OPENED, TRIP_CAUSE_TIME, TRIP_STATE_HALF_OPEN, 2, 0);
    ck_assert_uint_eq(e->at_ns, 11 * SECOND);
    ck_assert_uint_eq(e->at_unix_ns, then + SECOND);
    ck_assert_uint_eq(e->epoch, probed);
    e = NEXT(TRIP_EVENT_OPENED, TRIP_CAUSE_PROBE, TRIP_STATE_OPEN, 3, 2 * SECOND);
    ck_assert_uint_eq(e->at_ns, 11 * SECOND);
    ck_assert_uint_eq(e->epoch, reopened);
    e = NEXT(TRIP_EVENT_HALF_OPENED, TRIP_CAUSE_TIME, TRIP_STATE_HALF_OPEN, 3, 0);
    e = NEXT(TRIP_EVENT_CLOSED, TRIP_CAUSE_PROBE, TRIP_STATE_CLOSED, 0, 0);
    ck_assert_uint_eq(e->number, 6);
    ck_assert_uint_eq(e->at_ns, 13 * SECOND);
    ck_assert_uint_eq(e->epoch, closed);
}
END_TEST

/* Open a closed circuit and let a probe out, of which nothing is left to be told. */
static trip_permit open_and_probe(trip_tracker tracker, trip_circuit circuit)
{
    fail_once(circuit);
    move(tracker, SECOND);
    trip_permit probe = permit_of(circuit);
    forget_all(tracker);
    return probe;
}

/* What a provider says that wants to be left alone for a minute. */
static const trip_outcome asks_for_a_minute = {
    .struct_size = sizeof asks_for_a_minute, .status_class = TRIP_CLASS_RATE_LIMITED, .retry_after_ns = 60 * SECOND};

START_TEST(a_lease_that_has_run_out_is_told_with_what_it_led_to)
{
    trip_config config = config_of(1);
    config.probe_lease_ns = SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    open_and_probe(tracker, circuit);

    move(tracker, 2 * SECOND); /* a second after the end of the lease */
    uint64_t lost_in = info_of(circuit).epoch;
    refused(circuit);
    const told *all = take_all(tracker);
    size_t at = 0;
    const trip_event *e = NEXT(TRIP_EVENT_PROBE_LOST, TRIP_CAUSE_LEASE, TRIP_STATE_OPEN, 2, 0);
    ck_assert_uint_eq(e->epoch, lost_in);
    ck_assert_uint_eq(e->at_ns, 3 * SECOND);
    e = NEXT(TRIP_EVENT_OPENED, TRIP_CAUSE_LEASE, TRIP_STATE_OPEN, 2, SECOND);
    ck_assert_uint_eq(e->epoch, lost_in);
    NEXT(TRIP_EVENT_REFUSED_FIRST, TRIP_CAUSE_NONE, TRIP_STATE_OPEN, 2, 0);
    ck_assert_uint_eq(at, all->count);

    move(tracker, SECOND);
    permit_of(circuit);
    forget_all(tracker);
    move(tracker, 100 * SECOND); /* and now the period that follows is over too */
    permit_of(circuit);
    all = take_all(tracker);
    at = 0;
    NEXT(TRIP_EVENT_PROBE_LOST, TRIP_CAUSE_LEASE, TRIP_STATE_OPEN, 3, 0);
    e = NEXT(TRIP_EVENT_OPENED, TRIP_CAUSE_LEASE, TRIP_STATE_OPEN, 3, 0);
    uint64_t over = e->epoch;
    e = NEXT(TRIP_EVENT_HALF_OPENED, TRIP_CAUSE_TIME, TRIP_STATE_HALF_OPEN, 3, 0);
    ck_assert_uint_ne(e->epoch, over);
    ck_assert_uint_eq(e->epoch, info_of(circuit).epoch);
    ck_assert_uint_eq(at, all->count);
    ck_assert_uint_eq(info_of(circuit).opens, 3);
}
END_TEST

START_TEST(a_lost_probe_that_counts_as_nothing_is_told_alone)
{
    trip_config config = config_of(1);
    config.probe_lease_ns = SECOND;
    config.on_drop = TRIP_DROP_CANCEL;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    open_and_probe(tracker, circuit);
    move(tracker, SECOND);
    permit_of(circuit);
    const told *all = take_all(tracker);
    size_t at = 0;
    NEXT(TRIP_EVENT_PROBE_LOST, TRIP_CAUSE_LEASE, TRIP_STATE_HALF_OPEN, 1, 0);
    ck_assert_uint_eq(at, all->count);
}
END_TEST

START_TEST(a_hint_that_finds_a_lost_probe_tells_and_counts_it)
{
    trip_config config = config_of(1);
    config.probe_lease_ns = SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit late = permit_of(circuit);
    open_and_probe(tracker, circuit);
    move(tracker, SECOND);
    ck_assert_int_eq(trip_permit_record(late, &asks_for_a_minute), TRIP_STALE);
    const told *all = take_all(tracker);
    size_t at = 0;
    NEXT(TRIP_EVENT_PROBE_LOST, TRIP_CAUSE_LEASE, TRIP_STATE_OPEN, 2, 0);
    NEXT(TRIP_EVENT_OPENED, TRIP_CAUSE_LEASE, TRIP_STATE_OPEN, 2, 60 * SECOND);
    NEXT(TRIP_EVENT_DROPPED_LATE, TRIP_CAUSE_NONE, TRIP_STATE_OPEN, 2, 0);
    ck_assert_uint_eq(at, all->count);
    ck_assert_uint_eq(info_of(circuit).opens, 2);
}
END_TEST

static trip_circuit fail_in(trip_tracker tracker, int calls)
{
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    for (int i = 0; i < calls; i++)
        fail_once(circuit);
    return circuit;
}

START_TEST(an_opening_says_which_window_it_was)
{
    for (int by_time = 0; by_time < 2; by_time++) {
        trip_config config = config_of(1000);
        config.count_window = by_time ? 0 : 10;
        config.time_window_ns = by_time ? 10 * SECOND : 0;
        config.time_minimum = 10;
        trip_tracker tracker = tracker_with(&config);
        trip_circuit circuit = fail_in(tracker, 10);
        const told *all = take_all(tracker);
        size_t at = 0;
        NEXT(TRIP_EVENT_OPENED, by_time ? TRIP_CAUSE_TIME_WINDOW : TRIP_CAUSE_COUNT_WINDOW, TRIP_STATE_OPEN, 1000,
             SECOND);
        ck_assert_uint_eq(at, all->count);
    }
}
END_TEST

START_TEST(an_opening_says_that_calls_hang)
{
    trip_config config = config_of(5);
    config.hang_calls = 2;
    config.hang_ns = SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    permit_of(circuit);
    permit_of(circuit);
    move(tracker, SECOND);
    refused(circuit);
    const told *all = take_all(tracker);
    size_t at = 0;
    NEXT(TRIP_EVENT_OPENED, TRIP_CAUSE_HANGING, TRIP_STATE_OPEN, 5, SECOND);
    NEXT(TRIP_EVENT_REFUSED_FIRST, TRIP_CAUSE_NONE, TRIP_STATE_OPEN, 5, 0);
    ck_assert_uint_eq(at, all->count);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

static void *refused_elsewhere(void *argument)
{
    trip_permit permit;
    trip_status status = trip_circuit_permit(*(trip_circuit *)argument, &permit, NULL);
    return status == TRIP_REJECTED_OPEN ? argument : NULL;
}

START_TEST(the_first_refusal_of_each_opening_is_told_whoever_is_refused)
{
    trip_config config = config_of(1);
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    for (int round = 0; round < 20; round++) {
        fail_once(circuit);
        uint64_t epoch = info_of(circuit).epoch;
        forget_all(tracker);
        for (int i = 0; i < 3; i++) {
            pthread_t thread;
            void *was_refused;
            ck_assert_int_eq(pthread_create(&thread, NULL, refused_elsewhere, &circuit), 0);
            ck_assert_int_eq(pthread_join(thread, &was_refused), 0);
            ck_assert_ptr_nonnull(was_refused);
            refused(circuit);
        }
        const told *all = take_all(tracker);
        size_t at = 0;
        const trip_event *e = NEXT(TRIP_EVENT_REFUSED_FIRST, TRIP_CAUSE_NONE, TRIP_STATE_OPEN, 1, 0);
        ck_assert_uint_eq(e->epoch, epoch);
        ck_assert_uint_eq(at, all->count);
        move(tracker, SECOND);
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    }
}
END_TEST

START_TEST(an_open_period_that_is_put_off_is_not_another_one)
{
    trip_config config = config_of(1);
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    for (int told_before = 0; told_before < 2; told_before++) {
        trip_permit late = permit_of(circuit);
        fail_once(circuit);
        if (told_before)
            refused(circuit);
        uint64_t epoch = info_of(circuit).epoch;
        ck_assert_int_eq(trip_permit_record(late, &asks_for_a_minute), TRIP_STALE);
        ck_assert_uint_ne(info_of(circuit).epoch, epoch);
        refused(circuit);
        refused(circuit);
        const told *all = take_all(tracker);
        int refusals = 0;
        for (size_t i = 0; i < all->count; i++)
            refusals += all->events[i].kind == TRIP_EVENT_REFUSED_FIRST;
        ck_assert_int_eq(refusals, 1);
        move(tracker, 60 * SECOND);
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
        forget_all(tracker);
    }
}
END_TEST

START_TEST(a_refusal_that_comes_too_late_is_not_told_behind_a_later_one)
{
    trip_config config = config_of(1);
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, trip_record_named(circuit), trip_magazine_mine());
    uint64_t words[2];
    for (int i = 0; i < 2; i++) {
        fail_once(circuit);
        words[i] = atomic_load(&hearing.record->cell.word);
        move(tracker, SECOND);
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    }
    forget_all(tracker);
    trip_emit_refused(&hearing, words[1]);
    trip_emit_refused(&hearing, words[0]);
    trip_emit_refused(&hearing, words[1]);
    const told *all = take_all(tracker);
    ck_assert_uint_eq(all->count, 1);
    ck_assert_uint_eq(all->events[0].epoch, trip_word_epoch(words[1]));
}
END_TEST

START_TEST(who_was_refused_is_refused_again_however_often_policies_were_replaced)
{
    trip_config config = config_of(1);
    for (uint64_t revision = 0; revision < 8; revision++) {
        atomic_store(&trip_revision.number, revision);
        trip_tracker tracker = tracker_with(&config);
        trip_circuit circuit = circuit_of(tracker, "acme", "openai");
        for (int i = 0; i < 20; i++) /* until the thread has a slot for whatever comes next */
            ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
        fail_once(circuit);
        for (int i = 0; i < 20; i++)
            refused(circuit);
    }
}
END_TEST

START_TEST(a_refusal_that_is_no_open_circuits_is_none)
{
    trip_config config = config_of(1);
    config.ramp_ns = SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit probe = open_and_probe(tracker, circuit), none;
    ck_assert_int_eq(trip_circuit_permit(circuit, &none, NULL), TRIP_REJECTED_PROBING);
    ck_assert_int_eq(trip_circuit_peek(circuit, NULL), TRIP_REJECTED_PROBING);
    ck_assert_uint_eq(take_all(tracker)->count, 0);
    ck_assert_int_eq(trip_permit_record_success(probe), TRIP_OK);
    forget_all(tracker);
    ck_assert_int_eq(trip_permit_cancel(permit_of(circuit)), TRIP_OK);
    ck_assert_int_eq(trip_circuit_permit(circuit, &none, NULL), TRIP_REJECTED_RAMP);
    ck_assert_uint_eq(take_all(tracker)->count, 0);
}
END_TEST

typedef struct race {
    trip_circuit circuit;
    pthread_barrier_t ready, done;
    _Atomic uint32_t refused;
} race;

enum { RACERS = 8, ROUNDS = 500 };

static void *be_refused(void *argument)
{
    race *r = argument;
    for (int round = 0; round < ROUNDS; round++) {
        trip_permit permit;
        pthread_barrier_wait(&r->ready);
        if (trip_circuit_permit(r->circuit, &permit, NULL) == TRIP_REJECTED_OPEN)
            atomic_fetch_add(&r->refused, 1);
        pthread_barrier_wait(&r->done);
    }
    return NULL;
}

START_TEST(of_eight_threads_that_are_refused_one_tells_it)
{
    trip_config config = config_of(1);
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    race r = {.circuit = circuit};
    pthread_barrier_init(&r.ready, NULL, RACERS + 1);
    pthread_barrier_init(&r.done, NULL, RACERS + 1);
    pthread_t threads[RACERS];
    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, be_refused, &r), 0);
    for (int round = 0; round < ROUNDS; round++) {
        fail_once(circuit);
        forget_all(tracker);
        pthread_barrier_wait(&r.ready);
        pthread_barrier_wait(&r.done);
        ck_assert_uint_eq(atomic_exchange(&r.refused, 0), RACERS);
        const told *all = take_all(tracker);
        size_t at = 0;
        NEXT(TRIP_EVENT_REFUSED_FIRST, TRIP_CAUSE_NONE, TRIP_STATE_OPEN, 1, 0);
        ck_assert_uint_eq(at, all->count);
        move(tracker, SECOND);
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    }
    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

/* ---- Late settlements, evictions, locks -------------------------------------------------------------------------- */

static trip_status record_timeout(trip_permit permit)
{
    trip_outcome outcome = {.struct_size = sizeof outcome, .status_class = TRIP_CLASS_TIMEOUT};
    return trip_permit_record(permit, &outcome);
}

START_TEST(whatever_is_settled_too_late_is_told)
{
    static trip_status (*const settlers[])(trip_permit) = {trip_permit_record_success, trip_permit_record_failure,
                                                           trip_permit_drop, trip_permit_cancel, record_timeout};
    enum { WAYS = sizeof settlers / sizeof *settlers };
    trip_config config = config_of(1);
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit late[WAYS];
    trip_express lane = lane_of(circuit);
    for (int i = 0; i < WAYS; i++)
        late[i] = permit_of(circuit);
    fail_once(circuit);
    uint64_t epoch = info_of(circuit).epoch;
    forget_all(tracker);
    for (int i = 0; i < WAYS; i++) {
        move(tracker, MS);
        ck_assert_int_eq(settlers[i](late[i]), TRIP_STALE);
        ck_assert_int_eq(settlers[i](late[i]), TRIP_E_CONSUMED);
    }
    ck_assert_int_eq(trip_permit_record_success(lane.permit), TRIP_STALE);
    const told *all = take_all(tracker);
    size_t at = 0;
    for (uint64_t i = 1; i <= WAYS; i++) {
        const trip_event *e = NEXT(TRIP_EVENT_DROPPED_LATE, TRIP_CAUSE_NONE, TRIP_STATE_OPEN, 1, 0);
        ck_assert_uint_eq(e->at_ns, i * MS);
        ck_assert_uint_eq(e->epoch, epoch);
    }
    NEXT(TRIP_EVENT_DROPPED_LATE, TRIP_CAUSE_NONE, TRIP_STATE_OPEN, 1, 0);
    ck_assert_uint_eq(at, all->count);
    ck_assert_uint_eq(info_of(circuit).stale, at);
}
END_TEST

START_TEST(a_stream_that_had_stalled_is_settled_too_late)
{
    trip_config config = config_of(5);
    config.stall_ns = SECOND;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit stream = permit_of(circuit);
    ck_assert_int_eq(trip_permit_progress(stream), TRIP_OK);
    move(tracker, 2 * SECOND);
    permit_of(circuit);
    ck_assert_int_eq(trip_permit_record_success(stream), TRIP_STALE);
    const told *all = take_all(tracker);
    size_t at = 0;
    NEXT(TRIP_EVENT_DROPPED_LATE, TRIP_CAUSE_NONE, TRIP_STATE_CLOSED, 1, 0);
    ck_assert_uint_eq(at, all->count);
}
END_TEST

START_TEST(what_is_no_settlement_of_a_circuit_that_is_there_is_not_told)
{
    trip_config config = config_of(1);
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    trip_permit late = permit_of(circuit), of_gone = permit_of(circuit);
    fail_once(circuit);
    forget_all(tracker);
    ck_assert_int_eq(trip_permit_renew(late), TRIP_STALE);
    ck_assert_int_eq(trip_permit_progress(late), TRIP_STALE);
    trip_permit_info info = {.struct_size = sizeof info};
    ck_assert_int_eq(trip_permit_inspect(late, &info), TRIP_STALE);
    ck_assert_uint_eq(take_all(tracker)->count, 0);
    move(tracker, SECOND);
    circuit_of(tracker, "acme", "anthropic");
    forget_all(tracker);
    ck_assert_int_eq(trip_permit_record_failure(of_gone), TRIP_STALE);
    ck_assert_uint_eq(take_all(tracker)->count, 0);
}
END_TEST

START_TEST(an_eviction_is_told_with_the_last_that_was_known)
{
    trip_config config = config_of(3);
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    fail_once(circuit);
    fail_once(circuit);
    uint64_t epoch = info_of(circuit).epoch;
    move(tracker, 7 * MS);
    circuit_of(tracker, "acme", "anthropic");
    const told *all = take_all(tracker);
    size_t at = 0;
    const trip_event *e = NEXT(TRIP_EVENT_EVICTED, TRIP_CAUSE_CAPACITY, TRIP_STATE_CLOSED, 2, 0);
    ck_assert_uint_eq(e->epoch, epoch);
    ck_assert_uint_eq(e->at_ns, 7 * MS);
    ck_assert_uint_eq(at, all->count);
}
END_TEST

static void *make_a_circuit(void *argument)
{
    trip_circuit circuit;
    trip_status status = trip_tracker_circuit(*(trip_tracker *)argument, "acme", 4, "late", 4, &circuit);
    return status == TRIP_OK ? argument : NULL;
}

/* Hold the tracker's lock until a thread waits for it, and for so long. */
static void let_somebody_wait(trip_tracker tracker, uint64_t ns)
{
    pthread_mutex_t *mutex = &trip_tracker_named(tracker)->registry.mutex;
    pthread_t thread;
    void *made;
    ck_assert_int_eq(pthread_mutex_lock(mutex), 0);
    uint64_t before = atomic_load(&precise_readings);
    ck_assert_int_eq(pthread_create(&thread, NULL, make_a_circuit, &tracker), 0);
    while (atomic_load(&precise_readings) == before)
        sched_yield();
    atomic_fetch_add(&precise_ns, ns);
    ck_assert_int_eq(pthread_mutex_unlock(mutex), 0);
    ck_assert_int_eq(pthread_join(thread, &made), 0);
    ck_assert_ptr_nonnull(made);
}

START_TEST(a_long_wait_for_the_lock_is_told_and_a_short_one_is_not)
{
    trip_config config = config_of(1);
    trip_tracker tracker = tracker_with(&config);
    move(tracker, SECOND);
    let_somebody_wait(tracker, 5 * MS);
    ck_assert_uint_eq(take_all(tracker)->count, 0);
    tracker = tracker_with(&config);
    move(tracker, SECOND);
    let_somebody_wait(tracker, 5 * MS + 1);
    const told *all = take_all(tracker);
    ck_assert_uint_eq(all->count, 1);
    const trip_event *e = &all->events[0];
    ck_assert_uint_eq(e->kind, TRIP_EVENT_LOCK_WAITED);
    ck_assert_uint_eq(e->number, 1);
    ck_assert_uint_eq(e->at_ns, SECOND);
    ck_assert_uint_eq(e->at_unix_ns, atomic_load(&day_ns));
    ck_assert_uint_eq(e->circuit, 0);
    ck_assert_uint_eq(e->duration_ns, 5 * MS + 1);
    ck_assert_uint_eq(e->cause, TRIP_CAUSE_NONE);
    ck_assert_uint_eq(e->scope, TRIP_SCOPE_TRACKER);
    ck_assert_uint_eq(e->epoch + e->state + e->mode + e->failures, 0);
    ck_assert_uint_eq(e->tenant_len + e->provider_len + e->reason_len, 0);
}
END_TEST
/* ---- Many threads ------------------------------------------------------------------------------------------------ */

enum { CALLERS = 6, DRAINERS = 2, CIRCUITS = 12, BURSTS = 150, CALLS = 60, MOST = BURSTS * RING };

/* Everything that was ever taken, in the order in which drainers came by it. */
typedef struct chronicle {
    trip_tracker tracker;
    trip_circuit circuits[CIRCUITS];
    pthread_barrier_t begin, end;
    _Atomic int stop;
    _Atomic uint64_t seed, taken;
    trip_event *events; /* [MOST] */
} chronicle;

static void drain_into(chronicle *c)
{
    trip_event events[100];
    char text[1000];
    size_t count;
    uint64_t lost;
    if (trip_tracker_events(c->tracker, events, sizeof *events, 100, text, sizeof text, &count, &lost) != TRIP_OK ||
        lost != 0)
        abort();
    uint64_t at = atomic_fetch_add(&c->taken, count);
    for (size_t i = 0; i < count; i++) {
        const trip_event *e = &events[i];
        if (memcmp(text + e->tenant_offset, "acme", 4) != 0 || e->provider_len != 1 || at + i >= MOST ||
            c->circuits[(int)text[e->provider_offset]] != e->circuit)
            abort();
        c->events[at + i] = *e;
    }
}

static void *drain_without_end(void *argument)
{
    chronicle *c = argument;
    struct pollfd at = {.events = POLLIN};
    if (trip_tracker_event_fd(c->tracker, &at.fd) != TRIP_OK)
        abort();
    while (!atomic_load(&c->stop))
        if (poll(&at, 1, 10) > 0)
            drain_into(c);
    return NULL;
}

/* At most four events a call, so that a burst always finds room. */
static void call(chronicle *c, uint64_t random, trip_permit *late)
{
    trip_permit permit;
    trip_circuit circuit = c->circuits[random % CIRCUITS];
    if (random >> 60 == 0)
        trip_tracker_advance(c->tracker, 300 * MS);
    if (trip_circuit_permit(circuit, &permit, NULL) != TRIP_OK)
        return;
    if ((random >> 40) % 8 == 0 || *late == 0) { /* settled later, perhaps too late */
        trip_permit earlier = *late;
        *late = permit;
        permit = earlier;
    }
    if (permit != 0)
        (random >> 50 & 1) != 0 ? trip_permit_record_failure(permit) : trip_permit_record_success(permit);
}

static void *call_in_bursts(void *argument)
{
    chronicle *c = argument;
    uint64_t state = atomic_fetch_add(&c->seed, 0x9E3779B97F4A7C15u);
    trip_permit late = 0;
    for (int burst = 0; burst < BURSTS; burst++) {
        pthread_barrier_wait(&c->begin);
        for (int i = 0; i < CALLS; i++)
            call(c, draw(&state), &late);
        pthread_barrier_wait(&c->end);
    }
    return NULL;
}

static uint64_t stamp_of(const trip_event *e)
{
    return e->epoch & TRIP_STAMP_MAX;
}

/* Of one circuit the transitions in their order: an epoch that opens comes before what follows it at the same stamp. */
static int by_circuit_and_epoch(const void *one, const void *other)
{
    const trip_event *a = one, *b = other;
    uint64_t keys[3][2] = {{a->circuit, b->circuit}, {stamp_of(a), stamp_of(b)}, {a->kind, b->kind}};
    for (int i = 0; i < 3; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

static int by_number(const void *one, const void *other)
{
    const trip_event *a = one, *b = other;
    return a->number < b->number ? -1 : a->number > b->number;
}

static bool may_follow(uint32_t next, uint32_t last)
{
    if (last == TRIP_EVENT_CLOSED)
        return next == TRIP_EVENT_OPENED;
    if (last == TRIP_EVENT_OPENED)
        return next == TRIP_EVENT_HALF_OPENED;
    return next == TRIP_EVENT_OPENED || next == TRIP_EVENT_CLOSED;
}

static bool is_transition(const trip_event *e)
{
    return e->kind <= TRIP_EVENT_CLOSED;
}

/* Each transition was told, and none twice: what each circuit went through has no gap and ends where it is. */
static void require_whole_lives(const chronicle *c, uint64_t count)
{
    uint64_t opens = 0, late = 0, refusals = 0, openings = 0, at = 0;
    for (int i = 0; i < CIRCUITS; i++) {
        uint32_t last = TRIP_EVENT_CLOSED;
        uint64_t opened_in = 0, refused_in = 0;
        while (at < count && c->events[at].circuit < c->circuits[i])
            ck_abort_msg("an event of no circuit");
        for (; at < count && c->events[at].circuit == c->circuits[i]; at++) {
            const trip_event *e = &c->events[at];
            late += e->kind == TRIP_EVENT_DROPPED_LATE;
            if (e->kind == TRIP_EVENT_REFUSED_FIRST) {
                ck_assert_uint_eq(e->epoch, opened_in);
                ck_assert_uint_ne(e->epoch, refused_in);
                refused_in = e->epoch;
                refusals++;
            }
            if (!is_transition(e))
                continue;
            ck_assert_msg(may_follow(e->kind, last), "%u follows %u", e->kind, last);
            last = e->kind;
            opens += e->kind == TRIP_EVENT_OPENED;
            opened_in = e->kind == TRIP_EVENT_OPENED ? e->epoch : opened_in;
        }
        static const uint32_t states[] = {[TRIP_EVENT_OPENED] = TRIP_STATE_OPEN,
                                          [TRIP_EVENT_HALF_OPENED] = TRIP_STATE_HALF_OPEN,
                                          [TRIP_EVENT_CLOSED] = TRIP_STATE_CLOSED};
        trip_circuit_info info = info_of(c->circuits[i]);
        ck_assert_uint_eq(states[last], info.state);
        openings += info.opens;
        late -= info.stale;
    }
    ck_assert_uint_eq(at, count);
    ck_assert_uint_eq(opens, openings);
    ck_assert_uint_eq(late, 0);
    ck_assert_uint_gt(opens, 100);
    ck_assert_uint_gt(refusals, 100);
}

START_TEST(no_event_is_lost_or_told_twice_under_eight_threads)
{
    trip_config config = config_of(2);
    chronicle c = {.tracker = tracker_with(&config), .seed = 11};
    c.events = calloc(MOST, sizeof *c.events);
    ck_assert_ptr_nonnull(c.events);
    for (int i = 0; i < CIRCUITS; i++) {
        char provider = (char)i;
        ck_assert_int_eq(trip_tracker_circuit(c.tracker, "acme", 4, &provider, 1, &c.circuits[i]), TRIP_OK);
    }
    pthread_barrier_init(&c.begin, NULL, CALLERS + 1);
    pthread_barrier_init(&c.end, NULL, CALLERS + 1);
    pthread_t threads[CALLERS + DRAINERS];
    for (int i = 0; i < CALLERS + DRAINERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, i < CALLERS ? call_in_bursts : drain_without_end, &c), 0);
    int32_t fd = descriptor_of(c.tracker);
    for (int burst = 0; burst < BURSTS; burst++) {
        pthread_barrier_wait(&c.begin);
        pthread_barrier_wait(&c.end);
        while (is_readable(fd)) /* the drainers have it, or will have it, or we do */
            drain_into(&c);
    }
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    atomic_store(&c.stop, 1);
    for (int i = CALLERS; i < CALLERS + DRAINERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    drain_into(&c);

    uint64_t count = atomic_load(&c.taken);
    qsort(c.events, count, sizeof *c.events, by_number);
    for (uint64_t i = 0; i < count; i++)
        ck_assert_uint_eq(c.events[i].number, i + 1);
    qsort(c.events, count, sizeof *c.events, by_circuit_and_epoch);
    require_whole_lives(&c, count);
    free(c.events);
}
END_TEST

static Suite *events_suite(void)
{
    Suite *suite = suite_create("events");
    TCase *told_of = tcase_create("told");
    tcase_add_test(told_of, a_tracker_to_which_nothing_happens_has_nothing_to_tell);
    tcase_add_test(told_of, each_transition_is_told_with_all_that_it_is);
    tcase_add_test(told_of, a_lease_that_has_run_out_is_told_with_what_it_led_to);
    tcase_add_test(told_of, a_lost_probe_that_counts_as_nothing_is_told_alone);
    tcase_add_test(told_of, a_hint_that_finds_a_lost_probe_tells_and_counts_it);
    tcase_add_test(told_of, an_opening_says_which_window_it_was);
    tcase_add_test(told_of, an_opening_says_that_calls_hang);
    suite_add_tcase(suite, told_of);
    TCase *refusals = tcase_create("refusals");
    tcase_set_timeout(refusals, 300);
    tcase_add_test(refusals, the_first_refusal_of_each_opening_is_told_whoever_is_refused);
    tcase_add_test(refusals, an_open_period_that_is_put_off_is_not_another_one);
    tcase_add_test(refusals, a_refusal_that_comes_too_late_is_not_told_behind_a_later_one);
    tcase_add_test(refusals, who_was_refused_is_refused_again_however_often_policies_were_replaced);
    tcase_add_test(refusals, a_refusal_that_is_no_open_circuits_is_none);
    tcase_add_test(refusals, of_eight_threads_that_are_refused_one_tells_it);
    suite_add_tcase(suite, refusals);
    TCase *rest = tcase_create("rest");
    tcase_add_test(rest, whatever_is_settled_too_late_is_told);
    tcase_add_test(rest, a_stream_that_had_stalled_is_settled_too_late);
    tcase_add_test(rest, what_is_no_settlement_of_a_circuit_that_is_there_is_not_told);
    tcase_add_test(rest, an_eviction_is_told_with_the_last_that_was_known);
    tcase_add_test(rest, a_long_wait_for_the_lock_is_told_and_a_short_one_is_not);
    suite_add_tcase(suite, rest);
    TCase *threads = tcase_create("threads");
    tcase_set_timeout(threads, 300);
    tcase_add_test(threads, no_event_is_lost_or_told_twice_under_eight_threads);
    suite_add_tcase(suite, threads);
    return suite;
}

int main(void)
{
    return run_suite(events_suite());
}
