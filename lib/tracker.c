/* Trackers: made, destroyed, asked for circuits, and their clocks. Takes the registry's mutex for all but finding. */
#include "tracker.h"

#include "abi.h"
#include "clock.h"
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

_Static_assert(offsetof(trip_config, on_server_error) == TRIP_CONFIG_SIZE_1_0,
               "later members go behind the released ones");
_Static_assert(sizeof(trip_error) == TRIP_ERROR_SIZE_1_0, "later members go behind the released ones");

/* ---- Finding ----------------------------------------------------------------------------------------------------- */

trip_tracker_record *trip_tracker_named(trip_tracker tracker)
{
    uint32_t slot = trip_handle_slot(tracker, TRIP_TRACKER_SLOT_BITS);
    return trip_handle_is(tracker, TRIP_KIND_TRACKER) && slot < TRACKERS_MAX ? trip_pool_at(&trip_trackers, slot)
                                                                             : NULL;
}

bool trip_tracker_lives(const trip_tracker_record *record, trip_tracker tracker)
{
    uint64_t life = atomic_load_explicit(&record->life, memory_order_acquire);
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

/* ---- Policy and clock -------------------------------------------------------------------------------------------- */

void trip_tracker_policy(trip_tracker tracker, trip_policy *out_policy)
{
    const trip_tracker_record *record = trip_tracker_named(tracker);
    uint64_t words[TRIP_POLICY_WORDS] = {0};
    if (record != NULL)
        for (size_t i = 0; i < TRIP_POLICY_WORDS; i++)
            words[i] = atomic_load_explicit(&record->policy[i], memory_order_acquire);
    memcpy(out_policy, words, sizeof *out_policy);
}

static void publish_policy(trip_tracker_record *record, const trip_policy *policy)
{
    uint64_t words[TRIP_POLICY_WORDS];
    memcpy(words, policy, sizeof words);
    for (size_t i = 0; i < TRIP_POLICY_WORDS; i++)
        atomic_store_explicit(&record->policy[i], words[i], memory_order_relaxed);
}

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

trip_status trip_tracker_advance(trip_tracker tracker, uint64_t ns)
{
    trip_tracker_record *record = trip_tracker_named(tracker);
    if (record == NULL || !trip_tracker_lives(record, tracker))
        return TRIP_E_HANDLE;
    trip_policy policy;
    trip_tracker_policy(tracker, &policy);
    uint64_t manual = atomic_load_explicit(&record->manual, memory_order_acquire);
    if (!trip_tracker_lives(record, tracker))
        return TRIP_E_HANDLE;
    if (policy.clock != TRIP_CLOCK_MANUAL)
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

trip_status trip_config_init(trip_config *out_config, size_t struct_size)
{
    if (out_config == NULL || !trip_abi_size_fits(struct_size, TRIP_CONFIG_SIZE_1_0))
        return TRIP_E_INVALID;
    trip_config defaults;
    trip_policy_defaults(&defaults);
    uint32_t size = (uint32_t)struct_size;
    memcpy(out_config, &size, sizeof size);
    trip_abi_write(out_config, &defaults, sizeof defaults);
    return TRIP_OK;
}

static trip_status explain(trip_error *out_error, trip_status status, const trip_refusal *refusal)
{
    trip_error error = {.status = status, .field_offset = refusal->field_offset};
    strncpy(error.message, refusal->why, sizeof error.message - 1);
    trip_abi_write(out_error, &error, sizeof error);
    return status;
}

static trip_status read_config(const trip_config *config, trip_policy *out_policy, trip_error *out_error)
{
    trip_config complete;
    trip_policy_defaults(&complete);
    trip_status status = TRIP_OK;
    if (config != NULL)
        status = trip_abi_read(config, &complete, sizeof complete, TRIP_CONFIG_SIZE_1_0);
    if (status == TRIP_E_INVALID)
        return explain(out_error, status,
                       &(trip_refusal){offsetof(trip_config, struct_size),
                                       "struct_size: set it to sizeof(trip_config), or call trip_config_init"});
    if (status == TRIP_E_TOO_NEW)
        return explain(out_error, status,
                       &(trip_refusal){UINT32_MAX, "the config asks for what only a later library can do"});
    const trip_refusal *refusal = trip_policy_check(&complete);
    if (refusal != NULL)
        return explain(out_error, TRIP_E_CONFIG, refusal);
    trip_policy_make(&complete, out_policy);
    return TRIP_OK;
}

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
    }
    publish_policy(record, policy);
    record->registry.policy = *policy; /* nobody reads it before the tracker lives, or after */
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
        return explain(out_error, TRIP_E_INVALID, &(trip_refusal){UINT32_MAX, "out_tracker is NULL"});
    trip_policy policy;
    trip_status status = read_config(config, &policy, out_error);
    if (status != TRIP_OK)
        return status;

    trip_process_lock();
    status = trip_process_prepare();
    if (status == TRIP_OK)
        status = begin(&policy, out_tracker);
    trip_process_unlock();
    if (status == TRIP_E_SYSTEM)
        return explain(out_error, status,
                       &(trip_refusal){UINT32_MAX, "the system gave no random numbers or no thread key"});
    if (status == TRIP_E_NOMEM)
        return explain(out_error, status, &(trip_refusal){UINT32_MAX, "out of memory"});
    if (status == TRIP_E_CAPACITY)
        return explain(out_error, status, &(trip_refusal){UINT32_MAX, "65535 trackers exist"});
    return status;
}

trip_status trip_tracker_destroy(trip_tracker tracker)
{
    trip_tracker_record *record = trip_tracker_named(tracker);
    if (record == NULL || !trip_tracker_lives(record, tracker))
        return TRIP_E_HANDLE;
    pthread_mutex_lock(&record->scraping); /* whoever tells the metrics reads what goes with them */
    pthread_mutex_lock(&record->registry.mutex);
    bool ours = trip_tracker_lives(record, tracker);
    if (ours) {
        uint64_t generation = trip_handle_generation(tracker, TRIP_TRACKER_SLOT_BITS) + 1;
        atomic_store_explicit(&record->life, generation << 1, memory_order_release);
        trip_registry_clear(&record->registry);
        atomic_fetch_add_explicit(&trip_trackers_destroyed, 1, memory_order_release);
    }
    pthread_mutex_unlock(&record->registry.mutex);
    pthread_mutex_unlock(&record->scraping);
    if (!ours)
        return TRIP_E_HANDLE;
    uint32_t slot = trip_handle_slot(tracker, TRIP_TRACKER_SLOT_BITS);
    if (trip_handle_generation(tracker, TRIP_TRACKER_SLOT_BITS) + 1 < trip_handle_generations(TRIP_TRACKER_SLOT_BITS))
        trip_pool_give(&trip_trackers, slot);
    return TRIP_OK;
}

/* ---- Circuits ---------------------------------------------------------------------------------------------------- */

/* The circuit of a key that was not found without the registry's mutex. */
static __attribute__((noinline)) trip_status get(trip_tracker_record *record, trip_tracker tracker, const trip_key *key,
                                                 trip_circuit *out_circuit)
{
    if (!trip_tracker_lives(record, tracker))
        return TRIP_E_HANDLE;
    trip_circuit circuit;
    trip_status status = TRIP_E_HANDLE;
    pthread_mutex_lock(&record->registry.mutex);
    if (trip_tracker_lives(record, tracker))
        status = trip_registry_get(&record->registry, tracker, key, &circuit);
    pthread_mutex_unlock(&record->registry.mutex);
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
