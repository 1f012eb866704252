/* Annexes, as annex.h describes them: made, kept and used again. */
#include "annex.h"

#include "alloc.h"
#include "window.h"

#include <pthread.h>

static pthread_mutex_t store_mutex = PTHREAD_MUTEX_INITIALIZER;
static trip_annex *store; /* of other shapes than their places needed; few, as long as trackers are alike */

void trip_annex_lock_store(void)
{
    pthread_mutex_lock(&store_mutex);
}

void trip_annex_unlock_store(void)
{
    pthread_mutex_unlock(&store_mutex);
}

static bool has_shape(const trip_annex *annex, const trip_policy *policy)
{
    return annex->bucket_count == policy->lately.size && annex->call_count == policy->last_calls.size;
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

static trip_annex *make(uint32_t bucket_count, uint32_t call_count)
{
    trip_annex *annex;
    size_t size =
        sizeof *annex + bucket_count * sizeof annex->buckets[0] + groups_for(call_count) * sizeof annex->groups[0];
    annex = trip_allocate(size);
    if (annex == NULL)
        return NULL;
    annex->bucket_count = bucket_count;
    annex->call_count = call_count;
    annex->buckets = (trip_bucket *)(annex + 1);
    annex->groups = (_Atomic uint64_t *)(annex->buckets + bucket_count);
    annex->group_mask = groups_for(call_count) - 1;
    return annex;
}

static trip_annex *take(const trip_policy *policy)
{
    trip_annex_lock_store();
    trip_annex **link = &store;
    while (*link != NULL && !has_shape(*link, policy))
        link = &(*link)->next;
    trip_annex *annex = *link;
    if (annex != NULL)
        *link = annex->next;
    trip_annex_unlock_store();
    return annex != NULL ? annex : make(policy->lately.size, policy->last_calls.size);
}

static void give(trip_annex *annex)
{
    trip_annex_lock_store();
    annex->next = store;
    store = annex;
    trip_annex_unlock_store();
}

bool trip_annex_prepare(_Atomic(trip_annex *) *place, const trip_policy *policy)
{
    trip_annex *annex = atomic_load_explicit(place, memory_order_acquire);
    if (annex == NULL || !has_shape(annex, policy)) {
        trip_annex *other = take(policy);
        if (other == NULL)
            return false;
        atomic_store_explicit(place, other, memory_order_release);
        if (annex != NULL)
            give(annex);
        annex = other;
    }
    trip_window_empty(annex);
    atomic_store_explicit(&annex->look_at, 0, memory_order_relaxed);
    atomic_store_explicit(&annex->asked, 0, memory_order_relaxed);
    return true;
}

trip_annex *trip_annex_have(_Atomic(trip_annex *) *place)
{
    trip_annex *annex = atomic_load_explicit(place, memory_order_acquire);
    if (annex != NULL)
        return annex;
    trip_annex *smallest = make(0, 0);
    if (smallest == NULL)
        return NULL;
    if (atomic_compare_exchange_strong_explicit(place, &annex, smallest, memory_order_acq_rel, memory_order_acquire))
        return smallest;
    trip_release(smallest);
    return annex;
}
