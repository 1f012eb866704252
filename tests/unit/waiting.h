/* Threads that wait for calls and descriptors that watch them, for the suites that are about them. */
#ifndef TRIP_TEST_WAITING_H
#define TRIP_TEST_WAITING_H

#include "asking.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* By the machine's clock, with a lease and a TTL that no test sees the end of. */
static inline trip_dedup plain(void)
{
    return dedup_with(0, NULL);
}

/* ---- Threads that wait ------------------------------------------------------------------------------------------- */

enum { FEW = 5 };

typedef struct thread {
    pthread_t id;
    trip_dedup dedup;
    uint64_t timeout_ns;
    said said;
    _Atomic int is_done;
} thread;

static inline void *wait_in_thread(void *argument)
{
    thread *t = argument;
    t->said.ticket = 0;
    t->said.status = trip_dedup_wait(t->dedup, "a", 1, t->timeout_ns, &t->said.ticket, t->said.value,
                                     sizeof t->said.value, &t->said.len);
    atomic_store(&t->is_done, 1);
    return NULL;
}

static inline void until_waiting(trip_dedup dedup, uint32_t count)
{
    trip_dedup_info info = {.struct_size = sizeof info};
    do
        sched_yield();
    while (trip_dedup_inspect(dedup, &info) == TRIP_OK && info.waiting != count);
}

/* One behind the other, for the key "a". */
static inline void queue_up(thread *threads, uint32_t count, trip_dedup dedup, uint64_t timeout_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        threads[i] = (thread){.dedup = dedup, .timeout_ns = timeout_ns};
        ck_assert_int_eq(pthread_create(&threads[i].id, NULL, wait_in_thread, &threads[i]), 0);
        until_waiting(dedup, i + 1);
    }
}

static inline said answer_of(thread *t)
{
    ck_assert_int_eq(pthread_join(t->id, NULL), 0);
    return t->said;
}

static inline void all_get(thread *threads, uint32_t count, const char *value)
{
    for (uint32_t i = 0; i < count; i++) {
        said s = answer_of(&threads[i]);
        ck_assert_int_eq(s.status, TRIP_CACHED);
        ck_assert_uint_eq(s.len, strlen(value));
        ck_assert_mem_eq(s.value, value, s.len);
    }
}

/* ---- Threads that work ------------------------------------------------------------------------------------------- */

enum { KEYS = 4, WORKERS = 6 };

typedef struct work {
    _Atomic trip_dedup dedup;
    _Atomic int stop;
    _Atomic int holders[KEYS];
    _Atomic int wrong;
    _Atomic uint64_t seed;
    bool is_exclusive; /* no lease runs out, and nobody destroys anything */
} work;

static inline void settle_somehow(trip_ticket ticket, uint64_t how)
{
    if (how % 4 == 0)
        trip_ticket_renew(ticket);
    if (how % 3 == 0)
        trip_ticket_fail(ticket);
    else
        trip_ticket_complete(ticket, "some value", how % 11);
}

/* Of those who work on a key one has the ticket. */
static inline void *work_on_keys(void *argument)
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

static inline void employ(pthread_t *threads, work *w)
{
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work_on_keys, w), 0);
}

static inline void dismiss(pthread_t *threads, work *w)
{
    atomic_store(&w->stop, 1);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(atomic_load(&w->wrong), 0);
}

/* ---- Descriptors ------------------------------------------------------------------------------------------------- */

static inline int descriptors(void)
{
    DIR *open = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(open) != NULL)
        count++;
    closedir(open);
    return count;
}

static inline int32_t watch_of(trip_dedup dedup, key of)
{
    int32_t fd = -1;
    ck_assert_int_eq(trip_dedup_watch(dedup, of.text, of.len, &fd), TRIP_OK);
    ck_assert_int_ge(fd, 0);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    return fd;
}

static inline bool is_readable_within(int32_t fd, int ms)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    return poll(&at, 1, ms) == 1 && at.revents == POLLIN;
}

static inline bool is_readable(int32_t fd)
{
    return is_readable_within(fd, 0);
}

static inline uint64_t left_of(int32_t fd)
{
    struct itimerspec left;
    ck_assert_int_eq(timerfd_gettime(fd, &left), 0);
    return (uint64_t)left.it_value.tv_sec * SECOND + (uint64_t)left.it_value.tv_nsec;
}

#endif
