/* fork, dlclose and thread exit: what becomes of circuits and permits when a process splits or closes the library. */
#include "child.h"
#include "fixture.h"

#include "events.h"
#include "texts.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct family {
    trip_tracker tracker;
    trip_circuit circuit;
    trip_permit permit;
} family;

static trip_circuit_info look(trip_circuit circuit)
{
    trip_circuit_info info = {.struct_size = sizeof info};
    if (trip_circuit_inspect(circuit, &info) != TRIP_OK)
        _exit(254);
    return info;
}

/* ---- Probes ------------------------------------------------------------------------------------------------------ */

static int probe_is_cancelled(void *argument)
{
    family *f = argument;
    trip_circuit_info info = look(f->circuit);
    REQUIRE(info.state == TRIP_STATE_HALF_OPEN);
    REQUIRE(info.probes_out == 0);
    REQUIRE(trip_permit_renew(f->permit) == TRIP_STALE);
    REQUIRE(trip_permit_record_failure(f->permit) == TRIP_STALE);
    REQUIRE(look(f->circuit).state == TRIP_STATE_HALF_OPEN);
    trip_permit own;
    REQUIRE(trip_circuit_permit(f->circuit, &own, NULL) == TRIP_OK);
    REQUIRE(trip_permit_record_success(own) == TRIP_OK);
    REQUIRE(look(f->circuit).state == TRIP_STATE_CLOSED);
    return 0;
}

START_TEST(in_the_child_a_probe_is_cancelled_and_its_permit_stale)
{
    family f = {.tracker = fragile_tracker()};
    f.circuit = circuit_of(f.tracker, "acme", "openai");
    fail_once(f.circuit);
    ck_assert_int_eq(trip_tracker_advance(f.tracker, SECOND), TRIP_OK);
    f.permit = permit_of(f.circuit);
    ck_assert_int_eq(in_child(probe_is_cancelled, &f), 0);
    /* the parent has noticed nothing */
    ck_assert_uint_eq(info_of(f.circuit).probes_out, 1);
    ck_assert_int_eq(trip_permit_record_success(f.permit), TRIP_OK);
    ck_assert_uint_eq(info_of(f.circuit).state, TRIP_STATE_CLOSED);
}
END_TEST

static int probe_stays_lost(void *argument)
{
    family *f = argument;
    trip_circuit_info info = look(f->circuit);
    REQUIRE(info.state == TRIP_STATE_OPEN);
    REQUIRE(info.level == 1);
    REQUIRE(info.opens == 2);
    REQUIRE(trip_permit_record_success(f->permit) == TRIP_STALE);
    return 0;
}

START_TEST(in_the_child_a_probe_whose_lease_was_over_has_failed)
{
    family f = {.tracker = fragile_tracker()};
    f.circuit = circuit_of(f.tracker, "acme", "openai");
    fail_once(f.circuit);
    ck_assert_int_eq(trip_tracker_advance(f.tracker, SECOND), TRIP_OK);
    f.permit = permit_of(f.circuit);
    ck_assert_int_eq(trip_tracker_advance(f.tracker, 600 * SECOND + MS), TRIP_OK);
    ck_assert_uint_eq(info_of(f.circuit).state, TRIP_STATE_OPEN);
    ck_assert_int_eq(in_child(probe_stays_lost, &f), 0);
}
END_TEST

static int nothing_is_overdue(void *argument)
{
    family *f = argument;
    REQUIRE(trip_tracker_advance(f->tracker, 100 * SECOND) == TRIP_OK);
    trip_permit own;
    REQUIRE(trip_circuit_permit(f->circuit, &own, NULL) == TRIP_OK);
    REQUIRE(trip_permit_record_success(f->permit) == TRIP_OK);
    REQUIRE(look(f->circuit).failures == 0);
    REQUIRE(trip_tracker_advance(f->tracker, 100 * SECOND) == TRIP_OK); /* now a call of its own hangs */
    REQUIRE(trip_circuit_permit(f->circuit, &own, NULL) == TRIP_REJECTED_OPEN);
    return 0;
}

START_TEST(in_the_child_no_call_of_the_parent_hangs_and_no_stream_of_it_stalls)
{
    trip_config config = manual_config();
    config.hang_calls = 1;
    config.hang_ns = config.stall_ns = 10 * SECOND;
    family f = {.tracker = tracker_with(&config)};
    f.circuit = circuit_of(f.tracker, "acme", "openai");
    f.permit = permit_of(f.circuit);
    ck_assert_int_eq(trip_permit_progress(permit_of(f.circuit)), TRIP_OK);
    ck_assert_int_eq(in_child(nothing_is_overdue, &f), 0);
    ck_assert_int_eq(trip_tracker_advance(f.tracker, 10 * SECOND), TRIP_OK);
    trip_permit permit;
    ck_assert_int_eq(trip_circuit_permit(f.circuit, &permit, NULL), TRIP_REJECTED_OPEN);
}
END_TEST

static family of_handler;
static int handler_failed;

static void call_in_handler(void)
{
    trip_circuit circuit;
    trip_permit permit;
    handler_failed =
        of_handler.tracker != 0 &&
        (trip_tracker_circuit(of_handler.tracker, "new", 3, "name", 4, &circuit) != TRIP_OK ||
         trip_circuit_permit(circuit, &permit, NULL) != TRIP_OK || trip_permit_record_success(permit) != TRIP_OK);
}

static int handler_was_well(void *argument)
{
    (void)argument;
    return handler_failed;
}

START_TEST(fork_handlers_of_the_program_may_call_the_library)
{
    ck_assert_int_eq(pthread_atfork(call_in_handler, call_in_handler, call_in_handler), 0); /* before any tracker */
    of_handler.tracker = fragile_tracker();
    ck_assert_int_eq(in_child(handler_was_well, NULL), 0);
    ck_assert_int_eq(handler_failed, 0);
}
END_TEST

static int goes_its_own_way(void *argument)
{
    family *f = argument;
    REQUIRE(trip_permit_record_success(f->permit) == TRIP_OK); /* its copy of a closed circuit's permit */
    REQUIRE(trip_permit_record_success(f->permit) == TRIP_E_CONSUMED);
    trip_permit permit;
    REQUIRE(trip_circuit_permit(f->circuit, &permit, NULL) == TRIP_OK);
    REQUIRE(trip_permit_record_failure(permit) == TRIP_OK);
    REQUIRE(trip_circuit_permit(f->circuit, &permit, NULL) == TRIP_REJECTED_OPEN);
    trip_circuit other;
    REQUIRE(trip_tracker_circuit(f->tracker, "acme", 4, "mistral", 7, &other) == TRIP_OK);
    trip_tracker tracker;
    REQUIRE(trip_tracker_create(NULL, &tracker, NULL) == TRIP_OK);
    REQUIRE(trip_tracker_destroy(f->tracker) == TRIP_OK);
    return 0;
}

START_TEST(parent_and_child_go_their_own_ways)
{
    family f = {.tracker = fragile_tracker()};
    f.circuit = circuit_of(f.tracker, "acme", "openai");
    f.permit = permit_of(f.circuit);
    ck_assert_int_eq(in_child(goes_its_own_way, &f), 0);
    ck_assert_int_eq(trip_permit_record_success(f.permit), TRIP_OK);
    trip_circuit_info info = info_of(f.circuit);
    ck_assert_uint_eq(info.state, TRIP_STATE_CLOSED);
    ck_assert_uint_eq(info.permits, 1);
}
END_TEST

/* ---- Events ------------------------------------------------------------------------------------------------------ */

enum { RING = 4096 };

static bool is_readable(int32_t fd)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    return poll(&at, 1, 0) == 1 && at.revents == POLLIN;
}

/* Take all that wait: whether they are as many as that, have the numbers from `first` on, and so many were lost. */
static bool take(trip_tracker tracker, uint64_t first, size_t expected, uint64_t expected_lost)
{
    static trip_event events[RING];
    static char text[RING * 32];
    size_t count;
    uint64_t lost;
    if (trip_tracker_events(tracker, events, sizeof *events, RING, text, sizeof text, &count, &lost) != TRIP_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (events[i].number != first + i)
            return false;
    return count == expected && lost == expected_lost;
}

static void tell(trip_tracker tracker, int times)
{
    for (int i = 0; i < times; i++)
        trip_events_tell(tracker, &(trip_event){.kind = TRIP_EVENT_CONFIGURED},
                         &(trip_event_texts){.tenant = "acme", .tenant_len = 4});
}

typedef struct watched {
    trip_tracker tracker;
    int32_t fd;
} watched;

static int has_events_of_its_own(void *argument)
{
    const watched *w = argument;
    int32_t fd;
    REQUIRE(trip_tracker_event_fd(w->tracker, &fd) == TRIP_OK && fd == w->fd);
    REQUIRE(!is_readable(fd));
    REQUIRE(take(w->tracker, 1, 0, 0));
    tell(w->tracker, 2);
    REQUIRE(is_readable(fd));
    REQUIRE((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    REQUIRE(take(w->tracker, 1, 2, 0));
    REQUIRE(!is_readable(fd));
    tell(w->tracker, 1);
    REQUIRE(trip_tracker_destroy(w->tracker) == TRIP_OK);
    REQUIRE(fcntl(fd, F_GETFD) == -1);
    return 0;
}

START_TEST(parent_and_child_have_events_of_their_own)
{
    watched w = {.tracker = fragile_tracker()};
    ck_assert_int_eq(trip_tracker_event_fd(w.tracker, &w.fd), TRIP_OK);
    ck_assert_int_eq(in_child(has_events_of_its_own, &w), 0);
    ck_assert(!is_readable(w.fd)); /* whatever has happened in the child */
    tell(w.tracker, RING + 3);
    ck_assert_int_eq(in_child(has_events_of_its_own, &w), 0);
    ck_assert(is_readable(w.fd));
    ck_assert(take(w.tracker, 1, RING, 3));
    ck_assert(!is_readable(w.fd));
}
END_TEST

enum { TEXTS = 500 };

static trip_text_place keep_one(void)
{
    trip_text_place place = 0;
    return trip_texts_keep("acme", 4, &place) == TRIP_OK ? place : UINT32_MAX;
}

static int has_the_texts_of_its_parents_events(void *argument)
{
    const trip_text_place *highest = argument;
    for (int i = 0; i < TEXTS; i++)
        REQUIRE(keep_one() < *highest);
    return 0;
}

START_TEST(in_the_child_the_texts_of_the_parents_events_are_used_again)
{
    trip_tracker tracker = fragile_tracker();
    tell(tracker, TEXTS);
    trip_text_place highest = keep_one();
    ck_assert_int_eq(in_child(has_the_texts_of_its_parents_events, &highest), 0);
    ck_assert(take(tracker, 1, TEXTS, 0));
}
END_TEST

static int has_no_descriptor(void *argument)
{
    const watched *w = argument;
    REQUIRE(fcntl(w->fd, F_GETFD) == -1);
    int32_t fd;
    struct rlimit more;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &more) == 0);
    more.rlim_cur = more.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &more) == 0);
    REQUIRE(trip_tracker_event_fd(w->tracker, &fd) == TRIP_OK);
    tell(w->tracker, 1);
    REQUIRE(is_readable(fd));
    return 0;
}

START_TEST(a_child_that_is_given_no_descriptor_keeps_none_of_its_parents)
{
    watched w = {.tracker = fragile_tracker()};
    ck_assert_int_eq(trip_tracker_event_fd(w.tracker, &w.fd), TRIP_OK);
    struct rlimit before, none = {0};
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(has_no_descriptor(&w));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    tell(w.tracker, 1);
    ck_assert(is_readable(w.fd));
}
END_TEST

/* ---- Forks while threads call ------------------------------------------------------------------------------------ */

/* Calls that a thread makes before the first fork. Only AddressSanitizer needs any: its runtime takes no locks around a
   fork (before that of gcc 14), so that no thread may be in malloc then. After its first calls one is there only while
   it holds a lock that the library takes around a fork. */
#ifdef __SANITIZE_ADDRESS__
#define FIRST_CALLS 20000
#else
#define FIRST_CALLS 0
#endif

typedef struct busy {
    trip_tracker tracker;
    _Atomic int warm; /* threads that have made their first calls */
    _Atomic int stop;
    _Atomic uint64_t seed;
} busy;

/* Whether the metrics can be told. */
static bool can_scrape(trip_tracker tracker)
{
    char text[4096];
    size_t len;
    trip_status status = trip_tracker_metrics(tracker, TRIP_LABELS_PROVIDER, 1, text, sizeof text, &len);
    return status == TRIP_OK && memcmp(text + len - 6, "# EOF\n", 6) == 0;
}

static void *keep_busy(void *argument)
{
    busy *b = argument;
    uint64_t state = atomic_fetch_add(&b->seed, 0x9E3779B97F4A7C15u);
    for (int calls = 0; !atomic_load(&b->stop); calls++) {
        if (calls == FIRST_CALLS)
            atomic_fetch_add(&b->warm, 1);
        char provider = (char)draw(&state);
        trip_circuit circuit;
        trip_permit permit;
        if (trip_tracker_circuit(b->tracker, "acme", 4, &provider, 1, &circuit) == TRIP_OK &&
            trip_circuit_permit(circuit, &permit, NULL) == TRIP_OK)
            draw(&state) % 8 == 0 ? trip_permit_record_failure(permit) : trip_permit_record_success(permit);
        if (draw(&state) % 64 == 0)
            can_scrape(b->tracker);
        trip_tracker tracker;
        if (draw(&state) % 64 == 0 && trip_tracker_create(NULL, &tracker, NULL) == TRIP_OK)
            trip_tracker_destroy(tracker);
    }
    return NULL;
}

static void *child_thread(void *argument)
{
    busy *b = argument;
    for (int i = 0; i < 2000; i++) {
        char provider = (char)i;
        trip_circuit circuit;
        trip_permit permit;
        if (trip_tracker_circuit(b->tracker, "acme", 4, &provider, 1, &circuit) != TRIP_OK)
            _exit(253);
        trip_status status = trip_circuit_permit(circuit, &permit, NULL);
        if (status < 0 && status != TRIP_E_HANDLE) /* evicted by another thread */
            _exit(252);
        if (status == TRIP_OK && trip_permit_record_success(permit) < 0)
            _exit(251);
        if (i % 100 == 0 && !can_scrape(b->tracker))
            _exit(250);
    }
    return NULL;
}

static int works_with_threads(void *argument)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, child_thread, argument) == 0);
    child_thread(argument);
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    busy *b = argument;
    REQUIRE(trip_tracker_destroy(b->tracker) == TRIP_OK);
    return 0;
}

START_TEST(a_child_of_a_busy_process_can_do_everything)
{
    trip_config config = manual_config();
    config.max_circuits = 200; /* fewer than names */
    config.clock = TRIP_CLOCK_MONOTONIC;
    config.initial_open_ns = MS;
    busy b = {.tracker = tracker_with(&config), .seed = 3};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, keep_busy, &b), 0);
    while (atomic_load(&b.warm) < (FIRST_CALLS == 0 ? 0 : 4))
        sched_yield();
    for (int i = 0; i < 60; i++)
        ck_assert_int_eq(in_child(works_with_threads, &b), 0);
    atomic_store(&b.stop, 1);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

static void *tell_and_take(void *argument)
{
    busy *b = argument;
    trip_event event;
    char text[32];
    size_t count;
    uint64_t lost;
    for (int calls = 0; !atomic_load(&b->stop); calls++) {
        if (calls == FIRST_CALLS)
            atomic_fetch_add(&b->warm, 1);
        tell(b->tracker, 2);
        trip_tracker_events(b->tracker, &event, sizeof event, 1, text, sizeof text, &count, &lost);
    }
    return NULL;
}

static int has_an_empty_ring(void *argument)
{
    const busy *b = argument;
    REQUIRE(take(b->tracker, 1, 0, 0));
    for (uint64_t lap = 0; lap < 3; lap++) {
        tell(b->tracker, RING + 10);
        REQUIRE(take(b->tracker, 1 + lap * RING, RING, (lap + 1) * 10));
    }
    return 0;
}

START_TEST(what_was_half_told_at_a_fork_does_not_stop_the_ring_of_the_child)
{
    busy b = {.tracker = fragile_tracker()};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, tell_and_take, &b), 0);
    while (atomic_load(&b.warm) < 4)
        sched_yield();
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(in_child(has_an_empty_ring, &b), 0);
    atomic_store(&b.stop, 1);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

static int forks_again(void *argument)
{
    family *f = argument;
    pid_t pid = fork();
    if (pid == 0)
        _exit(goes_its_own_way(f));
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return goes_its_own_way(f);
}

START_TEST(a_child_may_fork)
{
    family f = {.tracker = fragile_tracker()};
    f.circuit = circuit_of(f.tracker, "acme", "openai");
    f.permit = permit_of(f.circuit);
    ck_assert_int_eq(in_child(forks_again, &f), 0);
}
END_TEST

/* ---- dlclose ----------------------------------------------------------------------------------------------------- */

typedef struct loaded {
    trip_status (*create)(const trip_config *, trip_tracker *, trip_error *);
    trip_status (*circuit)(trip_tracker, const char *, size_t, const char *, size_t, trip_circuit *);
    trip_status (*permit)(trip_circuit, trip_permit *, trip_rejection *);
    trip_status (*success)(trip_permit);
} loaded;

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    ck_assert_msg(found != NULL, "%s", dlerror());
    return found;
}

static loaded load(void **out_library)
{
    void *library = dlopen(TRIP_SHARED_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    loaded l;
    *(void **)&l.create = symbol(library, "trip_tracker_create");
    *(void **)&l.circuit = symbol(library, "trip_tracker_circuit");
    *(void **)&l.permit = symbol(library, "trip_circuit_permit");
    *(void **)&l.success = symbol(library, "trip_permit_record_success");
    *out_library = library;
    return l;
}

typedef struct visit {
    loaded library;
    trip_circuit circuit;
    pthread_barrier_t used, closed;
} visit;

static void *end_after_dlclose(void *argument)
{
    visit *v = argument;
    trip_permit permit;
    if (v->library.permit(v->circuit, &permit, NULL) != TRIP_OK || v->library.success(permit) != TRIP_OK)
        abort();
    pthread_barrier_wait(&v->used);
    pthread_barrier_wait(&v->closed);
    return NULL; /* the destructor of this thread's magazine runs now */
}

START_TEST(dlclose_is_harmless)
{
    void *library;
    visit v = {.library = load(&library)};
    trip_tracker tracker;
    ck_assert_int_eq(v.library.create(NULL, &tracker, NULL), TRIP_OK);
    ck_assert_int_eq(v.library.circuit(tracker, "acme", 4, "openai", 6, &v.circuit), TRIP_OK);
    pthread_barrier_init(&v.used, NULL, 2);
    pthread_barrier_init(&v.closed, NULL, 2);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, end_after_dlclose, &v), 0);
    pthread_barrier_wait(&v.used);
    ck_assert_int_eq(dlclose(library), 0);
    pthread_barrier_wait(&v.closed);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);

    /* loaded again, it is the same library with the same circuits; and a fork still finds its handlers */
    loaded again = load(&library);
    trip_permit permit;
    ck_assert_int_eq(again.permit(v.circuit, &permit, NULL), TRIP_OK);
    pid_t pid = fork();
    if (pid == 0)
        _exit(again.success(permit) == TRIP_OK ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(again.success(permit), TRIP_OK);
}
END_TEST

static Suite *fork_suite(void)
{
    Suite *suite = suite_create("fork");
    TCase *forking = tcase_create("fork");
    tcase_set_timeout(forking, 300);
    tcase_add_test(forking, in_the_child_a_probe_is_cancelled_and_its_permit_stale);
    tcase_add_test(forking, in_the_child_a_probe_whose_lease_was_over_has_failed);
    tcase_add_test(forking, in_the_child_no_call_of_the_parent_hangs_and_no_stream_of_it_stalls);
    tcase_add_test(forking, fork_handlers_of_the_program_may_call_the_library);
    tcase_add_test(forking, parent_and_child_go_their_own_ways);
    tcase_add_test(forking, parent_and_child_have_events_of_their_own);
    tcase_add_test(forking, in_the_child_the_texts_of_the_parents_events_are_used_again);
    tcase_add_test(forking, a_child_that_is_given_no_descriptor_keeps_none_of_its_parents);
    tcase_add_test(forking, what_was_half_told_at_a_fork_does_not_stop_the_ring_of_the_child);
    tcase_add_test(forking, a_child_of_a_busy_process_can_do_everything);
    tcase_add_test(forking, a_child_may_fork);
    suite_add_tcase(suite, forking);
    TCase *closing = tcase_create("dlclose");
    tcase_add_test(closing, dlclose_is_harmless);
    suite_add_tcase(suite, closing);
    return suite;
}

int main(void)
{
    return run_suite(fork_suite());
}
