/*
 * Permits: granted, refused, settled, renewed. The healthy path, a permit and a success on a closed circuit without
 * failures, is the first few lines of trip_circuit_permit and of settle: no lock, no clock, no allocation, and no write
 * to memory that another thread writes.
 */
#include "permit.h"

#include "abi.h"
#include "circuit.h"
#include "express.h"
#include "tracker.h"

_Atomic(char *) trip_permit_chunks[TRIP_PERMITS_MAX >> TRIP_PERMIT_CHUNK_BITS];
trip_pool trip_permits =
    TRIP_POOL(sizeof(trip_permit_slot), TRIP_PERMITS_MAX, TRIP_PERMIT_CHUNK_BITS, trip_permit_chunks);

_Static_assert(sizeof(trip_permit_slot) == 64, "a permit slot is one cache line");

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

/* A slot whose generations have all been granted is retired: nobody gives it back. */
static inline bool is_used_up(uint64_t word)
{
    return word >> 1 == trip_handle_generations(TRIP_PERMIT_SLOT_BITS);
}

/* Settle in the callers' stead the permits that nobody can settle any more: those of trackers that are gone. */
static void reclaim_orphans(void)
{
    uint32_t made = trip_pool_made(&trip_permits);
    for (uint32_t i = 0; i < made; i++) {
        trip_permit_slot *slot = trip_permit_slot_at(i);
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
        if ((word & 1) == 0 || trip_tracker_tag_lives(atomic_load_explicit(&slot->tracker_tag, memory_order_relaxed)))
            continue;
        uint64_t settled = word + 1;
        if (atomic_compare_exchange_strong_explicit(&slot->word, &word, settled, memory_order_acq_rel,
                                                    memory_order_relaxed) &&
            !is_used_up(settled))
            trip_pool_give(&trip_permits, i);
    }
}

trip_status trip_permit_slot_take(uint32_t *out_slot)
{
    static _Atomic uint64_t reclaimed_at; /* trackers destroyed when we last looked for orphans */
    trip_status status = trip_pool_take(&trip_permits, out_slot);
    if (status != TRIP_E_CAPACITY)
        return status;
    uint64_t destroyed = atomic_load_explicit(&trip_trackers_destroyed, memory_order_acquire);
    if (atomic_exchange_explicit(&reclaimed_at, destroyed, memory_order_acq_rel) == destroyed)
        return status;
    reclaim_orphans();
    return trip_pool_take(&trip_permits, out_slot);
}

/* ---- Granting ---------------------------------------------------------------------------------------------------- */

static inline trip_permit grant(trip_numbered_slot free_slot, uint64_t epoch)
{
    trip_permit_slot *slot = free_slot.slot;
    uint64_t generation = atomic_load_explicit(&slot->word, memory_order_relaxed) >> 1;
    atomic_store_explicit(&slot->epoch, epoch, memory_order_relaxed);
    atomic_store_explicit(&slot->word, generation << 1 | 1, memory_order_release);
    return trip_handle_make(TRIP_KIND_PERMIT, TRIP_PERMIT_SLOT_BITS, generation, free_slot.number);
}

/* A circuit that is not healthy decides by its word. The slot is there already, so that a probe won is a probe had. */
static __attribute__((noinline)) trip_status ask(trip_circuit circuit, trip_magazine *magazine,
                                                 trip_numbered_slot free_slot, trip_permit *out_permit,
                                                 trip_rejection *out_rejection)
{
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, trip_record_named(circuit), magazine);
    trip_verdict verdict;
    if (!trip_circuit_apply(&hearing, TRIP_EVENT_PERMIT, 0, &verdict)) {
        trip_magazine_put(magazine, circuit, free_slot);
        return TRIP_E_HANDLE;
    }
    if (verdict.opened)
        trip_magazine_count(magazine, free_slot.slot, TRIP_COUNT_OPENS);
    if (verdict.status == TRIP_OK) {
        *out_permit = grant(free_slot, trip_word_epoch(verdict.word));
        return TRIP_OK;
    }
    trip_magazine_count(magazine, free_slot.slot, TRIP_COUNT_REJECTIONS);
    trip_magazine_put(magazine, circuit, free_slot);
    trip_circuit_refuse(&hearing, &verdict, out_rejection);
    return verdict.status;
}

/* There is no place for a permit. An open circuit refuses all the same, if uncounted: a caller who lets calls through
   on an error shall not do so to a provider that is down. */
static __attribute__((noinline)) trip_status without_slot(trip_circuit circuit, trip_status error,
                                                          trip_rejection *out_rejection)
{
    trip_status status = trip_circuit_peek(circuit, out_rejection);
    return status > 0 ? status : error;
}

trip_status trip_circuit_permit(trip_circuit circuit, trip_permit *out_permit, trip_rejection *out_rejection)
{
    if (out_permit == NULL || !trip_abi_may_write(out_rejection, TRIP_REJECTION_SIZE_1_0))
        return TRIP_E_INVALID;
    trip_record *record = trip_record_named(circuit);
    if (record == NULL)
        return TRIP_E_HANDLE;
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    if (!trip_record_lives(record, circuit)) /* after the word: so the word was this circuit's */
        return TRIP_E_HANDLE;
    if (atomic_load_explicit(&record->mark, memory_order_relaxed) == 0)
        atomic_store_explicit(&record->mark, 1, memory_order_relaxed);

    trip_magazine *magazine = trip_magazine_mine();
    trip_numbered_slot slot;
    trip_status status = magazine == NULL ? TRIP_E_NOMEM : trip_magazine_take(magazine, circuit, &slot);
    if (status != TRIP_OK)
        return without_slot(circuit, status, out_rejection);
    if (!trip_word_is_healthy(word))
        return ask(circuit, magazine, slot, out_permit, out_rejection);
    *out_permit = grant(slot, trip_word_epoch(word));
    return TRIP_OK;
}

/* ---- Settling ---------------------------------------------------------------------------------------------------- */

/* A permit that is out, as its slot says. */
typedef struct granted {
    trip_numbered_slot at;
    uint64_t word;
    uint64_t epoch;
    trip_circuit circuit;
} granted;

static inline trip_status find(trip_permit permit, granted *out)
{
    if (!trip_handle_is(permit, TRIP_KIND_PERMIT))
        return TRIP_E_HANDLE;
    uint32_t number = trip_handle_slot(permit, TRIP_PERMIT_SLOT_BITS);
    trip_permit_slot *slot = trip_permit_slot_if_any(number);
    if (slot == NULL)
        return TRIP_E_HANDLE;
    uint64_t generation = trip_handle_generation(permit, TRIP_PERMIT_SLOT_BITS);
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
    if (word != (generation << 1 | 1))
        return word >> 1 > generation ? TRIP_E_CONSUMED : TRIP_E_HANDLE;
    out->at = (trip_numbered_slot){.slot = slot, .number = number};
    out->word = word;
    out->epoch = atomic_load_explicit(&slot->epoch, memory_order_acquire);
    out->circuit = atomic_load_explicit(&slot->circuit, memory_order_acquire);
    return TRIP_OK;
}

/* What to say of a permit whose circuit is gone: evicted, or destroyed with its tracker. */
static trip_status of_the_gone(const trip_permit_slot *slot)
{
    uint32_t tag = atomic_load_explicit(&slot->tracker_tag, memory_order_relaxed);
    return trip_tracker_tag_lives(tag) ? TRIP_STALE : TRIP_E_HANDLE;
}

void trip_permit_count_outcome(trip_magazine *magazine, trip_permit_slot *slot, trip_event event)
{
    switch (event) {
    case TRIP_EVENT_FAILURE:
        trip_magazine_count(magazine, slot, TRIP_COUNT_FAILURES);
        break;
    case TRIP_EVENT_DROP:
        trip_magazine_count(magazine, slot, TRIP_COUNT_DROPS);
        break;
    case TRIP_EVENT_CANCEL:
        trip_magazine_count(magazine, slot, TRIP_COUNT_CANCELS);
        break;
    default:
        break; /* successes are what is left over */
    }
}

/* Tell the circuit what became of a call. The permit is settled, and its slot the caller's. */
static __attribute__((noinline)) trip_status tell(trip_circuit circuit, uint64_t epoch, trip_event event,
                                                  trip_magazine *magazine, trip_permit_slot *slot)
{
    trip_hearing hearing;
    trip_hearing_begin(&hearing, circuit, trip_record_named(circuit), magazine);
    trip_verdict verdict;
    if (!trip_circuit_apply(&hearing, event, epoch, &verdict))
        verdict = (trip_verdict){.status = of_the_gone(slot)};
    if (verdict.opened)
        trip_magazine_count(magazine, slot, TRIP_COUNT_OPENS);
    if (verdict.status == TRIP_STALE)
        trip_magazine_count(magazine, slot, TRIP_COUNT_STALE);
    trip_permit_count_outcome(magazine, slot, event);
    return verdict.status;
}

/* A success on a circuit that is as healthy as when the permit was granted. */
static inline bool teaches_nothing(const granted *permit, trip_event event)
{
    const trip_record *record = trip_record_known(permit->circuit);
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    return event == TRIP_EVENT_SUCCESS && trip_word_is_healthy(word) && trip_word_epoch(word) == permit->epoch &&
           trip_record_lives(record, permit->circuit);
}

static inline trip_status settle(trip_permit handle, trip_event event)
{
    if (trip_is_express(handle))
        return trip_express_settle(handle, event);
    granted permit;
    trip_status status = find(handle, &permit);
    if (status != TRIP_OK)
        return status;
    uint64_t settled = permit.word + 1; /* free, in the next generation */
    uint64_t expected = permit.word;
    if (!atomic_compare_exchange_strong_explicit(&permit.at.slot->word, &expected, settled, memory_order_acq_rel,
                                                 memory_order_relaxed))
        return TRIP_E_CONSUMED;

    trip_magazine *magazine = trip_magazine_mine();
    if (!teaches_nothing(&permit, event))
        status = tell(permit.circuit, permit.epoch, event, magazine, permit.at.slot);
    if (!is_used_up(settled))
        trip_magazine_put(magazine, permit.circuit, permit.at);
    return status;
}

trip_status trip_permit_record_success(trip_permit permit)
{
    return settle(permit, TRIP_EVENT_SUCCESS);
}

trip_status trip_permit_record_failure(trip_permit permit)
{
    return settle(permit, TRIP_EVENT_FAILURE);
}

trip_status trip_permit_drop(trip_permit permit)
{
    return settle(permit, TRIP_EVENT_DROP);
}

trip_status trip_permit_cancel(trip_permit permit)
{
    return settle(permit, TRIP_EVENT_CANCEL);
}

/* ---- Unsettled permits ------------------------------------------------------------------------------------------- */

/* Whether the permit was still out when all was read about it: only then does what was read belong together. */
static bool still_out(const granted *permit)
{
    return atomic_load_explicit(&permit->at.slot->word, memory_order_acquire) == permit->word;
}

trip_status trip_permit_renew(trip_permit handle)
{
    if (trip_is_express(handle))
        return trip_express_settle(handle, TRIP_EVENT_RENEW);
    granted permit;
    trip_status status = find(handle, &permit);
    if (status != TRIP_OK)
        return status;
    if (!still_out(&permit))
        return TRIP_E_CONSUMED;
    trip_hearing hearing;
    trip_hearing_begin(&hearing, permit.circuit, trip_record_known(permit.circuit), trip_magazine_mine());
    trip_verdict verdict;
    bool there = trip_circuit_apply(&hearing, TRIP_EVENT_RENEW, permit.epoch, &verdict);
    return there ? verdict.status : of_the_gone(permit.at.slot);
}

trip_status trip_permit_inspect(trip_permit handle, trip_permit_info *out_info)
{
    if (out_info == NULL || !trip_abi_may_write(out_info, TRIP_PERMIT_INFO_SIZE_1_0))
        return TRIP_E_INVALID;
    if (trip_is_express(handle)) {
        trip_status answer = trip_express_settle(handle, TRIP_EVENT_RENEW);
        if (answer == TRIP_OK)
            trip_abi_write(out_info, &(trip_permit_info){.is_probe = 0}, sizeof *out_info);
        return answer;
    }
    granted permit;
    trip_status status = find(handle, &permit);
    if (status != TRIP_OK)
        return status;
    trip_hearing hearing;
    trip_hearing_begin(&hearing, permit.circuit, trip_record_known(permit.circuit), trip_magazine_mine());
    uint64_t word = atomic_load_explicit(&hearing.record->cell.word, memory_order_acquire);
    trip_circuit_look(&hearing);
    trip_view view = trip_word_view(word, &hearing.setting);
    bool there = trip_record_lives(hearing.record, permit.circuit);
    if (!still_out(&permit))
        return TRIP_E_CONSUMED;
    if (!there)
        return of_the_gone(permit.at.slot);
    if (view.epoch != permit.epoch)
        return TRIP_STALE;
    trip_permit_info info = {.is_probe = view.state == TRIP_WORD_HALF_OPEN, .lease_left_ns = view.lease_left_ns};
    trip_abi_write(out_info, &info, sizeof info);
    return TRIP_OK;
}
