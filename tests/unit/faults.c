/* What the system refuses: each allocation in turn, random numbers, time. */
#include "fixture.h"

#include "circuit.h"
#include "seams.h"
#include "tracker.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
/* Each round is a process, and to look for leaks in it takes twenty times as long as the round: one in four is searched, in
   each run others. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return getpid() % 4 != 0;
}
#endif

/* ---- Allocations ------------------------------------------------------------------------------------------------- */

/* One of everything that allocates. Each step must either work or say TRIP_E_NOMEM and have changed nothing. */
static int live_a_life(int *out_refused)
{
    *out_refused = 0;
    trip_tracker tracker;
    trip_error error = {.struct_size = sizeof error};
    trip_config config = manual_config();
    config.max_circuits = 400;
    trip_status status = trip_tracker_create(&config, &tracker, &error);
    if (status != TRIP_OK) {
        ck_assert_int_eq(status, TRIP_E_NOMEM);
        ck_assert_int_eq(error.status, TRIP_E_NOMEM);
        ck_assert_str_eq(error.message, "out of memory");
        *out_refused += 1;
        return 0;
    }
    for (uint32_t i = 0; i < 300; i++) { /* more than a chunk of circuits holds, and several tables */
        trip_circuit circuit = 7;
        trip_permit permit = 7;
        status = trip_tracker_circuit(tracker, "acme", 4, (char *)&i, sizeof i, &circuit);
        if (status != TRIP_OK) {
            ck_assert_int_eq(status, TRIP_E_NOMEM);
            ck_assert_uint_eq(circuit, 7);
            *out_refused += 1;
            continue;
        }
        status = trip_circuit_permit(circuit, &permit, NULL);
        if (status != TRIP_OK) {
            ck_assert_int_eq(status, TRIP_E_NOMEM);
            ck_assert_uint_eq(permit, 7);
            *out_refused += 1;
            continue;
        }
        ck_assert_int_eq(trip_permit_record_success(permit), TRIP_OK);
        trip_circuit_info info = info_of(circuit);
        ck_assert_uint_eq(info.permits, info.successes);
    }
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    return 0;
}

#define ALLOCATIONS 400 /* more than a life makes, which the last round requires */
#define OF_FORTY 160    /* the same of what is done to forty circuits */
#define OF_SIXTY 160    /* and to sixty keys */

START_TEST(each_allocation_may_fail_once)
{
    int refused;
    atomic_store(&allocations_left, _i);
    live_a_life(&refused);
    bool reached = atomic_load(&allocations_left) < 0;
    atomic_store(&allocations_left, INT64_MAX);
    ck_assert(reached || _i > 0);
    ck_assert(!reached || _i < ALLOCATIONS - 1);
    if (reached) {
        live_a_life(&refused); /* and when there is memory again all is well */
        ck_assert_int_eq(refused, 0);
    }
}
END_TEST

static bool is_refused(trip_status status, int *refused)
{
    if (status != TRIP_OK)
        ck_assert_int_eq(status, TRIP_E_NOMEM);
    *refused += status != TRIP_OK;
    return status != TRIP_OK;
}

/* Half of its calls fail, and their provider asks for ten minutes. False: there was no memory for a permit. */
static bool fail_every_other_call(trip_circuit circuit, int calls, int *refused)
{
    trip_outcome failure = {
        .struct_size = sizeof failure, .status_class = TRIP_CLASS_OVERLOADED, .retry_after_ns = 600 * SECOND};
    for (int i = 0; i < calls; i++) {
        trip_permit permit;
        if (is_refused(trip_circuit_permit(circuit, &permit, NULL), refused))
            return false;
        ck_assert_int_eq(i % 2 == 0 ? trip_permit_record_success(permit) : trip_permit_record(permit, &failure),
                         TRIP_OK);
    }
    return true;
}

/* A circuit has its windows from the beginning or is not made: with nothing left they count and open all the same. */
static int live_with_windows(void)
{
    int refused = 0;
    trip_config config = manual_config();
    config.failure_threshold = 1000;
    config.count_window = config.time_minimum = 10;
    config.time_window_ns = 10 * SECOND;
    config.jitter = 0.1;
    trip_tracker tracker;
    if (is_refused(trip_tracker_create(&config, &tracker, NULL), &refused))
        return refused;
    for (uint32_t i = 0; i < 40; i++) {
        trip_circuit circuit;
        if (is_refused(trip_tracker_circuit(tracker, "acme", 4, (char *)&i, sizeof i, &circuit), &refused) ||
            !fail_every_other_call(circuit, 10, &refused))
            continue;
        ck_assert_uint_eq(info_of(circuit).state, TRIP_STATE_OPEN);
        ck_assert_uint_ge(info_of(circuit).retry_after_ns, 600 * SECOND);
    }
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    return refused;
}

START_TEST(each_allocation_of_a_life_with_windows_may_fail_once)
{
    atomic_store(&allocations_left, _i);
    int refused = live_with_windows();
    bool reached = atomic_load(&allocations_left) < 0;
    atomic_store(&allocations_left, INT64_MAX);
    ck_assert(reached || _i > 0);
    ck_assert(!reached || _i < ALLOCATIONS - 1);
    ck_assert(reached || refused == 0);
    if (reached)
        ck_assert_int_eq(live_with_windows(), 0);
}
END_TEST

/* A plain circuit gets its annex when its provider first asks for time. */
START_TEST(without_memory_for_what_a_provider_asks_a_circuit_opens_for_as_long_as_others)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit forgetful = circuit_of(tracker, "acme", "openai"), mindful = circuit_of(tracker, "acme", "anthropic");
    trip_permit permits[2] = {permit_of(forgetful), permit_of(mindful)};
    trip_outcome failure = {
        .struct_size = sizeof failure, .status_class = TRIP_CLASS_OVERLOADED, .retry_after_ns = 600 * SECOND};
    atomic_store(&allocations_left, 0);
    ck_assert_int_eq(trip_permit_record(permits[0], &failure), TRIP_OK);
    atomic_store(&allocations_left, INT64_MAX);
    ck_assert_int_eq(trip_permit_record(permits[1], &failure), TRIP_OK);
    ck_assert_uint_eq(info_of(forgetful).state, TRIP_STATE_OPEN);
    ck_assert_uint_eq(info_of(forgetful).retry_after_ns, SECOND);
    ck_assert_uint_ge(info_of(mindful).retry_after_ns, 600 * SECOND);
}
END_TEST

/* Sixty calls, each of which is made and remembered, or leaves nothing of itself; and one that nobody settles. */
static int live_with_deduplication(void)
{
    int refused = 0;
    trip_dedup dedup;
    if (is_refused(trip_dedup_create(0, NULL, &dedup, NULL), &refused))
        return refused;
    uint32_t kept = 0, without_memory = 0;
    trip_ticket ticket;
    size_t len;
    for (uint32_t i = 0; i < 60; i++) { /* more than the buckets that each deduplicator has */
        if (is_refused(trip_dedup_check(dedup, (char *)&i, sizeof i, &ticket, NULL, 0, &len), &refused))
            continue;
        bool is_kept = !is_refused(trip_ticket_complete(ticket, "value", 5), &refused);
        kept += is_kept;
        without_memory += !is_kept;
        trip_status then = trip_dedup_check(dedup, (char *)&i, sizeof i, &ticket, NULL, 0, &len);
        ck_assert_int_eq(is_kept, then == TRIP_CACHED);
        ck_assert(is_kept || then == TRIP_E_NOMEM || then == TRIP_OK);
    }
    trip_dedup_info info = {.struct_size = sizeof info};
    ck_assert_int_eq(trip_dedup_inspect(dedup, &info), TRIP_OK);
    ck_assert_uint_eq(info.cached, kept);
    ck_assert_uint_eq(info.failed, without_memory);
    ck_assert_uint_eq(info.bytes, kept * 9 + info.in_progress * 4);
    ck_assert_uint_eq(info.started, info.completed + info.failed + info.in_progress);
    is_refused(trip_dedup_check(dedup, "last", 4, &ticket, NULL, 0, &len), &refused);
    ck_assert_int_eq(trip_dedup_destroy(dedup), TRIP_OK);
    return refused;
}

/* What a deduplicator has leaves with it; slots, and what there is once in a process, stay. */
START_TEST(each_allocation_of_a_life_with_deduplication_may_fail_once)
{
    atomic_store(&allocations_left, _i);
    int refused = live_with_deduplication();
    bool reached = atomic_load(&allocations_left) < 0;
    atomic_store(&allocations_left, INT64_MAX);
    ck_assert(reached || _i > 0);
    ck_assert(!reached || _i < OF_SIXTY - 1);
    ck_assert(reached || refused == 0);
    ck_assert_int_eq(live_with_deduplication(), 0);
    int64_t kept = atomic_load(&allocated);
    ck_assert_int_eq(live_with_deduplication(), 0);
    ck_assert_int_eq(atomic_load(&allocated), kept);
}
END_TEST

START_TEST(a_destroyed_tracker_leaves_nothing_behind_but_what_is_used_again)
{
    int refused;
    live_a_life(&refused);
    int64_t kept = atomic_load(&allocated);
    for (int i = 0; i < 5; i++) {
        live_a_life(&refused);
        ck_assert_int_eq(refused, 0);
        ck_assert_int_eq(atomic_load(&allocated), kept);
    }
}
END_TEST

static trip_circuit numbered(trip_tracker tracker, uint32_t number)
{
    trip_circuit circuit;
    ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, (char *)&number, sizeof number, &circuit), TRIP_OK);
    return circuit;
}

/* Of each circuit all that a snapshot can say. */
static size_t write_snapshot(char *bytes, size_t capacity)
{
    trip_tracker tracker = fragile_tracker();
    trip_outcome busy = {
        .struct_size = sizeof busy, .status_class = TRIP_CLASS_OVERLOADED, .retry_after_ns = 600 * SECOND};
    for (uint32_t i = 0; i < 40; i++) {
        trip_circuit circuit = numbered(tracker, i);
        ck_assert_int_eq(trip_permit_record(permit_of(circuit), &busy), TRIP_OK);
        ck_assert_int_eq(trip_circuit_set_mode(circuit, TRIP_MODE_OBSERVE, 0, "why", SIZE_MAX), TRIP_OK);
    }
    size_t len;
    ck_assert_int_eq(trip_tracker_snapshot(tracker, SECOND, bytes, capacity, &len), TRIP_OK);
    return len;
}

/* How many failures it takes to open each of the circuits; all of them agree. */
static int threshold_of_all(trip_tracker tracker)
{
    int failures = 0;
    for (uint32_t i = 0; i < 40; i++) {
        trip_circuit circuit = numbered(tracker, i);
        ck_assert_int_eq(trip_circuit_reset(circuit), TRIP_OK);
        int own = 0;
        for (; info_of(circuit).state == TRIP_STATE_CLOSED; own++)
            fail_once(circuit);
        ck_assert(i == 0 || own == failures);
        failures = own;
    }
    return failures;
}

static trip_status configure(trip_tracker tracker, const trip_config *config)
{
    return trip_tracker_configure(tracker, TRIP_SCOPE_TENANT, "acme", 4, NULL, 0, config, NULL);
}

/* To a policy with windows and jitter, for which each circuit needs more than it has; and back. */
START_TEST(a_policy_that_memory_does_not_suffice_for_is_not_set_for_any_circuit)
{
    trip_config config = manual_config();
    config.failure_threshold = 3;
    config.count_window = (uint32_t)_i + 10; /* of a size that nobody has left behind */
    config.jitter = 0.5;
    trip_tracker tracker = fragile_tracker();
    ck_assert_int_eq(threshold_of_all(tracker), 1);
    atomic_store(&allocations_left, _i);
    trip_status status = configure(tracker, &config);
    bool reached = atomic_load(&allocations_left) < 0;
    atomic_store(&allocations_left, INT64_MAX);
    ck_assert_int_eq(status, reached ? TRIP_E_NOMEM : TRIP_OK);
    ck_assert(_i > 0 || reached);
    ck_assert(_i < OF_FORTY - 1 || !reached);
    ck_assert_int_eq(threshold_of_all(tracker), reached ? 1 : 3);
    ck_assert_int_eq(configure(tracker, &config), TRIP_OK);
    ck_assert_int_eq(threshold_of_all(tracker), 3);
    ck_assert_int_eq(configure(tracker, NULL), TRIP_OK);
    ck_assert_int_eq(threshold_of_all(tracker), 1);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
}
END_TEST

START_TEST(a_snapshot_that_memory_does_not_suffice_for_leaves_the_tracker_as_it_is)
{
    static char snapshot[8192], before[8192], after[8192];
    size_t len = write_snapshot(snapshot, sizeof snapshot), len_before, len_after;
    trip_tracker tracker = fragile_tracker();
    trip_error error = {.struct_size = sizeof error};
    numbered(tracker, 7);
    ck_assert_int_eq(trip_tracker_snapshot(tracker, SECOND, before, sizeof before, &len_before), TRIP_OK);
    atomic_store(&allocations_left, _i);
    trip_status status = trip_tracker_restore(tracker, SECOND, snapshot, len, &error);
    bool reached = atomic_load(&allocations_left) < 0;
    atomic_store(&allocations_left, INT64_MAX);
    ck_assert(_i > 0 || status == TRIP_E_NOMEM);
    ck_assert(_i < OF_FORTY - 1 || !reached);
    if (status != TRIP_OK) {
        ck_assert_int_eq(status, TRIP_E_NOMEM);
        ck_assert_str_eq(error.message, "out of memory");
        ck_assert_int_eq(trip_tracker_snapshot(tracker, SECOND, after, sizeof after, &len_after), TRIP_OK);
        ck_assert_uint_eq(len_after, len_before);
        ck_assert_mem_eq(after, before, len_before);
        ck_assert_int_eq(trip_tracker_restore(tracker, SECOND, snapshot, len, &error), TRIP_OK);
    }
    for (uint32_t i = 0; i < 40; i++) {
        ck_assert_uint_eq(info_of(numbered(tracker, i)).state, TRIP_STATE_OPEN);
        ck_assert_uint_eq(info_of(numbered(tracker, i)).mode, TRIP_MODE_OBSERVE);
    }
}
END_TEST

START_TEST(a_name_that_cannot_be_entered_evicts_nobody)
{
    trip_config config = manual_config();
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit first = circuit_of(tracker, "acme", "openai"), second = 7;
    for (int left = 0;; left++) {
        atomic_store(&allocations_left, left);
        trip_status status = trip_tracker_circuit(tracker, "acme", 4, "anthropic", 9, &second);
        atomic_store(&allocations_left, INT64_MAX);
        if (status == TRIP_OK)
            break;
        ck_assert_int_eq(status, TRIP_E_NOMEM);
        ck_assert_int_eq(trip_circuit_peek(first, NULL), TRIP_OK);
    }
    ck_assert_int_eq(trip_circuit_peek(first, NULL), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_circuit_peek(second, NULL), TRIP_OK);
}
END_TEST

START_TEST(without_huge_pages_there_is_room_all_the_same)
{
    enum { COUNT = 70000 }; /* circuits whose table and records would both be on huge pages */
    static trip_circuit made[COUNT];
    trip_config config = manual_config();
    config.max_circuits = COUNT;
    trip_tracker tracker = tracker_with(&config);
    maps_fail = 1;
    for (uint32_t i = 0; i < COUNT; i++)
        made[i] = numbered(tracker, i);
    for (uint32_t i = 0; i < COUNT; i++)
        ck_assert_uint_eq(numbered(tracker, i), made[i]);
    ck_assert_uint_eq(trip_tracker_named(tracker)->registry.count, COUNT);
    maps_fail = 0;
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
}
END_TEST

START_TEST(tables_that_are_not_used_give_their_memory_back)
{
    enum { COUNT = 20000, KIB = 1024 };
    for (int again = 0; again < 2; again++) { /* the second time in the same tables */
        trip_config config = manual_config();
        config.max_circuits = COUNT;
        trip_tracker tracker = tracker_with(&config);
        atomic_store(&emptied, 0);
        for (uint32_t i = 0; i < COUNT; i++)
            numbered(tracker, i);
        ck_assert_uint_eq(atomic_load(&emptied), (64 + 128 + 256) * KIB);
        trip_circuit first = numbered(tracker, 0);
        ck_assert_uint_eq(numbered(tracker, 0), first);
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
        ck_assert_uint_eq(atomic_load(&emptied), (64 + 128 + 256 + 512) * KIB);
    }
}
END_TEST

static void *settle_without_memory(void *argument)
{
    trip_permit *permits = argument;
    ck_assert_int_eq(trip_permit_record_failure(permits[0]), TRIP_OK);
    ck_assert_int_eq(trip_permit_record_failure(permits[0]), TRIP_E_CONSUMED);
    ck_assert_int_eq(trip_permit_renew(permits[1]), TRIP_STALE);
    ck_assert_int_eq(trip_permit_drop(permits[1]), TRIP_STALE);
    return NULL;
}

START_TEST(a_thread_without_memory_can_still_settle_and_look)
{
    trip_circuit circuit = circuit_of(fragile_tracker(), "acme", "openai");
    trip_permit permits[2] = {permit_of(circuit), permit_of(circuit)};
    atomic_store(&allocations_left, 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, settle_without_memory, permits), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.state, TRIP_STATE_OPEN);
    ck_assert_uint_eq(info.failures_total + info.drops, 2);
    ck_assert_uint_eq(info.stale, 1);
    ck_assert_uint_eq(info.opens, 1);
}
END_TEST

static void *ask_without_memory(void *argument)
{
    trip_circuit *circuits = argument;
    trip_permit permit = 7;
    trip_rejection rejection = {.struct_size = sizeof rejection};
    ck_assert_int_eq(trip_circuit_permit(circuits[0], &permit, &rejection), TRIP_E_NOMEM);
    ck_assert_uint_eq(permit, 7);
    ck_assert_int_eq(trip_circuit_permit(circuits[1], &permit, &rejection), TRIP_REJECTED_OPEN);
    ck_assert_uint_eq(rejection.retry_after_ns, SECOND);
    return NULL;
}

START_TEST(a_thread_without_memory_is_still_refused_by_an_open_circuit)
{
    trip_tracker tracker = fragile_tracker();
    trip_circuit circuits[2] = {circuit_of(tracker, "acme", "anthropic"), circuit_of(tracker, "acme", "openai")};
    fail_once(circuits[1]);
    atomic_store(&allocations_left, 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_without_memory, circuits), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/* ---- The system -------------------------------------------------------------------------------------------------- */

START_TEST(without_random_numbers_there_is_no_tracker_until_there_are)
{
    trip_tracker tracker = 7;
    trip_error error = {.struct_size = sizeof error};
    entropy_fails = 1;
    errno = EDOM;
    ck_assert_int_eq(trip_tracker_create(NULL, &tracker, &error), TRIP_E_SYSTEM);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_int_eq(error.status, TRIP_E_SYSTEM);
    ck_assert_uint_eq(tracker, 7);
    entropy_fails = 0;
    ck_assert_int_eq(trip_tracker_create(NULL, &tracker, &error), TRIP_OK);
}
END_TEST

START_TEST(there_is_room_for_65535_trackers)
{
    trip_tracker tracker, first = 0;
    for (int i = 0; i < 65535; i++) {
        ck_assert_int_eq(trip_tracker_create(NULL, &tracker, NULL), TRIP_OK);
        first = first == 0 ? tracker : first;
    }
    trip_error error = {.struct_size = sizeof error};
    ck_assert_int_eq(trip_tracker_create(NULL, &tracker, &error), TRIP_E_CAPACITY);
    ck_assert_str_eq(error.message, "65535 trackers exist");
    ck_assert_int_eq(trip_tracker_destroy(first), TRIP_OK);
    ck_assert_int_eq(trip_tracker_create(NULL, &tracker, NULL), TRIP_OK);
}
END_TEST

/* ---- Time -------------------------------------------------------------------------------------------------------- */

static trip_dedup destroyed_meanwhile;

static void destroy_once(void)
{
    atomic_store(&before_reading, NULL);
    ck_assert_int_eq(trip_dedup_destroy(destroyed_meanwhile), TRIP_OK);
}

START_TEST(who_is_inside_when_a_deduplicator_is_destroyed_gets_no_ticket)
{
    trip_ticket ticket = 7, held;
    size_t len;
    ck_assert_int_eq(trip_dedup_create(0, NULL, &destroyed_meanwhile, NULL), TRIP_OK);
    ck_assert_int_eq(trip_dedup_check(destroyed_meanwhile, "a", 1, &held, NULL, 0, &len), TRIP_OK);
    atomic_store(&before_reading, destroy_once);
    ck_assert_int_eq(_i == 0 ? trip_dedup_check(destroyed_meanwhile, "b", 1, &ticket, NULL, 0, &len)
                             : trip_ticket_complete(held, "x", 1),
                     TRIP_E_HANDLE);
    ck_assert_uint_eq(ticket, 7);
    ck_assert(atomic_load(&before_reading) == NULL);
    ck_assert_int_eq(trip_ticket_fail(held), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_dedup_destroy(destroyed_meanwhile), TRIP_E_HANDLE);
}
END_TEST

static trip_circuit monotonic_circuit(void)
{
    trip_config config = manual_config();
    config.clock = TRIP_CLOCK_MONOTONIC;
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    trip_circuit circuit = circuit_of(tracker_with(&config), "acme", "openai");
    atomic_fetch_add(&precise_ns, 100 * MS); /* so that the coarse clock has seen its beginning */
    return circuit;
}

static void read_no_clock(void)
{
    atomic_store(&precise_readings, 0);
    atomic_store(&coarse_readings, 0);
}

START_TEST(the_healthy_path_reads_no_clock_and_allocates_nothing)
{
    trip_circuit circuit = monotonic_circuit();
    ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK); /* this thread's first call */
    read_no_clock();
    atomic_store(&allocations_left, 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(trip_permit_record_success(permit_of(circuit)), TRIP_OK);
    ck_assert_uint_eq(atomic_load(&precise_readings) + atomic_load(&coarse_readings), 0);
}
END_TEST

START_TEST(a_refusal_reads_the_coarse_clock_while_the_deadline_is_far)
{
    trip_circuit circuit = monotonic_circuit();
    fail_once(circuit);
    trip_permit permit;
    trip_rejection rejection = {.struct_size = sizeof rejection};
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, NULL), TRIP_REJECTED_OPEN); /* the first is an event */
    read_no_clock();
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, &rejection), TRIP_REJECTED_OPEN);
    ck_assert_uint_eq(atomic_load(&precise_readings), 0);
    ck_assert_uint_eq(atomic_load(&coarse_readings), 1);
    ck_assert_uint_eq(rejection.retry_after_ns, SECOND + 3 * MS); /* never too short, a tick too long at most */

    atomic_fetch_add(&precise_ns, SECOND - 6 * MS); /* for the coarse clock: 9 ms to go, more than two ticks */
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, &rejection), TRIP_REJECTED_OPEN);
    ck_assert_uint_eq(rejection.retry_after_ns, 9 * MS);
    atomic_fetch_add(&precise_ns, 1 * MS); /* 8 ms: now the truth */
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, &rejection), TRIP_REJECTED_OPEN);
    ck_assert_uint_eq(rejection.retry_after_ns, 5 * MS);
    atomic_fetch_add(&precise_ns, 5 * MS - 1);
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, &rejection), TRIP_REJECTED_OPEN);
    ck_assert_uint_eq(rejection.retry_after_ns, 1);
    atomic_fetch_add(&precise_ns, 1);
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, &rejection), TRIP_OK);
}
END_TEST

START_TEST(making_a_circuit_reads_the_coarse_clock_and_who_goes_is_judged_by_the_precise_one)
{
    trip_config config = manual_config();
    config.clock = TRIP_CLOCK_MONOTONIC;
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    config.max_circuits = 1;
    trip_tracker tracker = tracker_with(&config);
    read_no_clock();
    trip_circuit open = circuit_of(tracker, "acme", "openai"), heir = 7;
    ck_assert_uint_eq(atomic_load(&precise_readings), 0);
    ck_assert_uint_eq(atomic_load(&coarse_readings), 1);
    fail_once(open);
    atomic_fetch_add(&precise_ns, SECOND - 1);
    ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, "groq", 4, &heir), TRIP_E_CAPACITY);
    atomic_fetch_add(&precise_ns, 1); /* the coarse clock is behind */
    ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, "groq", 4, &heir), TRIP_OK);
    ck_assert_int_eq(trip_circuit_peek(open, NULL), TRIP_E_HANDLE);
}
END_TEST

START_TEST(a_circuit_younger_than_a_tick_is_sound_under_the_coarse_clock)
{
    trip_config config = manual_config();
    config.clock = TRIP_CLOCK_MONOTONIC;
    config.failure_threshold = 1;
    config.initial_open_ns = 20 * MS;
    trip_circuit circuit = circuit_of(tracker_with(&config), "acme", "openai");
    atomic_store(&coarse_lag, 100 * MS); /* more than its age and than its slot's clock */
    fail_once(circuit);
    trip_permit permit;
    trip_rejection rejection = {.struct_size = sizeof rejection};
    ck_assert_int_eq(trip_circuit_permit(circuit, &permit, &rejection), TRIP_REJECTED_OPEN);
    ck_assert_uint_ge(rejection.retry_after_ns, 20 * MS);
    ck_assert_uint_le(rejection.retry_after_ns, 120 * MS);
    atomic_store(&coarse_lag, 3 * MS);
}
END_TEST

START_TEST(the_manual_clock_stops_at_five_years_and_nothing_wraps)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = config.max_open_ns = UINT64_C(365) * 86400 * SECOND;
    config.jitter = 1.0;
    trip_tracker tracker = tracker_with(&config);
    trip_circuit circuit = circuit_of(tracker, "acme", "openai");
    ck_assert_int_eq(trip_tracker_advance(tracker, UINT64_MAX), TRIP_OK);
    ck_assert_int_eq(trip_tracker_advance(tracker, UINT64_MAX), TRIP_OK);
    fail_once(circuit);
    trip_circuit_info info = info_of(circuit);
    ck_assert_uint_eq(info.state, TRIP_STATE_OPEN);
    ck_assert_uint_ge(info.retry_after_ns, config.initial_open_ns);
    ck_assert_uint_le(info.retry_after_ns, 2 * config.initial_open_ns);
    ck_assert_uint_eq(trip_tracker_time(tracker), UINT64_C(5) * 365 * 86400 * SECOND);
}
END_TEST

START_TEST(jitter_is_the_formula_of_abi_md)
{
    trip_config config = manual_config();
    config.failure_threshold = 1;
    config.initial_open_ns = SECOND;
    config.jitter = 0.25;
    trip_tracker tracker = tracker_with(&config);
    for (int i = 0; i < 200; i++) {
        char provider = (char)i;
        trip_circuit circuit;
        ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, &provider, 1, &circuit), TRIP_OK);
        uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
        const unsigned char text[] = {4, 'a', 'c', 'm', 'e', 1, (unsigned char)i};
        for (size_t k = 0; k < sizeof text; k++)
            hash = (hash ^ text[k]) * UINT64_C(1099511628211);
        uint64_t x = hash + info_of(circuit).epoch * UINT64_C(0x9E3779B97F4A7C15);
        x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
        x ^= x >> 31;
        uint64_t share = (x >> 32) / 4;                       /* of 2^32: up to a quarter */
        uint64_t stretched = SECOND + (SECOND * share >> 32); /* one second fits in 30 bits */
        fail_once(circuit);
        uint64_t retry = info_of(circuit).retry_after_ns;
        ck_assert_uint_ge(retry, stretched);
        ck_assert_uint_lt(retry, stretched + 4);
        ck_assert_uint_eq(info_of(circuit).open_duration_ns, SECOND);
    }
}
END_TEST

static Suite *faults_suite(void)
{
    Suite *suite = suite_create("faults");
    TCase *memory = tcase_create("memory");
    tcase_set_timeout(memory, 300);
    tcase_add_loop_test(memory, each_allocation_may_fail_once, 0, ALLOCATIONS);
    tcase_add_loop_test(memory, each_allocation_of_a_life_with_windows_may_fail_once, 0, ALLOCATIONS);
    tcase_add_loop_test(memory, each_allocation_of_a_life_with_deduplication_may_fail_once, 0, OF_SIXTY);
    tcase_add_test(memory, without_memory_for_what_a_provider_asks_a_circuit_opens_for_as_long_as_others);
    tcase_add_test(memory, a_destroyed_tracker_leaves_nothing_behind_but_what_is_used_again);
    tcase_add_loop_test(memory, a_policy_that_memory_does_not_suffice_for_is_not_set_for_any_circuit, 0, OF_FORTY);
    tcase_add_loop_test(memory, a_snapshot_that_memory_does_not_suffice_for_leaves_the_tracker_as_it_is, 0, OF_FORTY);
    tcase_add_test(memory, a_name_that_cannot_be_entered_evicts_nobody);
    tcase_add_test(memory, without_huge_pages_there_is_room_all_the_same);
    tcase_add_test(memory, tables_that_are_not_used_give_their_memory_back);
    tcase_add_test(memory, a_thread_without_memory_can_still_settle_and_look);
    tcase_add_test(memory, a_thread_without_memory_is_still_refused_by_an_open_circuit);
    suite_add_tcase(suite, memory);
    TCase *system = tcase_create("system");
    tcase_set_timeout(system, 120);
    tcase_add_test(system, without_random_numbers_there_is_no_tracker_until_there_are);
    tcase_add_test(system, there_is_room_for_65535_trackers);
    suite_add_tcase(suite, system);
    TCase *times = tcase_create("time");
    tcase_add_loop_test(times, who_is_inside_when_a_deduplicator_is_destroyed_gets_no_ticket, 0, 2);
    tcase_add_test(times, the_healthy_path_reads_no_clock_and_allocates_nothing);
    tcase_add_test(times, a_refusal_reads_the_coarse_clock_while_the_deadline_is_far);
    tcase_add_test(times, making_a_circuit_reads_the_coarse_clock_and_who_goes_is_judged_by_the_precise_one);
    tcase_add_test(times, a_circuit_younger_than_a_tick_is_sound_under_the_coarse_clock);
    tcase_add_test(times, the_manual_clock_stops_at_five_years_and_nothing_wraps);
    tcase_add_test(times, jitter_is_the_formula_of_abi_md);
    suite_add_tcase(suite, times);
    return suite;
}

int main(void)
{
    return run_suite(faults_suite());
}
