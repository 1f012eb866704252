/*
 * Replacing policies while calls run. Under the mutex of the registry: first all that can fail, then every circuit that is
 * due another policy than it has is led to it, and at the end threads are told that what they know is out of date. Until
 * then, and while they are at it, they go by the old one.
 */
#include "abi.h"
#include "config.h"
#include "emit.h"
#include "steering.h"
#include "tracker.h"

#include <stddef.h>
#include <string.h>

/* ---- What may be asked for --------------------------------------------------------------------------------------- */

static bool is_subject(const trip_subject *subject)
{
    switch (subject->scope) {
    case TRIP_SCOPE_TRACKER:
        return subject->tenant_len == 0 && subject->provider_len == 0;
    case TRIP_SCOPE_PROVIDER:
        return subject->tenant_len == 0;
    case TRIP_SCOPE_TENANT:
        return subject->provider_len == 0;
    default:
        return subject->scope == TRIP_SCOPE_CIRCUIT;
    }
}

/* What cannot change: the tracker's clock and size, and how its half-open words are laid out. */
static trip_status check_against(const trip_policy *policy, const trip_policy *tracker, trip_error *out_error)
{
    if (policy->clock != tracker->clock)
        return trip_error_tell(out_error, TRIP_E_CONFIG, offsetof(trip_config, clock), "clock: must be the tracker's");
    if (policy->max_circuits != tracker->max_circuits)
        return trip_error_tell(out_error, TRIP_E_CONFIG, offsetof(trip_config, max_circuits),
                               "max_circuits: must be the tracker's");
    if (trip_word_tallies(policy) == trip_word_tallies(tracker))
        return TRIP_OK;
    if (trip_word_tallies(tracker))
        return trip_error_tell(out_error, TRIP_E_CONFIG, offsetof(trip_config, half_open_max_probes),
                               "half_open_max_probes and half_open_successes: must be at most 15 in this tracker");
    return trip_error_tell(out_error, TRIP_E_CONFIG, offsetof(trip_config, half_open_max_probes),
                           "half_open_max_probes or half_open_successes: must be above 15 in this tracker, and all "
                           "probes must succeed");
}

/* ---- Leading circuits to their policies -------------------------------------------------------------------------- */

static bool are_equal(const char *text, size_t len, const char *other, size_t other_len)
{
    return len == other_len && (len == 0 || memcmp(text, other, len) == 0);
}

/* Whether the policy of a circuit may be another one by a change of this subject's, which is no single circuit. */
static bool is_about(const trip_subject *subject, const trip_record *record)
{
    trip_key key = trip_registry_key(record);
    switch (subject->scope) {
    case TRIP_SCOPE_PROVIDER:
        return are_equal(key.provider, key.provider_len, subject->provider, subject->provider_len);
    case TRIP_SCOPE_TENANT:
        return are_equal(key.tenant, key.tenant_len, subject->tenant, subject->tenant_len);
    default:
        return true;
    }
}

/* The one circuit that a subject names. NULL: nobody has made it. */
static trip_record *circuit_of(trip_registry *registry, trip_tracker tracker, const trip_subject *subject)
{
    trip_key key = {subject->tenant, subject->provider, subject->tenant_len, subject->provider_len,
                    trip_key_hash(subject->tenant, subject->tenant_len, subject->provider, subject->provider_len)};
    trip_circuit circuit = trip_registry_look_up(registry, tracker, &key);
    return circuit == 0 ? NULL : trip_record_named(circuit);
}

/* The next circuit, after this one, whose policy may have changed; first of all, and after the last, it is NULL. */
static trip_record *next_circuit(trip_registry *registry, trip_tracker tracker, const trip_subject *subject,
                                 trip_record *record)
{
    if (subject->scope == TRIP_SCOPE_CIRCUIT)
        return record == NULL ? circuit_of(registry, tracker, subject) : NULL;
    do
        record = trip_registry_next(registry, record);
    while (record != NULL && !is_about(subject, record));
    return record;
}

/* A circuit that is due another policy than it has, and both of them. */
typedef struct move {
    trip_tracker tracker;
    const trip_subject *subject; /* whose policy has changed */
    trip_record *record;
    uint32_t to_place;
    uint32_t from_place;
    trip_policy from;
    trip_policy to;
} move;

/* The next circuit that is due another policy. False: there is none. */
static bool next_move(trip_registry *registry, move *m)
{
    while ((m->record = next_circuit(registry, m->tracker, m->subject, m->record)) != NULL) {
        uint32_t from = trip_record_policy_place(m->record), to;
        trip_registry_resolve(registry, m->record, &to);
        if (from == to)
            continue;
        if (from != m->from_place)
            trip_policy_copy(from, &m->from);
        if (to != m->to_place)
            trip_policy_copy(to, &m->to);
        m->from_place = from;
        m->to_place = to;
        return true;
    }
    return false;
}

static move no_move(trip_tracker tracker, const trip_subject *subject)
{
    return (move){.tracker = tracker, .subject = subject, .from_place = UINT32_MAX, .to_place = UINT32_MAX};
}

/* All that can fail for want of memory. */
static bool prepare_circuits(trip_registry *registry, trip_tracker tracker, const trip_subject *subject)
{
    move m = no_move(tracker, subject);
    while (next_move(registry, &m)) {
        if (!trip_policy_needs_annex(&m.to))
            continue;
        trip_annex *annex = trip_annex_have(&m.record->annex);
        if (annex == NULL || !trip_annex_reserve(annex, &m.to))
            return false;
    }
    return true;
}

/* What there is of the new policy's comes before the circuit is led to it, and the slow bit after. */
static void move_circuit(const move *m, uint64_t now)
{
    trip_record *record = m->record;
    trip_annex *annex = trip_record_annex(record);
    if (annex != NULL) {
        if (trip_policy_times_calls(&m->to) && !trip_policy_times_calls(&m->from))
            atomic_store_explicit(&annex->timed_from, now, memory_order_release);
        uint64_t salt = m->to.jitter == 0 ? 0 : trip_registry_salt(record);
        atomic_store_explicit(&annex->salt, salt, memory_order_release);
        trip_annex_reshape(annex, &m->from, &m->to);
    }
    uint64_t origin = trip_origin(trip_record_born(record), m->to_place);
    atomic_store_explicit(&record->origin, origin, memory_order_release);
    if (annex != NULL)
        atomic_store_explicit(&annex->look_at, 0, memory_order_release);
    trip_steering_set_slow(record, &m->to);
}

static void move_circuits(trip_registry *registry, trip_tracker tracker, const trip_subject *subject)
{
    uint64_t now = trip_tracker_time(tracker);
    move m = no_move(tracker, subject);
    while (next_move(registry, &m))
        move_circuit(&m, now);
    trip_revise();
}

/* ---- Setting and withdrawing ------------------------------------------------------------------------------------- */

/* Where it is written whose policy is published where, and what is written there when it has none of its own. */
static uint32_t *entry_of(trip_registry *registry, const trip_subject *subject)
{
    if (subject->scope == TRIP_SCOPE_TRACKER)
        return &registry->policy_place;
    return trip_rules_find(&registry->rules, subject);
}

static uint32_t none_of(const trip_registry *registry, const trip_subject *subject)
{
    return subject->scope == TRIP_SCOPE_TRACKER ? registry->first_place : TRIP_RULE_NONE;
}

/* Write down where the policy is from now on, for whoever looks. */
static void enter(trip_registry *registry, uint32_t *entry, uint32_t place)
{
    *entry = place;
    trip_policy_copy(registry->policy_place, &registry->policy);
}

static trip_status replace(trip_registry *registry, trip_tracker tracker, const trip_subject *subject, uint32_t *entry,
                           uint32_t place)
{
    uint32_t old = *entry;
    enter(registry, entry, place);
    if (!prepare_circuits(registry, tracker, subject)) {
        enter(registry, entry, old);
        return TRIP_E_NOMEM;
    }
    move_circuits(registry, tracker, subject);
    if (old != place && old != TRIP_RULE_NONE && old != registry->first_place)
        trip_policy_withdraw(old);
    return TRIP_OK;
}

static trip_status withdraw(trip_registry *registry, trip_tracker tracker, const trip_subject *subject)
{
    uint32_t *entry = entry_of(registry, subject);
    if (entry == NULL)
        return TRIP_OK;
    trip_status status = replace(registry, tracker, subject, entry, none_of(registry, subject));
    if (status == TRIP_OK && subject->scope != TRIP_SCOPE_TRACKER)
        trip_rules_remove(&registry->rules, subject);
    return status;
}

static trip_status set(trip_registry *registry, trip_tracker tracker, const trip_subject *subject,
                       const trip_policy *policy)
{
    uint32_t *entry = entry_of(registry, subject);
    bool is_new = entry == NULL;
    if (is_new && registry->rules.count >= registry->policy.max_circuits)
        return TRIP_E_CAPACITY;
    uint32_t place;
    trip_status status = trip_policy_publish(policy, &place);
    if (status != TRIP_OK)
        return TRIP_E_NOMEM;
    if (is_new)
        entry = trip_rules_add(&registry->rules, subject);
    status = entry == NULL ? TRIP_E_NOMEM : replace(registry, tracker, subject, entry, place);
    if (status == TRIP_OK)
        return status;
    trip_policy_withdraw(place);
    if (is_new && entry != NULL)
        trip_rules_remove(&registry->rules, subject);
    return status;
}

/* With the mutex held. A NULL policy withdraws the subject's. */
static trip_status configure(trip_registry *registry, trip_tracker tracker, const trip_subject *subject,
                             const trip_policy *policy, trip_error *out_error)
{
    trip_status status = policy == NULL ? TRIP_OK : check_against(policy, &registry->policy, out_error);
    if (status != TRIP_OK)
        return status;
    status = policy == NULL ? withdraw(registry, tracker, subject) : set(registry, tracker, subject, policy);
    if (status == TRIP_OK)
        trip_emit_configured(tracker, subject);
    if (status == TRIP_E_CAPACITY)
        return trip_error_tell(out_error, status, TRIP_NO_FIELD, "max_circuits policies exist beside the tracker's");
    return status == TRIP_OK ? status : trip_error_tell(out_error, status, TRIP_NO_FIELD, "out of memory");
}

trip_status trip_tracker_configure(trip_tracker tracker, uint32_t scope, const char *tenant, size_t tenant_len,
                                   const char *provider, size_t provider_len, const trip_config *config,
                                   trip_error *out_error)
{
    if (!trip_abi_may_write(out_error, TRIP_ERROR_SIZE_1_0))
        return TRIP_E_INVALID;
    if (!trip_abi_text(tenant, &tenant_len) || !trip_abi_text(provider, &provider_len))
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD, "a text is longer than 255 bytes, or NULL");
    const trip_subject subject = {scope, tenant, provider, tenant_len, provider_len};
    if (!is_subject(&subject))
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD, "the texts are not those of the scope");
    trip_policy policy;
    trip_status status = config == NULL ? TRIP_OK : trip_config_read(config, &policy, out_error);
    if (status != TRIP_OK)
        return status;
    trip_tracker_record *record = trip_tracker_lock(tracker);
    if (record == NULL)
        return trip_error_tell(out_error, TRIP_E_HANDLE, TRIP_NO_FIELD, "there is no such tracker");
    status = configure(&record->registry, tracker, &subject, config == NULL ? NULL : &policy, out_error);
    trip_tracker_unlock(record);
    return status;
}
