/* Waiters, as waiter.h describes them: a line is a ring of them, and each sleeps on a futex of its own. */
#include "waiter.h"

#include "refusal.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

void trip_waiter_queue(trip_waiter **line, trip_waiter *waiter)
{
    trip_waiter *first = *line == NULL ? waiter : *line;
    trip_waiter *last = *line == NULL ? waiter : first->previous;
    waiter->next = first;
    waiter->previous = last;
    last->next = first->previous = waiter;
    *line = first;
}

void trip_waiter_unqueue(trip_waiter **line, trip_waiter *waiter)
{
    waiter->previous->next = waiter->next;
    waiter->next->previous = waiter->previous;
    if (*line == waiter)
        *line = waiter->next == waiter ? NULL : waiter->next;
}

/* ---- Sleep ------------------------------------------------------------------------------------------------------- */

/* What this system call takes: a timespec as the kernel first had it. */
typedef struct kernel_time {
    long seconds;
    long ns;
} kernel_time;

/* The kernel looks whether nothing is told before it lets the thread sleep. */
bool trip_waiter_sleep(trip_waiter *waiter, uint64_t until_ns)
{
    int saved = errno;
    uint64_t seconds = until_ns / TRIP_NS_PER_SECOND;
    const kernel_time until = {seconds < LONG_MAX ? (long)seconds : LONG_MAX, (long)(until_ns % TRIP_NS_PER_SECOND)};
    if (atomic_load_explicit(&waiter->told, memory_order_acquire) == 0)
        syscall(SYS_futex, &waiter->told, FUTEX_WAIT_BITSET_PRIVATE, 0, until_ns == UINT64_MAX ? NULL : &until, NULL,
                FUTEX_BITSET_MATCH_ANY);
    errno = saved;
    return atomic_load_explicit(&waiter->told, memory_order_acquire) != 0;
}

/* Of a waiter that is gone only the address is used, where nobody sleeps, or somebody who looks again. */
void trip_waiter_tell(trip_waiter *waiter)
{
    int saved = errno;
    _Atomic uint32_t *told = &waiter->told;
    atomic_store_explicit(told, 1, memory_order_release);
    syscall(SYS_futex, told, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}
