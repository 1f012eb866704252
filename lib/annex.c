/* Annexes and windows, as annex.h describes them: made, kept and used again. */
#include "annex.h"

#include "alloc.h"
#include "steering.h"
#include "window.h"

#include <pthread.h>

static pthread_mutex_t store_mutex = PTHREAD_MUTEX_INITIALIZER;
static trip_windows *store; /* of other shapes than their places needed; few, as long as policies are alike */

void trip_annex_lock_store(void)
{
    pthread_mutex_lock(&store_mutex);
}

void trip_annex_unlock_store(void)
{
    pthread_mutex_unlock(&store_mutex);
}

/* ---- Windows ----------------------------------------------------------------------------------------------------- */

static bool has_shape(const trip_windows *windows, const trip_policy *policy)
{
    return windows->bucket_count == policy->lately.size && windows->call_count == policy->last_calls.size;
}

/* The groups of a window of so many calls: it touches one more than it fills, and one is being written. A power of two, so
   that their numbers may begin anew. */
static uint32_t groups_for(uint32_t calls)
{
    uint32_t groups = 1;
    while (groups < calls / TRIP_WINDOW_GROUP + 2)
        groups *= 2;
    return calls == 0 ? 0 : groups;
}

static trip_windows *make(uint32_t bucket_count, uint32_t call_count)
{
    trip_windows *windows;
    size_t size = sizeof *windows + bucket_count * sizeof windows->buckets[0] +
                  groups_for(call_count) * sizeof windows->groups[0];
    windows = trip_allocate(size);
    if (windows == NULL)
        return NULL;
    windows->bucket_count = bucket_count;
    windows->call_count = call_count;
    windows->buckets = (trip_bucket *)(windows + 1);
    windows->groups = (_Atomic uint64_t *)(windows->buckets + bucket_count);
    windows->group_mask = groups_for(call_count) - 1;
    return windows;
}

/* Windows of this shape, out of a row of them. NULL: there are none. */
static trip_windows *pick(trip_windows **link, const trip_policy *policy)
{
    while (*link != NULL && !has_shape(*link, policy))
        link = &(*link)->next;
    trip_windows *windows = *link;
    if (windows != NULL)
        *link = windows->next;
    return windows;
}

/* Windows that nobody uses, empty. */
static trip_windows *take(const trip_policy *policy)
{
    trip_annex_lock_store();
    trip_windows *windows = pick(&store, policy);
    trip_annex_unlock_store();
    if (windows == NULL)
        windows = make(policy->lately.size, policy->last_calls.size);
    if (windows != NULL)
        trip_window_empty(windows);
    return windows;
}

static void give(trip_windows *windows)
{
    trip_annex_lock_store();
    windows->next = store;
    store = windows;
    trip_annex_unlock_store();
}

static bool has_windows(const trip_policy *policy)
{
    return policy->lately.size != 0 || policy->last_calls.size != 0;
}

bool trip_annex_prepare(trip_annex *annex, const trip_policy *policy)
{
    for (trip_windows *old = annex->outgrown; old != NULL; old = annex->outgrown) {
        annex->outgrown = old->next; /* the life that had them is over, and its last epoch with it */
        give(old);
    }
    trip_windows *windows = atomic_load_explicit(&annex->windows, memory_order_relaxed);
    if (!has_windows(policy))
        return true;
    if (windows != NULL && has_shape(windows, policy)) {
        trip_window_empty(windows);
        return true;
    }
    trip_windows *others = take(policy);
    if (others == NULL)
        return false;
    atomic_store_explicit(&annex->windows, others, memory_order_release);
    if (windows != NULL)
        give(windows);
    return true;
}

/* Windows wait among the outgrown ones until they are needed. */
bool trip_annex_reserve(trip_annex *annex, const trip_policy *to)
{
    const trip_windows *windows = atomic_load_explicit(&annex->windows, memory_order_relaxed);
    if (!has_windows(to) || (windows != NULL && has_shape(windows, to)))
        return true;
    trip_windows *others = pick(&annex->outgrown, to);
    if (others == NULL)
        others = take(to);
    if (others == NULL)
        return false;
    others->next = annex->outgrown;
    annex->outgrown = others;
    return true;
}

/* Who holds the old windows for too long counts in them what is of the circuit's present epoch. So they stay with it. */
void trip_annex_reshape(trip_annex *annex, const trip_policy *from, const trip_policy *to)
{
    trip_windows *windows = atomic_load_explicit(&annex->windows, memory_order_relaxed);
    bool is_same = from->lately.size == to->lately.size && from->last_calls.size == to->last_calls.size;
    if (!has_windows(to))
        return;
    if (windows != NULL && has_shape(windows, to)) {
        if (!is_same) /* they are of an earlier time */
            trip_window_empty(windows);
        atomic_store_explicit(&windows->calm, 0, memory_order_release);
        return;
    }
    trip_windows *others = pick(&annex->outgrown, to);
    trip_window_empty(others);
    atomic_store_explicit(&annex->windows, others, memory_order_release);
    if (windows != NULL) {
        windows->next = annex->outgrown;
        annex->outgrown = windows;
    }
}

/* ---- Annexes ----------------------------------------------------------------------------------------------------- */

trip_annex *trip_annex_have(_Atomic(trip_annex *) *place)
{
    trip_annex *annex = atomic_load_explicit(place, memory_order_acquire);
    if (annex != NULL)
        return annex;
    trip_annex *fresh = trip_allocate(sizeof *fresh);
    if (fresh == NULL)
        return NULL;
    if (atomic_compare_exchange_strong_explicit(place, &annex, fresh, memory_order_acq_rel, memory_order_acquire))
        return fresh;
    trip_release(fresh);
    return annex;
}

void trip_annex_forget(trip_annex *annex)
{
    atomic_store_explicit(&annex->look_at, 0, memory_order_relaxed);
    atomic_store_explicit(&annex->timed_from, 0, memory_order_relaxed);
    atomic_store_explicit(&annex->asked, 0, memory_order_relaxed);
    atomic_store_explicit(&annex->steer, 0, memory_order_relaxed);
    atomic_store_explicit(&annex->opened, 0, memory_order_relaxed);
    for (int i = 0; i < TRIP_BLAMED; i++)
        atomic_store_explicit(&annex->blamed[i], 0, memory_order_relaxed);
    if (annex->order != NULL)
        annex->order->is_given = false;
}
