/* Watches, as watch.h describes them. */
#include "watch.h"

#include "refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

int trip_watch_open(void)
{
    int saved = errno;
    int watch = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    errno = saved;
    return watch;
}

int trip_watch_copy(int watch)
{
    int saved = errno;
    int copy = fcntl(watch, F_DUPFD_CLOEXEC, 0);
    errno = saved;
    return copy;
}

int trip_watch_over(void)
{
    int saved = errno;
    int over = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    errno = saved;
    return over;
}

void trip_watch_set(int watch, uint64_t at_ns)
{
    int saved = errno;
    struct itimerspec at = {0}; /* which is never */
    if (at_ns != TRIP_WATCH_NEVER) {
        at.it_value.tv_sec = (time_t)(at_ns / TRIP_NS_PER_SECOND);
        at.it_value.tv_nsec = (long)(at_ns % TRIP_NS_PER_SECOND);
    }
    timerfd_settime(watch, TFD_TIMER_ABSTIME, &at, NULL);
    errno = saved;
}

#define LONG_ENOUGH 100 /* ms: where it is not readable by then, somebody reads what he was told not to */

/* A timer of the past fires with the next interrupt, so there is a moment to wait for it. */
void trip_watch_fire(int watch)
{
    int saved = errno;
    trip_watch_set(watch, 1);
    struct pollfd fired = {.fd = watch, .events = POLLIN};
    while (poll(&fired, 1, LONG_ENOUGH) < 0 && errno == EINTR)
        ;
    close(watch);
    errno = saved;
}

void trip_watch_close(int watch)
{
    int saved = errno;
    close(watch);
    errno = saved;
}
