/* Trackers: made, destroyed, asked for circuits, and their clocks. Takes the registry's mutex for all but finding. */
#include "tracker.h"

#include "abi.h"
#include "clock.h"
#include "config.h"
#include "emit.h"
#include "process.h"

#include <stddef.h>
#include <string.h>

#define CHUNK_BITS 4
#define TRACKERS_MAX ((UINT32_C(1) << TRIP_TRACKER_SLOT_BITS) - 1)
#define MANUAL_NS_MAX (UINT64_C(5) * 365 * 86400 * 1000000000) /* five years: what every field of a word can hold */
#define MANUAL_BITS 58 /* that a manual time takes; above it the low bits of the generation that it belongs to */

static _Atomic(char *) chunks[(TRACKERS_MAX + 1) >> CHUNK_BITS];
trip_pool trip_trackers = TRIP_POOL(sizeof(trip_tracker_record), TRACKERS_MAX, CHUNK_BITS, chunks);

_Atomic uint64_t trip_trackers_destroyed;

/* ---- Finding ----------------------------------------------------------------------------------------------------- */

trip_tracker_record *trip_tracker_named(trip_tracker tracker)
{
    uint32_t slot = trip_handle_slot(tracker, TRIP_TRACKER_SLOT_BITS);
    return trip_handle_is(tracker, TRIP_KIND_TRACKER) && slot < TRACKERS_MAX ? trip_pool_at(&trip_trackers, slot)
                                                                             : NULL;
}

bool trip_tracker_lives(const trip_tracker_record *record, trip_tracker tracker)
{
    uint64_t life = atomic_load_explicit(&record->life, memory_order_seq_cst);
    return life == (trip_handle_generation(tracker, TRIP_TRACKER_SLOT_BITS) << 1 | 1);
}

bool trip_tracker_tag_lives(uint32_t tag)
{
    uint32_t slot = trip_handle_slot(tag, TRIP_TRACKER_SLOT_BITS);
    const trip_tracker_record *record = trip_pool_at(&trip_trackers, slot);
    if (record == NULL)
        return false;
    uint64_t life = atomic_load_explicit(&record->life, memory_order_acquire);
    return (life & 1) != 0 && (uint16_t)(life >> 1) == tag >> TRIP_TRACKER_SLOT_BITS;
}

/* ---- Locking ----------------------------------------------------------------------------------------------------- */

#define LONG_WAIT (5 * TRIP_NS_PER_MS)

static __attribute__((noinline)) void wait_for_lock(trip_tracker_record *record, trip_tracker tracker)
{
    uint64_t began = trip_clock_precise();
    pthread_mutex_lock(&record->registry.mutex);
    uint64_t waited = trip_clock_precise() - began;
    if (waited > LONG_WAIT)
        trip_emit_lock_wait(tracker, waited);
}

static void lock(trip_tracker_record *record, trip_tracker tracker)
{
    if (pthread_mutex_trylock(&record->registry.mutex) != 0)
        wait_for_lock(record, tracker);
}

void trip_tracker_unlock(trip_tracker_record *record)
{
    pthread_mutex_unlock(&record->registry.mutex);
}

trip_tracker_record *trip_tracker_lock(trip_tracker tracker)
{
    trip_tracker_record *record = trip_tracker_named(tracker);
    if (record == NULL || !trip_tracker_lives(record, tracker))
        return NULL;
    lock(record, tracker);
    if (trip_tracker_lives(record, tracker))
        return record;
    trip_tracker_unlock(record);
    return NULL;
}

trip_tracker_record *trip_tracker_hold(trip_circuit circuit, trip_record **out_record)
{
    trip_record *record = trip_record_named(circuit);
    if (record == NULL)
        return NULL;
    trip_tracker owner = trip_record_tracker(record);
    trip_tracker_record *tracker = trip_tracker_named(owner);
    if (tracker == NULL || !trip_record_lives(record, circuit))
        return NULL;
    lock(tracker, owner);
    *out_record = record;
    if (trip_record_lives(record, circuit) &&
        trip_record_tracker(record) == owner) /* else the mutex is not the circuit's */
        return tracker;
    trip_tracker_unlock(tracker);
    return NULL;
}

/* ---- Visiting ---------------------------------------------------------------------------------------------------- */

#define CLOSED_TO_VISITORS (UINT64_C(1) << 63)

/* The tracker is destroyed and nobody is there: give its place to another one, if it has a generation left. */
static void retire(uint32_t slot)
{
    trip_tracker_record *record = trip_pool_at(&trip_trackers, slot);
    trip_events_end(&record->events);
    uint64_t generation = atomic_load_explicit(&record->life, memory_order_relaxed) >> 1;
    atomic_store_explicit(&record->visits, 0, memory_order_release);
    if (generation < trip_handle_generations(TRIP_TRACKER_SLOT_BITS))
        trip_pool_give(&trip_trackers, slot);
}

trip_tracker_record *trip_tracker_visit(trip_tracker tracker)
{
    trip_tracker_record *record = trip_tracker_named(tracker);
    if (record == NULL)
        return NULL;
    uint64_t visits = atomic_load_explicit(&record->visits, memory_order_relaxed);
    do {
        if ((visits & CLOSED_TO_VISITORS) != 0)
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&record->visits, &visits, visits + 1, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (trip_tracker_lives(record, tracker))
        return record;
    trip_tracker_leave(tracker);
    return NULL;
}

void trip_tracker_leave(trip_tracker tracker)
{
    trip_tracker_record *record = trip_tracker_named(tracker);
    uint64_t visits = atomic_fetch_sub_explicit(&record->visits, 1, memory_order_acq_rel);
    if (visits == (CLOSED_TO_VISITORS | 1))
        retire(trip_handle_slot(tracker, TRIP_TRACKER_SLOT_BITS));
}

void trip_trackers_after_fork(void)
{
    uint32_t made = trip_pool_made(&trip_trackers);
    for (uint32_t i = 0; i < made; i++) {
        trip_tracker_record *record = trip_pool_at(&trip_trackers, i);
        bool is_closed = (atomic_load_explicit(&record->visits, memory_order_relaxed) & CLOSED_TO_VISITORS) != 0;
        atomic_store_explicit(&record->visits, 0, memory_order_relaxed);
        if (is_closed)
            retire(i);
        else
            trip_events_after_fork(&record->events);
    }
}

/* ---- The clock --------------------------------------------------------------------------------------------------- */

static uint64_t manual_start(uint64_t generation)
{
    return generation << MANUAL_BITS;
}

static uint64_t manual_time(uint64_t manual)
{
    return manual & ((UINT64_C(1) << MANUAL_BITS) - 1);
}

static uint64_t manual_now(trip_tracker tracker)
{
    const trip_tracker_record *record = trip_tracker_named(tracker);
    return record == NULL ? 0 : manual_time(atomic_load_explicit(&record->manual, memory_order_acquire));
}

uint64_t trip_tracker_now(trip_tracker tracker, const trip_policy *policy)
{
    return policy->clock == TRIP_CLOCK_MONOTONIC ? trip_clock_precise() : manual_now(tracker);
}

uint64_t trip_tracker_lately(trip_tracker tracker, const trip_policy *policy)
{
    return policy->clock == TRIP_CLOCK_MONOTONIC ? trip_clock_coarse() : manual_now(tracker);
}

bool trip_tracker_is_manual(trip_tracker tracker)
{
    const trip_tracker_record *record = trip_tracker_named(tracker);
    return record != NULL && atomic_load_explicit(&record->clock, memory_order_acquire) == TRIP_CLOCK_MANUAL;
}

uint64_t trip_tracker_time(trip_tracker tracker)
{
    return trip_tracker_is_manual(tracker) ? manual_now(tracker) : trip_clock_precise();
}

trip_status trip_tracker_advance(trip_tracker tracker, uint64_t ns)
{
    trip_tracker_record *record = trip_tracker_named(tracker);
    if (record == NULL || !trip_tracker_lives(record, tracker))
        return TRIP_E_HANDLE;
    uint32_t clock = atomic_load_explicit(&record->clock, memory_order_acquire);
    uint64_t manual = atomic_load_explicit(&record->manual, memory_order_acquire);
    if (!trip_tracker_lives(record, tracker))
        return TRIP_E_HANDLE;
    if (clock != TRIP_CLOCK_MANUAL)
        return TRIP_E_UNSUPPORTED;
    uint64_t start = manual_start(trip_handle_generation(tracker, TRIP_TRACKER_SLOT_BITS));
    uint64_t then;
    do {
        uint64_t now = manual_time(manual);
        if (manual != (start | now))
            return TRIP_E_HANDLE; /* it is the clock of a later tracker by now */
        then = start | (ns < MANUAL_NS_MAX - now ? now + ns : MANUAL_NS_MAX);
    } while (!atomic_compare_exchange_weak_explicit(&record->manual, &manual, then, memory_order_acq_rel,
                                                    memory_order_acquire));
    return TRIP_OK;
}

/* ---- Making and destroying --------------------------------------------------------------------------------------- */

/* With the process locked. A slot's mutexes are made with it and last as long as its memory: someone may be waiting at
   them. */
static trip_status begin(const trip_policy *policy, trip_tracker *out_tracker)
{
    uint32_t slot;
    trip_status status = trip_pool_take(&trip_trackers, &slot);
    if (status != TRIP_OK)
        return status;
    trip_tracker_record *record = trip_pool_at(&trip_trackers, slot);
    uint64_t life = atomic_load_explicit(&record->life, memory_order_relaxed);
    if (life == 0) {
        pthread_mutex_init(&record->registry.mutex, NULL);
        pthread_mutex_init(&record->scraping, NULL);
        life = 1 << 1;
        atomic_store_explicit(&record->life, life, memory_order_relaxed);
    }
    trip_registry *registry = &record->registry; /* nobody reads it before the tracker lives, or after */
    status = trip_policy_publish(policy, &registry->first_place);
    if (status != TRIP_OK) {
        trip_pool_give(&trip_trackers, slot);
        return TRIP_E_NOMEM;
    }
    registry->policy = *policy;
    registry->policy_place = registry->first_place;
    atomic_store_explicit(&record->clock, policy->clock, memory_order_relaxed);
    atomic_store_explicit(&record->manual, manual_start(life >> 1), memory_order_relaxed);
    atomic_store_explicit(&record->life, life | 1, memory_order_release);
    *out_tracker = trip_handle_make(TRIP_KIND_TRACKER, TRIP_TRACKER_SLOT_BITS, life >> 1, slot);
    return TRIP_OK;
}

trip_status trip_tracker_create(const trip_config *config, trip_tracker *out_tracker, trip_error *out_error)
{
    if (!trip_abi_may_write(out_error, TRIP_ERROR_SIZE_1_0))
        return TRIP_E_INVALID;
    if (out_tracker == NULL)
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD, "out_tracker is NULL");
    trip_policy policy;
    trip_status status = trip_config_read(config, &policy, out_error);
    if (status != TRIP_OK)
        return status;

    trip_process_lock();
    status = trip_process_prepare();
    if (status == TRIP_OK)
        status = begin(&policy, out_tracker);
    trip_process_unlock();
    if (status == TRIP_E_SYSTEM)
        return trip_error_tell(out_error, status, TRIP_NO_FIELD, "the system gave no random numbers or no thread key");
    if (status == TRIP_E_NOMEM)
        return trip_error_tell(out_error, status, TRIP_NO_FIELD, "out of memory");
    if (status == TRIP_E_CAPACITY)
        return trip_error_tell(out_error, status, TRIP_NO_FIELD, "65535 trackers exist");
    return status;
}

trip_status trip_tracker_end(trip_tracker tracker)
{
    trip_tracker_record *record = trip_tracker_named(tracker);
    if (record == NULL || !trip_tracker_lives(record, tracker))
        return TRIP_E_HANDLE;
    pthread_mutex_lock(&record->scraping); /* whoever tells the metrics reads what goes with them */
    bool ours = trip_tracker_lock(tracker) != NULL;
    uint64_t visits = 1;
    if (ours) {
        uint64_t generation = trip_handle_generation(tracker, TRIP_TRACKER_SLOT_BITS) + 1;
        atomic_store_explicit(&record->life, generation << 1, memory_order_seq_cst);
        trip_registry_clear(&record->registry);
        atomic_fetch_add_explicit(&trip_trackers_destroyed, 1, memory_order_release);
        visits = atomic_fetch_or_explicit(&record->visits, CLOSED_TO_VISITORS, memory_order_acq_rel);
        trip_tracker_unlock(record);
    }
    pthread_mutex_unlock(&record->scraping);
    if (visits == 0)
        retire(trip_handle_slot(tracker, TRIP_TRACKER_SLOT_BITS));
    return ours ? TRIP_OK : TRIP_E_HANDLE;
}

/* ---- Circuits ---------------------------------------------------------------------------------------------------- */

/* The circuit of a key that was not found without the registry's mutex. */
static __attribute__((noinline)) trip_status get(trip_tracker_record *record, trip_tracker tracker, const trip_key *key,
                                                 trip_circuit *out_circuit)
{
    trip_circuit circuit;
    if (trip_tracker_lock(tracker) == NULL)
        return TRIP_E_HANDLE;
    trip_status status = trip_registry_get(&record->registry, tracker, key, &circuit);
    trip_tracker_unlock(record);
    if (status == TRIP_OK)
        *out_circuit = circuit;
    return status;
}

/* A text as nearly every caller gives it, or one that trip_abi_text accepts. */
static inline bool is_text(const char *text, size_t *len)
{
    return (text != NULL && *len <= TRIP_TEXT_MAX) || trip_abi_text(text, len);
}

/* A circuit that is found belongs to this very tracker and lives, so that nobody need ask whether the tracker does. */
trip_status trip_tracker_circuit(trip_tracker tracker, const char *tenant, size_t tenant_len, const char *provider,
                                 size_t provider_len, trip_circuit *out_circuit)
{
    if (out_circuit == NULL || !is_text(tenant, &tenant_len) || !is_text(provider, &provider_len))
        return TRIP_E_INVALID;
    trip_tracker_record *record = trip_tracker_named(tracker);
    if (record == NULL)
        return TRIP_E_HANDLE;
    trip_hash hash = trip_key_hash(tenant, tenant_len, provider, provider_len);
    trip_circuit found = trip_registry_find(&record->registry, tracker, hash);
    if (__builtin_expect(found == 0, 0))
        return get(record, tracker, &(trip_key){tenant, provider, tenant_len, provider_len, hash}, out_circuit);
    *out_circuit = found;
    return TRIP_OK;
}
