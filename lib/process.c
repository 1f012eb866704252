/*
 * Preparations and fork. A fork takes every lock first, so that the child finds all that they guard in order; what is
 * lock-free is in order at any moment. The child then lets go of what belonged to threads that it does not have.
 */
#include "process.h"

#include "circuit.h"
#include "magazine.h"
#include "kinds.h"
#include "token.h"
#include "tracker.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

static pthread_mutex_t process_mutex = PTHREAD_MUTEX_INITIALIZER;

void trip_process_lock(void)
{
    pthread_mutex_lock(&process_mutex);
}

void trip_process_unlock(void)
{
    pthread_mutex_unlock(&process_mutex);
}

/* ---- Fork -------------------------------------------------------------------------------------------------------- */

static void each_tracker(int (*act)(pthread_mutex_t *), size_t mutex)
{
    uint32_t made = trip_pool_made(&trip_trackers);
    for (uint32_t i = 0; i < made; i++)
        act((pthread_mutex_t *)((char *)trip_pool_at(&trip_trackers, i) + mutex));
}

static void each_kind(void (*act)(trip_object_kind *))
{
    for (size_t i = 0; i < TRIP_KINDS; i++)
        act(trip_kinds[i]);
}

/* In the order in which they are taken elsewhere. No tracker or object can be made meanwhile. */
static void before_fork(void)
{
    trip_process_lock();
    each_kind(trip_objects_lock);
    each_tracker(pthread_mutex_lock, offsetof(trip_tracker_record, scraping));
    each_tracker(pthread_mutex_lock, offsetof(trip_tracker_record, registry.mutex));
    trip_registry_lock_tables();
    trip_annex_lock_store();
}

static void in_parent(void)
{
    trip_annex_unlock_store();
    trip_registry_unlock_tables();
    each_tracker(pthread_mutex_unlock, offsetof(trip_tracker_record, registry.mutex));
    each_tracker(pthread_mutex_unlock, offsetof(trip_tracker_record, scraping));
    each_kind(trip_objects_unlock);
    trip_process_unlock();
}

/* Whoever holds a probe is in the parent, or has a copy of it here that must not speak for it. */
static void forget_probes(void)
{
    uint32_t made = trip_pool_made(&trip_circuits);
    for (uint32_t i = 0; i < made; i++) {
        trip_record *record = trip_record_at(i);
        uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_relaxed);
        if (trip_word_state_of(word) != TRIP_WORD_HALF_OPEN)
            continue;
        trip_hearing hearing;
        trip_hearing_begin(&hearing, trip_record_handle(atomic_load(&record->life), i), record, NULL);
        trip_circuit_look(&hearing);
        bool lease_is_over = hearing.setting.now >= trip_word_deadline(word, hearing.setting.policy);
        if (!lease_is_over) /* else the probes are lost already, and with what consequence stands in the word */
            atomic_store_explicit(&record->cell.word, trip_word_forget_probes(word, hearing.setting.policy),
                                  memory_order_relaxed);
    }
}

static void in_child(void)
{
    in_parent();
    trip_trackers_after_fork();
    trip_magazine_after_fork();
    trip_permits_after_fork();
    trip_tokens_after_fork();
    forget_probes();
    each_kind(trip_objects_after_fork);
}

static bool handles_forks;

/* When the library is loaded, before its user can register handlers of his own: the first to register locks last and
   unlocks first, so that handlers registered later may call the library. */
static __attribute__((constructor)) void handle_forks(void)
{
    int saved = errno;
    handles_forks = pthread_atfork(before_fork, in_parent, in_child) == 0;
    errno = saved;
}

/* ---- Preparations ------------------------------------------------------------------------------------------------ */

trip_status trip_process_prepare(void)
{
    static enum { NOTHING, RANDOM, DONE } prepared; /* each step once, in this order */
    if (!handles_forks)
        handle_forks();
    if (!handles_forks)
        return TRIP_E_NOMEM;
    if (prepared == NOTHING) {
        if (trip_registry_prepare() != TRIP_OK)
            return TRIP_E_SYSTEM;
        prepared = RANDOM;
    }
    if (prepared == RANDOM) {
        if (trip_magazine_prepare() != TRIP_OK)
            return TRIP_E_SYSTEM;
        prepared = DONE;
    }
    return TRIP_OK;
}
