/* Steering, as steering.h describes it: modes, and the orders that are carried out at once. */
#include "steering.h"

#include "alloc.h"
#include "emit.h"
#include "report.h"
#include "tracker.h"

#include <string.h>

/* ---- The word of a mode ------------------------------------------------------------------------------------------ */

#define MODE_SHIFT 62
#define ENDLESS ((UINT64_C(1) << MODE_SHIFT) - 1)

static uint64_t steer_word(trip_steer steer)
{
    if (steer.mode == TRIP_MODE_AUTO)
        return 0;
    return (uint64_t)steer.mode << MODE_SHIFT | (steer.until < ENDLESS ? steer.until : ENDLESS);
}

static trip_steer steer_of(uint64_t steer_word)
{
    uint64_t until = steer_word & ENDLESS;
    return (trip_steer){(uint32_t)(steer_word >> MODE_SHIFT), until == ENDLESS ? UINT64_MAX : until};
}

trip_steer trip_steering_of(const trip_record *record, uint64_t word, uint64_t now)
{
    static const trip_steer automatic = {TRIP_MODE_AUTO, UINT64_MAX};
    const trip_annex *annex = trip_record_annex(record);
    if ((word & TRIP_WORD_SLOW) == 0 || annex == NULL)
        return automatic;
    uint64_t set = atomic_load_explicit(&annex->steer, memory_order_acquire);
    trip_steer steer = steer_of(set);
    return set == 0 || now >= steer.until ? automatic : steer;
}

/* ---- Orders, under the mutex ------------------------------------------------------------------------------------- */

bool trip_steering_prepare(trip_record *record)
{
    trip_annex *annex = trip_annex_have(&record->annex);
    if (annex == NULL)
        return false;
    if (annex->order == NULL)
        annex->order = trip_allocate(sizeof *annex->order);
    return annex->order != NULL;
}

void trip_steering_set_slow(trip_record *record, const trip_policy *policy)
{
    bool slow = trip_policy_is_slow(policy) || trip_steering_is_set(trip_record_annex(record));
    _Atomic uint64_t *place = &record->cell.word;
    uint64_t word = atomic_load_explicit(place, memory_order_acquire);
    uint64_t wanted;
    do
        wanted = slow ? word | TRIP_WORD_SLOW : word & ~TRIP_WORD_SLOW;
    while (wanted != word &&
           !atomic_compare_exchange_weak_explicit(place, &word, wanted, memory_order_acq_rel, memory_order_acquire));
}

/* Let the mode hold, and tell of it with the reason of the last order. */
static void hold_to(trip_record *record, trip_steer steer, uint32_t cause)
{
    const trip_order *order = trip_record_annex(record)->order;
    trip_policy policy;
    trip_record_policy(record, &policy);
    atomic_store_explicit(&trip_record_annex(record)->steer, steer_word(steer), memory_order_release);
    trip_steering_set_slow(record, &policy);
    trip_revise();
    trip_emit_forced(record, steer, cause, order->reason, order->reason_len);
}

void trip_steering_put(trip_record *record, trip_steer steer, const char *reason, size_t reason_len, uint32_t cause)
{
    trip_order *order = trip_record_annex(record)->order;
    order->is_given = true;
    order->steer = steer;
    order->since = trip_tracker_time(trip_record_tracker(record));
    order->reason_len = reason_len;
    if (reason_len != 0)
        memcpy(order->reason, reason, reason_len);
    hold_to(record, steer, cause);
}

const trip_order *trip_steering_order(const trip_record *record)
{
    const trip_annex *annex = trip_record_annex(record);
    return annex == NULL || annex->order == NULL || !annex->order->is_given ? NULL : annex->order;
}

/* ---- When the time of a mode is over ----------------------------------------------------------------------------- */

static bool is_over(const trip_record *record, uint64_t now)
{
    const trip_annex *annex = trip_record_annex(record);
    uint64_t set = annex == NULL ? 0 : atomic_load_explicit(&annex->steer, memory_order_acquire);
    return set != 0 && now >= steer_of(set).until;
}

/* Only tries: whoever holds the mutex may be making a thousand circuits, and nobody waits for him here. The next one to
   come tries again; until then the mode counts as over all the same. */
void trip_steering_end(trip_hearing *hearing)
{
    trip_record *record = hearing->record;
    trip_tracker_record *owner = trip_tracker_named(trip_record_tracker(record));
    if (owner == NULL || pthread_mutex_trylock(&owner->registry.mutex) != 0)
        return;
    bool is_ours =
        trip_record_lives(record, hearing->circuit) && trip_tracker_named(trip_record_tracker(record)) == owner;
    if (is_ours && is_over(record, trip_circuit_lately(hearing)))
        hold_to(record, (trip_steer){TRIP_MODE_AUTO, UINT64_MAX}, TRIP_CAUSE_TIME);
    pthread_mutex_unlock(&owner->registry.mutex);
}

/* ---- What operators call ----------------------------------------------------------------------------------------- */

trip_status trip_circuit_set_mode(trip_circuit circuit, uint32_t mode, uint64_t ttl_ns, const char *reason,
                                  size_t reason_len)
{
    if (mode > TRIP_MODE_OBSERVE || ttl_ns > TRIP_YEAR || !trip_abi_text(reason, &reason_len))
        return TRIP_E_INVALID;
    trip_record *record;
    trip_tracker_record *owner = trip_tracker_hold(circuit, &record);
    if (owner == NULL)
        return TRIP_E_HANDLE;
    trip_status status = trip_steering_prepare(record) ? TRIP_OK : TRIP_E_NOMEM;
    if (status == TRIP_OK) {
        uint64_t now = trip_tracker_time(trip_record_tracker(record));
        trip_steering_put(record, (trip_steer){mode, ttl_ns == 0 ? UINT64_MAX : now + ttl_ns}, reason, reason_len,
                          TRIP_CAUSE_OPERATOR);
    }
    trip_tracker_unlock(owner);
    return status;
}

trip_status trip_circuit_trip(trip_circuit circuit)
{
    trip_record *record = trip_record_named(circuit);
    if (record == NULL || !trip_record_lives(record, circuit))
        return TRIP_E_HANDLE;
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, record, trip_magazine_mine());
    return trip_circuit_open(&hearing, TRIP_ON_OPEN, 0, TRIP_CAUSE_OPERATOR) ? TRIP_OK : TRIP_E_HANDLE;
}

/* Under the mutex, so that the circuit's own clock is put forward by one at a time. */
trip_status trip_circuit_reset(trip_circuit circuit)
{
    trip_record *record;
    trip_tracker_record *owner = trip_tracker_hold(circuit, &record);
    if (owner == NULL)
        return TRIP_E_HANDLE;
    trip_annex *annex = trip_record_annex(record);
    if (annex != NULL)
        atomic_store_explicit(&annex->not_before, 0, memory_order_release);
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, record, trip_magazine_mine());
    hearing.cause = TRIP_CAUSE_OPERATOR;
    trip_verdict verdict;
    bool there = trip_circuit_apply(&hearing, TRIP_ON_RESET, 0, &verdict);
    trip_revise();
    trip_tracker_unlock(owner);
    return there ? TRIP_OK : TRIP_E_HANDLE;
}

trip_status trip_circuit_remove(trip_circuit circuit)
{
    trip_record *record;
    trip_tracker_record *owner = trip_tracker_hold(circuit, &record);
    if (owner == NULL)
        return TRIP_E_HANDLE;
    trip_registry_remove(&owner->registry, record, TRIP_CAUSE_OPERATOR);
    trip_tracker_unlock(owner);
    return TRIP_OK;
}
