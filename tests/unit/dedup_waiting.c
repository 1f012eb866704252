/* Deduplication among many: who waits and who watches, what wakes them, destruction meanwhile, and fork. */
#include "asking.h"
#include "child.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>

static key a = {"a", 1}, b = {"b", 1};

/* By the machine's clock, with a lease and a TTL that no test sees the end of. */
static trip_dedup plain(void)
{
    return dedup_with(0, NULL);
}

static trip_dedup with_times(trip_tracker tracker, uint64_t lease, uint64_t ttl)
{
    trip_dedup_config config = dedup_config();
    config.lease_ns = lease;
    config.ttl_ns = ttl;
    return dedup_with(tracker, &config);
}

static uint64_t machine_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* ---- Threads that wait ------------------------------------------------------------------------------------------- */

typedef struct thread {
    pthread_t id;
    trip_dedup dedup;
    uint64_t timeout_ns;
    said said;
    _Atomic int is_done;
} thread;

static void *wait_in_thread(void *argument)
{
    thread *t = argument;
    t->said.ticket = 0;
    t->said.status = trip_dedup_wait(t->dedup, "a", 1, t->timeout_ns, &t->said.ticket, t->said.value,
                                     sizeof t->said.value, &t->said.len);
    atomic_store(&t->is_done, 1);
    return NULL;
}

static void until_waiting(trip_dedup dedup, uint32_t count)
{
    trip_dedup_info info = {.struct_size = sizeof info};
    do
        sched_yield();
    while (trip_dedup_inspect(dedup, &info) == TRIP_OK && info.waiting != count);
}

/* One behind the other, for the key "a". */
static void queue_up(thread *threads, uint32_t count, trip_dedup dedup, uint64_t timeout_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        threads[i] = (thread){.dedup = dedup, .timeout_ns = timeout_ns};
        ck_assert_int_eq(pthread_create(&threads[i].id, NULL, wait_in_thread, &threads[i]), 0);
        until_waiting(dedup, i + 1);
    }
}

static said answer_of(thread *t)
{
    ck_assert_int_eq(pthread_join(t->id, NULL), 0);
    return t->said;
}

static void all_get(thread *threads, uint32_t count, const char *value)
{
    for (uint32_t i = 0; i < count; i++) {
        said s = answer_of(&threads[i]);
        ck_assert_int_eq(s.status, TRIP_CACHED);
        ck_assert_uint_eq(s.len, strlen(value));
        ck_assert_mem_eq(s.value, value, s.len);
    }
}

enum { FIFTY = 50, FEW = 5 };

static void *make_the_call_if_it_is_mine(void *argument)
{
    thread *t = argument;
    wait_in_thread(t);
    if (t->said.status != TRIP_OK)
        return NULL;
    until_waiting(t->dedup, FIFTY - 1);
    t->said.status = trip_ticket_complete(t->said.ticket, "fifty", 5);
    return NULL;
}

START_TEST(of_fifty_threads_one_makes_the_call_and_all_others_get_its_value)
{
    trip_dedup dedup = plain();
    static thread threads[FIFTY];
    for (int i = 0; i < FIFTY; i++) {
        threads[i] = (thread){.dedup = dedup, .timeout_ns = UINT64_MAX};
        ck_assert_int_eq(pthread_create(&threads[i].id, NULL, make_the_call_if_it_is_mine, &threads[i]), 0);
    }
    int tickets = 0, values = 0;
    for (int i = 0; i < FIFTY; i++) {
        said s = answer_of(&threads[i]);
        tickets += s.status == TRIP_OK && s.ticket != 0;
        values += s.status == TRIP_CACHED && s.len == 5 && memcmp(s.value, "fifty", 5) == 0 && s.ticket == 0;
    }
    ck_assert_int_eq(tickets, 1);
    ck_assert_int_eq(values, FIFTY - 1);
    trip_dedup_info info = seen(dedup);
    ck_assert_uint_eq(info.started, 1);
    ck_assert_uint_eq(info.hits, FIFTY - 1);
    ck_assert_uint_eq(info.joined, 0);
    ck_assert_uint_eq(info.waiting, 0);
}
END_TEST

/* How the ticket of a call becomes nobody's, in each way that brings no value. */
static trip_status complete_with_much(trip_ticket ticket)
{
    return trip_ticket_complete(ticket, "more than there is room for", SIZE_MAX);
}

static trip_status (*const failings[])(trip_ticket) = {trip_ticket_fail, trip_ticket_drop, complete_with_much};

START_TEST(when_a_call_brings_nothing_who_has_waited_longest_makes_the_next)
{
    trip_dedup_config config = dedup_config();
    config.max_bytes = 16;
    trip_dedup dedup = dedup_with(0, &config);
    thread threads[FEW];
    trip_ticket ticket = ticket_for(dedup, a);
    queue_up(threads, FEW, dedup, UINT64_MAX);
    for (int i = 0; i < FEW - 1; i++) {
        ck_assert_int_eq(failings[_i](ticket), TRIP_OK);
        said s = answer_of(&threads[i]);
        ck_assert_int_eq(s.status, TRIP_OK);
        ck_assert_uint_ne(s.ticket, ticket);
        ck_assert_int_eq(failings[_i](ticket), TRIP_E_CONSUMED);
        ck_assert_uint_eq(seen(dedup).waiting, FEW - 1 - (uint32_t)i);
        ck_assert_int_eq(ask(dedup, a).status, TRIP_IN_PROGRESS); /* nobody comes in between */
        ck_assert(!atomic_load(&threads[i + 1].is_done));
        ticket = s.ticket;
    }
    ck_assert_int_eq(trip_ticket_complete(ticket, "at last", 7), TRIP_OK);
    all_get(&threads[FEW - 1], 1, "at last");
    ck_assert_uint_eq(seen(dedup).started, FEW);
    ck_assert_uint_eq(seen(dedup).waiting, 0);
}
END_TEST

START_TEST(with_a_ttl_of_0_those_who_wait_make_the_call_one_after_the_other)
{
    trip_dedup dedup = with_times(0, 600 * SECOND, 0);
    thread threads[FEW];
    trip_ticket ticket = ticket_for(dedup, a);
    queue_up(threads, FEW, dedup, UINT64_MAX);
    for (int i = 0; i < FEW; i++) {
        ck_assert_int_eq(trip_ticket_complete(ticket, "x", 1), TRIP_OK);
        said s = answer_of(&threads[i]);
        ck_assert_int_eq(s.status, TRIP_OK);
        ticket = s.ticket;
    }
    ck_assert_int_eq(trip_ticket_complete(ticket, "x", 1), TRIP_OK);
    ck_assert_int_eq(ask(dedup, a).status, TRIP_OK);
    ck_assert_uint_eq(seen(dedup).completed, FEW + 1);
}
END_TEST

START_TEST(who_waits_gets_a_value_that_is_gone_before_he_looks)
{
    trip_dedup dedup = with_times(0, 600 * SECOND, 1);
    thread threads[FEW];
    trip_ticket ticket = ticket_for(dedup, a);
    queue_up(threads, FEW, dedup, UINT64_MAX);
    ck_assert_int_eq(trip_ticket_complete(ticket, "brief", 5), TRIP_OK);
    ck_assert_int_eq(trip_dedup_forget(dedup, "a", 1), TRIP_OK);
    all_get(threads, FEW, "brief");
    ck_assert_uint_eq(seen(dedup).bytes, 0);
}
END_TEST

START_TEST(a_value_that_is_too_long_for_who_waits_is_told_by_its_length)
{
    trip_dedup dedup = plain();
    thread threads[1];
    trip_ticket ticket = ticket_for(dedup, a);
    queue_up(threads, 1, dedup, UINT64_MAX);
    char value[1000] = "";
    ck_assert_int_eq(trip_ticket_complete(ticket, value, sizeof value), TRIP_OK);
    said s = answer_of(&threads[0]);
    ck_assert_int_eq(s.status, TRIP_CACHED);
    ck_assert_uint_eq(s.len, sizeof value);
}
END_TEST

/* ---- Time -------------------------------------------------------------------------------------------------------- */

START_TEST(who_waits_gives_up_when_his_time_is_over)
{
    trip_dedup dedup = plain();
    trip_ticket ticket = ticket_for(dedup, a);
    uint64_t began = machine_ns();
    ck_assert_int_eq(wait_for(dedup, a, 0).status, TRIP_IN_PROGRESS);
    ck_assert_int_eq(wait_for(dedup, a, 1).status, TRIP_IN_PROGRESS);
    ck_assert_int_eq(wait_for(dedup, a, 20 * MS).status, TRIP_IN_PROGRESS);
    ck_assert_uint_ge(machine_ns() - began, 20 * MS);
    ck_assert_uint_eq(seen(dedup).joined, 3);
    ck_assert_uint_eq(seen(dedup).waiting, 0);
    ck_assert_int_eq(trip_ticket_fail(ticket), TRIP_OK); /* and nobody gets the next ticket unasked */
    ck_assert_int_eq(wait_for(dedup, a, UINT64_MAX).status, TRIP_OK);
    ck_assert_int_eq(wait_for(dedup, b, 0).status, TRIP_OK);
}
END_TEST

START_TEST(who_gives_up_leaves_the_line_to_the_others)
{
    trip_dedup dedup = plain();
    thread hasty[3], patient[3];
    trip_ticket ticket = ticket_for(dedup, a);
    for (int i = 0; i < 3; i++) {
        hasty[i] = (thread){.dedup = dedup, .timeout_ns = 10 * MS};
        ck_assert_int_eq(pthread_create(&hasty[i].id, NULL, wait_in_thread, &hasty[i]), 0);
        patient[i] = (thread){.dedup = dedup, .timeout_ns = UINT64_MAX};
        ck_assert_int_eq(pthread_create(&patient[i].id, NULL, wait_in_thread, &patient[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(answer_of(&hasty[i]).status, TRIP_IN_PROGRESS);
    until_waiting(dedup, 3);
    ck_assert_int_eq(trip_ticket_complete(ticket, "x", 1), TRIP_OK);
    all_get(patient, 3, "x");
}
END_TEST

START_TEST(who_waits_goes_on_when_the_lease_is_over)
{
    trip_dedup dedup = with_times(0, 20 * MS, SECOND);
    trip_ticket ticket = ticket_for(dedup, a);
    said s = wait_for(dedup, a, UINT64_MAX);
    ck_assert_int_eq(s.status, TRIP_OK);
    ck_assert_int_eq(trip_ticket_complete(ticket, "x", 1), TRIP_STALE);
    ck_assert_uint_ge(seen(dedup).expired, 1);
}
END_TEST

START_TEST(when_each_lets_his_lease_run_out_all_who_wait_get_their_turn)
{
    trip_dedup dedup = with_times(0, 5 * MS, SECOND);
    thread threads[FEW];
    ticket_for(dedup, b);
    ticket_for(dedup, a);
    for (int i = 0; i < FEW; i++) {
        threads[i] = (thread){.dedup = dedup, .timeout_ns = UINT64_MAX};
        ck_assert_int_eq(pthread_create(&threads[i].id, NULL, wait_in_thread, &threads[i]), 0);
    }
    for (int i = 0; i < FEW; i++)
        ck_assert_int_eq(answer_of(&threads[i]).status, TRIP_OK);
    ck_assert_uint_eq(seen(dedup).waiting, 0);
    ck_assert_uint_ge(seen(dedup).started, FEW + 2);
}
END_TEST

START_TEST(a_lease_on_a_manual_clock_is_over_when_somebody_comes_by)
{
    trip_tracker tracker = fragile_tracker();
    trip_dedup dedup = with_times(tracker, 10, 10);
    thread threads[2];
    trip_ticket ticket = ticket_for(dedup, a);
    queue_up(threads, 2, dedup, UINT64_MAX);
    pass(tracker, 9);
    ck_assert_int_eq(trip_ticket_renew(ticket), TRIP_OK);
    pass(tracker, 9);
    ck_assert_uint_eq(seen(dedup).waiting, 2);
    pass(tracker, 1);
    ck_assert_uint_eq(seen(dedup).waiting, 1); /* this is whoever comes by */
    ck_assert_int_eq(answer_of(&threads[0]).status, TRIP_OK);
    ck_assert_int_eq(trip_ticket_fail(ticket), TRIP_STALE);
    ck_assert_int_eq(trip_ticket_complete(threads[0].said.ticket, "x", 1), TRIP_OK);
    all_get(&threads[1], 1, "x");
}
END_TEST

START_TEST(whose_time_is_over_looks_once_more_whether_the_lease_is)
{
    trip_tracker tracker = fragile_tracker();
    trip_dedup dedup = with_times(tracker, 10, 10);
    thread threads[1];
    ticket_for(dedup, a);
    queue_up(threads, 1, dedup, 300 * MS);
    pass(tracker, 10);
    ck_assert_int_eq(answer_of(&threads[0]).status, TRIP_OK);
}
END_TEST

START_TEST(who_waits_for_a_tracker_that_is_gone_learns_it_when_his_time_is_over)
{
    trip_tracker tracker = fragile_tracker();
    trip_dedup dedup = with_times(tracker, 10, 10);
    thread threads[2];
    ticket_for(dedup, a);
    queue_up(threads, 1, dedup, 200 * MS);
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert_int_eq(answer_of(&threads[0]).status, TRIP_E_HANDLE);
    ck_assert_uint_eq(seen(dedup).waiting, 0);
}
END_TEST

/* ---- Destruction ------------------------------------------------------------------------------------------------- */

START_TEST(who_waits_is_told_that_the_deduplicator_is_gone)
{
    trip_tracker tracker = fragile_tracker();
    trip_dedup dedup = with_times(_i == 0 ? 0 : tracker, 600 * SECOND, SECOND);
    thread threads[FEW];
    trip_ticket ticket = ticket_for(dedup, a);
    queue_up(threads, FEW, dedup, UINT64_MAX);
    if (_i == 2)
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert_int_eq(trip_dedup_destroy(dedup), TRIP_OK);
    for (int i = 0; i < FEW; i++)
        ck_assert_int_eq(answer_of(&threads[i]).status, TRIP_E_HANDLE);
    ck_assert_int_eq(trip_ticket_fail(ticket), TRIP_E_HANDLE);
    ck_assert_int_eq(trip_dedup_destroy(dedup), TRIP_E_HANDLE);
}
END_TEST

enum { KEYS = 4, WORKERS = 6 };

typedef struct work {
    _Atomic trip_dedup dedup;
    _Atomic int stop;
    _Atomic int holders[KEYS];
    _Atomic int wrong;
    _Atomic uint64_t seed;
    bool is_exclusive; /* no lease runs out, and nobody destroys anything */
} work;

static void settle_somehow(trip_ticket ticket, uint64_t how)
{
    if (how % 4 == 0)
        trip_ticket_renew(ticket);
    if (how % 3 == 0)
        trip_ticket_fail(ticket);
    else
        trip_ticket_complete(ticket, "some value", how % 11);
}

/* Of those who work on a key one has the ticket. */
static void *work_on_keys(void *argument)
{
    work *w = argument;
    uint64_t state = atomic_fetch_add(&w->seed, 0x9E3779B97F4A7C15u);
    while (!atomic_load(&w->stop)) {
        uint64_t how = draw(&state) >> 8;
        uint32_t k = (uint32_t)(how % KEYS);
        trip_dedup dedup = atomic_load(&w->dedup);
        trip_ticket ticket;
        char value[16];
        size_t len;
        int32_t fd;
        trip_status status =
            trip_dedup_wait(dedup, (char *)&k, sizeof k, how % 2 * 100000, &ticket, value, sizeof value, &len);
        if (status == TRIP_OK) {
            bool is_alone = atomic_fetch_add(&w->holders[k], 1) == 0;
            atomic_fetch_add(&w->wrong, w->is_exclusive && !is_alone);
            sched_yield();
            atomic_fetch_sub(&w->holders[k], 1);
            settle_somehow(ticket, how >> 16);
        } else if (status == TRIP_CACHED) {
            atomic_fetch_add(&w->wrong, len > 10 || memcmp(value, "some value", len) != 0);
        } else if (status != TRIP_IN_PROGRESS && status != TRIP_E_HANDLE) {
            atomic_fetch_add(&w->wrong, 1);
        }
        if (how % 7 == 0 && trip_dedup_watch(dedup, (char *)&k, sizeof k, &fd) == TRIP_OK)
            close(fd);
        if (how % 5 == 0)
            trip_dedup_forget(dedup, (char *)&k, sizeof k);
    }
    return NULL;
}

static void employ(pthread_t *threads, work *w)
{
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work_on_keys, w), 0);
}

static void dismiss(pthread_t *threads, work *w)
{
    atomic_store(&w->stop, 1);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(atomic_load(&w->wrong), 0);
}

static int descriptors(void)
{
    DIR *open = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(open) != NULL)
        count++;
    closedir(open);
    return count;
}

START_TEST(many_work_on_few_keys_and_each_ticket_is_one_of_its_kind)
{
    pthread_t threads[WORKERS];
    work w = {.dedup = plain(), .seed = 7, .is_exclusive = true};
    int before = descriptors();
    employ(threads, &w);
    while (seen(w.dedup).started < 5000)
        sched_yield();
    dismiss(threads, &w);
    trip_dedup_info info = seen(w.dedup);
    ck_assert_uint_eq(info.in_progress + info.waiting, 0);
    ck_assert_uint_gt(info.hits, 0);
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

START_TEST(deduplicators_are_destroyed_while_others_work_with_them)
{
    pthread_t threads[WORKERS];
    work w = {.dedup = plain(), .seed = 9};
    int before = descriptors();
    employ(threads, &w);
    for (int i = 0; i < 300; i++) {
        trip_dedup next = with_times(0, i % 2 == 0 ? 50000 : 600 * SECOND, 100000);
        trip_dedup last = atomic_exchange(&w.dedup, next);
        while (seen(next).started < 5)
            sched_yield();
        ck_assert_int_eq(trip_dedup_destroy(last), TRIP_OK);
    }
    dismiss(threads, &w);
    ck_assert_int_eq(trip_dedup_destroy(w.dedup), TRIP_OK);
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

/* ---- Watching ---------------------------------------------------------------------------------------------------- */

static int32_t watch_of(trip_dedup dedup, key of)
{
    int32_t fd = -1;
    ck_assert_int_eq(trip_dedup_watch(dedup, of.text, of.len, &fd), TRIP_OK);
    ck_assert_int_ge(fd, 0);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    return fd;
}

static bool is_readable_within(int32_t fd, int ms)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    return poll(&at, 1, ms) == 1 && at.revents == POLLIN;
}

static bool is_readable(int32_t fd)
{
    return is_readable_within(fd, 0);
}

START_TEST(a_key_that_is_not_in_progress_is_readable_at_once)
{
    trip_dedup dedup = plain();
    int before = descriptors();
    int32_t fresh = watch_of(dedup, a);
    ck_assert(is_readable(fresh));
    bring(dedup, a, "x");
    int32_t cached = watch_of(dedup, a);
    ck_assert(is_readable(cached));
    ck_assert(is_readable(fresh));
    close(fresh);
    close(cached);
    ck_assert_int_eq(descriptors(), before);
    ck_assert_uint_eq(seen(dedup).started, 1);
}
END_TEST

static trip_status complete(trip_ticket ticket)
{
    return trip_ticket_complete(ticket, "x", 1);
}

static trip_status destroy_its_own(trip_ticket ticket);
static trip_dedup own;

static trip_status (*const ends[])(trip_ticket) = {complete, trip_ticket_fail, trip_ticket_drop, complete_with_much,
                                                   destroy_its_own};

static trip_status destroy_its_own(trip_ticket ticket)
{
    (void)ticket;
    return trip_dedup_destroy(own);
}

START_TEST(all_who_watch_see_the_end_of_a_call)
{
    trip_dedup_config config = dedup_config();
    config.max_bytes = 16;
    int before = descriptors();
    own = dedup_with(0, &config);
    trip_ticket ticket = ticket_for(own, a), other = ticket_for(own, b);
    int32_t first = watch_of(own, a), closed = watch_of(own, a), last = watch_of(own, a), beside = watch_of(own, b);
    close(closed); /* which is all that giving up takes */
    ck_assert_int_eq(trip_ticket_renew(ticket), TRIP_OK);
    ck_assert_int_eq(ask(own, a).status, TRIP_IN_PROGRESS);
    ck_assert(!is_readable(first) && !is_readable(last) && !is_readable(beside));
    ck_assert_int_eq(ends[_i](ticket), TRIP_OK);
    ck_assert(is_readable(first) && is_readable(last) && is_readable(first));
    ck_assert_int_eq(is_readable(beside), ends[_i] == destroy_its_own);
    trip_ticket_fail(other);
    ck_assert(is_readable(beside));
    close(first);
    close(last);
    close(beside);
    ck_assert_int_eq(descriptors(), before);
    trip_dedup_destroy(own);
}
END_TEST

START_TEST(who_watches_sees_the_end_of_a_lease)
{
    trip_dedup dedup = with_times(0, 50 * MS, SECOND);
    int before = descriptors();
    trip_ticket ticket = ticket_for(dedup, a);
    int32_t fd = watch_of(dedup, a);
    ck_assert(is_readable_within(fd, 60000));
    ck_assert_int_eq(ask(dedup, a).status, TRIP_OK); /* not in progress any more, as was said */
    ck_assert(is_readable(fd));
    ck_assert_int_eq(trip_ticket_fail(ticket), TRIP_STALE);
    close(fd);
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

static uint64_t left_of(int32_t fd)
{
    struct itimerspec left;
    ck_assert_int_eq(timerfd_gettime(fd, &left), 0);
    return (uint64_t)left.it_value.tv_sec * SECOND + (uint64_t)left.it_value.tv_nsec;
}

/* Not too early, and too late at most by what passes between two readings. */
static uint64_t end_of(int32_t fd)
{
    uint64_t left = left_of(fd);
    return machine_ns() + left;
}

START_TEST(a_lease_that_begins_again_ends_later_for_who_watches)
{
    trip_dedup dedup = plain();
    trip_ticket ticket = ticket_for(dedup, a);
    int32_t fd = watch_of(dedup, a);
    ck_assert_uint_le(left_of(fd), 600 * SECOND);
    nanosleep(&(struct timespec){.tv_nsec = 20 * MS}, NULL);
    uint64_t now = machine_ns();
    ck_assert_int_eq(trip_ticket_renew(ticket), TRIP_OK);
    ck_assert_uint_ge(end_of(fd), now + 600 * SECOND);
    ck_assert(!is_readable(fd));
    thread threads[1]; /* and so when the call passes to somebody else who waited for it */
    queue_up(threads, 1, dedup, UINT64_MAX);
    nanosleep(&(struct timespec){.tv_nsec = 20 * MS}, NULL);
    now = machine_ns();
    ck_assert_int_eq(trip_ticket_fail(ticket), TRIP_OK);
    ck_assert_int_eq(answer_of(&threads[0]).status, TRIP_OK);
    ck_assert_uint_ge(end_of(fd), now + 600 * SECOND);
    ck_assert(!is_readable(fd));
    ck_assert_int_eq(trip_ticket_fail(threads[0].said.ticket), TRIP_OK);
    ck_assert(is_readable(fd));
    close(fd);
}
END_TEST

START_TEST(a_manual_clock_makes_readable_what_somebody_comes_by)
{
    trip_tracker tracker = fragile_tracker();
    trip_dedup dedup = with_times(tracker, MS, SECOND);
    ticket_for(dedup, a);
    int32_t fd = watch_of(dedup, a);
    ck_assert_uint_eq(left_of(fd), 0); /* the machine's clock means nothing to it */
    pass(tracker, MS);
    ck_assert(!is_readable(fd));
    ck_assert_uint_eq(seen(dedup).expired, 1);
    ck_assert(is_readable(fd));
    close(fd);
}
END_TEST

START_TEST(without_a_descriptor_who_would_watch_is_told)
{
    trip_dedup dedup = plain();
    trip_ticket ticket = ticket_for(dedup, a);
    int before = descriptors();
    struct rlimit rest, none = {0};
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rest), 0);
    none.rlim_max = rest.rlim_max;
    for (rlim_t more = 0; more < 2; more++) { /* none at all, and none for a copy */
        int next = dup(0);
        close(next);
        none.rlim_cur = (rlim_t)next + more;
        int32_t fd = -7;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        trip_status in_progress = trip_dedup_watch(dedup, "a", 1, &fd);
        trip_status not = more == 0 ? trip_dedup_watch(dedup, "b", 1, &fd) : TRIP_E_SYSTEM;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rest), 0);
        ck_assert_int_eq(in_progress, TRIP_E_SYSTEM);
        ck_assert_int_eq(not, TRIP_E_SYSTEM);
        ck_assert_int_eq(fd, -7);
    }
    int32_t fd = watch_of(dedup, a);
    ck_assert_int_eq(trip_ticket_fail(ticket), TRIP_OK);
    ck_assert(is_readable(fd));
    close(fd);
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

START_TEST(who_reads_the_descriptor_harms_only_those_who_watch)
{
    trip_dedup dedup = with_times(0, MS, SECOND);
    ticket_for(dedup, a);
    int32_t fd = watch_of(dedup, a);
    ck_assert(is_readable_within(fd, 60000));
    uint64_t times;
    ck_assert_int_eq(read(fd, &times, sizeof times), sizeof times);
    ck_assert_int_eq(ask(dedup, a).status, TRIP_OK);
    ck_assert(is_readable(fd));
    close(fd);
}
END_TEST

/* ---- Fork -------------------------------------------------------------------------------------------------------- */

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

static Suite *waiting_suite(void)
{
    Suite *suite = suite_create("dedup_waiting");
    TCase *many = tcase_create("many");
    tcase_set_timeout(many, 300);
    tcase_add_test(many, of_fifty_threads_one_makes_the_call_and_all_others_get_its_value);
    tcase_add_loop_test(many, when_a_call_brings_nothing_who_has_waited_longest_makes_the_next, 0,
                        sizeof failings / sizeof *failings);
    tcase_add_test(many, with_a_ttl_of_0_those_who_wait_make_the_call_one_after_the_other);
    tcase_add_test(many, who_waits_gets_a_value_that_is_gone_before_he_looks);
    tcase_add_test(many, a_value_that_is_too_long_for_who_waits_is_told_by_its_length);
    tcase_add_test(many, who_waits_gives_up_when_his_time_is_over);
    tcase_add_test(many, who_gives_up_leaves_the_line_to_the_others);
    tcase_add_test(many, who_waits_goes_on_when_the_lease_is_over);
    tcase_add_test(many, when_each_lets_his_lease_run_out_all_who_wait_get_their_turn);
    tcase_add_test(many, a_lease_on_a_manual_clock_is_over_when_somebody_comes_by);
    tcase_add_test(many, whose_time_is_over_looks_once_more_whether_the_lease_is);
    tcase_add_test(many, who_waits_for_a_tracker_that_is_gone_learns_it_when_his_time_is_over);
    tcase_add_loop_test(many, who_waits_is_told_that_the_deduplicator_is_gone, 0, 3);
    tcase_add_test(many, many_work_on_few_keys_and_each_ticket_is_one_of_its_kind);
    tcase_add_test(many, deduplicators_are_destroyed_while_others_work_with_them);
    suite_add_tcase(suite, many);
    TCase *watching = tcase_create("watching");
    tcase_set_timeout(watching, 300);
    tcase_add_test(watching, a_key_that_is_not_in_progress_is_readable_at_once);
    tcase_add_loop_test(watching, all_who_watch_see_the_end_of_a_call, 0, sizeof ends / sizeof *ends);
    tcase_add_test(watching, who_watches_sees_the_end_of_a_lease);
    tcase_add_test(watching, a_lease_that_begins_again_ends_later_for_who_watches);
    tcase_add_test(watching, a_manual_clock_makes_readable_what_somebody_comes_by);
    tcase_add_test(watching, without_a_descriptor_who_would_watch_is_told);
    tcase_add_test(watching, who_reads_the_descriptor_harms_only_those_who_watch);
    suite_add_tcase(suite, watching);
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
    return run_suite(waiting_suite());
}
