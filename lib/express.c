/* The express lane, as express.h describes it. Takes no lock. */
#include "express.h"

#include "abi.h"
#include "circuit.h"
#include "tracker.h"

trip_status trip_circuit_express(trip_circuit circuit, trip_express *out_express)
{
    if (out_express == NULL || !trip_abi_may_write(out_express, TRIP_EXPRESS_SIZE_1_1))
        return TRIP_E_INVALID;
    trip_record *record = trip_record_named(circuit);
    if (record == NULL)
        return TRIP_E_HANDLE;
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    if (!trip_record_lives(record, circuit))
        return TRIP_E_HANDLE;
    uint64_t healthy = word & ~TRIP_WORD_PAYLOAD;
    trip_express express = {
        .layout = TRIP_EXPRESS_LAYOUT_WORD,
        .mask = 0,
        .value = 1,
        .word = (const uint64_t *)&record->cell.word,
    };
    if (trip_word_is_healthy(healthy)) {
        express.mask = UINT64_MAX;
        express.value = healthy;
        express.permit = trip_express_make(trip_word_stamp(word), trip_handle_slot(circuit, TRIP_CIRCUIT_SLOT_BITS));
    }
    trip_abi_write(out_express, &express, sizeof express);
    return TRIP_OK;
}

/* ---- Settling ---------------------------------------------------------------------------------------------------- */

/* How an express permit stands to what lives in its place now. */
typedef struct lane {
    trip_record *record;
    trip_circuit circuit; /* that lives there */
    uint64_t epoch;       /* of the permit, if it is current */
    bool is_of_this_life;
} lane;

/* TRIP_OK: current; TRIP_STALE: it was once; TRIP_E_HANDLE: it never was, or its tracker is gone. */
static trip_status find(trip_permit permit, lane *out)
{
    uint32_t slot = trip_handle_slot(permit, TRIP_CIRCUIT_SLOT_BITS);
    trip_record *record = trip_record_at(slot);
    if (record == NULL)
        return TRIP_E_HANDLE;
    uint64_t life = atomic_load_explicit(&record->life, memory_order_acquire);
    uint64_t word = atomic_load_explicit(&record->cell.word, memory_order_acquire);
    uint64_t born = atomic_load_explicit(&record->cell.born, memory_order_acquire);
    trip_tracker tracker = atomic_load_explicit(&record->tracker, memory_order_acquire);
    const trip_tracker_record *owner = trip_tracker_named(tracker);
    if (owner == NULL || !trip_tracker_lives(owner, tracker))
        return TRIP_E_HANDLE;
    uint64_t behind = (trip_word_stamp(word) - trip_express_stamp(permit)) & TRIP_EXPRESS_STAMP_MASK;
    if (behind > TRIP_EXPRESS_STAMP_MASK / 2)
        return TRIP_E_HANDLE;
    out->record = record;
    out->circuit = trip_record_handle(life, slot);
    out->epoch = trip_word_epoch(word);
    out->is_of_this_life = (life & 1) != 0 && trip_word_stamp(word) - behind >= born;
    bool current =
        behind == 0 && trip_word_state_of(word) == TRIP_WORD_CLOSED && trip_record_lives(record, out->circuit);
    return current ? TRIP_OK : TRIP_STALE;
}

/* Count a call that was admitted by the lane and has ended: in a slot of our own, as if it had been granted there. */
static void trip_express_counts(trip_magazine *magazine, trip_circuit circuit, trip_event event, trip_status status,
                                bool opened)
{
    trip_numbered_slot own;
    if (magazine == NULL || trip_magazine_take(magazine, circuit, &own) != TRIP_OK)
        return;
    uint64_t word = atomic_load_explicit(&own.slot->word, memory_order_relaxed);
    atomic_store_explicit(&own.slot->word, word + 2, memory_order_release);
    if (opened)
        trip_magazine_count(magazine, own.slot, TRIP_COUNT_OPENS);
    if (status == TRIP_STALE)
        trip_magazine_count(magazine, own.slot, TRIP_COUNT_STALE);
    trip_permit_count_outcome(magazine, own.slot, event);
    trip_magazine_put(magazine, circuit, own);
}

trip_status trip_express_settle(trip_permit permit, trip_event event)
{
    lane on;
    trip_status status = find(permit, &on);
    if (event == TRIP_EVENT_RENEW || status < 0)
        return status;
    trip_magazine *magazine = trip_magazine_mine();
    if (status == TRIP_OK) {
        trip_hearing hearing;
        trip_verdict verdict;
        trip_hearing_begin(&hearing, on.circuit, on.record, magazine);
        if (!trip_circuit_apply(&hearing, event, on.epoch, &verdict))
            return TRIP_STALE;
        status = verdict.status;
        trip_express_counts(magazine, on.circuit, event, status, verdict.opened);
        return status;
    }
    if (on.is_of_this_life)
        trip_express_counts(magazine, on.circuit, event, status, false);
    return status;
}

trip_status trip_circuit_count(trip_circuit circuit, uint64_t permits, uint64_t successes)
{
    const trip_record *record = trip_record_named(circuit);
    if (record == NULL || !trip_record_lives(record, circuit))
        return TRIP_E_HANDLE;
    trip_magazine *magazine = trip_magazine_mine();
    if (magazine == NULL)
        return TRIP_E_NOMEM;
    return trip_magazine_count_express(magazine, circuit, permits, successes) ? TRIP_OK : TRIP_E_HANDLE;
}
