/* What can be done with a permit but settling it: looking at it, renewing its lease, telling that its stream goes on. */
#include "abi.h"
#include "express.h"
#include "outstanding.h"
#include "overdue.h"
#include "report.h"

/* ---- Streams ----------------------------------------------------------------------------------------------------- */

/* The first progress of a probe is its success; a stream whose success closes the circuit goes on as a call of that. */
static trip_status win(trip_hearing *hearing, const trip_outstanding *permit)
{
    trip_verdict verdict;
    bool there = trip_circuit_apply(hearing, TRIP_ON_SUCCESS, permit->epoch, &verdict);
    if (!there || verdict.status != TRIP_OK) {
        atomic_fetch_and_explicit(&permit->slot->progress, ~TRIP_PROGRESS_WON, memory_order_acq_rel);
        return TRIP_STALE;
    }
    if (trip_word_state_of(verdict.word) == TRIP_WORD_CLOSED)
        atomic_store_explicit(&permit->slot->bare, trip_word_bare(verdict.word) & ~TRIP_WORD_SLOW,
                              memory_order_release);
    return TRIP_OK;
}

/* Note when the stream was heard of last. False: it has stalled. */
static bool note_progress(trip_permit_slot *slot, uint64_t now, uint64_t flag, bool *out_is_first)
{
    uint64_t progress = atomic_load_explicit(&slot->progress, memory_order_acquire);
    do {
        if ((progress & TRIP_PROGRESS_STALLED) != 0)
            return false;
        *out_is_first = (progress & flag) != flag;
    } while (!atomic_compare_exchange_weak_explicit(&slot->progress, &progress,
                                                    (progress & ~TRIP_PROGRESS_TIME) | flag | (now + 1),
                                                    memory_order_acq_rel, memory_order_acquire));
    return true;
}

static trip_status progress_granted(trip_permit handle)
{
    trip_outstanding permit;
    trip_status status = trip_outstanding_find(handle, &permit);
    if (status != TRIP_OK)
        return status;
    trip_hearing hearing;
    trip_hearing_begin(&hearing, permit.circuit, trip_record_known(permit.circuit), trip_magazine_mine());
    const trip_policy *policy = trip_circuit_consult(&hearing);
    bool is_probe = trip_epoch_state(permit.epoch) == TRIP_WORD_HALF_OPEN;
    uint64_t now = policy->stall_ns != 0 ? trip_circuit_lately(&hearing) : 0;
    uint64_t epoch = trip_word_epoch(atomic_load_explicit(&hearing.record->cell.word, memory_order_acquire));
    if (!trip_record_lives(hearing.record, permit.circuit))
        return trip_outstanding_gone(&permit);
    if (!trip_outstanding_still(&permit))
        return TRIP_E_CONSUMED;
    bool is_first;
    if (permit.epoch == TRIP_EPOCH_NONE)
        return TRIP_OK;
    if (epoch != permit.epoch)
        return TRIP_STALE;
    if (!is_probe && policy->stall_ns == 0)
        return TRIP_OK;
    if (!note_progress(permit.slot, now, is_probe ? TRIP_PROGRESS_WON : 0, &is_first))
        return TRIP_STALE;
    if (policy->stall_ns != 0)
        trip_overdue_expect(trip_record_annex(hearing.record), policy, now);
    return is_probe && is_first ? win(&hearing, &permit) : TRIP_OK;
}

trip_status trip_permit_progress(trip_permit permit)
{
    return trip_is_express(permit) ? trip_express_inspect(permit) : progress_granted(permit);
}

/* ---- Unsettled permits ------------------------------------------------------------------------------------------- */

trip_status trip_permit_renew(trip_permit handle)
{
    if (trip_is_express(handle))
        return trip_express_inspect(handle);
    trip_outstanding permit;
    trip_status status = trip_outstanding_find(handle, &permit);
    if (status != TRIP_OK)
        return status;
    if (!trip_outstanding_still(&permit))
        return TRIP_E_CONSUMED;
    trip_hearing hearing;
    trip_hearing_begin(&hearing, permit.circuit, trip_record_known(permit.circuit), trip_magazine_mine());
    trip_verdict verdict = {.status = TRIP_OK};
    bool there = permit.epoch == TRIP_EPOCH_NONE ? trip_record_lives(hearing.record, permit.circuit)
                                                 : trip_circuit_apply(&hearing, TRIP_ON_RENEW, permit.epoch, &verdict);
    return there ? verdict.status : trip_outstanding_gone(&permit);
}

static trip_status inspect_granted(trip_permit handle, trip_permit_info *info)
{
    trip_outstanding permit;
    trip_status status = trip_outstanding_find(handle, &permit);
    if (status != TRIP_OK)
        return status;
    trip_hearing hearing;
    trip_hearing_begin(&hearing, permit.circuit, trip_record_known(permit.circuit), trip_magazine_mine());
    uint64_t word = atomic_load_explicit(&hearing.record->cell.word, memory_order_acquire);
    trip_circuit_look(&hearing);
    trip_view view = trip_word_view(word, &hearing.setting);
    bool there = trip_record_lives(hearing.record, permit.circuit);
    if (!trip_outstanding_still(&permit))
        return TRIP_E_CONSUMED;
    if (!there)
        return trip_outstanding_gone(&permit);
    if (permit.epoch == TRIP_EPOCH_NONE)
        return TRIP_OK;
    if (view.epoch != permit.epoch)
        return TRIP_STALE;
    uint64_t progress = atomic_load_explicit(&permit.slot->progress, memory_order_acquire);
    info->is_probe = view.state == TRIP_WORD_HALF_OPEN && (progress & TRIP_PROGRESS_WON) == 0;
    info->lease_left_ns = info->is_probe ? view.lease_left_ns : 0;
    return TRIP_OK;
}

trip_status trip_permit_inspect(trip_permit handle, trip_permit_info *out_info)
{
    if (out_info == NULL || !trip_abi_may_write(out_info, TRIP_PERMIT_INFO_SIZE_1_0))
        return TRIP_E_INVALID;
    trip_permit_info info = {.is_probe = 0};
    trip_status status = trip_is_express(handle) ? trip_express_inspect(handle) : inspect_granted(handle, &info);
    if (status == TRIP_OK)
        trip_abi_write(out_info, &info, sizeof info);
    return status;
}
