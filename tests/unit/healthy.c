/*
 * After a thread's first call on a circuit the healthy path makes no allocation, reads no clock, takes no lock and makes
 * no system call: on whatever thread, settled on whatever thread, by permit or by the express lane. Each way of walking
 * it runs once, sets the traps (traps.h), and runs many times more, in a process of its own. healthy_mutants.py puts
 * each of the four on the path and requires that this suite fails.
 */
#include "fixture.h"

#include "traps.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE = 64, CIRCUITS = 100 };

/* What the threads of a process walk on. The two meet by spinning: nothing else is left to them. */
typedef struct stage {
    trip_circuit circuits[CIRCUITS]; /* more than a thread keeps slots for */
    trip_express lane;
    _Atomic trip_permit ring[AT_ONCE]; /* granted, for the other thread to settle; 0: nothing there */
    _Atomic uint32_t warm, done;
} stage;

/* What is left when it is over, in memory that it shares with the test. */
typedef struct report {
    trapped trapped;
    _Atomic uint64_t wrong_answers;
} report;

static stage here;
static report *result;

static void require_ok(trip_status status)
{
    if (status != TRIP_OK)
        atomic_fetch_add(&result->wrong_answers, 1);
}

/* ---- Ways to walk the path --------------------------------------------------------------------------------------- */

static void pair(trip_circuit circuit)
{
    trip_permit permit = 0;
    trip_rejection rejection = {.struct_size = sizeof rejection};
    require_ok(trip_circuit_permit(circuit, &permit, &rejection));
    require_ok(trip_permit_record_success(permit));
}

static void pairs(int times)
{
    for (int i = 0; i < times; i++)
        pair(here.circuits[0]);
}

static void pairs_on_many_circuits(int times)
{
    for (int i = 0; i < times; i++)
        for (int k = 0; k < CIRCUITS; k++)
            pair(here.circuits[k]);
}

static void many_out_at_once(int times)
{
    trip_permit out[AT_ONCE];
    for (int i = 0; i < times; i++) {
        for (int k = 0; k < AT_ONCE; k++)
            require_ok(trip_circuit_permit(here.circuits[0], &out[k], NULL));
        for (int k = 0; k < AT_ONCE; k++)
            require_ok(trip_permit_record_success(out[k]));
    }
}

static void grant(int times)
{
    for (int i = 0; i < times * AT_ONCE; i++) {
        trip_permit permit = 0;
        require_ok(trip_circuit_permit(here.circuits[0], &permit, NULL));
        while (atomic_load(&here.ring[i % AT_ONCE]) != 0)
            ;
        atomic_store(&here.ring[i % AT_ONCE], permit);
    }
}

/* Waits for all that may be out at once, so that the first time is the worst: more permits out may allocate. */
static void settle(int times)
{
    for (int i = 0; i < times; i++) {
        while (atomic_load(&here.ring[AT_ONCE - 1]) == 0)
            ;
        for (int k = 0; k < AT_ONCE; k++) {
            require_ok(trip_permit_record_success(atomic_load(&here.ring[k])));
            atomic_store(&here.ring[k], 0);
        }
    }
}

static void take_the_lane(int times)
{
    for (int i = 0; i < times; i++) {
        for (int k = 0; k < AT_ONCE; k++)
            if (!lane_admits(&here.lane) || !lane_is_healthy(&here.lane))
                atomic_fetch_add(&result->wrong_answers, 1);
        require_ok(trip_circuit_count(here.circuits[0], AT_ONCE, AT_ONCE));
    }
}

static void ask_for_a_lane(int times)
{
    for (int i = 0; i < times; i++) {
        trip_express lane = {.struct_size = sizeof lane};
        require_ok(trip_circuit_express(here.circuits[0], &lane));
    }
}

static void settle_express_permits(int times)
{
    for (int i = 0; i < times; i++)
        require_ok(trip_permit_record_success(here.lane.permit));
}

typedef void (*walk)(int times);

static const struct way {
    walk by_first, by_second; /* thread of the process; NULL: it does nothing */
    int times;
} ways[] = {
    {pairs, NULL, 100000},
    {NULL, pairs, 100000},
    {pairs, pairs, 100000},
    {pairs_on_many_circuits, pairs_on_many_circuits, 1000},
    {many_out_at_once, many_out_at_once, 1000},
    {grant, settle, 200},
    {settle, grant, 200},
    {take_the_lane, take_the_lane, 1000},
    {ask_for_a_lane, ask_for_a_lane, 100000},
    {settle_express_permits, settle_express_permits, 100000},
};

/* ---- The process ------------------------------------------------------------------------------------------------- */

static void meet(_Atomic uint32_t *arrived)
{
    atomic_fetch_add(arrived, 1);
    while (atomic_load(arrived) < 2)
        ;
}

/* Of the two threads one, which may have nothing to do but to wait. */
static void go(walk path, int times)
{
    if (path != NULL)
        path(1);
    meet(&here.warm);
    traps_set(&result->trapped);
    if (path != NULL)
        path(times);
    meet(&here.done);
    traps_leave(EXIT_SUCCESS);
}

static void *second_thread(void *argument)
{
    const struct way *way = argument;
    go(way->by_second, way->times);
    return NULL;
}

static void prepare(void)
{
    trip_config config = manual_config();
    config.clock = TRIP_CLOCK_MONOTONIC;
    trip_tracker tracker = tracker_with(&config);
    for (int i = 0; i < CIRCUITS; i++) {
        char provider = (char)i;
        ck_assert_int_eq(trip_tracker_circuit(tracker, "acme", 4, &provider, 1, &here.circuits[i]), TRIP_OK);
    }
    here.lane = lane_of(here.circuits[0]);
    result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(result, MAP_FAILED);
}

static int walk_apart(const struct way *way)
{
    pid_t process = fork();
    if (process == 0) {
        pthread_t second;
        if (pthread_create(&second, NULL, second_thread, (void *)way) != 0)
            _exit(EXIT_FAILURE);
        go(way->by_first, way->times);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(process, &status, 0), process);
    return status;
}

START_TEST(the_healthy_path_allocates_nothing_reads_no_clock_takes_no_lock_and_calls_no_system)
{
    prepare();
    int status = walk_apart(&ways[_i]);
    const trapped *in = &result->trapped;
    ck_assert_msg(in->allocations + in->clock_readings + in->locks + in->system_calls == 0,
                  "allocations: %d, clock readings: %d, locks: %d, system calls: %d (the first: %d)",
                  (int)in->allocations, (int)in->clock_readings, (int)in->locks, (int)in->system_calls,
                  (int)in->system_call);
    ck_assert_uint_eq(result->wrong_answers, 0);
    ck_assert_int_eq(status, 0);
}
END_TEST

static Suite *healthy_suite(void)
{
    Suite *suite = suite_create("healthy");
    TCase *path = tcase_create("path");
    tcase_set_timeout(path, 120);
    tcase_add_loop_test(path, the_healthy_path_allocates_nothing_reads_no_clock_takes_no_lock_and_calls_no_system, 0,
                        (int)(sizeof ways / sizeof *ways));
    suite_add_tcase(suite, path);
    return suite;
}

int main(void)
{
    return run_suite(healthy_suite());
}
