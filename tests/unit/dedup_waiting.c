/* Deduplication among many: who waits and who watches, what wakes them, and destruction meanwhile. */
#include "waiting.h"

#include "kinds.h"
#include "tracker.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

static key a = {"a", 1}, b = {"b", 1};

static uint64_t machine_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* ---- Threads that wait ------------------------------------------------------------------------------------------- */

enum { FIFTY = 50 };

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
    for (uint32_t i = 0; i < 30; i++) /* which end before, and are more than he sees to */
        ticket_for(dedup, numbered(&i));
    ticket_for(dedup, a);
    queue_up(threads, 1, dedup, 300 * MS);
    pass(tracker, 10);
    ck_assert_int_eq(answer_of(&threads[0]).status, TRIP_OK);
}
END_TEST

START_TEST(who_waits_sleeps)
{
    trip_tracker tracker = fragile_tracker();
    trip_dedup dedup = with_times(_i == 0 ? 0 : tracker, 600 * SECOND, SECOND);
    thread threads[1];
    trip_ticket ticket = ticket_for(dedup, a);
    queue_up(threads, 1, dedup, UINT64_MAX);
    nanosleep(&(struct timespec){.tv_nsec = 100 * MS}, NULL);
    clockid_t its_own;
    struct timespec used;
    ck_assert_int_eq(pthread_getcpuclockid(threads[0].id, &its_own), 0);
    ck_assert_int_eq(clock_gettime(its_own, &used), 0);
    ck_assert_int_eq(used.tv_sec, 0);
    ck_assert_int_lt(used.tv_nsec, 20 * MS); /* of work, whatever time has passed */
    ck_assert_int_eq(trip_ticket_fail(ticket), TRIP_OK);
    ck_assert_int_eq(answer_of(&threads[0]).status, TRIP_OK);
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

/* ---- The end of a tracker ---------------------------------------------------------------------------------------- */

enum { CLOCKS = 2 };

static trip_tracker tracker_by(int clock)
{
    trip_config config = manual_config();
    config.clock = clock == 0 ? TRIP_CLOCK_MANUAL : TRIP_CLOCK_MONOTONIC;
    return tracker_with(&config);
}

START_TEST(who_waits_is_told_that_the_tracker_is_gone)
{
    trip_tracker tracker = tracker_by(_i), other = tracker_by(_i);
    trip_dedup its_own[] = {with_times(tracker, 600 * SECOND, SECOND), with_times(tracker, 600 * SECOND, SECOND)};
    trip_dedup others[] = {plain(), with_times(other, 600 * SECOND, SECOND)};
    trip_ticket lost[2], kept[2];
    thread told[2][FEW], patient[2][FEW];
    for (int i = 0; i < 2; i++) {
        lost[i] = ticket_for(its_own[i], a);
        queue_up(told[i], FEW, its_own[i], UINT64_MAX);
        kept[i] = ticket_for(others[i], a);
        queue_up(patient[i], FEW, others[i], UINT64_MAX);
    }
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < FEW; k++)
            ck_assert_int_eq(answer_of(&told[i][k]).status, TRIP_E_HANDLE);
        trip_dedup_info info = seen(its_own[i]);
        ck_assert_uint_eq(info.waiting + info.in_progress + info.bytes, 0);
        ck_assert_uint_eq(info.failed, 1);
        for (int again = 0; again < 2; again++)
            ck_assert_int_eq(trip_ticket_complete(lost[i], "x", 1), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_dedup_destroy(its_own[i]), TRIP_OK);
        ck_assert_int_eq(trip_ticket_drop(lost[i]), TRIP_E_HANDLE);
        ck_assert_uint_eq(seen(others[i]).waiting, FEW);
        ck_assert_int_eq(trip_ticket_complete(kept[i], "x", 1), TRIP_OK);
        all_get(patient[i], FEW, "x");
    }
}
END_TEST

/* A thread that is stopped by a mutex of the library, which we hold, in the middle of a call. */
typedef struct stopped {
    pthread_t id;
    trip_status (*act)(uint64_t handle);
    uint64_t handle;
    _Atomic int tid;
    trip_status status;
} stopped;

static void *act_in_thread(void *argument)
{
    stopped *s = argument;
    atomic_store(&s->tid, (int)syscall(SYS_gettid));
    s->status = s->act(s->handle);
    return NULL;
}

static void until_stopped(stopped *s)
{
    char name[64], state = 'R';
    while (state != 'S') {
        sched_yield();
        snprintf(name, sizeof name, "/proc/self/task/%d/stat", atomic_load(&s->tid));
        FILE *stat = fopen(name, "r");
        if (stat == NULL) /* it has not begun */
            continue;
        ck_assert_int_eq(fscanf(stat, "%*d (%*[^)]) %c", &state), 1);
        fclose(stat);
    }
}

static void act_until_stopped(stopped *s)
{
    ck_assert_int_eq(pthread_create(&s->id, NULL, act_in_thread, s), 0);
    until_stopped(s);
}

START_TEST(who_has_read_the_clock_as_the_tracker_goes_learns_that_it_is_gone)
{
    static trip_status (*const acts[])(trip_ticket) = {trip_ticket_fail, trip_ticket_renew};
    trip_tracker tracker = tracker_by(_i);
    trip_dedup dedup = with_times(tracker, 600 * SECOND, SECOND);
    for (int i = 0; i < 2; i++) {
        stopped late = {.act = acts[i], .handle = ticket_for(dedup, i == 0 ? a : b)};
        trip_object *object = trip_object_visit(&trip_dedups, dedup);
        pthread_mutex_lock(&object->mutex);
        act_until_stopped(&late);
        ck_assert_int_eq(trip_tracker_end(tracker), TRIP_OK);
        pthread_mutex_unlock(&object->mutex);
        trip_object_leave(&trip_dedups, object);
        ck_assert_int_eq(pthread_join(late.id, NULL), 0);
        ck_assert_int_eq(late.status, TRIP_E_HANDLE);
        tracker = tracker_by(_i);
        dedup = with_times(tracker, 600 * SECOND, SECOND);
    }
}
END_TEST

START_TEST(who_begins_to_wait_before_the_tracker_is_gone_is_told_too)
{
    trip_tracker tracker = tracker_by(_i);
    trip_dedup dedup = with_times(tracker, 600 * SECOND, SECOND);
    stopped end = {.act = trip_tracker_destroy, .handle = tracker};
    thread threads[FEW];
    ticket_for(dedup, a);
    trip_tracker_record *record = trip_tracker_named(tracker);
    pthread_mutex_lock(&record->scraping);
    act_until_stopped(&end);
    queue_up(threads, FEW, dedup, UINT64_MAX);
    pthread_mutex_unlock(&record->scraping);
    for (int i = 0; i < FEW; i++)
        ck_assert_int_eq(answer_of(&threads[i]).status, TRIP_E_HANDLE);
    ck_assert_int_eq(pthread_join(end.id, NULL), 0);
    ck_assert_int_eq(end.status, TRIP_OK);
}
END_TEST

/* Threads that come by at each new deduplicator, in which a call is in progress, and stay until they are told. */
typedef struct visitors {
    pthread_t threads[WORKERS];
    _Atomic trip_dedup dedup; /* 0: go home */
    _Atomic uint32_t answers;
    _Atomic uint32_t wrong;
    _Atomic uint32_t role;
    bool destroy; /* the first of them does that */
} visitors;

static trip_status watch_until_told(trip_dedup dedup)
{
    int32_t fd;
    trip_status status = trip_dedup_watch(dedup, "a", 1, &fd);
    if (status != TRIP_OK)
        return status;
    struct pollfd at = {.fd = fd, .events = POLLIN};
    bool is_told = poll(&at, 1, -1) == 1;
    close(fd);
    return is_told ? TRIP_E_HANDLE : TRIP_OK;
}

static trip_status wait_until_told(trip_dedup dedup)
{
    thread t = {.dedup = dedup, .timeout_ns = UINT64_MAX};
    wait_in_thread(&t);
    return t.said.status;
}

static void *come_by(void *argument)
{
    visitors *v = argument;
    uint32_t role = atomic_fetch_add(&v->role, 1);
    trip_dedup last = 0, dedup;
    while ((dedup = atomic_load(&v->dedup)) != 0 || last == 0) {
        if (dedup == last) {
            sched_yield();
            continue;
        }
        last = dedup;
        if (role == 0 && v->destroy)
            atomic_fetch_add(&v->wrong, trip_dedup_destroy(dedup) != TRIP_OK);
        else
            atomic_fetch_add(&v->wrong,
                             (role % 3 == 0 ? watch_until_told(dedup) : wait_until_told(dedup)) != TRIP_E_HANDLE);
        atomic_fetch_add(&v->answers, 1);
    }
    return NULL;
}

enum { TRACKERS = 500 };

static void destroy_trackers(visitors *v, int clock)
{
    int before = descriptors();
    uint64_t state = 11;
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&v->threads[i], NULL, come_by, v), 0);
    for (uint32_t i = 1; i <= TRACKERS; i++) {
        trip_tracker tracker = tracker_by(clock);
        trip_dedup dedup = with_times(tracker, 600 * SECOND, SECOND);
        trip_ticket ticket = ticket_for(dedup, a);
        atomic_store(&v->dedup, dedup);
        for (uint64_t moment = draw(&state) % 4; moment > 0; moment--)
            sched_yield();
        ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
        while (atomic_load(&v->answers) != i * WORKERS)
            sched_yield();
        ck_assert_int_eq(trip_ticket_fail(ticket), TRIP_E_HANDLE);
        ck_assert_int_eq(trip_dedup_destroy(dedup), v->destroy ? TRIP_E_HANDLE : TRIP_OK);
    }
    atomic_store(&v->dedup, 0);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_join(v->threads[i], NULL), 0);
    ck_assert_uint_eq(atomic_load(&v->wrong), 0);
    ck_assert_int_eq(descriptors(), before);
}

START_TEST(nobody_is_left_waiting_who_comes_as_the_tracker_goes)
{
    visitors v = {.destroy = false};
    destroy_trackers(&v, _i);
}
END_TEST

START_TEST(trackers_and_their_deduplicators_are_destroyed_at_once)
{
    visitors v = {.destroy = true};
    destroy_trackers(&v, _i);
}
END_TEST

/* ---- Watching ---------------------------------------------------------------------------------------------------- */

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

START_TEST(who_watches_sees_the_end_of_the_tracker)
{
    trip_tracker tracker = tracker_by(_i);
    trip_dedup dedup = with_times(tracker, 600 * SECOND, SECOND), other = plain();
    int before = descriptors();
    ticket_for(dedup, a);
    ticket_for(dedup, b);
    trip_ticket kept = ticket_for(other, a);
    int32_t first = watch_of(dedup, a), second = watch_of(dedup, b), beside = watch_of(other, a);
    ck_assert(!is_readable(first) && !is_readable(second));
    ck_assert_int_eq(trip_tracker_destroy(tracker), TRIP_OK);
    ck_assert(is_readable(first) && is_readable(second));
    ck_assert(!is_readable(beside));
    ck_assert_int_eq(trip_ticket_fail(kept), TRIP_OK);
    close(first);
    close(second);
    close(beside);
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

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
    tcase_add_loop_test(many, who_waits_sleeps, 0, 2);
    tcase_add_loop_test(many, who_waits_is_told_that_the_deduplicator_is_gone, 0, 3);
    tcase_add_test(many, many_work_on_few_keys_and_each_ticket_is_one_of_its_kind);
    tcase_add_test(many, deduplicators_are_destroyed_while_others_work_with_them);
    tcase_add_loop_test(many, who_waits_is_told_that_the_tracker_is_gone, 0, CLOCKS);
    tcase_add_loop_test(many, who_has_read_the_clock_as_the_tracker_goes_learns_that_it_is_gone, 0, CLOCKS);
    tcase_add_loop_test(many, who_begins_to_wait_before_the_tracker_is_gone_is_told_too, 0, CLOCKS);
    tcase_add_loop_test(many, nobody_is_left_waiting_who_comes_as_the_tracker_goes, 0, CLOCKS);
    tcase_add_loop_test(many, trackers_and_their_deduplicators_are_destroyed_at_once, 0, CLOCKS);
    suite_add_tcase(suite, many);
    TCase *watching = tcase_create("watching");
    tcase_set_timeout(watching, 300);
    tcase_add_test(watching, a_key_that_is_not_in_progress_is_readable_at_once);
    tcase_add_loop_test(watching, all_who_watch_see_the_end_of_a_call, 0, sizeof ends / sizeof *ends);
    tcase_add_test(watching, who_watches_sees_the_end_of_a_lease);
    tcase_add_loop_test(watching, who_watches_sees_the_end_of_the_tracker, 0, CLOCKS);
    tcase_add_test(watching, a_lease_that_begins_again_ends_later_for_who_watches);
    tcase_add_test(watching, a_manual_clock_makes_readable_what_somebody_comes_by);
    tcase_add_test(watching, without_a_descriptor_who_would_watch_is_told);
    tcase_add_test(watching, who_reads_the_descriptor_harms_only_those_who_watch);
    suite_add_tcase(suite, watching);
    return suite;
}

int main(void)
{
    return run_suite(waiting_suite());
}
